"""Killed at any step of freezing or thawing, the next thaw leaves everything as it was before the freeze."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import get_args

import psycopg
import pytest

from bot.plan.findings import blocks
from bot.rehearsal.company import Company
from bot.supabase.database import Database, query
from bot.supabase.freeze.apply import apply
from bot.supabase.freeze.layers import read_layers
from bot.supabase.freeze.thaw import DROP, thaw
from bot.supabase.proof.probes import fresh_writes
from tests import preloaded
from tests.freeze.catalogs import world_of
from tests.freeze.cutting import CutLine, When
from tests.freeze.servers import VERSIONS, fresh, small_world

_numbers = count(1)
_PRIOR = (
    "CREATE FUNCTION public.check_request() RETURNS void LANGUAGE sql AS 'SELECT'",
    "ALTER ROLE authenticator IN DATABASE {db} SET pgrst.db_pre_request = 'public.check_request'",
    "ALTER DATABASE {db} SET default_transaction_read_only = off",
    "ALTER DATABASE {db} SET work_mem = '5MB'",
)
_CHANGES = {
    "freeze": ("CREATE SCHEMA cutover_freeze", "DO $sessions$", "pg_terminate_backend(pg_backend_pid())"),
    "thaw": ("COMMENT ON SCHEMA cutover_freeze IS 'cutover: thawed'", "DO $sessions$"),
}


@pytest.fixture(scope="module")
def template_of() -> Iterator[Callable[[str], Company]]:
    """By version, a small world to copy; its server starts when it is first asked for."""
    with ExitStack() as running:
        yield cache(lambda version: running.enter_context(small_world(version)))


async def _process(what: str, dsn: str, directory: Path) -> preloaded.Forked:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return await preloaded.start(
        dsn if what == "freeze" else what,
        cwd=Path(__file__).parents[2],
        env={**kept, "SUPABASE_DB_URL": dsn, "MIGRATION_DATA_DIR": str(directory)},
        module="tests.freeze.freezing" if what == "freeze" else "bot",
    )


@asynccontextmanager
async def _source(template: Company, what: str) -> AsyncIterator[Company]:
    """As the process finds it: a project, or one that is frozen."""
    with fresh(template, f"killed_{next(_numbers)}") as source:
        for statement in _PRIOR:
            source.server.sql(statement.format(db=source.dbname), source.dbname)
        yield source


def _frozen(source: Company) -> None:
    with psycopg.connect(source.dsn, autocommit=True, application_name="cutover/-/kit") as session:
        session.execute(query("freeze_layers").encode())


def _end_ours(source: Company) -> None:
    """What the dead process had asked ends where it is, be it in the middle."""
    ours = "starts_with(application_name, 'cutover/') AND datname = current_database()"
    source.server.sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {ours}", source.dbname)


async def _steps(template: Company, what: str, directory: Path) -> list[str]:
    """All that the process asks when nobody kills it."""
    async with _source(template, what) as source:
        if what == "thaw":
            _frozen(source)
        async with CutLine(source.dsn, 0, "before") as line:
            process = await _process(what, line.dsn, directory)
            async with asyncio.timeout(180):
                assert await process.wait() == 0
            return line.asked


async def _killed(template: Company, what: str, nth: int, when: When, directory: Path) -> None:
    async with _source(template, what) as source:
        before = world_of(source)
        if what == "thaw":
            _frozen(source)
        async with CutLine(source.dsn, nth, when) as line:
            process = await _process(what, line.dsn, directory)
            async with asyncio.timeout(180):
                await line.reached.wait()
            process.kill()
            assert await process.wait() == -9
            if when == "during":
                _end_ours(source)
        database = Database(source.dsn)
        if what == "freeze" and nth % 2:
            await apply(database)
            async with database.session("test") as session:
                assert (await read_layers(session)).in_place
        findings = await thaw(database)
        assert not blocks(findings)
        if "thaw-schema" in {finding.check for finding in findings}:
            source.server.sql(DROP, source.dbname)
        assert world_of(source) == before
        assert set((await fresh_writes(database)).values()) == {""}


@pytest.mark.parametrize("what", ["freeze", "thaw"])
async def test_killed_while_it_changes_something(
    template_of: Callable[[str], Company], tmp_path: Path, what: str
) -> None:
    """In the middle of each step that changes something."""
    steps = await _steps(template_of("18"), what, tmp_path)
    for change in _CHANGES[what]:
        [nth] = [n for n, asked in enumerate(steps, 1) if change in asked]
        await _killed(template_of("18"), what, nth, "during", tmp_path)


@pytest.mark.all
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("what", ["freeze", "thaw"])
@pytest.mark.parametrize("when", get_args(When))
async def test_killed_at_every_step(
    template_of: Callable[[str], Company], tmp_path: Path, version: str, what: str, when: When
) -> None:
    """Before, while or after each thing that is asked of the database is carried out."""
    steps = await _steps(template_of(version), what, tmp_path)
    assert len(steps) >= 9
    for nth in range(1, len(steps) + 1):
        await _killed(template_of(version), what, nth, when, tmp_path)
