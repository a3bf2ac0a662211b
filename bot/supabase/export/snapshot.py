"""One snapshot of the source, held and lent to any number of workers.

    async with hold_snapshot(database, read) as snapshot:
        async with snapshot.borrow("export-1") as source:
            ...   # a `Reading` that sees exactly what snapshot.taken_at saw

The order is what makes it sound. First ACCESS SHARE locks on every table, then the first query, which is the snapshot.
Taken the other way round, a TRUNCATE in between would make the snapshot read an empty table, without any error. A
table that was made or dropped between the look at the catalog and the locks is found by looking again from inside, and
then all begins anew.

The locks stop nobody but those who would change a table's shape or cut it off. Whoever asks for such a change waits for
us, and whoever comes to the table after that waits behind them, a worker of ours too. So each worker takes the same
locks when it begins, and borrows before the work is under way rather than in the middle of it.

The session that holds the snapshot reads the server's catalogs only, so that nobody else's code runs in it; whoever
reads a table borrows.

The locks are given back when the `async with` ends, or when the database notices that we are gone: an idle
transaction is ended after a minute, which is why the holder says a word every ten seconds, and the work inside is
stopped with a `CutoverError` when it gets no answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import errors as pg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from bot.errors import CutoverError, ServiceRefused, Unreadable
from bot.plan.texts.listing import and_more
from bot.supabase.catalog import Catalog, Table
from bot.supabase.catalog.taken import SAVE_BY_HAND, why_unaccounted
from bot.supabase.database import Database, Session, query, translated
from bot.supabase.formatting import in_a_writing_transaction
from bot.supabase.reading import Reading
from bot.supabase.table_locks import MORE_ROOM, left_to_us, lock_room, lock_tables, locked_together

PING_SECONDS = 10.0

ReadCatalog = Callable[[Session], Awaitable[Catalog]]

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_ATTEMPTS = 5
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """`catalog` is what the snapshot sees; `taken_at` is the database's clock; `role` is quoted where SQL needs it."""

    database: Database
    holder: Session
    """The session that took the snapshot, inside it; for the server's catalogs."""
    lock_seconds: float
    catalog: Catalog
    id: str
    taken_at: datetime
    xmax: int
    server_version: str
    role: str
    lock_room: int

    @property
    def most_sessions(self) -> int:
        """How many sessions may borrow the snapshot at once, each with a lock on every table; at least one."""
        locked = locked_together(self.catalog.tables)
        # A lock held by two sessions takes one place among the locks, and two among their holders, of which twice as
        # many fit in.
        return max(1, 2 * left_to_us(self.lock_room) // max(1, locked) - 1)

    @asynccontextmanager
    async def borrow(self, role: str) -> AsyncIterator[Reading]:
        """A reading of its own inside the snapshot, with the locks. Its transaction must not idle for a minute. Raises
        ServiceRefused, naming who keeps us out, when a table cannot be locked any more.
        """
        async with self.database.session(role) as session:
            try:
                with translated("the snapshot could not be lent"):
                    await session.execute(query("snapshot_worker"))
                    await _limit_waiting(session, self.lock_seconds)
                    await session.execute(_BEGIN)
                    await session.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self.id)))
            except ServiceRefused:
                await self.clock()  # the snapshot is gone with the session that held it, which then says so
                raise
            async with _naming_who_keeps_us_out(session):
                await _lock(session, self.catalog.tables)
            with translated("the snapshot could not be lent"):
                source = await Reading.begin(session)
            yield source

    async def clock(self) -> datetime:
        """The database's clock now. Raises CutoverError when the snapshot is not held any more."""
        with translated("the snapshot's own session does not answer any more"):
            cursor = await self.holder.execute("SELECT clock_timestamp()")
            [[now]] = await cursor.fetchall()
        assert isinstance(now, datetime)
        return now


@asynccontextmanager
async def hold_snapshot(
    database: Database, read: ReadCatalog, *, lock_seconds: float = 10.0
) -> AsyncIterator[Snapshot]:
    """`read` gives the catalog that a session sees. Raises Unreadable when a table may not be read (the GRANT is in the
    sentence), and ServiceRefused when one cannot be locked within `lock_seconds` (who keeps us out is in it).
    """
    async with database.session("snapshot") as session:
        snapshot = await _take(database, session, read, lock_seconds)
        with ungrouped():
            async with asyncio.TaskGroup() as group:
                pings = group.create_task(_ping(snapshot))
                yield snapshot
                pings.cancel()


@contextmanager
def ungrouped() -> Iterator[None]:
    """Around a TaskGroup: of several errors only the first one that has a sentence, or the first, goes on."""
    try:
        yield
    except BaseExceptionGroup as group:
        ours = group.subgroup(CutoverError)
        first = _first(ours or group)
        raise first from first.__cause__


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _ping(snapshot: Snapshot) -> None:
    while True:
        await asyncio.sleep(PING_SECONDS)
        await snapshot.clock()


