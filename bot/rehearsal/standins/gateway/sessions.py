"""A service's sessions with the database: opened at its start, kept for its life, opened anew once they were ended.

That they persist is the point: a session keeps the `default_transaction_read_only` it was born with, so that a freeze
which does not end old sessions shows itself here as it does in production. When the server ends one of them, the
request that meets the loss answers 503, the pool forgets its other sessions too, and the next request gets a new one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import resources

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from bot.psql_files import with_parameters


class SessionLost(Exception):
    """The database ended the session, or cannot be reached."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message


def query(name: str) -> bytes:
    """Return one of the files in queries/, with its values as psycopg's parameters."""
    assert __package__ is not None
    text = resources.files(__package__).joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")
    return with_parameters(text).encode()


class SessionPool:
    """`size` sessions of one service; used from one event loop."""

    def __init__(self, dsn: str, *, application_name: str, size: int = 2) -> None:
        self._dsn = dsn
        self._application_name = application_name
        self._size = size
        self._idle: asyncio.Queue[AsyncConnection | None] = asyncio.Queue()
        self._open: set[AsyncConnection] = set()
        self._stale: set[AsyncConnection] = set()

    async def open(self) -> None:
        """Open all sessions; SessionLost if the database cannot be reached."""
        for _ in range(self._size):
            self._idle.put_nowait(await self._connect())

    async def close(self) -> None:
        """Close every session, those in use included."""
        for connection in list(self._open):
            await self._forget(connection)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """Lend one session, outside a transaction, and take it back so whatever happens."""
        connection = await self._idle.get()
        if connection is not None and (connection.closed or connection in self._stale):
            await self._forget(connection)
            connection = None
        try:
            if connection is None:
                connection = await self._connect()
            yield connection
        except psycopg.OperationalError as error:
            if connection is None or not connection.closed:
                raise
            # The others were most likely ended in the same breath: one request is to pay for it, not each in turn.
            self._stale |= self._open
            raise SessionLost(error.sqlstate or "57P01", str(error)) from error
        finally:
            if connection is not None:
                with suppress(psycopg.OperationalError):
                    if not connection.closed and connection.info.transaction_status is not TransactionStatus.IDLE:
                        await connection.rollback()
                if connection.closed:
                    await self._forget(connection)
                    connection = None
            self._idle.put_nowait(connection)

    async def _connect(self) -> AsyncConnection:
        try:
            connection = await AsyncConnection.connect(
                self._dsn, autocommit=True, application_name=self._application_name, prepare_threshold=None
            )
        except psycopg.OperationalError as error:
            raise SessionLost(
                error.sqlstate or "08006", "Database connection error. Retrying the connection."
            ) from error
        self._open.add(connection)
        return connection

    async def _forget(self, connection: AsyncConnection) -> None:
        self._open.discard(connection)
        self._stale.discard(connection)
        await connection.close()
