"""A server on a port of this machine, that can be closed while somebody knocks.

asyncio drops a connection half made when its server closes between taking it in and handing it over: nobody ever closes
it (`Server._attach`, Python 3.11 to 3.13). So the port is deaf first, whoever was taken in is handed over, and then all
are closed together.
"""

from __future__ import annotations

import asyncio
import socket
from types import TracebackType
from typing import Self

from aiohttp import web

_TURNS_TO_HAND_OVER = 2
"""Of the event loop: the first begins the task of an accepted connection, the second hands it to its protocol."""


class Port:
    """Open with `open` and `close`, or by `async with`. Whatever `runner` serves is ended with it."""

    def __init__(
        self, runner: web.BaseRunner, port: int = 0, *, host: str = "127.0.0.1", backlog: int | None = None
    ) -> None:
        self._runner = runner
        self._host = host
        self._backlog = backlog or 128
        self._listening: socket.socket | None = None
        self.number = port
        """0 asks for a free one; from `open` on it is the one that was taken."""

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://{self._host}:{self.number}"

    async def open(self) -> Self:
        """Raises OSError when the port cannot be had; nothing is open then."""
        await self._runner.setup()
        try:
            self._listening = socket.create_server((self._host, self.number), backlog=self._backlog)
            await web.SockSite(self._runner, self._listening, backlog=self._backlog).start()
        except BaseException:
            await self._runner.cleanup()
            raise
        self.number = self._listening.getsockname()[1]
        return self

    async def close(self) -> None:
        """Every connection has ended when it returns. Closing twice does nothing."""
        listening, self._listening = self._listening, None
        if listening is None:
            return
        asyncio.get_running_loop().remove_reader(listening)
        for _ in range(_TURNS_TO_HAND_OVER):
            await asyncio.sleep(0)
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
