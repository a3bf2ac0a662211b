"""What bad input gets: one sentence with its fix, the promised exit code, and not a byte lost. The real command as a
child process, in a world where everything else is right. Settings and connections have a table: tests/mistakes.
"""

import asyncio
import json
import os
import re
import shutil
import signal
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
import pytest_asyncio
from psycopg.conninfo import conninfo_to_dict

from bot.plan.run import Run
from bot.record import EventRecord, read_run
from bot.rehearsal.night import Night, until
from bot.rehearsal.standins.slack import Channel
from tests import clusters, preloaded
from tests.night.playing import fast_night, journal_tells
from tests.plan.histories import night_at
from tests.preloaded import Forked

pytestmark = pytest.mark.asyncio(loop_scope="module")

_PLANTED = "pl4nted"
"""Part of every wrong secret: it may be told nowhere."""


class Ended(NamedTuple):
    code: int
    sentence: str
    """The last line of stderr."""
    out: str


@dataclass
class World:
    """A night's world, in which commands are started in directories of their own."""

    night: Night
    channels: int = 0

    def channel(self) -> dict[str, str]:
        """Another channel, for a run beside that of `begun`: no bot opens a run where another has not ended."""
        self.channels += 1
        other = Channel(f"C0BESIDE{self.channels}", f"beside-{self.channels}")
        self.night.slack.add_channel(other)
        return {"CUTOVER__SLACK__CHANNEL": other.id}

    async def start(self, directory: Path, *arguments: str, **environment: str | None) -> Forked:
        """`cutover run --once` or another command; an environment variable that is None is not set."""
        wanted: Mapping[str, str | None] = {
            **self.night.environment,
            "MIGRATION_DATA_DIR": str(directory),
            **environment,
        }
        return await preloaded.start(
            *(arguments or ("run", "--once")),
            cwd=directory.parent,
            env={name: value for name, value in wanted.items() if value is not None},
            stdout=PIPE,
            stderr=PIPE,
        )

    async def ended(self, process: Forked, within: float = 180) -> Ended:
        """No line of stderr is a trace or shows a secret, and all but the last are log lines."""
        out, err = await asyncio.wait_for(process.communicate(), within)
        text = err.decode()
        log = [line for line in text.splitlines() if not line.startswith("cutover: ")]
        said = [line for line in text.splitlines() if line.startswith("cutover: ")]
        assert all(json.loads(line)["level"] for line in log), text
        told = [secret for secret in self._secrets if secret in text or secret in out.decode()]
        assert told == []
        assert process.returncode is not None
        return Ended(process.returncode, said[0].removeprefix("cutover: "), out.decode())

    async def run(self, directory: Path, *arguments: str, **environment: str | None) -> Ended:
        return await self.ended(await self.start(directory, *arguments, **environment))

    @property
    def _secrets(self) -> list[str]:
        environment = self.night.environment
        password = str(conninfo_to_dict(environment["SUPABASE_DB_URL"])["password"])
        keys = [environment[name] for name in environment if name.endswith(("_TOKEN", "_KEY"))]
        return [_PLANTED, password, environment["SUPABASE_DB_URL"], *keys]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    directory = tmp_path_factory.mktemp("world")
    async with fast_night(directory / "night", **clusters.SMALL_NIGHT) as night:
        yield World(night)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def begun(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that was interrupted while it waited at gate 1."""
    directory = tmp_path_factory.mktemp("begun") / "data"
    process = await world.start(directory)
    await _waits_at_gate_1(directory)
    process.send_signal(signal.SIGTERM)
    assert (await world.ended(process)).code == 130
    return directory


@pytest.fixture
def data(begun: Path, tmp_path: Path) -> Path:
    """A copy of that directory, the test's own."""
    shutil.copytree(begun, tmp_path / "data")
    return tmp_path / "data"


async def _waits_at_gate_1(directory: Path, starts: int = 0) -> Run:
    """Everything that is to be posted is, and the first look at the source has left its file."""

    def settled() -> bool:
        run = read_run(directory)
        return run is not None and run.pinned and run.starts == starts and all(d.ts for d in run.deliveries.values())

    # Asked apart: no line of the journal comes with it, and the journal is read again only for a new line.
    await until((directory / "freeze-prior.json").exists, 180)
    await journal_tells(directory, settled)
    run = read_run(directory)
    assert run is not None
    return run


def _bytes(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="module")
async def nobody(unused_tcp_port: int) -> AsyncIterator[Mapping[str, str]]:
    """Settings that lead everywhere to one port, where somebody counts who calls: nobody may."""
    calls = 0

    def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        writer.close()

    here = f"127.0.0.1:{unused_tcp_port}"
    async with await asyncio.start_server(count, "127.0.0.1", unused_tcp_port):
        yield {
            "SLACK_API_URL": f"http://{here}/api/",
            "SUPABASE_DB_URL": f"postgresql://postgres:{_PLANTED}@{here}/postgres",
            "SUPABASE_URL": f"http://{here}",
            "STACK_AUTH_API_URL": f"http://{here}",
        }
    assert calls == 0


_KEEPS = "then start again; an open run keeps its lists: abort it, then `cutover run --new`."
_MISNAMED: dict[str, tuple[str, str]] = {
    "EXCLUDE_TABLES": (
        "public.ordres",
        "the setting export.exclude_tables names public.ordres, but the source has no such table; nothing was "
        f"exported; write it as schema.table (of a partition, its parent), in the same upper and lower case, {_KEEPS}",
    ),
    "INCLUDE_SCHEMAS": (
        "Public",
        "the setting export.include_schemas names Public, but the source has no table in such a schema; nothing was "
        f"exported; write the schemas in the same upper and lower case, {_KEEPS}",
    ),
}


@pytest.mark.parametrize("setting", _MISNAMED)
async def test_a_name_that_is_not_in_the_source_is_refused_before_a_run_opens(
    world: World, tmp_path: Path, data: Path, setting: str
) -> None:
    """Before anything is posted and anybody freezes; `doctor` and `practice` say it days before, and the run that is
    open already, which keeps its own lists, goes on.
    """
    name, sentence = _MISNAMED[setting]
    wrong = {f"CUTOVER__EXPORT__{setting}": json.dumps([name])}
    channel, said = world.channel(), len(world.night.slack.messages)
    assert await world.run(tmp_path / "new", **channel, **wrong) == Ended(2, sentence, "")
    assert await world.run(tmp_path / "new", "practice", **wrong) == Ended(2, sentence, "")
    assert read_run(tmp_path / "new") is None
    looked = await world.start(tmp_path / "new", "doctor", **channel, **wrong)
    out, _ = await looked.communicate()
    happened = sentence.split(";")[0]
    told = " ".join(out.decode().split())
    assert f"{happened[0].upper()}{happened[1:]}." in told
    assert _KEEPS.removesuffix(".") in told
    assert len(world.night.slack.messages) == said

    process = await world.start(data, **wrong)
    run = await _waits_at_gate_1(data, starts=1)
    process.send_signal(signal.SIGTERM)
    assert (await world.ended(process)).code == 130
    assert run.opened.rules.exclude_tables == run.opened.rules.include_schemas == ()


# -- what the services refuse -----------------------------------------------------------------------------------------


async def test_a_run_is_not_touched_when_its_source_refuses_us(world: World, data: Path) -> None:
    """Exit 5 with a wrong password: byte for byte the run is what it was, and no message is posted."""
    before, said, dsn = _bytes(data), len(world.night.slack.messages), world.night.environment["SUPABASE_DB_URL"]
    wrong = dsn.replace(str(conninfo_to_dict(dsn)["password"]), _PLANTED)
    told = await world.run(data, SUPABASE_DB_URL=wrong)
    assert (told.code, told.out) == (5, "")
    assert told.sentence.startswith("the database refused user and password")
    assert _bytes(data) == before
    assert len(world.night.slack.messages) == said


async def test_a_run_of_another_project_is_not_taken_up(world: World, data: Path) -> None:
    """The directory holds a run between other parties: exit 2, and its journal is not added to."""
    world.night.slack.add_channel(type(world.night.slack.channel)("C0OTHER", "other"))
    before = _bytes(data)
    run = read_run(data)
    assert run is not None
    assert await world.run(data, CUTOVER__SLACK__CHANNEL="C0OTHER") == Ended(
        2,
        f"The data directory holds run {run.run_id}, of other projects or of another channel; nothing was started; "
        "give the settings it was opened with, or another MIGRATION_DATA_DIR.",
        "",
    )
    assert _bytes(data) == before


# -- the data directory -----------------------------------------------------------------------------------------------


async def test_a_damaged_journal_stops_the_bot(world: World, data: Path) -> None:
    """Exit 3 and the line's number; nothing is contacted, and every file stays byte for byte what it was."""
    journal = data / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2][:40] + bytes([lines[2][40] ^ 1]) + lines[2][41:]
    journal.write_bytes(b"".join(lines))
    before, calls = _bytes(data), len(world.night.slack.calls)
    for arguments in (("run", "--once"), ("run", "--new")):
        assert await world.run(data, *arguments) == Ended(
            3,
            "Line 3 of journal.jsonl is not what was written: its hash does not belong to its content and the line "
            "before; nothing was written and nothing was done; put the whole journal.jsonl back from a copy, or look "
            "at the line; `cutover verify` shows what else is damaged.",
            "",
        )
        assert _bytes(data) == before
    assert len(world.night.slack.calls) == calls


