"""What `cutover doctor` asks of the source's database, days before the night. Nothing is changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import errors as pg

from bot.errors import CutoverError, ServiceRefused, ServiceUnintelligible, ServiceUnreachable, UsageError
from bot.plan.clocks import FIX, Comparison
from bot.plan.findings import Finding, failed, passed, warned
from bot.supabase.catalog import Catalog, Selection, read_catalog
from bot.supabase.connection.dsn import server_proven
from bot.supabase.connection.pooling import refuse_transaction_pooling
from bot.supabase.database import Database, Session, query, translated
from bot.supabase.formatting import sentence
from bot.supabase.freeze.kit import SCHEMA
from bot.supabase.freeze.layers import Layers, read_layers
from bot.supabase.freeze.thaw_check import freeze_room
from bot.supabase.preflight.needs import needs
from bot.supabase.project import read_rights
from bot.supabase.proof.encoding import database_encoding
from bot.supabase.proof.foreign import foreign_code
from bot.supabase.proof.read_rights import select_rights

_OLDEST_VERSION = 15


_OF_THE_QUESTION = (UsageError, ServiceRefused, ServiceUnintelligible)
"""What one question alone meets; all other errors are the database's, which is not asked any more then."""


@dataclass
class Learned:
    """What others need of what was learned; None where it did not come to that."""

    catalog: Catalog | None = None


async def preflight(
    database: Database,
    learned: Learned,
    *,
    now: Callable[[], datetime],
    include_schemas: Sequence[str] = (),
    exclude_tables: Sequence[str] = (),
    workers: int = 1,
    hold_locks: bool = False,
    directory: Path | None = None,
) -> AsyncIterator[Finding]:
    """`directory` is where the export is to lie. Raises CutoverError when the database cannot be asked, at first or in
    the middle; what only one question meets is its finding.
    """
    async with database.session("doctor") as session:
        await refuse_transaction_pooling(database, session)
        rights = await read_rights(session)
        yield passed(
            "source-connection",
            f"The database answers as {rights['role']}, by a connection that keeps its session "
            f"(PostgreSQL {rights['server_version']}).",
        )
        if (proven := server_proven(database.dsn)) is not None:
            yield proven
        yield await _clock(session, now)
        for finding in _judged(rights):
            yield finding
        layers = await read_layers(session)
        yield await _freeze_right(session, rights, layers)
        yield freeze_room(layers)
        try:
            selection = Selection(include_schemas=include_schemas, exclude_tables=exclude_tables)
            catalog = learned.catalog = await read_catalog(session, selection)
        except _OF_THE_QUESTION as error:
            yield failed("select-rights", sentence(error.happened), error.do)
            return
        yield select_rights(catalog)
        try:
            found = await foreign_code(session, catalog)
        except _OF_THE_QUESTION as error:
            found = [failed("foreign-code", sentence(error.happened), error.do)]
        for finding in found:
            yield finding
        try:
            encoding = await database_encoding(database, session, catalog)
        except _OF_THE_QUESTION as error:
            encoding = failed("database-encoding", sentence(error.happened), error.do)
        if encoding is not None:
            yield encoding
        async for finding in needs(session, catalog, workers=workers, hold_locks=hold_locks, directory=directory):
            yield finding


async def _clock(session: Session, now: Callable[[], datetime]) -> Finding:
    check = "database-clock"
    asked = now()
    with translated("the database's clock could not be read"):
        cursor = await session.execute("SELECT pg_catalog.clock_timestamp()")
        [(theirs,)] = await cursor.fetchall()
    compared = Comparison(asked=asked, theirs=theirs, answered=now())
    if compared.apart:
        return warned(check, compared.told("the database's"), FIX)
    return passed(check, compared.told("the database's"))


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
            if isinstance(error, ServiceUnreachable):
                raise
            return failed(check, f"The role {role} could not freeze: {error.happened}.", error.do)
        lacks = lacks or ["may not change the settings of authenticator"]
        evidence = f"The role {role} could not freeze: it {', '.join(lacks)}."
        return failed(check, evidence, "connect as the project's role postgres")
    return passed(check, f"The role {role} may set the freeze's layers: tried, and rolled back.")
