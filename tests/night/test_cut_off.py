"""Long reading at the end of a step: `hold`, TERM and `abort` end it long before it would end by itself, and the second
try passes.

A file of the bundle is made so long that reading it takes a quarter of an hour (it is sparse, and takes no room), and
is put back as it was before the try that is to pass.
"""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.rehearsal.night import Night, until
from tests.night.playing import (
    WRITES,
    assert_handed_over,
    ended,
    fast_night,
    header_shows,
    journal,
    pass_gate,
    play_on,
    shows,
    told,
    writes,
)

_WITHIN = 180
_LONG = 1 << 40


def _begun(night: Night, step: str) -> int:
    return sum((event["type"], event.get("step")) == ("step-began", step) for event in journal(night))


async def _runs(night: Night, step: str, times: int) -> None:
    await until(lambda: _begun(night, step) == times, 180)
    await asyncio.sleep(0.5)  # it is under way, and no sign of that leaves the process
    assert journal(night)[-1]["type"] not in {"step-ended", "step-failed"}


def _table_file(night: Night) -> Path:
    """Of a table without references to users, which the users gate reads once only."""
    tables = json.loads((night.directory / "metadata.json").read_text())["tables"].values()
    table = min((t for t in tables if not t.get("userReferences")), key=lambda t: t["file"])
    return night.directory / table["file"]


@contextmanager
def _long(path: Path) -> Iterator[None]:
    """As it was when this ends."""
    size = path.stat().st_size
    os.truncate(path, _LONG)
    try:
        yield
    finally:
        os.truncate(path, size)


@contextmanager
def _long_for_the_handover(night: Night) -> Iterator[None]:
    """From when the users gate has read all files and asks Stack Auth for the users; as it was when this ends."""
    path = _table_file(night)
    size = path.stat().st_size

    def are_read() -> bool:
        made = [event for event in journal(night) if event["type"] == "finding-made"]
        return ("users", "files-whole") in {(event["checkpoint"], event["finding"]["check"]) for event in made}

    def lengthen(_: object) -> None:
        if path.stat().st_size == size and are_read():
            os.truncate(path, _LONG)

    night.stack.faults.when(lengthen)
    try:
        yield
    finally:
        night.stack.faults.clear()
        os.truncate(path, size)


async def _held_and_stopped(night: Night, step: str) -> None:
    """Both end the step in time; nothing is said to be damaged."""
    before = _begun(night, step)
    async with asyncio.timeout(_WITHIN):
        assert (await told(night, "linus", "@cutover hold wait a moment"))[0] == "done"
        await header_shows(night, "held")
    assert (await told(night, "ada", "@cutover retry"))[0] == "done"
    await _runs(night, step, before + 1)
    assert night.bot is not None
    night.bot.send_signal(signal.SIGTERM)
    assert await night.bot_ends(_WITHIN) == 130
    assert "step-failed" not in {event["type"] for event in journal(night)}


async def _to_the_users_gate(night: Night) -> None:
    await night.start_bot()
    await shows(night, "freeze", "waiting")
    await night.freeze()
    await pass_gate(night, "freeze")
    await pass_gate(night, "export")
    await shows(night, "users", "waiting")


@pytest.mark.all
async def test_a_handover_that_is_held_and_stopped(tmp_path: Path) -> None:
    """The next one hands over what is there, and `verify` has nothing to say."""
    async with fast_night(tmp_path / "night") as night:
        await _to_the_users_gate(night)
        with _long_for_the_handover(night):
            await pass_gate(night, "users")
            await _runs(night, "handover", 1)
            await _held_and_stopped(night, "handover")
            assert not (night.directory / "SHA256SUMS").exists()
        await night.start_bot()
        await assert_handed_over(night, await ended(night), users=night.users)


@pytest.mark.all
async def test_a_handover_that_is_aborted(tmp_path: Path) -> None:
    """Supabase writes again before the file would have been read."""
    async with fast_night(tmp_path / "night") as night:
        await _to_the_users_gate(night)
        with _long_for_the_handover(night):
            await pass_gate(night, "users")
            await _runs(night, "handover", 1)
            assert (await told(night, "ada", "@cutover abort"))[0] == "done"
            async with asyncio.timeout(_WITHIN):
                assert (await told(night, "grace", "@cutover abort yes"))[0] == "done"
                await until(lambda: any(event["type"] == "thawed" for event in journal(night)), _WITHIN)
            assert await ended(night) == 3
        assert await writes(night) == WRITES
        assert not (night.directory / "SHA256SUMS").exists()


@pytest.mark.all
async def test_an_export_that_looks_at_its_files_after_a_crash_is_held_and_stopped(tmp_path: Path) -> None:
    """It died between the last file and the journal; the next one finds the export whole, and takes it."""
    async with fast_night(tmp_path / "night") as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await shows(night, "export", "waiting")
        await night.kill_bot()
        lines = (night.directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
        ends = next(n for n, line in enumerate(lines) if b'"step-ended"' in line)
        (night.directory / "journal.jsonl").write_bytes(b"".join(lines[:ends]))
        metadata, table = night.directory / "metadata.json", _table_file(night)
        described = metadata.read_bytes()
        longer = json.loads(described)
        next(t for t in longer["tables"].values() if t["file"] == table.name)["bytes"] = _LONG
        metadata.write_text(json.dumps(longer))
        with _long(table):
            await night.start_bot()
            await _runs(night, "export", 2)
            await _held_and_stopped(night, "export")
        metadata.write_bytes(described)
        await night.start_bot()
        assert await play_on(night) == 0
        assert metadata.read_bytes() == described
        assert not (night.directory / "archive").exists()
        code, out, err = await night.command("verify")
        assert code == 0, out + err