async def test_a_file_is_no_data_directory(world: World, tmp_path: Path) -> None:
    """Exit 2, and the file is still there."""
    (tmp_path / "data").write_text("mine")
    assert await world.run(tmp_path / "data") == Ended(
        2,
        f"The data directory {tmp_path}/data cannot be used (File exists); nothing was written; set "
        "MIGRATION_DATA_DIR to a directory of this user's own.",
        "",
    )
    assert (tmp_path / "data").read_text() == "mine"


async def test_a_directory_that_others_use_is_not_taken(world: World, tmp_path: Path) -> None:
    """With other files in it and open to others, its rights are not ours to take away: exit 2."""
    directory = tmp_path / "data"
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    (directory / "thesis.txt").write_text("mine")
    assert await world.run(directory) == Ended(
        2,
        f"The data directory {directory} contains other files and is open to other users; nothing was written; "
        "set MIGRATION_DATA_DIR to a directory of the bot's own.",
        "",
    )
    assert _bytes(directory) == {"thesis.txt": b"mine"}
    assert directory.stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_directory_without_the_right_to_write_is_no_data_directory(world: World, tmp_path: Path) -> None:
    """Exit 2 before anything is contacted."""
    directory = tmp_path / "data"
    directory.mkdir(mode=0o500)
    assert await world.run(directory) == Ended(
        2,
        f"The data directory {directory} cannot be used (Permission denied); nothing was written; set "
        "MIGRATION_DATA_DIR to a directory of this user's own.",
        "",
    )
    directory.chmod(0o700)


