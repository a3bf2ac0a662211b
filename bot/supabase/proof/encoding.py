"""Whether all text of the tables can be written as UTF-8, which the files are.

A database in UTF8 holds nothing else, and each byte of most one-byte encodings is a letter of UTF-8. In the other
encodings some bytes are none, and SQL_ASCII takes any byte as it comes. So where it could fail, all of the text is
tried, as dear as reading it all once: who finds out in the middle of the export has lost that time of the night.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from bot.plan.findings import Finding, failed, passed
from bot.plan.texts.listing import listed
from bot.plan.texts.sentences import accepting
from bot.supabase.catalog import NEVER_LEFT_OUT, Catalog, Column, Table
from bot.supabase.database import Database, Session, not_utf8, statement, too_long, translated
from bot.supabase.reading import reading

_CHECK = "database-encoding"
_WHOLE = frozenset(
    {"ISO_8859_5", "KOI8R", "KOI8U", "WIN866", "WIN1256", *(f"LATIN{n}" for n in (1, 2, 4, 5, 6, 7, 8, 9, 10))}
)
"""All of whose bytes have a letter in UTF-8."""
_SHOWN = 20


async def database_encoding(database: Database, session: Session, catalog: Catalog) -> Finding | None:
    """None where the database is in UTF8; `session` is asked about the server's catalogs only."""
    with translated("the encoding of the database could not be looked up"):
        [[encoding]] = await (await session.execute("SELECT current_setting('server_encoding')")).fetchall()
    if encoding == "UTF8":
        return None
    found = {} if encoding in _WHOLE else await _no_utf8(database, catalog)
    if not found:
        return passed(_CHECK, f"The database's encoding is {encoding}. All of its text can be written as UTF-8.")
    columns = [f"{table.relation}.{column.name}" for table, columns in found.items() for column in columns]
    tables = [table.relation for table in found if table.relation not in NEVER_LEFT_OUT]
    leave_out = f" Or leave the tables out: {accepting(tables)}." if tables else ""
    return failed(
        _CHECK,
        f"The database's encoding is {encoding}, and some text cannot be exported because it is not valid UTF-8: "
        f"{listed(columns, _SHOWN)}.",
        "Before the freeze, convert that text from the encoding in which it was written, for example "
        "convert_from(convert_to(TEXT, 'SQL_ASCII'), 'LATIN1'). Under a freeze, say `abort` first."
        f"{leave_out}",
        unreadable=tables,
    )


async def _no_utf8(database: Database, catalog: Catalog) -> dict[Table, list[Column]]:
    found: dict[Table, list[Column]] = {}
    async with reading(database, "encoding") as source:

        async def is_utf8(table: Table, columns: Sequence[Column]) -> bool:
            names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
            name = sql.SQL("{}" if table.partitioned else "ONLY {}").format(table.identifier)
            with translated(f"the text of {table.relation} could not be looked at"):
                try:
                    await source.ask(statement("text_as_utf8", columns=names, table=name), of=table.relation)
                except psycopg.Error as error:
                    if too_long(error):  # by itself each column is shorter; the export names what is too long even so
                        return len(columns) == 1
                    if not_utf8(error):
                        return False
                    raise
            return True

        for table in catalog.tables:
            if table.relation not in catalog.unreadable and not await is_utf8(table, table.columns):
                found[table] = [column for column in table.columns if not await is_utf8(table, [column])]
    return {table: columns for table, columns in found.items() if columns}
