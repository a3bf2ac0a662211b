"""The door of HTTP mode: a server that strangers can reach, and that must cost the night nothing.

One request a connection, and all of it, head and body, within a few seconds; then the connection ends. So many
connections at once and no more, well below what the process may open: beyond that the one that has been unfinished for
longest gives way, so that a flood of half requests keeps out neither Slack nor our own connections to database and
Slack. What cannot be read is answered with 400, before anybody asks who signed it, and leaves no trace in the log.

    connection_made -> unfinished, with a deadline -> all of it read -> answered -> closed
                                  |                                        |
                                  +-- deadline, or the oldest of too many -+-> broken off
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from bot.errors import UsageError
from bot.port import Port
from bot.slack.calls import LIBRARY_LOG

log = structlog.get_logger("cutover.slack")

READ_SECONDS = 10.0
_MOST_CONNECTIONS = 100
_SHARE_OF_FILES = 8
_STOP_SECONDS = 2.0

_STRANGERS_LOG = LIBRARY_LOG.getChild("strangers")
"""Where aiohttp writes an error with its trace for everything that is no HTTP. What fails of ours is caught before."""
_STRANGERS_LOG.setLevel(logging.CRITICAL)

Answer = Callable[[web.BaseRequest, str], Awaitable[web.StreamResponse]]
"""Given the request and the whole of its body. Raises `Unreadable` for what makes no sense."""


class Unreadable(Exception):
    """The body is not of a form that could ever have been sent by Slack."""


def most_connections(open_files: int) -> int:
    """How many there may be in a process that may open so many files; -1 is without limit."""
    return _MOST_CONNECTIONS if open_files < 0 else max(1, min(_MOST_CONNECTIONS, open_files // _SHARE_OF_FILES))


class _Connections(web.Server):
    """All that are open, and of those that have not brought their whole request, when they are broken off."""

    def __init__(self, answer: Answer, path: str, *, most: int, read_seconds: float) -> None:
        super().__init__(self._handle, access_log=None, logger=_STRANGERS_LOG, lingering_time=0)
        self._answer = answer
        self._path = path
        self._most = most
        self._read_seconds = read_seconds
        self._unfinished: dict[RequestHandler, tuple[asyncio.Transport, asyncio.TimerHandle]] = {}
        """In the order in which they came."""

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        deadline = asyncio.get_running_loop().call_later(self._read_seconds, self._break_off, handler)
        self._unfinished[handler] = (transport, deadline)
        if len(self.connections) > self._most:
            self._break_off(next(iter(self._unfinished)))

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        self._finished(handler)
        super().connection_lost(handler, exc)

    def _break_off(self, handler: RequestHandler) -> None:
        if (transport := self._finished(handler)) is not None:
            transport.abort()

    def _finished(self, handler: RequestHandler) -> asyncio.Transport | None:
        """It is counted among the unfinished no more; its transport if it was."""
        transport, deadline = self._unfinished.pop(handler, (None, None))
        if deadline is not None:
            deadline.cancel()
        return transport

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        response = await self._answered(request)
        response.force_close()
        return response

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path != self._path:
            return web.Response(status=404)
        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "POST"})
        try:
            body = (await request.read()).decode("utf-8")
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413)
        except Exception:  # noqa: BLE001 - broken off, badly framed, badly packed, no text: whatever a stranger thinks of
            return web.Response(status=400)
        self._finished(request.protocol)
        try:
            return await self._answer(request, body)
        except Unreadable:
            return web.Response(status=400)
        except Exception as error:  # noqa: BLE001 - Slack sees that it failed, and sends it again
            log.error("a request of slack's could not be answered", error=type(error).__name__)
            return web.Response(status=500)


class Door:
    """`port` 0 takes a free one; `port` then says which."""

    def __init__(
        self,
        answer: Answer,
        *,
        path: str,
        port: int,
        most: int | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._answer = answer
        self._path = path
        self._most = most or most_connections(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self._read_seconds = read_seconds
        self._server: _Connections | None = None
        self._port: Port | None = None
        self.port = port

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._server.connections) if self._server is not None else 0

    async def open(self) -> None:
        """Raises UsageError when the port cannot be had."""
        self._server = _Connections(self._answer, self._path, most=self._most, read_seconds=self._read_seconds)
        runner = web.ServerRunner(self._server, shutdown_timeout=_STOP_SECONDS)
        try:
            # As many as wait to be taken in are taken in at once, on top of those that are there.
            self._port = await Port(runner, self.port, host="0.0.0.0", backlog=self._most).open()
        except OSError as error:
            raise UsageError(
                f"Port {self.port} cannot be listened on",
                unchanged="nothing was heard or said",
                do="set PORT to a free one",
            ) from error
        self.port = self._port.number

    async def close(self) -> None:
        if self._port is not None:
            await self._port.close()
