"""How the rows of a table become text: the statements that copy, sum and doubt them. Pure but for `resolve`.

All of them contain the same SELECT, so that the digest is that of the very text in the file. A column whose encoding
is text is cast to text there, and thereby a JSON string (or null for SQL NULL). `json` is always such a column, so no
row holds a raw newline or any other control byte.
"""

from __future__ import annotations

from collections.abc import Collection

from psycopg import sql

from bot.supabase.catalog import Column, Table
from bot.supabase.catalog.encoding import Doubt, Encoding
from bot.supabase.database import Session, query


def copy(table: Table, as_text: Collection[str]) -> sql.Composed:
    """Sends each row as one message: its text and a newline. `as_text` are the columns exported in their text form."""
    return _statement("rows_copy", rows=_rows(table, as_text))


def digest(table: Table, as_text: Collection[str]) -> sql.Composed:
    """Gives one row: the count, and the decimal text that metadata.json calls `rowDigest`."""
    return _statement("rows_digest", rows=_rows(table, as_text))


def doubts(table: Table) -> sql.Composed | None:
    """Gives one row with a boolean for each of `doubtful(table)`; None when there is nothing to look for."""
    columns = doubtful(table)
    if not columns:
        return None
    looks = [_look(table, column) for column in columns]
    return _statement("rows_doubts", doubts=sql.SQL(", ").join(looks), table=_from(table))


def doubtful(table: Table) -> list[Column]:
    return [column for column in table.columns if isinstance(column.encoding, Doubt)]


async def resolve(session: Session, table: Table) -> frozenset[str]:
    """The columns of the table that have to be exported as text, for what the data are that the session sees."""
    as_text = {column.name for column in table.columns if column.encoding is Encoding.TEXT}
    statement = doubts(table)
    if statement is not None:
        cursor = await session.execute(statement)
        [found] = await cursor.fetchall()
        as_text |= {column.name for column, there in zip(doubtful(table), found, strict=True) if there}
    return frozenset(as_text)


def _look(table: Table, column: Column) -> sql.Composed:
    names = {"column": sql.Identifier("x", column.name)}
    match column.encoding:
        case Doubt.JSON_NULL:
            return _statement("doubt_json_null", **names)
        case Doubt.BOUNDS:
            return _statement("doubt_bounds", **names)
        case Doubt.JSON_NULL_OR_BOUNDS:
            return _statement("doubt_json_null_or_bounds", **names)
        case _:
            field = sql.Identifier(column.name)
            return _statement("doubt_deep", type=table.identifier, name=sql.Literal(column.name), field=field, **names)


def _rows(table: Table, as_text: Collection[str]) -> sql.Composed:
    columns = sql.SQL(", ").join(
        sql.SQL("{0}::text AS {0}").format(name) if column.name in as_text else name
        for column in table.columns
        for name in [sql.Identifier(column.name)]
    )
    return _statement("rows_text", columns=columns, table=_from(table))


def _from(table: Table) -> sql.Composed:
    """A parent's own rows without those of the tables that inherit from it; a partitioned table has none of its own."""
    return sql.SQL("{}" if table.partitioned else "ONLY {}").format(table.identifier)


def _statement(name: str, /, **parts: sql.Composable) -> sql.Composed:
    return sql.SQL(query(name)).format(**parts)
