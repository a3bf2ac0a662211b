"""`cutover doctor --freeze` where no run is: days later, or on another machine."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest

from bot.rehearsal.company import Company
from bot.rehearsal.standins.gateway import GatewayStandin
from bot.supabase.database import Database
from bot.supabase.freeze.apply import apply
from tests import preloaded

Prove = Callable[[], Awaitable[tuple[int, dict[str, str]]]]
Doctor = Callable[..., Awaitable[tuple[int, str]]]
_HOLDS = {
    "freeze-layers": "pass",
    "session-refuses-writes": "pass",
    "api-refuses-writes": "pass",
    "api-hook": "pass",
    "storage-refuses-writes": "pass",
    "old-sessions": "pass",
    "write-paths": "warn",  # the server has other databases, those of other tests
    "select-rights": "pass",
    "foreign-code": "pass",
    "quiet-window": "pass",
}


@pytest.fixture
def doctor(source: Company, standin: GatewayStandin, tmp_path: Path) -> Doctor:
    """Runs the command in an empty directory; exit code and stdout."""

    async def do(*arguments: str) -> tuple[int, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        process = await preloaded.start(
            *("doctor", *arguments),
            cwd=Path(__file__).parents[2],
            env={
                **kept,
                "SUPABASE_DB_URL": source.dsn,
                "SUPABASE_URL": standin.url,
                "SUPABASE_SERVICE_ROLE_KEY": standin.service_role_key,
                "SUPABASE_ANON_KEY": standin.anon_key,
                "MIGRATION_DATA_DIR": str(tmp_path / "nowhere"),
                "CUTOVER__FREEZE__QUIET_SECONDS": "1",
            },
            stdout=asyncio.subprocess.PIPE,
        )
        out = (await process.communicate())[0].decode()
        return process.returncode or 0, out

    return do


@pytest.fixture
def prove(doctor: Doctor) -> Prove:
    """Exit code and verdict by check."""

    async def do() -> tuple[int, dict[str, str]]:
        code, out = await doctor("--freeze")
        lines = (line.split() for line in out.splitlines() if line[0] != " ")
        return code, {check: verdict.lower() for verdict, check, *_ in lines}

    return do


async def test_a_freeze_is_proven_without_a_run(source: Company, database: Database, prove: Prove) -> None:
    """All that gate 1 asks; a session from before it is found by the time that the kit has noted."""
    await apply(database)
    assert await prove() == (0, _HOLDS)
    source.server.sql(f"ALTER DATABASE {source.dbname} RESET default_transaction_read_only", "template1")
    with psycopg.connect(source.dsn, application_name="since", autocommit=True):
        code, verdicts = await prove()
    assert code == 3
    assert [verdicts[check] for check in ("freeze-layers", "session-refuses-writes", "api-hook")] == [
        "fail",
        "fail",
        "pass",
    ]
    assert verdicts["old-sessions"] == "pass"


async def test_an_old_session_is_found_and_no_freeze_is_no_freeze(
    source: Company, freeze: Callable[[], object], prove: Prove
) -> None:
    """Also one of the bot's kind of another role, which the kit spares."""
    code, verdicts = await prove()
    assert (code, verdicts["freeze-layers"], verdicts["session-refuses-writes"]) == (3, "fail", "fail")
    with psycopg.connect(source.storage_dsn, application_name="cutover/x/of another role", autocommit=True):
        freeze()
        code, verdicts = await prove()
    assert (code, verdicts["freeze-layers"], verdicts["old-sessions"]) == (3, "pass", "fail")


async def test_a_freeze_of_unknown_time_is_not_proven(
    source: Company, database: Database, prove: Prove, doctor: Doctor
) -> None:
    """The comment is lost: the kit, run once more, notes the time. Other programs read the same as JSON."""
    await apply(database)
    source.server.sql("BEGIN READ WRITE; COMMENT ON SCHEMA cutover_freeze IS NULL; COMMIT", source.dbname)
    assert await prove() == (3, {"freeze-layers": "fail"})
    await apply(database)
    code, out = await doctor("--freeze", "--json")
    told = json.loads(out)
    assert (code, told["exitCode"]) == (0, 0)
    assert {line["service"] for line in told["lines"]} == {"freeze"}
    assert {line["check"]: line["verdict"] for line in told["lines"]} == _HOLDS
