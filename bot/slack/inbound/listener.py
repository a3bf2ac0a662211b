"""The ear: what people say in the channel, over a WebSocket (Socket Mode) or over signed HTTP requests (`http_mode`).

Both modes are the same Bolt app, and hand a person's message to `heard` before its arrival is acknowledged: Bolt is
asked to run the listener first and acknowledge after. `heard` is synchronous and journals; when it raises, nothing is
acknowledged and Slack delivers again. So a message is lost only with the whole process, and then the sweep finds it.
The same message may be heard twice: Slack repeats, Bolt does not notice, and whoever is behind `heard` must.

Of what happens to messages only a deletion counts, when it is one of ours: `deleted` gets its ts.

Buttons and slash commands come the same way. Slack does not deliver them again and keeps no record of them; one that
could not be kept is left unacknowledged, and Slack tells its author that it failed.

An envelope that was not sent to our app, in our workspace, for our bot is acknowledged, noted in the log and forgotten.
Whatever else comes (mentions, other events, other apps' buttons) is acknowledged and forgotten: unacknowledged, it
would come again and again. Bolt is given our identity, or it would ask Slack at the first event and lose that event
when Slack does not answer just then.

A socket can get stuck while it reconnects, its other end can be gone without a word, and it can be well and yet bring
nothing (bolt-python #1529). A guard asks by pings of its own whether somebody is there, asks Slack once a minute who we
are, which has kept such sockets alive, and builds a new one when nobody has been there for some seconds, or when a
sweep had to find what the socket still has not brought (`expected`). After every connection `reconnected` is called,
since what was said in the gap must be swept up. Slack's hello counts the app's connections: one too many means that
another process takes our events away, or that Slack has not dropped one yet. So ours are never left without a farewell.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog
from pydantic import ValidationError
from slack_bolt.adapter.socket_mode.websockets import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.websockets import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient
from websockets.exceptions import ConnectionClosed

from bot.errors import ServiceError
from bot.plan.inputs import Hear
from bot.slack import envelope
from bot.slack.calls import LIBRARY_LOG, Identity, asked
from bot.slack.client import connect
from bot.slack.inbound import slash
from bot.slack.payloads import Hello, deleted_ts, plain_human_message
from bot.slack.render import buttons

log = structlog.get_logger("cutover.slack")

_PING_SECONDS = 5.0
_STUCK_AFTER_SECONDS = 15.0
_ASK_SECONDS = 60.0
_LATE_AFTER_SECONDS = 10.0
_SILENT_AT_MOST_EVERY_SECONDS = 60.0
_REMEMBERED = 1_000
_CONNECT_SECONDS = 30
_FAREWELL_SECONDS = 2

Heard = Callable[[Hear], object]
"""On disk when it returns. Raises when it could not be kept: then Slack delivers again."""

Deleted = Callable[[str], object]
"""Gets the ts of every message that somebody deleted in the channel; as `Heard` otherwise."""


class Listener(Protocol):
    """Either mode. Both callbacks must return at once."""

    async def start(self) -> None:
        """Begins to hear. Call once, after `identify` has proven tokens and channel."""

    async def stop(self) -> None:
        """Nothing is heard once it returns."""

    def expected(self, ts: str) -> None:
        """A sweep had to find the message at `ts`, which should have been heard."""


def bolt_app(
    identity: Identity,
    *,
    channel: str,
    run_id: str,
    heard: Heard,
    deleted: Deleted,
    api_url: str,
    signing_secret: str,
    app_id: Callable[[], str],
) -> AsyncApp:
    """The Bolt app of either mode. `signing_secret` is "" in Socket Mode; `app_id` is asked at each envelope, since a
    socket's greeting may be the first to tell it.
    """

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=identity.enterprise or None,
            team_id=identity.team,
            bot_user_id=identity.bot_user,
            bot_id=identity.bot_id,
        )

    app = AsyncApp(
        name="slack_bolt",  # Bolt sets the level of the logger of this name: it must not be ours
        client=connect(None, api_url),
        authorize=authorize,
        signing_secret=signing_secret,
        ignoring_self_events_enabled=False,  # it takes the deletion of a post of ours for something that we said
        process_before_response=True,
        logger=LIBRARY_LOG,
    )

    async def forget_the_rest(body: dict[str, Any], next: Callable[[], Awaitable[None]]) -> BoltResponse | None:  # noqa: A002
        if why := envelope.foreign(body, identity, app_id()):
            log.warning("an envelope came that is not for me; nothing was heard", why=why)
            return BoltResponse(status=200, body="")
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
        elif ts := deleted_ts(event, channel=channel):
            deleted(ts)

    async def press(ack: AsyncAck, body: dict[str, Any]) -> None:
        said = buttons.pressed(body, channel=channel, run_id=run_id)
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
    app.action(buttons.ACTIONS)(press)
    app.command(re.compile(".+"))(command)  # a workspace may have given it another name
    return app


class SocketListener:
    """Socket Mode. `second_instance` is called with how many connections Slack counts: when they are more than ours can
    be, and when there is none but ours. `client` bears the bot's token. `failed` is called with what has ended a guard,
    which nothing should.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        client: AsyncWebClient,
        channel: str,
        run_id: str,
        app_token: str,
        api_url: str,
        heard: Heard,
        deleted: Deleted,
        reconnected: Callable[[], None],
        second_instance: Callable[[int], object],
        failed: Callable[[BaseException], object],
        ping_seconds: float = _PING_SECONDS,
        stuck_after_seconds: float = _STUCK_AFTER_SECONDS,
        ask_seconds: float = _ASK_SECONDS,
        late_after_seconds: float = _LATE_AFTER_SECONDS,
    ) -> None:
        def bring(said: Hear) -> None:
            heard(said)
            self._brought.append(said.ts)
            self._late.pop(said.ts, None)

        self._app_id = identity.app_id
        self._app = bolt_app(
            identity,
            channel=channel,
            run_id=run_id,
            heard=bring,
            deleted=deleted,
            api_url=api_url,
            signing_secret="",
            app_id=lambda: self._app_id,
        )
        self._client = client
        self._app_token = app_token
        self._reconnected = reconnected
        self._second_instance = second_instance
        self._failed = failed
        self._ping_seconds = ping_seconds
        self._stuck_after = stuck_after_seconds
        self._ask_seconds = ask_seconds
        self._late_after = late_after_seconds
        self._hellos = 0
        self._brought: deque[str] = deque(maxlen=_REMEMBERED)
        self._late: dict[str, float] = {}
        """The ts of what a sweep found and the socket has not brought, and until when it may."""
        self._silent_at = -_SILENT_AT_MOST_EVERY_SECONDS
        self._handler: AsyncSocketModeHandler | None = None
        self._guards: tuple[asyncio.Task[None], ...] = ()

    async def start(self) -> None:
        """Returns after the first try to connect; the guard goes on trying when that one failed."""
        await self._connect()
        self._guards = (
            asyncio.create_task(self._watch(), name="slack-socket-guard"),
            asyncio.create_task(self._ask(), name="slack-socket-asks"),
        )
        for guard in self._guards:
            guard.add_done_callback(self._unguarded)

    async def stop(self) -> None:
        for guard in self._guards:
            guard.cancel()
        await asyncio.gather(*self._guards, return_exceptions=True)
        await self._close()

    def expected(self, ts: str) -> None:
        """A sweep had to find the message at `ts`: the socket should have brought it, and still may for a moment."""
        if ts not in self._brought:
            self._late.setdefault(ts, asyncio.get_running_loop().time() + self._late_after)

    def _unguarded(self, guard: asyncio.Task[None]) -> None:
        """Nobody would notice a dead socket any more: whoever listens must know."""
        if not guard.cancelled() and (error := guard.exception()) is not None:
            self._failed(error)

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
            answers = await self._answers()
            if answers:
                connected_at = clock()
            if answers and self._is_silent(clock()):
                log.warning("slack's socket brings nothing; I build a new one")
            elif clock() - connected_at >= self._stuck_after:
                log.warning("slack's socket is stuck; I build a new one")
            else:
                continue
            await self._close()
            await self._connect()
            connected_at = clock()

    def _is_silent(self, now: float) -> bool:
        """At most once a minute: when another process takes our events, no new socket brings them either."""
        if not any(at <= now for at in self._late.values()):
            return False
        if now - self._silent_at < _SILENT_AT_MOST_EVERY_SECONDS:
            return False
        self._silent_at = now
        return True

    async def _ask(self) -> None:
        """Who we are, again and again, in a task of its own: a slow answer must not keep the guard from its pings."""
        while True:
            await asyncio.sleep(self._ask_seconds)
            try:
                await asked(self._client.auth_test(), "say who I am")
            except ServiceError as error:
                log.warning("slack does not say who I am", why=str(error))

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

    async def _close(self) -> None:
        """With a farewell, which Slack counts connections by; then without waiting for its answer for long."""
        handler, self._handler = self._handler, None
        if handler is None:
            return
        client: SocketModeClient = handler.client
        session = client.current_session
        closes: Callable[[], Awaitable[None]] = handler.close_async
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await closes()
        except Exception as error:  # noqa: BLE001 - it is thrown away in any case
            log.warning("slack's socket did not close in order", error=type(error).__name__)
        if session is not None:
            session.transport.abort()
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
        if hello.connection_info is not None:
            self._app_id = self._app_id or hello.connection_info.app_id
        self._hellos += 1
        self._late.clear()  # what was said before is the sweep's
        # A new socket is opened before the old one is closed, so our own may be counted twice from the second on.
        if hello.num_connections == 1 or hello.num_connections > (1 if self._hellos == 1 else 2):
            self._second_instance(hello.num_connections)
        self._reconnected()
