"""The hard guard: SHARE locks on every table of the export, so that whoever writes waits, whatever they override.

A freeze refuses writes; a session may still override it. Under these locks it cannot write either: INSERT, UPDATE,
DELETE, TRUNCATE, COPY and ALTER each take a lock that conflicts with SHARE before they do anything. Reading goes on.
What the locks do not stop is `nextval` on a sequence and large objects; the watch sees both.

One session holds them in one transaction that only reads. It lives as long as it is asked how it is (`take`): an idle
transaction is ended by the server after a minute, so that a dead bot gives everything back by itself. A lock that
cannot be had in time is asked for no longer, since those who come after would wait behind us.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from psycopg import errors as pg
from psycopg import sql

from bot.errors import CutoverError, ServiceRefused
from bot.ports import Guarded
from bot.supabase.catalog import Selection, Table, read_catalog
from bot.supabase.catalog.reading import EVERYTHING
from bot.supabase.connection.deadline import hang_up, in_time
from bot.supabase.database import Database, Session, end, query, translated
from bot.supabase.table_locks import lock_tables

_LOCK_SECONDS = 10
_ANSWER_SECONDS = 5.0
_TAKEN_WITHIN_SECONDS = 60.0
_UNCHANGED = "nothing was exported under it"


@dataclass(frozen=True, kw_only=True)
class _Held:
    session: Session
    guarded: Guarded


class Guard:
    """Of `selection`, as the export has it."""

    def __init__(self, database: Database, selection: Selection = EVERYTHING) -> None:
        self._database = database
        self._selection = selection
        self._held: _Held | None = None
        self._opening: Session | None = None
        self._turn = asyncio.Lock()

    async def take(self) -> Guarded:
        """Takes the locks, or says a word to the session that holds them. Raises ServiceRefused, naming who keeps us
        out, and ServiceUnreachable; nothing is held then.
        """
        async with self._turn:
            if self._held is not None and await _lives(self._held.session):
                return self._held.guarded
            await self._drop()
            self._held = await in_time(
                self._taken(), seconds=_TAKEN_WITHIN_SECONDS, hang_up=lambda: hang_up(self._opening)
            )
            return self._held.guarded

    async def _taken(self) -> _Held:
        self._opening = session = await self._database.connect("guard")
        try:
            return _Held(session=session, guarded=await self._lock(session))
        except BaseException:
            await end(session)
            raise
        finally:
            self._opening = None

    async def release(self) -> None:
        """Does nothing when nothing is held."""
        async with self._turn:
            await self._drop()

    async def _drop(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            await end(held.session)

    async def _lock(self, session: Session) -> Guarded:
        catalog = await read_catalog(session, self._selection)
        with translated("the hard guard could not be prepared", unchanged=_UNCHANGED):
            oids = [table.oid for table in catalog.tables]
            rows = await (await session.execute(query("guard_lockable"), {"oids": oids})).fetchall()
            lockable = {oid for (oid,) in rows}
            await session.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(f"{_LOCK_SECONDS}s")))
            await session.execute("BEGIN READ ONLY")
        ours = [table for table in catalog.tables if table.oid in lockable]
        try:
            with translated("the tables could not be locked for the hard guard", unchanged=_UNCHANGED):
                await lock_tables(session, ours, "SHARE")
                at = await (await session.execute("SELECT clock_timestamp()")).fetchone()
        except ServiceRefused as error:
            if isinstance(error.__cause__, pg.LockNotAvailable):
                raise await self._kept_out(session, ours) from error
            raise
        assert at is not None
        open_tables = tuple(table.relation for table in catalog.tables if table.oid not in lockable)
        return Guarded(since=at[0].astimezone(UTC), tables=len(ours), unguarded=open_tables)

    async def _kept_out(self, session: Session, tables: Sequence[Table]) -> ServiceRefused:
        with translated("who keeps the hard guard out could not be looked up", unchanged=_UNCHANGED):
            await session.execute("ROLLBACK")
            oids = [table.oid for table in tables]
            found = await (await session.execute(query("guard_blockers"), {"oids": oids})).fetchone()
        if found is None:
            return ServiceRefused(
                "the tables could not be locked for the hard guard in time",
                unchanged=_UNCHANGED,
                do="try again, or set freeze.hold_locks = false for the next run",
            )
        relation, pid, role = found
        return ServiceRefused(
            f"{relation} cannot be locked for the hard guard: session {pid} of role {role} is writing to it",
            unchanged=_UNCHANGED,
            do=f"end it with SELECT pg_terminate_backend({pid}), and try again",
        )


async def is_set(session: Session) -> bool:
    """Somebody of ours holds the guard: a probe that touches a table would wait for it."""
    with translated("whether the hard guard is set could not be looked up"):
        row = await (await session.execute(query("guard_is_set"))).fetchone()
    return row == (True,)


async def _lives(session: Session) -> bool:
    """A server that says nothing holds nothing for us that could be relied on."""
    try:
        return await in_time(_answers(session), seconds=_ANSWER_SECONDS, hang_up=lambda: hang_up(session))
    except CutoverError:
        return False


async def _answers(session: Session) -> bool:
    with translated("the hard guard's session does not answer"):
        row = await (await session.execute("SELECT pg_current_xact_id_if_assigned() IS NULL")).fetchone()
    return row == (True,)
