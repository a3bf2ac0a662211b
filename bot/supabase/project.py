"""Which project is it, do SQL and the public API lead to the same one, and may our role do what the night needs?

A project's ref can stand in the connection string (`db.REF.supabase.co`, user `postgres.REF`), in the API's address
and in the claims of legacy keys. Where it can be read by both methods it must be the same, and that is enough; where it
cannot, three tables must have the same number of rows by both, since exporting one project while freezing another would
be found out too late. Rows of a living project come and go while they are counted: numbers that differ are counted
again before anything is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import errors as pg
from psycopg import sql
from psycopg.rows import dict_row

from bot.errors import CutoverError, UsageError
from bot.plan.findings import Finding, failed, passed, warned
from bot.supabase.catalog import Catalog, Table, read_catalog
from bot.supabase.database import Database, Session, end, query, translated
from bot.supabase.dsn import server_proven
from bot.supabase.export.bundle import Selection
from bot.supabase.freeze.kit import SCHEMA
from bot.supabase.freeze.layers import Layers, read_layers
from bot.supabase.freeze.thaw_plan import room
from bot.supabase.gateway import DataApiOff, Gateway, Uncounted, host_ref
from bot.supabase.needs import needs
from bot.supabase.proof.encoding import database_encoding
from bot.supabase.proof.examiner import select_rights
from bot.supabase.proof.foreign import foreign_code
from bot.supabase.reading import Reading, reading

_COMPARED = 3
_TRIED = 12
_LARGEST_COMPARED = 100_000
_COUNTINGS = 6
_BETWEEN_COUNTINGS = 0.25
_OLDEST_VERSION = 15
_LOOKS = 3


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
    _agree(refs)
    refuse_transaction_port(database)
    serves = await _serves(gateway)
    async with database.session("identity") as session:
        await refuse_transaction_pooling(database, session)
        rights = await _rights(session)
        compares = serves and not _named_by_both(refs)
        catalog = await read_catalog(session, include_schemas=(), exclude_tables=()) if compares else None
    if catalog is not None:
        await _compare_counts(database, gateway, catalog)
    return _identity(database, gateway, refs, rights)


async def _serves(gateway: Gateway) -> bool:
    """Shows the keys; False where the project's Data API is off, and counts nothing. Raises as `knock`."""
    try:
        await gateway.knock()
    except DataApiOff:
        return False
    return True


async def identify_by_sql(database: Database, gateway: Gateway | None) -> Identity:
    """The same, and the API is asked nothing: what is set of it is only read. Raises as `identify`."""
    refs = refs_of(database, gateway)
    _agree(refs)
    refuse_transaction_port(database)
    async with database.session("identity") as session:
        await refuse_transaction_pooling(database, session)
        rights = await _rights(session)
    return _identity(database, gateway, refs, rights)


def _identity(
    database: Database, gateway: Gateway | None, refs: Mapping[str, str], rights: Mapping[str, Any]
) -> Identity:
    name = str(database.parts.get("dbname") or database.parts.get("user"))
    host = _host(gateway) if gateway is not None else str(database.parts.get("host") or "")
    return Identity(ref=next(iter(refs.values()), host), database=name, server_version=rights["server_version"])


async def estimated_rows(database: Database, selection: Selection) -> int:
    """How many rows there are to be exported, as the planner believes."""
    async with database.session("identity") as session:
        schemas, left_out = selection.include_schemas, selection.exclude_tables
        catalog = await read_catalog(session, include_schemas=schemas, exclude_tables=left_out)
    return sum(table.rows for table in catalog.tables)


def refs_of(database: Database, gateway: Gateway | None) -> dict[str, str]:
    """By setting, the project refs that can be read without asking anybody."""
    found = gateway.refs() if gateway is not None else {}
    parts = database.parts
    host = str(parts.get("host") or "")
    ref = host_ref(f"https://{host.removeprefix('db.')}") if host.startswith("db.") else None
    user, dot, pooled = str(parts.get("user") or "").partition(".")
    if ref is None and host.endswith(".pooler.supabase.com") and dot and user:
        ref = pooled
    return found if ref is None else {"SUPABASE_DB_URL": ref, **found}


