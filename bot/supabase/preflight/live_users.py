"""The users of the live source, row by row as an export would write them, before any export is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from psycopg import errors as pg
from psycopg import sql

from bot.supabase.catalog.selection import WHOSE
from bot.supabase.database import Database, translated
from bot.supabase.reading import reading


async def auth_rows(database: Database, table: str, *, exclude_tables: Sequence[str] = ()) -> AsyncIterator[bytes]:
    """Every row of a table of schema auth as JSON text, as far as it is exported where the settings exclude these; none
    where there is no such table. Raises CutoverError.
    """
    whose = WHOSE.get(("auth", table)) if f"auth.{table}" in exclude_tables else None
    columns = sql.SQL(", ").join(map(sql.Identifier, sorted(whose))) if whose else sql.SQL("*")
    rows_of = sql.SQL("SELECT convert_to(row_to_json(x.*)::text, 'UTF8') FROM (SELECT {} FROM auth.{}) AS x")
    async with reading(database, "users") as source:
        with translated("the users could not be looked at"):
            try:
                async with source.copy(rows_of.format(columns, sql.Identifier(table)), of=f"auth.{table}") as rows:
                    rows.set_types(["bytea"])
                    async for (row,) in rows.rows():
                        yield row
            except pg.UndefinedTable:
                return
