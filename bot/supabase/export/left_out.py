"""How many rows the tables hold that are left out: whoever leaves a passkey, a queue or a secret behind has to know.

A table is counted where our role may read it and that costs little; else the planner's estimate is given, or that
nothing is known. Counting is never waited for and never stops an export.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from bot.artifacts.metadata import LeftOut
from bot.plan.results import LeftRows
from bot.supabase.catalog.selection import KINDS, PARTITION
from bot.supabase.database import Database, query, statement, translated
from bot.supabase.reading import Disturbed, Reading, reading

_TABLE = KINDS["r"]
_MOST_PAGES = 16_384
"""128 MB: a scan of some tenths of a second."""
_LIMITS = sql.SQL("SET lock_timeout = '1s'; SET statement_timeout = '10s';")
_LOST = {None, "57P01", "57P02", "57P03"}

_CONTENT = re.compile(
    r"auth\.(webauthn_credentials|oauth_(clients|consents)|custom_oauth_providers|(sso|saml)_.*)|pgmq\.[qa]_.*|cron\.job"
    r"|vault\.secrets|storage\.(.*(analytics|vector|iceberg).*)"
)
"""The platform's tables in which customers keep something of their own; they are named first."""


async def with_rows(database: Database, left_out: Sequence[LeftOut]) -> tuple[LeftOut, ...]:
    """The same, each table with the number of its rows."""
    names = [entry.name for entry in left_out if entry.kind == _TABLE]
    if not names:
        return tuple(left_out)
    with translated("the tables that are left out could not be counted"):
        async with database.session("left-out") as session, session.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query("left_out_tables"), {"names": names})
            tables = {f"{row['schema']}.{row['name']}": row for row in await cursor.fetchall()}
        async with reading(database, "left-out", limits=_LIMITS) as source:
            return tuple([await _with_rows(source, entry, tables) for entry in left_out])


async def _with_rows(source: Reading, entry: LeftOut, tables: Mapping[str, Mapping[str, Any]]) -> LeftOut:
    if entry.kind != _TABLE or (table := tables.get(entry.name)) is None:
        return entry
    if table["readable"] and table["pages"] <= _MOST_PAGES:
        try:
            count = await _count(source, entry.name, table)
            return entry.model_copy(update={"row_count": count, "counted": "exact"})
        except Disturbed:
            pass
        except psycopg.Error as error:
            if error.sqlstate in _LOST:
                raise
    if table["estimate"] is not None:
        return entry.model_copy(update={"row_count": table["estimate"], "counted": "estimate"})
    return entry.model_copy(update={"counted": "unknown"})


async def _count(source: Reading, relation: str, table: Mapping[str, Any]) -> int:
    name = sql.SQL("{}" if table["partitioned"] else "ONLY {}").format(sql.Identifier(table["schema"], table["name"]))
    [[count]] = await source.ask(statement("count_rows", table=name), of=relation)
    return int(count)


def holding_rows(left_out: Sequence[LeftOut]) -> list[LeftRows]:
    """The tables among them that hold rows, or of which that is not known: customers' own first, then by size. Rows of
    partitions are counted with their table.
    """
    found = [
        LeftRows(name=entry.name, rows=entry.row_count, exact=entry.counted == "exact")
        for entry in left_out
        if entry.counted is not None and entry.row_count != 0 and entry.reason != PARTITION
    ]
    return sorted(found, key=lambda one: (_CONTENT.fullmatch(one.name) is None, -(one.rows or 0), one.name))
