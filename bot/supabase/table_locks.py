"""Locks on many tables: so many to a statement, in the transaction that the session is in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from psycopg import sql

from bot.supabase.catalog import Table
from bot.supabase.database import Session

Mode = Literal["ACCESS SHARE", "SHARE"]

_A_STATEMENT = 100


async def lock_tables(session: Session, tables: Sequence[Table], mode: Mode) -> None:
    """Held until the transaction ends. Raises what psycopg raises; some may be held then."""
    for first in range(0, len(tables), _A_STATEMENT):
        names = sql.SQL(", ").join(table.identifier for table in tables[first : first + _A_STATEMENT])
        await session.execute(sql.SQL("LOCK TABLE {} IN {} MODE").format(names, sql.SQL(mode)))
