"""A line to the database that is cut at the n-th thing asked over it, so that a process can be killed just there.

It speaks PostgreSQL's protocol far enough to count what is asked (a simple query, or an extended one up to its Sync)
over all connections made through it. At the n-th it holds still, for good:

    before    what was asked is not passed on: it never happens
    during    it is passed on and nothing is awaited: it may be half done when the process dies
    after     it is passed on and carried out, and its answer held back: done, and nobody knows
"""

import asyncio
import struct
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

When = Literal["before", "during", "after"]
_ASKS = (b"Q", b"S")
_READY = b"Z"


class CutLine:
    """`reached` is set when the n-th is asked, 0 for none. `asked` is all that was asked, "" for an extended query."""

    def __init__(self, dsn: str, nth: int, when: When) -> None:
        self._address = urlsplit(dsn)
        self._nth = nth
        self._when = when
        self._open: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.reached = asyncio.Event()
        self.asked: list[str] = []
        self.dsn = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        there = self._address.netloc.rpartition(":")[0]
        query = "sslmode=disable&gssencmode=disable"
        self.dsn = urlunsplit(self._address._replace(netloc=f"{there}:{port}", query=query))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def lose(self) -> None:
        """The network is gone for every connection that is open; whoever connects from now on gets through."""
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.append(writer)
        try:
            assert self._address.hostname and self._address.port
            from_server, to_server = await asyncio.open_connection(self._address.hostname, self._address.port)
            self._open.append(to_server)
            to_server.write(await untyped(reader))
            await asyncio.gather(self._forth(reader, to_server), self._back(from_server, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _forth(self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        while True:
            message = await typed(reader)
            if message[:1] in _ASKS:
                self.asked.append(message[5:-1].decode(errors="replace") if message[:1] == b"Q" else "")
                if len(self.asked) == self._nth:
                    if self._when != "before":
                        to_server.write(message)
                        await to_server.drain()
                    if self._when != "after":
                        self.reached.set()
                    await asyncio.Event().wait()
            to_server.write(message)
            await to_server.drain()

    async def _back(self, from_server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                message = await typed(from_server)
            except asyncio.IncompleteReadError:  # it was asked to end this very session
                if self._when != "after" or len(self.asked) != self._nth:
                    raise
                self.reached.set()
                await asyncio.Event().wait()
            if self._when == "after" and len(self.asked) == self._nth:
                if message[:1] == _READY:
                    self.reached.set()
                continue
            writer.write(message)
            await writer.drain()


async def untyped(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    return head + await reader.readexactly(struct.unpack("!i", head)[0] - 4)


async def typed(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
