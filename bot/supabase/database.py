"""Sessions on the source database: how they are opened, named and pinned, and how their errors end here.

Every session carries `application_name = cutover/RUN/ROLE`, so that people see in `pg_stat_activity` who we are and
the freeze kit spares us, and the settings of `queries/session.sql`, so that the same row is the same text in each of
them. A session cannot write unless it is opened with `may_write=True`; even then it has the database's own default,
as any client's has.

Errors of psycopg never leave the package: code that talks to the database does so inside `with translated(…)`. The
sentence it raises holds neither the DSN nor the server's text, which can quote rows; the cause is kept for `--debug`.

    database = Database(dsn)
    database.set_run("20260401-ab12")
    async with database.session("catalog") as session:
        with translated("the catalog could not be read"):
            cursor = await session.execute(query("some_question"))

SQL stands in `queries/NAME.sql`, one question a file, read by `query`, or by `statement` where names and expressions
have to be filled in. Files that take parameters hold no other per cent sign.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from importlib import resources
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from bot.errors import CutoverError, ServiceRefused, ServiceUnreachable, UsageError

Session = psycopg.AsyncConnection[tuple[Any, ...]]

READ_ONLY = "25006"
"""SQLSTATE read_only_sql_transaction: what a freeze answers to every write."""

_CONNECT_SECONDS = 15
_NAME_BYTES = 63
_UNCHANGED = "nothing was changed"

_CLIENT_SIDE: dict[str, str | int] = {
    "connect_timeout": _CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


@cache
def query(name: str) -> str:
    """The text of `queries/NAME.sql`."""
    return resources.files("bot.supabase").joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")


def statement(name: str, /, **parts: sql.Composable) -> sql.Composed:
    """`queries/NAME.sql` with its `{part}`s filled in."""
    return _template(name).format(**parts)


@cache
def _template(name: str) -> sql.SQL:
    return sql.SQL(query(name))


def check_dsn(text: str) -> str | None:
    """What is wrong with a DSN, as a clause that shows nothing of it; None when it can be used. Contacts nobody."""
    if not text.strip():
        return "is empty"
    if "[YOUR-PASSWORD]" in text:
        return "still holds the placeholder [YOUR-PASSWORD] instead of the database password"
    if "://" in text and not text.startswith(("postgresql://", "postgres://")):
        return "does not begin with postgresql://"
    try:
        parts = conninfo_to_dict(text)
    except psycopg.Error:
        return "is no PostgreSQL connection string (in a password, write @ as %40, : as %3A, / as %2F, # as %23)"
    if not parts.get("host") and not parts.get("hostaddr"):
        return "names no host"
    if "@" in str(parts.get("host")):
        return "holds a password whose @ must be written as %40"
    if not parts.get("user"):
        return "names no user"
    return None


class Database:
    """The way to one database. Holds no connection itself; may be shared by any number of tasks."""

    def __init__(self, dsn: str, session_prefix: str = "cutover", run_id: str = "") -> None:
        """Contacts nobody. Raises UsageError when the DSN is malformed."""
        problem = check_dsn(dsn)
        if problem is not None:
            raise UsageError(
                f"SUPABASE_DB_URL {problem}",
                unchanged="nothing was contacted",
                do="copy the connection string of the direct or session-mode connection from Supabase's dashboard",
            )
        self._dsn = dsn
        self._prefix = session_prefix
        self._run_id = run_id

    @property
    def parts(self) -> dict[str, Any]:
        """The DSN taken apart (`host`, `port`, `user`, `dbname`), without its password."""
        parts = dict(conninfo_to_dict(self._dsn))
        parts.pop("password", None)
        return parts

    def set_run(self, run_id: str) -> None:
        """Sessions opened from now on carry this run's id."""
        self._run_id = run_id

    def session_name(self, role: str) -> str:
        """The application_name of our session that plays `role`; at most 63 bytes, which is all PostgreSQL keeps."""
        return f"{self._prefix}/{self._run_id or '-'}/{role}".encode()[:_NAME_BYTES].decode(errors="ignore")

    async def connect(self, role: str, *, autocommit: bool = True, may_write: bool = False, **options: Any) -> Session:
        """A new session; the caller closes it. `options` are libpq's and go over ours.

        Raises ServiceUnreachable, ServiceRefused (password, permission) or UsageError (no such database).
        """
        wanted = {**_CLIENT_SIDE, **options, "application_name": self.session_name(role)}
        with translated("the source database could not be asked"):
            session = await psycopg.AsyncConnection.connect(
                self._dsn, autocommit=True, prepare_threshold=None, **wanted
            )
            try:
                await session.execute(query("session"))
                if not may_write:
                    await session.execute("SET default_transaction_read_only = on")
                await session.set_autocommit(autocommit)
            except BaseException:
                await session.close()
                raise
        return session

    @asynccontextmanager
    async def session(
        self, role: str, *, autocommit: bool = True, may_write: bool = False, **options: Any
    ) -> AsyncIterator[Session]:
        """`connect`, and close at the end whatever happens; an open transaction is rolled back by that."""
        session = await self.connect(role, autocommit=autocommit, may_write=may_write, **options)
        try:
            yield session
        finally:
            await session.close()


