"""What the conductor and the watch see of the source: looks, the lock, drift."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from bot.errors import LockHeld, ServiceUnreachable
from bot.plan.run import Run
from bot.rehearsal.company import Company
from bot.supabase.database import Database
from bot.supabase.locks import SourceLock
from bot.supabase.source import SupabaseSource
from tests.freeze.catalogs import world_of


async def test_looks_follow_the_source_until_it_is_frozen(
    source: Company, database: Database, freeze: Callable[[], datetime], tmp_path: Path
) -> None:
    """Each look gives the database's clock and copies what a freeze would overwrite, until one is in place."""
    prior = tmp_path / "freeze-prior.json"
    seen = SupabaseSource(database, SourceLock(database), prior, None)
    first = await seen.look()
    assert not first.frozen
    assert first.database_time.tzinfo is not None
    nothing = {"hook": None, "default": None, "authenticator_default": None, "known": True}
    assert json.loads(prior.read_text()) == nothing
    source.server.sql(f"ALTER ROLE authenticator IN DATABASE {source.dbname} SET pgrst.db_pre_request = 'public.mine'")
    await seen.look()
    assert json.loads(prior.read_text())["hook"] == "public.mine"
    since = freeze()
    last = await seen.look()
    assert last.frozen
    assert last.database_time > since
    assert json.loads(prior.read_text())["hook"] == "public.mine"
    await seen.close()


async def test_the_way_back_knows_what_was_before(
    source: Company, database: Database, freeze: Callable[[], datetime], tmp_path: Path
) -> None:
    """Before the freeze, under it, and by the file when the schema was lost: each thaws, pasted whole."""
    hook = f"ALTER ROLE authenticator IN DATABASE {source.dbname} SET pgrst.db_pre_request = 'public.mine'"
    source.server.sql(hook)
    before = world_of(source)
    seen = SupabaseSource(database, SourceLock(database), tmp_path / "prior.json", None)
    assert (await seen.look()).frozen is False
    told = [await seen.way_back()]
    freeze()
    told.append(await seen.way_back())
    source.server.sql("BEGIN READ WRITE; DROP SCHEMA cutover_freeze CASCADE; COMMIT", source.dbname)
    told.append(await seen.way_back())
    await seen.close()
    assert told[0] == told[1] == told[2]
    with psycopg.connect(source.dsn, autocommit=True) as session:
        session.execute(told[0].encode())
    assert world_of(source) == before


async def test_a_second_bot_is_refused_by_name(database: Database, source: Company) -> None:
    """It waits, then names the holder; when that one ends, the lock is free."""
    async with SourceLock(database):
        other = SourceLock(Database(source.dsn, run_id="20260401-zzzz"), wait=0.1)
        with pytest.raises(LockHeld) as refusal:
            await other.take()
        assert refusal.value.happened.startswith("cutover/20260401-ab12/lock (pid ")
        assert refusal.value.happened.endswith(" UTC) holds the lock on the source")
        assert not await other.is_held()
    await other.take()
    await other.release()


async def test_renewing_opens_new_sessions_and_keeps_the_lock(
    database: Database, source: Company, freeze: Callable[[], datetime], run_since: Callable[..., Run], tmp_path: Path
) -> None:
    """After it none of our sessions is from before the freeze, and another bot is still refused."""
    lock = SourceLock(database, wait=0.1)
    await lock.take()
    seen = SupabaseSource(database, lock, tmp_path / "prior.json", None)
    since = freeze()
    await seen.look()
    await seen.renew(run_since(since))
    [(old,)] = source.server.sql(
        f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{source.dbname}' AND backend_start < '{since}'"
    )
    assert old == 0
    with pytest.raises(LockHeld):
        await SourceLock(database, wait=0.1).take()
    await lock.release()
    other = SourceLock(Database(source.dsn, run_id="another"), wait=0.1)
    await other.take()
    with pytest.raises(LockHeld):
        await seen.renew(run_since(since))
    await other.release()
    await seen.close()


async def test_a_session_that_was_ended_is_opened_again(database: Database, source: Company, tmp_path: Path) -> None:
    """The look that meets the loss says so; the next one works."""
    seen = SupabaseSource(database, SourceLock(database), tmp_path / "prior.json", None)
    await seen.look()
    with psycopg.connect(source.dsn, autocommit=True) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE application_name ~ '/watch$'"
        )
    with pytest.raises(ServiceUnreachable) as loss:
        await seen.look()
    assert str(loss.value) == (
        "the source database could not be reached or ended our session (57P01); nothing was changed; "
        "check that the project is up and SUPABASE_DB_URL names it, then try again."
    )
    assert not (await seen.look()).frozen
    await asyncio.gather(seen.close(), seen.close())
