"""What `cutover doctor` asks of the source, days before the night. Nothing is changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from psycopg import errors as pg

from bot.errors import CutoverError
from bot.plan.findings import Finding, failed, passed, warned
from bot.supabase.catalog import Catalog, Selection, read_catalog
from bot.supabase.connection.dsn import server_proven
from bot.supabase.connection.pooling import refuse_transaction_pooling
from bot.supabase.database import Database, Session, end, query, translated
from bot.supabase.formatting import sentence
from bot.supabase.freeze.kit import SCHEMA
from bot.supabase.freeze.layers import Layers, read_layers
from bot.supabase.freeze.thaw_check import freeze_room
from bot.supabase.gateway import Gateway
from bot.supabase.preflight.needs import needs
from bot.supabase.project import (
    api_serves,
    compare_counts,
    named_by_both,
    read_rights,
    refs_of,
    require_one_project,
)
from bot.supabase.proof.encoding import database_encoding
from bot.supabase.proof.foreign import foreign_code
from bot.supabase.proof.read_rights import select_rights

_OLDEST_VERSION = 15


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
    """An error of one question is its finding. `directory` is where the export is to lie."""
    try:
        session = await database.connect("doctor")
    except CutoverError as error:
        yield failed("source-connection", sentence(error.happened), error.do)
        return
    try:
        try:
            await refuse_transaction_pooling(database, session)
            rights = await read_rights(session)
        except CutoverError as error:
            yield failed("source-connection", sentence(error.happened), error.do)
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
        yield freeze_room(layers)
        try:
            selection = Selection(include_schemas=include_schemas, exclude_tables=exclude_tables)
            catalog = await read_catalog(session, selection)
        except CutoverError as error:
            yield failed("select-rights", sentence(error.happened), error.do)
            return
        yield select_rights(catalog)
        try:
            found = await foreign_code(session, catalog)
        except CutoverError as error:
            found = [failed("foreign-code", sentence(error.happened), error.do)]
        for finding in found:
            yield finding
        try:
            encoding = await database_encoding(database, session, catalog)
        except CutoverError as error:
            encoding = failed("database-encoding", sentence(error.happened), error.do)
        if encoding is not None:
            yield encoding
        async for finding in needs(session, catalog, workers=workers, hold_locks=hold_locks, directory=directory):
            yield finding
        async for finding in _same_project(database, gateway, catalog):
            yield finding
    finally:
        await end(session)


async def _same_project(database: Database, gateway: Gateway | None, catalog: Catalog) -> AsyncIterator[Finding]:
    check = "same-project"
    if gateway is None:
        yield warned(check, "The public API was not asked, since no key is set.", "set SUPABASE_SERVICE_ROLE_KEY")
        return
    refs = refs_of(database, gateway)
    try:
        require_one_project(refs)
        serves = await api_serves(gateway)
        named = named_by_both(refs)
        compared = await compare_counts(database, gateway, catalog) if serves and not named else []
    except CutoverError as error:
        yield failed(check, sentence(error.happened), error.do)
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
    if layers.schema_is_foreign:
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