async def refuse_transaction_pooling(database: Database, session: Session) -> None:
    """A pooler in transaction mode gives each transaction another server session: nothing that we set or lock would
    hold.

    Asked by behaviour: while another session of ours holds a transaction open, this one must stay where it was. More
    than once, since a pooler of few sessions may give each its own again by chance.
    """
    pid_of = "SELECT pg_backend_pid(), current_setting('cutover.probe', true)"
    with translated("the kind of the connection could not be found out"):
        await session.execute("SELECT set_config('cutover.probe', 'kept', false)")
        before = await (await session.execute(pid_of)).fetchone()
        async with database.session("identity") as other:
            for _ in range(_LOOKS):
                await other.execute("BEGIN READ ONLY")
                theirs = await (await other.execute(pid_of)).fetchone()
                after = await (await session.execute(pid_of)).fetchone()
                await other.execute("ROLLBACK")
                assert before is not None and theirs is not None and after is not None
                if before != after or after[1] != "kept" or theirs[0] == before[0]:
                    raise _pooled()


def refuse_transaction_port(database: Database) -> None:
    """Supabase's pooler in transaction mode is told by its port, before anything is contacted."""
    if str(database.parts.get("port")) == "6543":
        raise _pooled()


def _pooled() -> UsageError:
    return UsageError(
        "SUPABASE_DB_URL leads to a pooler in transaction mode, where settings, locks and snapshots do not hold",
        unchanged="nothing was changed",
        do="take the direct connection or the session-mode pooler (port 5432) from the dashboard",
    )


async def preflight(
    database: Database,
    gateway: Gateway | None,
    *,
    include_schemas: Sequence[str] = (),
    exclude_tables: Sequence[str] = (),
    workers: int = 1,
    hold_locks: bool = False,
    directory: Path | None = None,
) -> AsyncIterator[Finding]:
    """What `doctor` asks of the source, days before. Changes nothing; an error of one question is its finding.
    `directory` is where the export is to lie.
    """
    try:
        refuse_transaction_port(database)
        session = await database.connect("doctor")
    except CutoverError as error:
        yield failed("source-connection", f"{_sentence(error.happened)}.", error.do)
        return
    try:
        try:
            await refuse_transaction_pooling(database, session)
            rights = await _rights(session)
        except CutoverError as error:
            yield failed("source-connection", f"{_sentence(error.happened)}.", error.do)
            return
        yield passed(
            "source-connection",
            f"The database answers as {rights['role']}, by a connection that keeps its session "
            f"(PostgreSQL {rights['server_version']}).",
        )
        if (proven := server_proven(database.dsn)) is not None:
            yield proven
        for finding in _judged(rights):
            yield finding
        layers = await read_layers(session)
        yield await _freeze_right(session, rights, layers)
        yield room(layers)
        try:
            catalog = await read_catalog(session, include_schemas=include_schemas, exclude_tables=exclude_tables)
        except CutoverError as error:
            yield failed("select-rights", f"{_sentence(error.happened)}.", error.do)
            return
        yield select_rights(catalog)
        try:
            found = await foreign_code(session, catalog)
        except CutoverError as error:
            found = [failed("foreign-code", f"{_sentence(error.happened)}.", error.do)]
        for finding in found:
            yield finding
        try:
            encoding = await database_encoding(database, session, catalog)
        except CutoverError as error:
            encoding = failed("database-encoding", f"{_sentence(error.happened)}.", error.do)
        if encoding is not None:
            yield encoding
        async for finding in needs(session, catalog, workers=workers, hold_locks=hold_locks, directory=directory):
            yield finding
        async for finding in _two_roads(database, gateway, catalog):
            yield finding
    finally:
        await end(session)