async def test_new_on_a_run_that_has_not_ended_moves_nothing(world: World, data: Path) -> None:
    """Exit 2, and the run can be gone on with."""
    before, run = _bytes(data), read_run(data)
    assert run is not None
    assert await world.run(data, "run", "--new") == Ended(
        2,
        f"Run {run.run_id} has not ended, and --new was given; nothing was moved or started; go on with it by "
        "`cutover run`, or abort it first.",
        "",
    )
    assert _bytes(data) == before


async def test_an_aborted_run_is_not_gone_on_with(world: World, tmp_path: Path, nobody: Mapping[str, str]) -> None:
    """Exit 3 naming `--new`, before anything is contacted."""
    directory = tmp_path / "data"
    directory.mkdir(mode=0o700)
    record = EventRecord.open(directory)
    for event in night_at("aborted").events:
        record.append([event])
    record.close()
    before = _bytes(directory)
    assert await world.run(directory, **nobody) == Ended(
        3,
        "Run 20260301-abcd was aborted; nothing was started; open the next with `cutover run --new`; the aborted one "
        "moves to archive/ whole.",
        "",
    )
    after = _bytes(directory)
    assert {name: after[name] for name in before} == before


# -- two bots, and a bot that is told to stop -------------------------------------------------------------------------


async def test_a_second_bot_is_refused_and_names_the_first(world: World, data: Path, tmp_path: Path) -> None:
    """Exit 4: on the same directory at once, naming the process; on the same source after some seconds, naming its
    session; one that is told to stop while it waits for the lock ends at once. The first goes on undisturbed.
    """
    first = await world.start(data)
    run = await _waits_at_gate_1(data, starts=1)
    impatient = await world.start(tmp_path / "impatient", **world.channel())
    patient = await world.start(tmp_path / "patient", **world.channel())
    assert await world.run(data) == Ended(
        4,
        f"Another Cutover (process {first.pid}) works in {data}; nothing was touched; wait for it or end it, or give "
        "this one another MIGRATION_DATA_DIR.",
        "",
    )
    await until(lambda: _sessions(world, "cutover/-/lock") == 2, 180)
    impatient.send_signal(signal.SIGTERM)
    assert (await world.ended(impatient)).code == 130
    told = await world.ended(patient)
    assert (told.code, told.out) == (4, "")
    assert re.fullmatch(
        rf"cutover/{run.run_id}/lock \(pid \d+, since [-0-9]+ [:0-9.]+ UTC\) holds the lock on the source; nothing was "
        "changed; let it end or stop it, then try again; one bot at a time\\.",
        told.sentence,
    )
    for directory in ("impatient", "patient"):
        assert not (tmp_path / directory).exists()
    assert first.returncode is None
    first.send_signal(signal.SIGINT)
    assert (await world.ended(first)).code == 130


def _sessions(world: World, name: str) -> int:
    with psycopg.connect(world.night.company.admin_dsn) as session:
        row = session.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [name]).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.all)])
async def test_a_bot_that_is_told_to_stop_goes_on_when_started_again(
    world: World, tmp_path: Path, number: signal.Signals
) -> None:
    """Within 10 seconds, by exit code 130 and a sentence; started again it posts nothing twice, and the journal has
    only grown.
    """
    data, place = tmp_path / "data", world.channel()
    for starts in range(2):
        process = await world.start(data, **place)
        run = await _waits_at_gate_1(data, starts)
        before = _bytes(data)
        process.send_signal(number)
        assert await world.ended(process) == Ended(
            130,
            "The bot was told to stop and stopped at a safe point; the run is as its journal says; "
            "`cutover run` continues.",
            "",
        )
        after = _bytes(data)
        assert after.keys() == before.keys()
        assert all(after[name].startswith(content) for name, content in before.items() if name == "journal.jsonl")
    keys = [m.payload["key"] for m in world.night.slack.messages if m.payload.get("run_id") == run.run_id]
    files = [key for key, delivery in run.deliveries.items() if delivery.file]
    assert sorted([*keys, *files]) == sorted({*keys, *files}) == sorted(run.deliveries)
    shared = [file.name for file in world.night.slack.files if run.run_id in file.name]
    assert shared == [f"cutover-{run.run_id}-thaw-1.sql"]
