"""A network between us and a server that can fall silent: what is connected stays connected, and nothing is heard."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Line:
    """A TCP proxy. While it is silent it takes every connection and passes nothing on, in neither direction."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._upstream = port
        self._speaks = asyncio.Event()
        self._speaks.set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    def fall_silent(self) -> None:
        """As a server does whose machine hangs, or a network that drops everything."""
        self._speaks.clear()

    def speak(self) -> None:
        """New connections get through again. Those that were open when it fell silent never do, and the server does
        not learn that they are gone.
        """
        self._speaks.set()

    def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._passed_on(reader, writer))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _passed_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._speaks.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
            self._writers.append(far_writer)
            with contextlib.suppress(OSError):
                await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
        finally:
            writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silenced = False
        while data := await reader.read(65536):
            silenced = silenced or not self._speaks.is_set()
            if not silenced:
                writer.write(data)
        if not silenced and self._speaks.is_set():
            writer.close()

    async def close(self) -> None:
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def line_to(port: int) -> AsyncIterator[Line]:
    """A line to a server on this machine; its own `port` is the near end."""
    line = Line(port)
    server = await asyncio.start_server(line.pass_on, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        await line.close()
