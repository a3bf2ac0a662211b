"""Services that are dead, each in two ways: nobody takes the connection, or somebody takes it and never answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from aiohttp import web

from bot.port import Port
from bot.rehearsal.night import Night
from tests.night.playing import free_port


@asynccontextmanager
async def silent_port() -> AsyncIterator[int]:
    """Takes every connection and says nothing."""
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for writer in writers:
            writer.close()
        server.close()


@asynccontextmanager
async def without(upstream: str, path: str, *, silent: bool) -> AsyncIterator[str]:
    """The address of what passes everything on to `upstream` but what is under `path`: there the connection is closed,
    or nothing is answered.
    """
    closing = asyncio.Event()

    async def passed_on(request: web.Request) -> web.StreamResponse:
        if request.path.startswith(path):
            if silent:
                await closing.wait()
            if request.transport is not None:  # else the client has gone
                request.transport.abort()
            return web.Response()
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        body = await request.read()
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, f"{upstream}{request.path_qs}", headers=headers, data=body) as answer,
        ):
            kept = {n: v for n, v in answer.headers.items() if n.lower() not in {"transfer-encoding", "content-length"}}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", passed_on)
    port = await Port(web.AppRunner(app, access_log=None, shutdown_timeout=1), 0).open()
    try:
        yield port.url
    finally:
        closing.set()
        await port.close()


@dataclass(frozen=True)
class Death:
    """`settings` lead to the dead service; `door` is the check of its one line."""

    service: str
    door: str
    settings: dict[str, str]


@asynccontextmanager
async def dead(night: Night, service: str, *, silent: bool) -> AsyncIterator[Death]:
    """All others stay as they are."""
    door, setting, path = _SERVICES[service]
    if path:
        async with without(night.gateway.url, path, silent=silent) as url:
            yield Death(service, door, {setting: url})
        return
    async with silent_port() as port:
        address = urlsplit(night.environment[setting])
        credentials, at, _ = address.netloc.rpartition("@")
        netloc = f"{credentials}{at}127.0.0.1:{port if silent else free_port()}"
        yield Death(service, door, {setting: urlunsplit(address._replace(netloc=netloc))})


_SERVICES = {
    "slack": ("slack-connection", "SLACK_API_URL", ""),
    "database": ("source-connection", "SUPABASE_DB_URL", ""),
    "api": ("api-keys", "SUPABASE_URL", "/rest/v1"),
    "auth": ("canary-signs-in", "SUPABASE_URL", "/auth/v1"),
    "stack-auth": ("stack-auth-key", "STACK_AUTH_API_URL", ""),
    "notice": ("notice", "CUTOVER__FREEZE__NOTICE_URL", ""),
}
SERVICES = tuple(_SERVICES)
