"""Locks on many tables: so many to a statement, in the transaction that the session is in; and the server's room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from psycopg import sql

from bot.supabase.catalog import Table
from bot.supabase.database import Session, query, translated

Mode = Literal["ACCESS SHARE", "SHARE"]

_A_STATEMENT = 100

MORE_ROOM = (
    "raise max_locks_per_transaction to 1024 (Supabase: `supabase --experimental --project-ref REF postgres-config "
    "update --config max_locks_per_transaction=1024`), which restarts the server"
)
"""What gives the server room for more locks, as a clause.
https://supabase.com/docs/guides/database/custom-postgres-config
"""


async def lock_tables(session: Session, tables: Sequence[Table], mode: Mode) -> None:
    """Held until the transaction ends. Raises what psycopg raises; some may be held then."""
    for first in range(0, len(tables), _A_STATEMENT):
        names = sql.SQL(", ").join(table.identifier for table in tables[first : first + _A_STATEMENT])
        await session.execute(sql.SQL("LOCK TABLE {} IN {} MODE").format(names, sql.SQL(mode)))


def locked_together(tables: Sequence[Table]) -> int:
    """How many locks one session needs for all of them: each partition has its own."""
    return sum(max(1, len(table.storage)) for table in tables)


async def lock_room(session: Session) -> int:
    """For how many locks on tables the server is sure to have room, all sessions together; where its other shared
    memory is not used up, it has more.
    """
    with translated("the server's room for locks could not be read"):
        cursor = await session.execute(query("lock_room"))
        [[room]] = await cursor.fetchall()
    assert isinstance(room, int)
    return room


def left_to_us(room: int) -> int:
    """A quarter of it is left to others."""
    return room * 3 // 4