@contextmanager
def translated(happened: str, *, unchanged: str = _UNCHANGED) -> Iterator[None]:
    """Errors of psycopg raised inside become ours. `happened` is the clause for where the error says nothing better."""
    try:
        yield
    except psycopg.Error as error:
        raise _ours(error, happened, unchanged) from error


def _ours(error: psycopg.Error, happened: str, unchanged: str) -> CutoverError:
    """Most specific first."""
    match error:
        case pg.InvalidPassword() | pg.InvalidAuthorizationSpecification():
            return _wrong_password(unchanged)
        case pg.InvalidCatalogName():
            return _no_database(unchanged)
        case pg.InsufficientPrivilege():
            do = "connect as the role postgres of the project, or grant what `cutover doctor` names"
            return ServiceRefused(f"{happened}: the database refused it (42501)", unchanged=unchanged, do=do)
        case pg.TooManyConnections():
            do = "end sessions that are not needed, or raise the limit, and try again"
            return ServiceRefused("the database has no connection left (53300)", unchanged=unchanged, do=do)
        case pg.LockNotAvailable():
            do = "look in pg_locks for who holds it, end that session, and try again"
            return ServiceRefused(f"{happened}: a lock could not be had in time (55P03)", unchanged=unchanged, do=do)
        case psycopg.OperationalError() if error.sqlstate is None:
            return _no_connection(error, unchanged)
        case pg.AdminShutdown() | pg.CrashShutdown() | pg.CannotConnectNow() | pg.IdleInTransactionSessionTimeout():
            return _lost(error.sqlstate, unchanged)
        case psycopg.ProgrammingError() if error.sqlstate is None:
            do = "check SUPABASE_DB_URL"
            return UsageError("the connection string of the source cannot be used", unchanged=unchanged, do=do)
        case _:
            do = "run it again with --debug to see the database's own words"
            return ServiceRefused(f"{happened} ({error.sqlstate or 'no code'})", unchanged=unchanged, do=do)


def _no_connection(error: psycopg.OperationalError, unchanged: str) -> CutoverError:
    """libpq gives no SQLSTATE for a connection that did not come about, so its words decide and are then dropped."""
    words = str(error).lower()
    if "password authentication failed" in words or "no password supplied" in words or "invalid password" in words:
        return _wrong_password(unchanged)
    if "tenant or user not found" in words:
        return ServiceRefused(
            "the pooler does not know this project or user",
            unchanged=unchanged,
            do="write the user as postgres.PROJECT-REF and take the pooler's host from the dashboard",
        )
    if "database" in words and "does not exist" in words:
        return _no_database(unchanged)
    if "role" in words and "does not exist" in words:
        return _wrong_password(unchanged)
    if "no pg_hba.conf entry" in words:
        return ServiceRefused(
            "the database does not accept connections from here as this user",
            unchanged=unchanged,
            do="allow this address in the project's network restrictions, or ask for SSL with sslmode=require",
        )
    if any(
        s in words for s in ("too many clients", "too many connections", "remaining connection slots", "max clients")
    ):
        return ServiceRefused(
            "the database has no connection left",
            unchanged=unchanged,
            do="end sessions that are not needed, or raise the limit, and try again",
        )
    if "resolve host" in words or "translate host name" in words or "name or service not known" in words:
        return ServiceUnreachable(
            "the host name of the source database is not known",
            unchanged=unchanged,
            do="check SUPABASE_DB_URL; a direct connection needs IPv6, the session-mode pooler has IPv4",
        )
    return _lost(None, unchanged)


def _wrong_password(unchanged: str) -> CutoverError:
    return ServiceRefused(
        "the database refused user and password",
        unchanged=unchanged,
        do="check both in SUPABASE_DB_URL; the dashboard can set a new database password",
    )


def _no_database(unchanged: str) -> CutoverError:
    return UsageError(
        "the database named in the connection string does not exist",
        unchanged=unchanged,
        do="check SUPABASE_DB_URL; a Supabase project's database is called postgres",
    )


def _lost(code: str | None, unchanged: str) -> CutoverError:
    return ServiceUnreachable(
        f"the source database could not be reached or ended our session{f' ({code})' if code else ''}",
        unchanged=unchanged,
        do="check that the project is up and SUPABASE_DB_URL names it, then try again",
    )
