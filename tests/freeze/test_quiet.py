"""A server that is truly frozen, and busy with itself, is never called moving."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import psycopg
import pytest
from psycopg import AsyncConnection

from bot.rehearsal.company import Company
from bot.supabase.catalog import read_catalog
from bot.supabase.database import Database
from bot.supabase.proof.drift import drift, no_drift, quiet_window
from bot.supabase.proof.examiner import select_rights


async def _again_and_again(dsn: str, *statements: str) -> None:
    async with await AsyncConnection.connect(dsn, autocommit=True) as session:
        while True:
            for statement in statements:
                with suppress(psycopg.errors.DeadlockDetected):
                    await session.execute(statement.encode())


async def _windows(tries: int, source: Company, database: Database, elsewhere: Company) -> None:
    busy = [
        asyncio.create_task(_again_and_again(source.dsn, "ANALYZE", "VACUUM (TRUNCATE true)")),
        asyncio.create_task(_again_and_again(source.admin_dsn, "CHECKPOINT", "VACUUM (FREEZE) public.orders")),
        asyncio.create_task(
            _again_and_again(elsewhere.dsn, "UPDATE public.settings SET value = 'y'", "SELECT pg_sleep(0.01)")
        ),
    ]
    moved: list[str] = []
    async with database.session("proof") as session:
        catalog = await read_catalog(session)
        assert select_rights(catalog).verdict == "pass"
        record = (await quiet_window(session, catalog, seconds=0.3, late_counters=0.3)).facts
        for _ in range(tries):
            window = await quiet_window(session, catalog, seconds=0.2, late_counters=0.3)
            moved += [window.evidence] if window.verdict != "pass" else []
            moved += (await drift(session, record)).changes
        held = await no_drift(session, catalog, record, late_counters=0.3)
        moved += [held.evidence] if held.verdict != "pass" else []
    for task in busy:
        assert not task.done(), "it was busy all the time"
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)
    assert moved == []


@pytest.fixture
def elsewhere(source: Company, template: Company) -> Company:
    """Another database of the server, in which people work."""
    return template.clone(f"{source.dbname}_elsewhere")


@pytest.mark.parametrize("tries", [3, pytest.param(200, marks=pytest.mark.all)])
async def test_nothing_is_called_moving_that_does_not_move(
    tries: int,
    *,
    source: Company,
    database: Database,
    elsewhere: Company,
    freeze: Callable[[], datetime],
) -> None:
    """Analyzed, vacuumed and checkpointed all the time, while another database of the server is written to."""
    # Rows that vacuum has to take away, so that it truly works.
    for _ in range(5):
        source.server.sql("UPDATE public.settings SET value = value || 'x'", source.dbname)
    source.server.sql("DELETE FROM public.events", source.dbname)
    freeze()
    try:
        await _windows(tries, source, database, elsewhere)
    finally:
        elsewhere.drop()
