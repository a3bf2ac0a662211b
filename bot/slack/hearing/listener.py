"""The ear: what people say in the channel, over a WebSocket (Socket Mode) or over signed HTTP requests.

Both modes are the same Bolt app, and hand a person's message to `heard` before Slack is told that it arrived: Bolt is
asked to run the listener first and acknowledge after. `heard` is synchronous and journals; when it raises, Slack is
told nothing and delivers again. So a message is lost only with the whole process, and then the sweep finds it. The
same message may be heard twice: Slack repeats, Bolt does not notice, and whoever is behind `heard` must.

Buttons and slash commands take the same road. Slack does not deliver them again and keeps no record of them; one that
could not be kept is left unacknowledged, and Slack tells its author that it failed.

Whatever else comes (mentions, other events, other apps' buttons) is acknowledged and forgotten: unacknowledged, it
would come again and again. Who we are is told to Bolt, or it would ask Slack at the first event and lose that event
when Slack does not answer just then.

A socket can get stuck while it reconnects, or its other end can be gone without a word. A guard asks by pings of its
own whether somebody is there, and builds a new one when nobody has been for some seconds; after every connection
`reconnected` is called, since what was said in the gap must be swept up. Slack's hello counts the app's connections:
one too many means that another process takes our events away.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog
from aiohttp import web
from pydantic import ValidationError
from slack_bolt.adapter.socket_mode.websockets import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.websockets import SocketModeClient
from websockets.exceptions import ConnectionClosed

from bot.errors import UsageError
from bot.plan.commands import Hear
from bot.slack.calls import LIBRARY_LOG, Identity, connect
from bot.slack.hearing import slash
from bot.slack.look import buttons
from bot.slack.payloads import Hello, plain_human_message

log = structlog.get_logger("cutover.slack")

PATH = "/slack/events"
_PING_SECONDS = 5.0
_STUCK_AFTER_SECONDS = 15.0
_CONNECT_SECONDS = 30
_CLOSE_SECONDS = 5

Heard = Callable[[Hear], object]
"""On disk when it returns. Raises when it could not be kept: then Slack delivers again."""


class Listener(Protocol):
    """Either mode. Both callbacks must return at once."""

    async def start(self) -> None:
        """Begins to hear. Call once, after `identify` has proven tokens and channel."""

    async def stop(self) -> None:
        """Nothing is heard once it returns."""


def _app(identity: Identity, *, channel: str, run_id: str, heard: Heard, api_url: str, signing_secret: str) -> AsyncApp:
    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None, team_id=identity.team, bot_user_id=identity.bot_user, bot_id=identity.bot_id
        )

    app = AsyncApp(
        name="slack_bolt",  # Bolt sets the level of the logger of this name: it must not be ours
        client=connect(None, api_url),
        authorize=authorize,
        signing_secret=signing_secret,
        process_before_response=True,
        logger=LIBRARY_LOG,
    )

    async def forget_the_rest(body: dict[str, Any], next: Callable[[], Awaitable[None]]) -> BoltResponse | None:  # noqa: A002
        event = body.get("event")
        is_message = isinstance(event, dict) and event.get("type") == "message"
        if is_message or buttons.is_press(body) or "command" in body:
            await next()
            return None
        return BoltResponse(status=200, body="")

    async def hear(event: dict[str, Any]) -> None:
        said = plain_human_message(event, channel=channel, bot_user=identity.bot_user)
        if said is not None:
            heard(said)

    async def press(ack: AsyncAck, body: dict[str, Any]) -> None:
        said = buttons.pressed(body, channel=channel, run_id=run_id, bot_user=identity.bot_user)
        if said is not None:
            heard(said)
        await ack()

    async def command(ack: AsyncAck, body: dict[str, Any]) -> None:
        said, told = slash.commanded(body, channel=channel, bot_user=identity.bot_user)
        if said is not None:
            heard(said)
        await ack(text=told, response_type="ephemeral")

    app.middleware(forget_the_rest)
    app.event("message")(hear)
    for action in buttons.ACTIONS:
        app.action(action)(press)
    app.command(re.compile(".+"))(command)  # a workspace may have given it another name
    return app


class SocketListener:
    """Socket Mode. `rival` is told how many connections Slack counts: when they are more than ours can be, and when
    there is none but ours.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        channel: str,
        run_id: str,
        app_token: str,
        api_url: str,
        heard: Heard,
        reconnected: Callable[[], None],
        rival: Callable[[int], object],
        ping_seconds: float = _PING_SECONDS,
        stuck_after_seconds: float = _STUCK_AFTER_SECONDS,
    ) -> None:
        self._app = _app(identity, channel=channel, run_id=run_id, heard=heard, api_url=api_url, signing_secret="")
        self._app_token = app_token
        self._reconnected = reconnected
        self._rival = rival
        self._ping_seconds = ping_seconds
        self._stuck_after = stuck_after_seconds
        self._hellos = 0
        self._handler: AsyncSocketModeHandler | None = None
        self._guard: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns after the first try to connect; the guard goes on trying when that one failed."""
        await self._connect()
        self._guard = asyncio.create_task(self._watch(), name="slack-socket-guard")

    async def stop(self) -> None:
        if self._guard is not None:
            self._guard.cancel()
            await asyncio.gather(self._guard, return_exceptions=True)
        await self._close()

    async def _connect(self) -> None:
        self._handler = AsyncSocketModeHandler(
            self._app, self._app_token, logger=LIBRARY_LOG, ping_interval=self._ping_seconds
        )
        self._handler.client.message_listeners.append(self._greeted)
        opens: Callable[[], Awaitable[None]] = self._handler.connect_async
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await opens()
        except Exception as error:  # noqa: BLE001 - whatever it was, the guard tries again
            log.warning("slack's socket did not open; I go on trying", error=type(error).__name__)

    async def _watch(self) -> None:
        clock = asyncio.get_running_loop().time
        connected_at = clock()
        while True:
            await asyncio.sleep(min(self._ping_seconds, self._stuck_after / 3))
            if await self._answers():
                connected_at = clock()
            elif clock() - connected_at >= self._stuck_after:
                log.warning("slack's socket is stuck; I build a new one")
                self._hang_up()  # nobody would answer a farewell
                await self._close()
                await self._connect()
                connected_at = clock()

    async def _answers(self) -> bool:
        """Somebody is at the other end. The library's own pings give up on a dead one after 20 s and more."""
        assert self._handler is not None
        client: SocketModeClient = self._handler.client
        session = client.current_session
        if session is None or not await client.is_connected():
            return False
        try:
            async with asyncio.timeout(self._stuck_after):
                await (await session.ping())
        except (TimeoutError, ConnectionClosed):
            return False
        return True

    def _hang_up(self) -> None:
        client: SocketModeClient | None = self._handler.client if self._handler is not None else None
        if client is not None and client.current_session is not None:
            client.current_session.transport.abort()

    async def _close(self) -> None:
        handler, self._handler = self._handler, None
        if handler is None:
            return
        client: SocketModeClient = handler.client
        closes: Callable[[], Awaitable[None]] = handler.close_async
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await closes()
        except Exception as error:  # noqa: BLE001 - it is thrown away in any case
            log.warning("slack's socket did not close in order", error=type(error).__name__)
        tasks = [client.message_processor, client.current_session_monitor, client.message_receiver]
        alive = [task for task in tasks if task is not None]
        for task in alive:
            task.cancel()
        await asyncio.gather(*alive, return_exceptions=True)

    async def _greeted(self, client: AsyncBaseSocketModeClient, frame: dict[str, Any], raw: str | None) -> None:
        if frame.get("type") != "hello":
            return
        try:
            hello = Hello.model_validate(frame)
        except ValidationError:
            hello = Hello(type="hello")
        self._hellos += 1
        # A new socket is opened before the old one is closed, so our own may be counted twice from the second on.
        if hello.num_connections == 1 or hello.num_connections > (1 if self._hellos == 1 else 2):
            self._rival(hello.num_connections)
        self._reconnected()


class HttpListener:
    """HTTP mode: Slack sends signed requests to `PATH`. `port` 0 takes a free one; `port` then says which."""

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
        reconnected: Callable[[], None],
    ) -> None:
        self._app = _app(
            identity, channel=channel, run_id=run_id, heard=heard, api_url=api_url, signing_secret=signing_secret
        )
        self._reconnected = reconnected
        self._runner: web.AppRunner | None = None
        self.port = port

    async def start(self) -> None:
        """Raises UsageError when the port cannot be had."""
        self._runner = web.AppRunner(self._app.web_app(path=PATH, port=self.port), access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "0.0.0.0", self.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise UsageError(
                f"Port {self.port} cannot be listened on",
                unchanged="nothing was heard or said",
                do="set PORT to a free one",
            ) from error
        self.port = self._runner.addresses[0][1]
        self._reconnected()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
