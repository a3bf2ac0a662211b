"""Ctrl-C and TERM, sent to the real command in a process of its own: 130, one sentence, nothing left half done."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from bot import cli, commands
from bot.record import EventRecord
from tests.house.children import (
    ROOT,
    WITHIN,
    Silence,
    asked_to_abort,
    ended,
    forked,
    settings,
    silent_server,
    started,
    to_its_end,
    wait_until,
)
from tests.plan.histories import night_at
from tests.terminal.conftest import must_match

COMMANDS = sorted(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]
_LOADING = (
    "cutover: Interrupted while it was being loaded; nothing was done, and a freeze that is in place stays; "
    "start the command again, or take a freeze back with `cutover thaw`.\n"
)


@pytest.fixture
def silence() -> Iterator[Silence]:
    with silent_server() as made:
        yield made


def _journaled(place: str, directory: Path) -> None:
    directory.mkdir()
    record = EventRecord.open(directory)
    for decision in night_at(place).decisions:
        record.append(decision)
    record.close()


# -- at the very start ------------------------------------------------------------------------------------------------


_WAITS = """
import pathlib, sys, time

class Waits:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            pathlib.Path({reached!r}).touch()
            while True:  # one long wait would outlast a signal that comes right before it
                time.sleep(0.01)

sys.meta_path.insert(0, Waits())
"""


_LOADED = [pytest.param(name, marks=() if name in {"run", "thaw"} else pytest.mark.all) for name in COMMANDS]
"""By default two of them, since it is ready before it is known which command it is."""


@pytest.mark.parametrize("command", _LOADED)
def test_every_command_can_be_interrupted_while_it_is_being_loaded(tmp_path: Path, command: str) -> None:
    """Wherever the loading has come to: the first thing that it does is to be ready for that."""
    here, reached = tmp_path / "here", tmp_path / "reached"
    here.mkdir()
    arguments = ("restore-sql", "public.orders") if command == "restore-sql" else (command,)
    own = f"bot.commands.{command.replace('-', '_')}"
    for module, number in (("bot.cli", signal.SIGINT), (own, signal.SIGTERM)):
        (tmp_path / "sitecustomize.py").write_text(_WAITS.format(module=module, reached=str(reached)), encoding="utf-8")
        process = started(here, *arguments, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
        wait_until(reached.exists)
        assert ended(process, number) == (130, "", _LOADING)
        reached.unlink()
    assert list(here.iterdir()) == []


# -- in the middle ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_interrupted_anywhere(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    number: signal.Signals,
) -> None:
    """Also where it has no sentence of its own for the place: the command's is said, and what becomes of the freeze."""
    module = getattr(commands, command.replace("-", "_"))
    name = {"practice": "practise"}.get(command, command.replace("-", "_"))

    def cut_off(*_: object, **__: object) -> int:
        os.kill(os.getpid(), number)
        time.sleep(WITHIN)
        raise AssertionError

    monkeypatch.setattr(module, name, cut_off)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {"PATH": ""})
    monkeypatch.setattr(sys, "argv", ["cutover", command, *(["public.orders"] if command == "restore-sql" else [])])
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    told = []
    for frozen in (False, True):
        if frozen:
            _journaled("export waits", tmp_path / "migration-data")
        try:
            with pytest.raises(SystemExit) as left:
                cli.main()
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
        assert left.value.code == 130
        out, err = capsys.readouterr()
        assert out == ""
        told.append(err)
    must_match(f"interrupted/{command}.txt", "# no run is open\n{}# under a freeze\n{}".format(*told))


_DOCTOR = "`cutover doctor` was interrupted; nothing was changed; start it again to look at everything"


@pytest.mark.parametrize(
    ("arguments", "number", "sentence"),
    [
        (("doctor",), signal.SIGINT, _DOCTOR),
        (("doctor", "--freeze"), signal.SIGTERM, _DOCTOR),
        (
            ("practice",),
            signal.SIGINT,
            "The practice was told to stop; nothing was changed in Supabase, and what had been read was removed; start "
            "`cutover practice` again when there is time for it",
        ),
        (
            ("run",),
            signal.SIGTERM,
            "The bot was told to stop and stopped at a safe point; the run is as its journal says; `cutover run` "
            "continues",
        ),
        (
            ("thaw",),
            signal.SIGINT,
            "`cutover thaw` was interrupted; how far it came is not known, since the database does not answer; run "
            "`cutover thaw` again, which is safe to repeat and does the rest",
        ),
        (
            ("thaw", "--check"),
            signal.SIGTERM,
            "`cutover thaw --check` was interrupted; nothing was changed; start it again",
        ),
    ],
)
async def test_a_command_that_waits_for_a_silent_service_can_be_interrupted(
    tmp_path: Path, silence: Silence, arguments: tuple[str, ...], number: signal.Signals, sentence: str
) -> None:
    """It waits for nothing any more, and says what it knows. What needs no service the doctor has said before."""
    source = f"postgresql://postgres:secret@127.0.0.1:{silence.port}/postgres"
    process = await forked(tmp_path, *arguments, **settings(source, silence.port, tmp_path / "data"))
    assert await asyncio.to_thread(silence.connected.wait, WITHIN)
    process.send_signal(number)
    code, out, err = await to_its_end(process)
    assert (code, out.partition("\n")[0]) == (130, "This machine" if arguments == ("doctor",) else "")
    assert [line for line in err.splitlines() if line.startswith("cutover:")] == [f"cutover: {sentence}."]
    assert "Traceback" not in err


async def test_an_abort_that_is_not_confirmed_yet_stops_nothing(tmp_path: Path, silence: Silence) -> None:
    """Interrupted at its question."""
    _journaled("export waits", tmp_path / "data")
    before = {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()}
    source = f"postgresql://postgres:secret@127.0.0.1:{silence.port}/postgres"
    async with asked_to_abort(tmp_path, **settings(source, silence.port, tmp_path / "data")) as (process, _):
        process.send_signal(signal.SIGINT)
        code, _, err = await to_its_end(process)
    assert (code, err) == (
        130,
        "cutover: `cutover abort` was interrupted before it was confirmed; nothing was stopped and nothing was "
        "changed; start it again, and type yes when asked.\n",
    )
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()} == before
    assert not silence.connected.is_set()


async def test_a_rehearsal_leaves_no_server_behind(tmp_path: Path) -> None:
    """Interrupted while its world is being built, it takes that down again."""
    temporary = tmp_path / "tmp"
    temporary.mkdir(mode=0o755)
    data = tmp_path / "night"
    process = await forked(
        tmp_path, "rehearse", "--auto", MIGRATION_DATA_DIR=str(data), TMPDIR=str(temporary), HOME=str(tmp_path)
    )
    mark = f"MIGRATION_DATA_DIR={data}".encode()
    await asyncio.to_thread(wait_until, lambda: bool(_with(mark)))  # the keeper of its PostgreSQL
    process.send_signal(signal.SIGINT)
    code, _, err = await to_its_end(process)
    assert code == 130
    assert err == (
        "cutover: `cutover rehearse` was interrupted; its bot and its servers were ended, and its files stay where "
        "they are; start it again.\n"
    )
    wait_until(lambda: not _with(mark))


def _with(mark: bytes) -> list[int]:
    """The processes that were started with this in their environment; one that was forked does not show its own."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (directory / "environ").read_bytes().split(b"\0"):
                found.append(int(directory.name))
    return found