async def _two_roads(database: Database, gateway: Gateway | None, catalog: Catalog) -> AsyncIterator[Finding]:
    check = "same-project"
    if gateway is None:
        yield warned(check, "The public API was not asked, since no key is set.", "set SUPABASE_SERVICE_ROLE_KEY")
        return
    refs = refs_of(database, gateway)
    try:
        _agree(refs)
        serves = await _serves(gateway)
        named = _named_by_both(refs)
        compared = await _compare_counts(database, gateway, catalog) if serves and not named else []
    except CutoverError as error:
        yield failed(check, f"{_sentence(error.happened)}.", error.do)
        return
    if compared:
        yield passed(check, f"SQL and the public API lead to the same project: {', '.join(compared)} count the same.")
    elif named:
        yield passed(check, "SQL and the public API name the same project.")
    elif not serves:
        yield warned(
            check,
            "The project's Data API is off: it answers everything with 503 (PGRST002), so rows cannot be compared. "
            "Everything is counted by SQL, and the freeze needs no hook.",
            "compare the project in SUPABASE_DB_URL and SUPABASE_URL by eye",
        )
    else:
        yield warned(
            check,
            "Whether SQL and the public API lead to the same project is not known: no ref can be read on both, "
            "and the API exposes no table to count.",
            "compare the project in SUPABASE_DB_URL and SUPABASE_URL by eye",
        )


def _judged(rights: Mapping[str, Any]) -> list[Finding]:
    role = rights["role"]
    as_postgres = "connect as the project's role postgres"
    found = []
    if rights["version"] < _OLDEST_VERSION:
        fix = f"upgrade the project to PostgreSQL {_OLDEST_VERSION} or later"
        found.append(failed("source-version", f"PostgreSQL {rights['server_version']} is too old.", fix))
    if rights["may_signal"] and rights["sees_sessions"]:
        found.append(passed("session-right", f"The role {role} sees all sessions and may end them."))
    else:
        evidence = f"The role {role} does not see all sessions or may not end them."
        fix = f"GRANT pg_monitor, pg_signal_backend TO {role}, or {as_postgres}"
        found.append(failed("session-right", evidence, fix))
    return found


async def _freeze_right(session: Session, rights: Mapping[str, Any], layers: Layers) -> Finding:
    """Asked by doing: the kit's own SQL sets the layers in a transaction that is rolled back. Whether a role may is up
    to grants and to what the platform's extensions lend it.
    """
    check = "freeze-right"
    role = rights["role"]
    if not rights["has_authenticator"]:
        evidence = "The database has no role authenticator, so it is no Supabase project's."
        return failed(check, evidence, "check SUPABASE_DB_URL")
    if layers.schema_is_strange:
        evidence = f"Whether the role {role} may freeze could not be tried: there is a schema {SCHEMA} already."
        return warned(check, evidence, "rename that schema, then ask again")
    try:
        with translated("the freeze could not be tried"):
            try:
                await session.execute(query("freeze_layers").replace("COMMIT;", "ROLLBACK;"))
            finally:
                await session.execute("ROLLBACK")
    except CutoverError as error:
        clauses = (("owns_database", "does not own the database"), ("may_create_schema", "may not create a schema"))
        lacks = [clause for right, clause in clauses if not rights[right]]
        if not isinstance(error.__cause__, pg.InsufficientPrivilege):
            return failed(check, f"The role {role} could not freeze: {error.happened}.", error.do)
        lacks = lacks or ["may not change the settings of authenticator"]
        evidence = f"The role {role} could not freeze: it {', '.join(lacks)}."
        return failed(check, evidence, "connect as the project's role postgres")
    return passed(check, f"The role {role} may set the freeze's layers: tried, and rolled back.")


async def _rights(session: Session) -> Mapping[str, Any]:
    with translated("the rights of our role could not be looked up"):
        async with session.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query("rights"))
            row = await cursor.fetchone()
    assert row is not None
    return row


def _agree(refs: Mapping[str, str]) -> None:
    if len(set(refs.values())) > 1:
        told = ", ".join(f"{setting} says {ref}" for setting, ref in refs.items())
        raise UsageError(
            f"the settings name different Supabase projects ({told})",
            unchanged="nothing was changed",
            do="take connection string, URL and keys from one project",
        )


def _named_by_both(refs: Mapping[str, str]) -> bool:
    """Those that can be read agree; see `_agree`."""
    return "SUPABASE_DB_URL" in refs and len(refs) > 1


async def _compare_counts(database: Database, gateway: Gateway, catalog: Catalog) -> list[str]:
    """The tables that were counted by both methods. Raises UsageError when one differs."""
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


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}"
