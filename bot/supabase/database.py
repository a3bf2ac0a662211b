"""Sessions on the source database: how they are opened, named, pinned and ended, and how their errors end here.

Every session carries `application_name = cutover/RUN/ROLE`, so that people see in `pg_stat_activity` who we are and
the freeze kit spares us, and the settings of `queries/session.sql`, so that the same row is the same text in each of
them. The name is set once the session is open, because a pooler replaces the one it began with. A session cannot write
unless it is opened with `may_write=True`; even then it has the database's own default, as any client's has.

A session is for the server's own catalogs, where nobody else's code can run. What others own (tables, their types,
views) is read by `bot.supabase.reading` alone.

Whoever opens a session ends it by `end`: the server ends it, since a pooler would lend a closed one to somebody else,
who would write under the freeze with one from before it, or could not write after it with one from under it.

Errors of psycopg never leave the package: code that talks to the database does so inside `with translated(…)`. The
sentence it raises holds neither the DSN nor the server's text, which can quote rows; the cause is kept for `--debug`.

    database = Database(dsn)
    database.set_run("20260401-ab12")
    async with database.session("catalog") as session:
        with translated("the catalog could not be read"):
            cursor = await session.execute(query("some_question"))

SQL is in `queries/NAME.sql`, one question a file, which psql runs as it is (`bot.psql_files`). `query` reads it, and
`statement` where names and expressions have to be filled in.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from copy import copy
from functools import cache
from importlib import resources
from typing import Any
from weakref import WeakSet

import psycopg
from psycopg import errors as pg
from psycopg import generators, sql, waiting
from psycopg.abc import PQGen
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn

from bot import obstacles
from bot.errors import CutoverError, ServiceRefused, UsageError
from bot.psql_files import with_parameters, with_parts
from bot.supabase.connection import certificate
from bot.supabase.connection.dsn import Dsn, forget_environment
from bot.supabase.connection.failures import UNVERIFIED, lost, no_connection, no_database, none_left, wrong_password

Session = psycopg.AsyncConnection[tuple[Any, ...]]

READ_ONLY = "25006"
"""SQLSTATE read_only_sql_transaction: what a freeze answers to every write."""

_CONNECT_SECONDS = 15
_END_SECONDS = 2.0
_END = b"SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())"
_NAME_BYTES = 63
_UNCHANGED = "nothing was changed"
_ALLOCATION = re.compile(r"invalid memory alloc request size (\d+)")
"""No translation has it in another language."""
_BEYOND_ANY_TEXT = 1 << 36

_CLIENT_SIDE: dict[str, str | int] = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


@cache
def query(name: str) -> str:
    """`queries/NAME.sql`, with its values as `%(name)s`."""
    return with_parameters(_text(name))


def statement(name: str, /, **parts: sql.Composable) -> sql.Composed:
    """`queries/NAME.sql`, its parts filled in."""
    return _template(name, tuple(parts)).format(**parts)


@cache
def _template(name: str, parts: tuple[str, ...]) -> sql.SQL:
    return sql.SQL(with_parts(_text(name), parts))


def _text(name: str) -> str:
    return resources.files("bot.supabase").joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")


class Database:
    """The way to one database. Keeps no connection open; may be shared by any number of tasks."""

    def __init__(self, dsn: str, session_prefix: str = "cutover", run_id: str = "") -> None:
        """Contacts nobody. Raises UsageError when the DSN is malformed. From now on libpq finds nothing but a
        password in the environment of this process.
        """
        self.dsn = Dsn.of(dsn)
        forget_environment()
        self._prefix = session_prefix
        self._run_id = run_id
        self._sessions = WeakSet[Session]()

    def apart(self) -> Database:
        """The same way, which knows only the sessions that are opened by it."""
        other = copy(self)
        other._sessions = WeakSet()
        return other

    @property
    def sessions(self) -> tuple[Session, ...]:
        """Those opened by it, as far as they are there yet."""
        return tuple(self._sessions)

    @property
    def parts(self) -> dict[str, Any]:
        """The DSN taken apart (`host`, `port`, `user`, `dbname`), without its password."""
        return self.dsn.parts

    def set_run(self, run_id: str) -> None:
        """Sessions opened from now on carry this run's id."""
        self._run_id = run_id

    def session_name(self, role: str) -> str:
        """The application_name of our session that plays `role`; at most 63 bytes, which is all PostgreSQL keeps."""
        return f"{self._prefix}/{self._run_id or '-'}/{role}".encode()[:_NAME_BYTES].decode(errors="ignore")

    async def connect(self, role: str, *, may_write: bool = False, **options: Any) -> Session:
        """A new session, in autocommit, for the server's own catalogs; the caller ends it by `end`. `options` are
        libpq's and go over ours.

        Raises ServiceUnreachable, ServiceRefused (password, permission) or UsageError (no such database).
        """
        name = self.session_name(role)
        within = self.dsn.connects_within(_CONNECT_SECONDS)
        wanted = {**_CLIENT_SIDE, "connect_timeout": within, **self.dsn.options, **options, "application_name": name}
        with translated("the source database could not be queried"):
            try:
                session = await psycopg.AsyncConnection.connect(
                    self.dsn.text, autocommit=True, prepare_threshold=None, **wanted
                )
            except psycopg.OperationalError as error:
                raise no_connection(await _words(error, self.dsn), _UNCHANGED, self.dsn) from error
            self._sessions.add(session)
            try:
                await session.execute(_opening(name, may_write=may_write))
            except BaseException:
                await end(session)
                raise
        return session

    @asynccontextmanager
    async def session(self, role: str, *, may_write: bool = False, **options: Any) -> AsyncIterator[Session]:
        """`connect`, and `end` at the end whatever happens; an open transaction is rolled back by that."""
        session = await self.connect(role, may_write=may_write, **options)
        try:
            yield session
        finally:
            await end(session)


