"""A pooler between us and the database: by transaction it is refused, by session it is as good as none."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import pytest

from bot.errors import UsageError
from bot.rehearsal.company import Company
from bot.supabase.connection.pooling import refuse_transaction_pooling
from bot.supabase.database import Database

_STARTED_UP = b"Z"


class Pooler:
    """Speaks PostgreSQL's protocol to both sides, far enough to lend a server session for as long as a transaction
    lasts: whoever begins one gets whichever session has been idle longest.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.opened: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The first connections are passed through while they log in; their sessions stay for everybody."""
        server = await asyncio.open_connection(*self._address)
        self.opened += [writer, server[1]]
        await self._log_in(reader, writer, *server)
        self._idle.append(server)
        try:
            while True:
                message = await _message(reader)
                if message[:1] == b"X":
                    return
                lent = self._idle.pop(0)
                await self._transaction(message, reader, writer, *lent)
                self._idle.append(lent)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _log_in(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        while True:
            (length,) = struct.unpack("!i", head := await reader.readexactly(4))
            startup = head + await reader.readexactly(length - 4)
            if startup[4:8] == struct.pack("!i", 80877103):  # TLS is asked for first, and refused
                writer.write(b"N")
                continue
            break
        to_server.write(startup)
        while True:
            answer = await _message(from_server)
            writer.write(answer)
            if answer[:1] == _STARTED_UP:
                return
            if answer[:1] == b"R" and answer[5:9] not in (struct.pack("!i", 0), struct.pack("!i", 12)):
                to_server.write(await _message(reader))

    async def _transaction(
        self,
        message: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        while True:
            to_server.write(message)
            if message[:1] in (b"Q", b"S"):
                while (answer := await _message(from_server))[:1] != b"Z":
                    writer.write(answer)
                writer.write(answer)
                if answer[5:6] == b"I":
                    return
            message = await _message(reader)


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!i", head[1:])
    return head + await reader.readexactly(length - 4)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def behind(company: Company, *, by_transaction: bool) -> AsyncIterator[Database]:
    address = urlsplit(company.dsn)
    assert address.hostname and address.port
    pooler = Pooler(address.hostname, address.port)

    async def by_session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(address.hostname, address.port)
        pooler.opened += [writer, to_server]
        await asyncio.gather(_pass_on(reader, to_server), _pass_on(from_server, writer))

    server = await asyncio.start_server(pooler.serve if by_transaction else by_session, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    netloc = address.netloc.replace(f":{address.port}", f":{port}")
    try:
        yield Database(urlunsplit(address._replace(netloc=netloc)))
    finally:
        server.close()
        for opened in pooler.opened:
            opened.close()
        await asyncio.gather(*(opened.wait_closed() for opened in pooler.opened), return_exceptions=True)


async def test_a_pooler_by_transaction_is_found_out_and_refused(source: Company) -> None:
    """Whatever its port: by what it does. The sentence says which connection to take."""
    async with behind(source, by_transaction=True) as pooled, pooled.session("identity") as session:
        with pytest.raises(UsageError) as caught:
            await refuse_transaction_pooling(pooled, session)

    assert str(caught.value) == (
        "SUPABASE_DB_URL leads to a pooler in transaction mode, where settings, locks and snapshots do not hold;"
        " nothing was changed; take the direct connection or the session-mode pooler (port 5432) from the dashboard."
    )


async def test_a_pooler_by_session_is_taken_for_the_database(source: Company) -> None:
    """It keeps a session for as long as we keep ours."""
    async with behind(source, by_transaction=False) as pooled, pooled.session("identity") as session:
        await refuse_transaction_pooling(pooled, session)
