"""Which project is it, and do SQL and the public API lead to the same one?

A project's ref can be in the connection string (`db.REF.supabase.co`, user `postgres.REF`), in the API's address
and in the claims of legacy keys. Where it can be read by both methods it must be the same, and that is enough; where it
cannot, three tables must have the same number of rows by both, since exporting one project while freezing another would
be found out too late. Rows of a live project come and go while they are counted: numbers that differ are counted
again before anything is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from bot.errors import UsageError
from bot.project_ref import ONE_PROJECT, disagreement, dsn_ref
from bot.supabase.api_client import DataApiOff
from bot.supabase.catalog import Catalog, Table, read_catalog
from bot.supabase.connection.pooling import refuse_transaction_pooling
from bot.supabase.database import Database, Session, query, translated
from bot.supabase.gateway import Gateway, Uncounted
from bot.supabase.reading import Reading, reading

_COMPARED = 3
_TRIED = 12
_LARGEST_COMPARED = 100_000
_COUNTINGS = 6
_BETWEEN_COUNTINGS = 0.25


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The source by name: `ref` is the project's, or the API's host where no ref can be read, or the database's."""

    ref: str
    database: str
    server_version: str


async def identify(database: Database, gateway: Gateway) -> Identity:
    """Who the source is. Raises UsageError when SQL and API lead to different projects or the connection is pooled by
    transaction, and ServiceError.
    """
    refs = refs_of(database, gateway)
    require_one_project(refs)
    serves = await api_serves(gateway)
    async with database.session("identity") as session:
        await refuse_transaction_pooling(database, session)
        rights = await read_rights(session)
        compares = serves and not named_by_both(refs)
        catalog = await read_catalog(session) if compares else None
    if catalog is not None:
        await compare_counts(database, gateway, catalog)
    return _identity(database, gateway, refs, rights)


async def api_serves(gateway: Gateway) -> bool:
    """Shows the keys; False where the project's Data API is off, and counts nothing. Raises as `try_keys`."""
    try:
        await gateway.try_keys()
    except DataApiOff:
        return False
    return True


async def identify_by_sql(database: Database, gateway: Gateway | None) -> Identity:
    """The same, and the API is asked nothing: what is set of it is only read. Raises as `identify`."""
    refs = refs_of(database, gateway)
    require_one_project(refs)
    async with database.session("identity") as session:
        await refuse_transaction_pooling(database, session)
        rights = await read_rights(session)
    return _identity(database, gateway, refs, rights)


def _identity(
    database: Database, gateway: Gateway | None, refs: Mapping[str, str], rights: Mapping[str, Any]
) -> Identity:
    name = str(database.parts.get("dbname") or database.parts.get("user"))
    host = _host(gateway) if gateway is not None else str(database.parts.get("host") or "")
    return Identity(ref=next(iter(refs.values()), host), database=name, server_version=rights["server_version"])


def refs_of(database: Database, gateway: Gateway | None) -> dict[str, str]:
    """By setting, the project refs that can be read without asking anybody."""
    found = gateway.refs() if gateway is not None else {}
    ref = dsn_ref(database.parts)
    return found if ref is None else {"SUPABASE_DB_URL": ref, **found}


async def read_rights(session: Session) -> Mapping[str, Any]:
    """The row of `queries/rights.sql`."""
    with translated("the rights of our role could not be looked up"):
        async with session.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query("rights"))
            row = await cursor.fetchone()
    assert row is not None
    return row


def require_one_project(refs: Mapping[str, str]) -> None:
    """Raises UsageError when two settings name different projects."""
    if (wrong := disagreement(refs)) is not None:
        raise UsageError(wrong, unchanged="nothing was changed", do=ONE_PROJECT)


def named_by_both(refs: Mapping[str, str]) -> bool:
    """Those that can be read agree; see `_agree`."""
    return "SUPABASE_DB_URL" in refs and len(refs) > 1


async def compare_counts(
    database: Database, gateway: Gateway, catalog: Catalog, heard: Callable[[], None] = lambda: None
) -> list[str]:
    """The tables that were counted by both methods; `heard` is called after each that was tried. Raises UsageError when
    one differs.
    """
    compared: list[str] = []
    # Rows tell projects apart, and a table that is counted at once costs nobody anything.
    by_use = sorted(
        (table for table in catalog.tables if table.schema not in {"auth", "storage"}),
        key=lambda table: (table.rows == 0, table.rows > _LARGEST_COMPARED, table.schema != "public", -table.rows),
    )
    async with reading(database, "identity") as source:
        for table in by_use[:_TRIED]:
            if len(compared) == _COMPARED:
                break
            if await _counts_agree(source, gateway, table):
                compared.append(table.relation)
    return compared


async def _counts_agree(source: Reading, gateway: Gateway, table: Table) -> bool:
    """False when the API does not count the table. The project may be alive: a count of the API has to lie among
    those of SQL, and none of several countings by which it does not is believed alone. Raises UsageError.
    """
    by_sql, by_api = [await _count(source, table)], list[int]()
    for attempt in range(_COUNTINGS):
        if attempt:
            await asyncio.sleep(_BETWEEN_COUNTINGS)
        count = await gateway.count(table.schema, table.name)
        if isinstance(count, Uncounted):
            return False
        by_api.append(count)
        by_sql.append(await _count(source, table))
        if any(min(by_sql) <= one <= max(by_sql) for one in by_api):
            return True
    raise UsageError(
        f"SQL and the public API do not lead to the same project: {table.relation} has {by_sql[-1]} rows by SQL "
        f"and {by_api[-1]} by the API",
        unchanged="nothing was changed",
        do="take SUPABASE_DB_URL, SUPABASE_URL and the keys from one project",
    )


async def _count(source: Reading, table: Table) -> int:
    with translated(f"{table.relation} could not be counted"):
        select = sql.SQL("SELECT count(*) FROM {}").format(table.identifier)
        [[count]] = await source.ask(select, of=table.relation)
    return int(count)


def _host(gateway: Gateway) -> str:
    return gateway.url.split("://", 1)[-1].split("/", 1)[0]
