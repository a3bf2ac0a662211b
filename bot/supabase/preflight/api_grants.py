"""Which tables the public API may not read, with the grants that are missing.

Supabase grants new tables of `public` to no role of the API any more. Such a table is counted by SQL, so that the night
goes on; `doctor` says so days before, since their application may expect it to be there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg.rows import dict_row

from bot.plan.findings import Finding, passed, warned
from bot.plan.texts.listing import listed
from bot.supabase.catalog import Catalog
from bot.supabase.database import Session, query, translated

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class MissingGrant:
    """`statements` would let the API's role `service_role` read it; `enters` is whether that may use the schema."""

    relation: str
    enters: bool
    statements: str


async def missing_grants(session: Session, tables: Iterable[tuple[str, str]]) -> list[MissingGrant]:
    """Of the tables (schema, name), those that `service_role` may not read, sorted by name."""
    schemas, names = zip(*tables, strict=True) if (tables := list(tables)) else ((), ())
    with translated("the grants to the API's role could not be looked up"):
        async with session.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query("api_grants"), {"schemas": list(schemas), "names": list(names)})
            found = await cursor.fetchall()
    return [
        MissingGrant(relation=f"{row['schema']}.{row['name']}", enters=row["enters"], statements=row["grants"])
        for row in found
    ]


async def api_grants(session: Session, catalog: Catalog) -> Finding:
    """What `doctor` says, days before."""
    check = "api-grants"
    tables = [(table.schema, table.name) for table in catalog.tables if table.schema not in catalog.platform]
    missing = [one for one in await missing_grants(session, tables) if one.enters]
    if not missing:
        return passed(check, "The API's secret key may read every table of the schemas that it may enter.")
    number = "1 table" if len(missing) == 1 else f"{len(missing):,} tables"
    return warned(
        check,
        f"The API's secret key may not read {number}: {listed((one.relation for one in missing), _SHOWN)}. Supabase "
        "grants new tables to nobody. On the night SQL counts their rows instead.",
        f"Nothing, if the API is not meant to show them; else, before the freeze: {statements(missing)}",
    )


def statements(missing: Iterable[MissingGrant]) -> str:
    """SQL for people to paste."""
    return listed((one.statements for one in missing), _SHOWN, separator=" ")
