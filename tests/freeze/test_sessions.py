"""Our sessions behind a pooler that renames them and keeps them open, beside a server that hangs, and cut off."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from psycopg import sql

from bot.rehearsal.company import Company
from bot.supabase.database import Database, end
from bot.supabase.reading import reading

_TLS = struct.pack("!ii", 8, 80877103)


class Lending:
    """A session pooler: it gives its own name to a session, and keeps the server's side when its client has gone. It
    can hang, and then passes nothing on.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._writers: list[asyncio.StreamWriter] = []
        self.passes = asyncio.Event()
        self.passes.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(*self._address)
        self._writers += [writer, to_server]
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while (begin := await _startup(reader)) == _TLS:
                writer.write(b"N")
            to_server.write(_renamed(begin))
            forth = asyncio.create_task(self._pass_on(reader, to_server))
            await self._pass_on(from_server, writer)
            writer.close()
            await forth

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self.passes.wait()
            if data[:1] != b"X":
                writer.write(data)

    async def close(self) -> None:
        self.passes.set()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)


async def _startup(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    return head + await reader.readexactly(struct.unpack("!i", head)[0] - 4)


def _renamed(startup: bytes) -> bytes:
    words = startup[8:].split(b"\0")
    if b"application_name" not in words:  # it asks for a cancel
        return startup
    words[words.index(b"application_name") + 1] = b"Supavisor"
    body = startup[4:8] + b"\0".join(words)
    return struct.pack("!i", len(body) + 4) + body


@asynccontextmanager
async def lending(company: Company) -> AsyncIterator[tuple[Database, Lending]]:
    address = urlsplit(company.dsn)
    assert address.hostname and address.port
    pooler = Lending(address.hostname, address.port)
    server = await asyncio.start_server(pooler.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    netloc = address.netloc.replace(f":{address.port}", f":{port}")
    try:
        yield Database(urlunsplit(address._replace(netloc=netloc)), run_id="20260401-ab12"), pooler
    finally:
        server.close()
        await pooler.close()


def names(source: Company) -> list[str]:
    """Of all client sessions on it."""
    rows = source.server.sql(
        "SELECT application_name FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
        " ORDER BY 1",
        parameters=[source.dbname],
    )
    return [name for (name,) in rows]


async def gone(source: Company) -> None:
    """Returns once no client session is left; the server says that it ends one a moment before it has."""
    async with asyncio.timeout(180):
        while names(source):  # noqa: ASYNC110  # the server tells nobody
            await asyncio.sleep(0.01)


async def test_a_session_keeps_its_name_behind_a_pooler_and_is_not_lent_again(source: Company) -> None:
    """The server has ended it when we are done, though the pooler never closed its side."""
    async with lending(source) as (database, _):
        async with database.session("proof"), database.session("kit", may_write=True):
            assert names(source) == ["cutover/20260401-ab12/kit", "cutover/20260401-ab12/proof"]
        await gone(source)
        async with reading(database, "counts") as counting:
            await counting.ask(sql.SQL("SELECT count(*) FROM public.orders"), of="public.orders")
            assert names(source) == ["cutover/20260401-ab12/counts"]
        await gone(source)


async def test_a_session_with_a_failed_transaction_ends_too(source: Company) -> None:
    """Whatever state it is in."""
    async with lending(source) as (database, _):
        with pytest.raises(ZeroDivisionError):
            async with reading(database, "counts") as counting:
                with suppress(Exception):
                    await counting.ask(sql.SQL("SELECT 1 / 0"), of="nothing")
                raise ZeroDivisionError
        await gone(source)


async def test_a_reader_that_is_cut_off_in_the_middle_of_its_rows_leaves_no_session(source: Company) -> None:
    """The COPY is cancelled, and the session ended behind it."""
    async with lending(source) as (database, _):
        begun = asyncio.Event()

        async def read() -> None:
            many = sql.SQL("SELECT n, repeat('x', 1000) FROM generate_series(1, 10000000) AS n")
            async with reading(database, "export-1") as reader, reader.copy(many, of="many") as rows:
                async for _ in rows:
                    begun.set()

        task = asyncio.create_task(read())
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        await gone(source)


async def test_a_server_that_hangs_does_not_hang_us(source: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ending a session has a deadline of two seconds, and until then it waits without looking again and again."""
    loop, timers = asyncio.get_running_loop(), list[float]()
    call_later = loop.call_later

    def counted(delay: float, *arguments: Any, **options: Any) -> asyncio.TimerHandle:
        timers.append(delay)
        return call_later(delay, *arguments, **options)

    async with lending(source) as (database, pooler):
        session = await database.connect("look")
        pooler.passes.clear()
        monkeypatch.setattr(loop, "call_later", counted)
        async with asyncio.timeout(180):
            await end(session)
        assert session.closed
    assert 0 < len(timers) < 20
