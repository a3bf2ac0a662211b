"""HTTP mode: Slack sends signed requests, which come in by the door and are for the same Bolt app as in Socket Mode.

Bolt reads a body before it asks who signed it, and trips over what it does not expect: whatever it does not understand
is the sender's mistake, since Slack sends no such thing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.slack.calls import Identity
from bot.slack.inbound.door import READ_SECONDS, Door, Unreadable
from bot.slack.inbound.listener import Deleted, Heard, bolt_app
from bot.slack.manifest import EVENTS_PATH


class HttpListener:
    """`port` 0 takes a free one; `port` then says which."""

    def __init__(
        self,
        identity: Identity,
        *,
        channel: str,
        run_id: str,
        signing_secret: str,
        port: int,
        api_url: str,
        heard: Heard,
        deleted: Deleted,
        reconnected: Callable[[], None],
        most_connections: int | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._app = bolt_app(
            identity,
            channel=channel,
            run_id=run_id,
            heard=heard,
            deleted=deleted,
            api_url=api_url,
            signing_secret=signing_secret,
            app_id=lambda: identity.app_id,
        )
        self._reconnected = reconnected
        self._door = Door(self._answer, path=EVENTS_PATH, port=port, most=most_connections, read_seconds=read_seconds)

    @property
    def port(self) -> int:
        return self._door.port

    @property
    def connections(self) -> int:
        """How many are open now, Slack's and strangers'."""
        return self._door.connections

    async def start(self) -> None:
        """Raises UsageError when the port cannot be had."""
        await self._door.open()
        self._reconnected()

    async def stop(self) -> None:
        await self._door.close()

    def expected(self, ts: str) -> None:
        """Slack sends again what it got no answer for; there is no connection that could be made anew."""

    async def _answer(self, request: web.BaseRequest, body: str) -> web.StreamResponse:
        return await to_aiohttp_response(await self._app.async_dispatch(_understood(request, body)))


def _understood(request: web.BaseRequest, body: str) -> AsyncBoltRequest:
    headers: dict[str, Any] = dict(request.headers)
    try:
        understood = AsyncBoltRequest(body=body, query=request.query_string, headers=headers)
    except Exception as error:  # every way in which a parser can trip
        raise Unreadable from error
    if not isinstance(understood.body, dict):
        raise Unreadable
    return understood
