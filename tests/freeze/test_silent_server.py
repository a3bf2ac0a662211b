"""A server that takes connections and says nothing: every look ends in its time, and the next one is asked anew."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bot.errors import LockHeld, ServiceUnreachable
from bot.plan.run import Run
from bot.rehearsal.company import Company
from bot.supabase.database import Database
from bot.supabase.guard import Guard
from bot.supabase.locks import SourceLock
from bot.supabase.proof.activity import observe
from bot.supabase.source import SupabaseSource
from tests.freeze.silence import Line, line_to

_LATE = (
    "the source database did not answer within 0.5 s; nothing was changed; check that the project and the "
    "network are up; Cutover tries again."
)
_PROMPTLY = 8.0
"""Far more than a deadline of half a second takes, far less than a server that says nothing."""


@pytest.fixture
async def line(source: Company) -> AsyncIterator[Line]:
    """Between us and the server of `source`."""
    async with line_to(source.server.port) as made:
        yield made


@pytest.fixture
def database(source: Company, line: Line) -> Database:
    """The way to it over the line."""
    return Database(source.dsn.replace(f":{source.server.port}/", f":{line.port}/"), run_id="20260401-ab12")


@pytest.fixture
async def lock(database: Database) -> AsyncIterator[SourceLock]:
    async with SourceLock(database) as taken:
        yield taken


@pytest.fixture
async def seen(database: Database, lock: SourceLock, tmp_path: Path) -> AsyncIterator[SupabaseSource]:
    """The source with looks that may take half a second."""
    made = SupabaseSource(database, lock, tmp_path / "prior.json", None, look_seconds=0.5)
    yield made
    await made.close()


async def _record(database: Database) -> dict[str, Any]:
    async with database.session("test") as session:
        return {"baseline": (await observe(session, ["public.profiles"], [])).baseline}


async def test_a_look_that_gets_no_answer_ends_in_its_time(seen: SupabaseSource, line: Line) -> None:
    """With the session that was there, without one, and each time anew; the first that is answered sees."""
    await _until_seen(seen)
    line.fall_silent()
    async with asyncio.timeout(_PROMPTLY):
        for _ in range(3):
            with pytest.raises(ServiceUnreachable) as late:
                await seen.look()
            assert str(late.value) == _LATE
    line.speak()
    await _until_seen(seen)


async def test_the_watch_sees_again_although_the_server_still_keeps_our_lost_lock(
    seen: SupabaseSource,
    source: Company,
    line: Line,
    freeze: Callable[[], datetime],
    run_since: Callable[..., Run],
) -> None:
    """The server has not learnt that our session with the lock is gone; it is ended, and no other bot gets between."""
    since = freeze()
    run = run_since(since, await _record(Database(source.dsn)))
    assert (await _answered(lambda: seen.drift(run))).changes == ()
    line.fall_silent()
    async with asyncio.timeout(_PROMPTLY):
        with pytest.raises(ServiceUnreachable) as late:
            await seen.drift(run)
        assert str(late.value) == _LATE
    line.speak()
    [(kept,)] = _locks(source)
    assert kept == 1
    assert (await _answered(lambda: seen.drift(run))).changes == ()
    with pytest.raises(LockHeld):
        await SourceLock(Database(source.dsn, run_id="20260401-zzzz"), wait=0.1).take()
    [(kept,)] = _locks(source)
    assert kept == 1


async def test_our_sessions_are_renewed_or_the_renewal_ends(
    seen: SupabaseSource, line: Line, run_since: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the server says nothing it ends in its time; afterwards it works."""
    monkeypatch.setattr("bot.supabase.source._RENEWAL_SECONDS", 0.5)
    await _until_seen(seen)
    line.fall_silent()
    async with asyncio.timeout(_PROMPTLY):
        with pytest.raises(ServiceUnreachable) as late:
            await seen.renew(run_since(None))
        assert str(late.value) == _LATE
    line.speak()
    monkeypatch.undo()
    await _answered(lambda: seen.renew(run_since(None)))
    await _until_seen(seen)


async def test_the_guard_is_known_to_be_lost_and_is_taken_again(
    database: Database, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its ping nor its release waits for a server that says nothing."""
    monkeypatch.setattr("bot.supabase.guard._ANSWER_SECONDS", 0.5)
    monkeypatch.setattr("bot.supabase.guard._TAKEN_WITHIN_SECONDS", 0.5)
    guard = Guard(database)
    line.fall_silent()
    async with asyncio.timeout(_PROMPTLY):
        with pytest.raises(ServiceUnreachable) as late:
            await guard.take()
        assert str(late.value) == _LATE
    line.speak()
    monkeypatch.setattr("bot.supabase.guard._TAKEN_WITHIN_SECONDS", 30.0)
    first = await guard.take()
    assert first.tables
    line.fall_silent()
    monkeypatch.setattr("bot.supabase.guard._TAKEN_WITHIN_SECONDS", 0.5)
    async with asyncio.timeout(_PROMPTLY):
        with pytest.raises(ServiceUnreachable):
            await guard.take()
        await guard.release()
    line.speak()
    monkeypatch.setattr("bot.supabase.guard._TAKEN_WITHIN_SECONDS", 30.0)
    assert (await guard.take()).since > first.since
    await guard.release()


async def test_a_bot_that_is_told_to_stop_does_not_wait_for_a_look(
    database: Database, line: Line, tmp_path: Path, lock: SourceLock
) -> None:
    """A look that is under way is cut off, and everything is closed, at once."""
    patient = SupabaseSource(database, lock, tmp_path / "other.json", None, look_seconds=600)
    await patient.look()
    line.fall_silent()
    look = asyncio.create_task(patient.look())
    await asyncio.sleep(0)
    async with asyncio.timeout(_PROMPTLY):
        look.cancel()
        with pytest.raises(asyncio.CancelledError):
            await look
        await patient.close()


def _locks(source: Company) -> list[tuple[Any, ...]]:
    return source.server.sql(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = "
        f"(SELECT oid FROM pg_database WHERE datname = '{source.dbname}')"
    )


async def _until_seen(seen: SupabaseSource) -> None:
    assert not (await _answered(seen.look)).frozen


async def _answered(ask: Callable[[], Any]) -> Any:
    """The first answer: on a busy machine, half a second may be too short for a new session."""
    async with asyncio.timeout(180):
        while True:
            try:
                return await ask()
            except ServiceUnreachable:
                await asyncio.sleep(0.1)
