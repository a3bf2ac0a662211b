"""The users of the living source, row by row as an export would write them, for a look before any export is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator

from psycopg import errors as pg
from psycopg import sql

from bot.supabase.database import Database, translated

_ROWS_AT_A_TIME = 1_000


async def auth_rows(database: Database, table: str) -> AsyncIterator[bytes]:
    """Every row of a table of schema auth as JSON text, in one transaction that can only read; none where there is no
    such table. Raises CutoverError.
    """
    async with database.session("look", autocommit=False) as session:
        with translated("the users could not be looked at"):
            async with session.cursor(name="rows", binary=True) as rows:
                rows.itersize = _ROWS_AT_A_TIME
                text = sql.SQL("SELECT convert_to(row_to_json(x)::text, 'UTF8') FROM auth.{} AS x")
                try:
                    await rows.execute(text.format(sql.Identifier(table)))
                except pg.UndefinedTable:
                    return
                async for (row,) in rows:
                    yield row