async def _take(
    database: Database,
    session: Session,
    read: ReadCatalog,
    lock_seconds: float,
) -> Snapshot:
    with translated("the snapshot could not be prepared"):
        await _limit_waiting(session, lock_seconds)
    for _ in range(_ATTEMPTS):
        async with _naming_who_keeps_us_out(session):
            before = await _catalog(session, read)
            with translated("the snapshot could not be taken"):
                await session.execute(_BEGIN)
            if await _lock(session, before.tables):
                facts = await _export(session)
                room = await lock_room(session)
                with _naming_missing_room(before.tables):
                    inside = await _catalog(session, read)
                if _places(inside) == _places(before):
                    return Snapshot(
                        database=database,
                        holder=session,
                        lock_seconds=lock_seconds,
                        catalog=inside,
                        lock_room=room,
                        **facts,
                    )
            with translated("the snapshot could not be taken"):
                await session.execute("ROLLBACK")
    raise ServiceRefused(
        f"tables were made or dropped during each of {_ATTEMPTS} attempts to take a snapshot",
        unchanged="nothing was exported",
        do="stop whatever changes the schema, and try again",
    )


async def _limit_waiting(session: Session, lock_seconds: float) -> None:
    await session.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(int(lock_seconds * 1000))))


async def _export(session: Session) -> dict[str, Any]:
    with translated("the snapshot could not be taken"):
        async with session.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query("snapshot_take"))
            [facts] = await cursor.fetchall()
    return facts


async def _catalog(session: Session, read: ReadCatalog) -> Catalog:
    catalog = await read(session)
    require_readable(catalog)
    return catalog


def require_readable(catalog: Catalog) -> None:
    """Raises Unreadable with the statements that would let our role read everything, if it may not; and when a table
    would be in no file or in two.
    """
    if catalog.unaccounted:
        raise Unreadable(
            why_unaccounted(catalog.unaccounted),
            unchanged="nothing was exported",
            do=f"{SAVE_BY_HAND}: in a run with `accept`, else in export.exclude_tables",
            tables=catalog.unaccounted,
        )
    if not catalog.grants:
        return
    run = in_a_writing_transaction(catalog.grants[:_SHOWN]).rstrip(";")
    raise Unreadable(
        "the role of SUPABASE_DB_URL may not read all that is to be exported",
        unchanged="nothing was exported",
        do="; ".join(and_more([f"run {run}"], len(catalog.grants) - _SHOWN + 1, "grant")),
        tables=catalog.unreadable,
    )


def _places(catalog: Catalog) -> set[tuple[int, str, tuple[int, ...]]]:
    """What the locks were taken on."""
    return {(table.oid, table.relation, table.storage) for table in catalog.tables}


async def _lock(session: Session, tables: Sequence[Table]) -> bool:
    """Locks all of them; False when one of them has gone meanwhile."""
    with _naming_missing_room(tables), translated("the tables could not be locked for reading"):
        try:
            await lock_tables(session, tables, "ACCESS SHARE")
        except (pg.UndefinedTable, pg.InvalidSchemaName, pg.WrongObjectType):
            return False
    return True


@contextmanager
def _naming_missing_room(tables: Sequence[Table]) -> Iterator[None]:
    """No room for locks on them, or for what is asked behind those, becomes a sentence that names the setting."""
    try:
        yield
    except ServiceRefused as error:
        if not isinstance(error.__cause__, pg.OutOfMemory):
            raise
        raise ServiceRefused(
            f"the server has no room for locks on {len(tables):,} tables at once (53200)",
            unchanged="nothing was exported",
            do=f"{MORE_ROOM}, and try again",
        ) from error.__cause__


@asynccontextmanager
async def _naming_who_keeps_us_out(session: Session) -> AsyncIterator[None]:
    """A lock that could not be had in time becomes a sentence about whoever holds it, or is first in the queue. Even
    reading the catalog needs one, for the default of a column.
    """
    try:
        yield
    except ServiceRefused as error:
        if not isinstance(error.__cause__, pg.LockNotAvailable):
            raise
        with translated("the tables could not be locked for reading"):
            if session.info.transaction_status != TransactionStatus.IDLE:
                await session.execute("ROLLBACK")
            cursor = await session.execute(query("snapshot_blockers"))
            found = await cursor.fetchone()
        if found is None:
            happened, do = "the tables could not be locked for reading in time", "try again"
        else:
            relation, pid, role = found
            happened = f"{relation} cannot be locked for reading: session {pid} of role {role} keeps everybody out"
            do = f"wait for it or end it with SELECT pg_terminate_backend({pid}), and try again"
        raise ServiceRefused(happened, unchanged="nothing was exported", do=do) from error