async def _words(error: psycopg.OperationalError, dsn: Dsn) -> str:
    """Why there is no connection, in the library's and the server's words."""
    words = str(error)
    return f"{words} {await certificate.fault(dsn)}" if UNVERIFIED in words else words


def _opening(name: str, *, may_write: bool) -> sql.Composed:
    """What a session is sent first, in one message."""
    told = [sql.SQL(query("session")), sql.SQL("SET application_name = {};").format(sql.Literal(name))]
    if not may_write:
        told.append(sql.SQL("SET default_transaction_read_only = on;"))
    return sql.Composed(told)


async def end(session: Session) -> None:
    """Rolls back and has the server end the session, in two seconds at most. Raises nothing and may be repeated.

    One that is still in the middle of a statement is only closed: psycopg has cancelled whatever could be cancelled.
    """
    try:
        pgconn = session.pgconn
        status = pgconn.transaction_status
        if status in (TransactionStatus.IDLE, TransactionStatus.INTRANS, TransactionStatus.INERROR):
            begun = status != TransactionStatus.IDLE
            with suppress(psycopg.Error, OSError):
                pgconn.send_query(b"ROLLBACK; " + _END if begun else _END)
                # Not `execute`, which would ask a server that hangs for a cancel, and wait for that as well.
                # Without an interval it would ask the socket again and again without a pause.
                await waiting.wait_async(_ended(pgconn), pgconn.socket, interval=_END_SECONDS, timeout=_END_SECONDS)
    finally:
        await session.close()


def _ended(pgconn: PGconn) -> PQGen[None]:
    """Until the server has said that it ends the session, whether or not a pooler closes the connection then."""
    yield from generators.send(pgconn)
    while (result := (yield from generators.fetch(pgconn))) is not None:
        if result.status == ExecStatus.FATAL_ERROR:
            return


@contextmanager
def translated(happened: str, *, unchanged: str = _UNCHANGED) -> Iterator[None]:
    """Errors of psycopg raised inside become ours. `happened` is the clause for where the error says nothing better."""
    try:
        yield
    except psycopg.Error as error:
        raise _ours(error, happened, unchanged) from error


def too_long(error: BaseException | None) -> bool:
    """Whether a text is beyond what the server can have in one piece, which is 1 GB. A size that no text can reach is a
    sign of damage in the database instead.
    """
    if isinstance(error, pg.InternalError_):
        asked = _ALLOCATION.match(error.diag.message_primary or "")
        return asked is not None and int(asked[1]) < _BEYOND_ANY_TEXT
    return isinstance(error, pg.ProgramLimitExceeded)


def not_utf8(error: BaseException | None) -> bool:
    """Whether text of the database, which has another encoding or none, cannot be written as UTF-8."""
    return isinstance(error, pg.CharacterNotInRepertoire | pg.UntranslatableCharacter)


def _ours(error: psycopg.Error, happened: str, unchanged: str) -> CutoverError:
    """Most specific first."""
    match error:
        case pg.InvalidPassword() | pg.InvalidAuthorizationSpecification():
            return wrong_password(unchanged)
        case pg.InvalidCatalogName():
            return no_database(unchanged)
        case pg.InsufficientPrivilege():
            do = "connect as the role postgres of the project, or grant what `cutover doctor` names"
            happened = f"{happened}: the database refused it (42501)"
            return ServiceRefused(happened, unchanged=unchanged, do=do, obstacle=obstacles.DATABASE_RIGHTS)
        case pg.TooManyConnections():
            return none_left(unchanged)
        case _ if too_long(error):
            do = "shorten it in the live source, or leave its table out with export.exclude_tables"
            happened = f"{happened}: a row is longer than 1 GB as text ({error.sqlstate})"
            return ServiceRefused(happened, unchanged=unchanged, do=do, obstacle=obstacles.DATABASE_ANSWER)
        case _ if not_utf8(error):
            do = "see the check `database-encoding` of `cutover doctor`"
            happened = f"{happened}: some text is not valid UTF-8 ({error.sqlstate})"
            return ServiceRefused(happened, unchanged=unchanged, do=do, obstacle=obstacles.DATABASE_ANSWER)
        case pg.LockNotAvailable():
            do = "find who holds it in pg_locks, end that session, and try again"
            happened = f"{happened}: another session holds a lock that it needs (55P03)"
            return ServiceRefused(happened, unchanged=unchanged, do=do, obstacle=obstacles.DATABASE_LOCKED)
        case pg.QueryCanceled():
            do = "find who cancels queries, and try again"
            happened = f"{happened}: the query was cancelled (57014)"
            return ServiceRefused(happened, unchanged=unchanged, do=do, obstacle=obstacles.DATABASE_CANCELLED)
        case psycopg.OperationalError() if error.sqlstate is None:
            return lost(None, unchanged)
        case pg.AdminShutdown() | pg.CrashShutdown() | pg.CannotConnectNow() | pg.IdleInTransactionSessionTimeout():
            return lost(error.sqlstate, unchanged)
        case psycopg.ProgrammingError() if error.sqlstate is None:
            do, wrong = "check SUPABASE_DB_URL", "the connection string of the source cannot be used"
            return UsageError(wrong, unchanged=unchanged, do=do, obstacle=obstacles.DATABASE_SETTINGS)
        case _:
            do = "run it again with --debug to see the database's own words"
            happened = f"{happened} ({error.sqlstate or 'no code'})"
            return ServiceRefused(happened, unchanged=unchanged, do=do, obstacle=obstacles.DATABASE_ANSWER)
