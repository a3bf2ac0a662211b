"""A bad night in Stack Auth and in the database: the run is held with one sentence, and goes on where it was."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from bot.rehearsal.night import Night, until
from bot.rehearsal.standins.stackauth import FaultKind
from tests.night.playing import (
    alarm,
    as_platform,
    assert_handed_over,
    ended,
    fast_night,
    header_shows,
    journal,
    mapped,
    pass_gate,
    play_on,
    posts,
    shows,
    told,
)

PASSING: tuple[FaultKind, ...] = (
    "429-seconds",
    "429-date",
    "429-html",
    "500-before",
    "500-after",
    "drop-before",
    "drop-after",
    "502-html",
)


async def _end_sessions_of_the_export(night: Night) -> None:
    """As soon as the first table is being written, the database ends all sessions of the bot."""

    def begun() -> bool:
        return any(path.name != "freeze-prior.json.partial" for path in night.directory.glob("*.json.partial"))

    await until(begun, timeout=180)
    with as_platform(night) as session:
        gone = session.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'cutover/%'"
        ).fetchone()
    assert gone is not None
    assert gone[0] > 1


async def _retried(night: Night, step: str, why: str) -> None:
    """The run is held, says why in one sentence, and an approver's `retry` takes it up again."""
    held = await alarm(night, f"*The step {step} stopped at a safe point.* {why}")
    assert "Say `retry` to me to continue from there, or `abort` to go back." in held.text
    await header_shows(night, "held")
    refused = await told(night, "linus", "@cutover retry")
    assert refused[0] == "refused"
    status, text = await told(night, "grace", "@cutover retry")
    assert (status, text) == ("done", f"Continuing: the step `{step}` is running.")


@pytest.mark.all
async def test_services_that_fail_hold_the_night_and_lose_nothing(tmp_path: Path) -> None:
    """The database goes in the export, Stack Auth fails in every way, its key is revoked: all is there once."""
    async with fast_night(tmp_path / "night", rows=12_000, settings={"CUTOVER__EXPORT__WORKERS": "1"}) as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        cut = asyncio.create_task(_end_sessions_of_the_export(night))
        await pass_gate(night, "freeze")
        await cut
        await alarm(night, "*The step export stopped at a safe point.*")
        assert not (night.directory / "metadata.json").exists()
        assert len(posts(night, "cutover_checkpoint")) == 1
        await _retried(night, "export", "The source database could not be reached or ended our session")
        await shows(night, "export", "waiting")
        tables = json.loads((night.directory / "metadata.json").read_text())["tables"]
        there = {path.name for path in night.directory.glob("*.json")}
        assert there == {table["file"] for table in tables.values()} | {"metadata.json", "freeze-prior.json"}
        assert not list(night.directory.glob("*.partial"))

        for n, kind in enumerate(PASSING):
            night.stack.faults.next(kind, method="POST", skip=5 * n)
        night.stack.faults.next("key-revoked", method="POST", skip=80)
        await pass_gate(night, "export")
        await _retried_once_the_key_is_back(night)
        code = await play_on(night)
        await assert_handed_over(night, code, users=night.users)
        assert set(Counter(night.stack.creates_by_marker).values()) == {1}
        assert {outcome for outcome, _ in mapped(night.directory).values()} == {"created"}
        failures = [event for event in journal(night) if event["type"] == "step-failed"]
        assert [event["step"] for event in failures] == ["export", "users"]
        assert [p["status"] for p in posts(night, "cutover_alarm") if "/step-failed/" in p["key"]] == ["done", "done"]


async def _retried_once_the_key_is_back(night: Night) -> None:
    why = "Stack Auth does not accept the secret key (INVALID_SECRET_SERVER_KEY); nothing was changed by this request;"
    await alarm(night, f"*The step users stopped at a safe point.* {why}")
    before = len(night.stack.users)
    assert 40 < before < night.users
    assert await ended(night) == 5
    night.stack.restore_key()
    await night.start_bot("--once")
    await _retried(night, "users", why)
