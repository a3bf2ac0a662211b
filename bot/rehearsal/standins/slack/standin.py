"""The whole stand-in: a server to start and stop, hands to play people with, switches for bad nights.

Everything here runs in one event loop, the loop of whoever called `start()`. Methods that are not `async` have done
their work when they return: the message is in the history and on its way to the bot.

    slack = SlackStandin(people=[Person("U0ADA", "Ada")])
    await slack.start()
    ...                                    # a bot in another process, its base URL set to slack.api_url, connects
    ts = slack.say("U0ADA", "frozen")
    answer = await slack.wait_for(lambda m: m.thread_ts == ts, timeout=5)
    await slack.stop()
"""

import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from aiohttp import web

from bot.port import Port
from bot.rehearsal.standins.slack import interactions, scheduled, shapes, uploads
from bot.rehearsal.standins.slack.delivery import Delivery, Transport
from bot.rehearsal.standins.slack.http_mode import HttpMode, SignedRequest
from bot.rehearsal.standins.slack.methods import DEFAULT_SCOPES, METHODS
from bot.rehearsal.standins.slack.socket_mode import SocketMode
from bot.rehearsal.standins.slack.telling import Telling
from bot.rehearsal.standins.slack.web import RecordedCall, Weather, WebApi
from bot.rehearsal.standins.slack.workspace import Bot, Change, Channel, File, Message, Person, Scheduled, Workspace

_LARGEST_BODY = 64 * 1024 * 1024


class SlackStandin:
    """`posts_per_second` and `post_burst` bound chat.postMessage per channel; `ack_seconds` is Slack's patience,
    `ping_seconds` how often it pings a WebSocket on which it has nothing to say, `ghost_seconds` how long it counts a
    connection that ended without a farewell. No list has more than `largest_page` messages a page.
    """

    def __init__(
        self,
        *,
        bot_token: str = "xoxb-rehearsal",
        app_token: str = "xapp-rehearsal",
        team_id: str = "T0REHEARSAL",
        channel_id: str = "C0CUTOVER",
        bot_user_id: str = "U0BOT",
        bot_id: str = "B0BOT",
        people: Iterable[Person] = (),
        groups: Mapping[str, Sequence[str]] | None = None,
        scopes: Collection[str] = DEFAULT_SCOPES,
        posts_per_second: float = 1.0,
        post_burst: int = 10,
        ack_seconds: float = 3.0,
        ping_seconds: float = 5.0,
        ghost_seconds: float = 60.0,
        largest_page: int = 999,
    ) -> None:
        self.bot_token, self.app_token = bot_token, app_token
        self.team_id, self.bot_user_id, self.bot_id = team_id, bot_user_id, bot_id
        self.channel = Channel(channel_id, "cutover")
        self._workspace = Workspace(
            team_id=team_id,
            bot=Bot(bot_user_id, bot_id, "A0CUTOVER", "cutover"),
            people=people,
            channels=[self.channel],
            groups=groups or {},
        )
        self._sockets = SocketMode("A0CUTOVER", ack_seconds, ping_seconds, ghost_seconds, self._workspace.stir)
        self._api = WebApi(
            self._workspace,
            bot_token=bot_token,
            app_token=app_token,
            scopes=frozenset(scopes),
            posts_per_second=posts_per_second,
            post_burst=post_burst,
            new_ticket=self._sockets.new_ticket,
            largest_page=largest_page,
        )
        self._http = HttpMode(ack_seconds, self._workspace.stir)
        self._telling = Telling(self._workspace, transport=self._transport, scopes=frozenset(scopes))
        self._port: Port | None = None

    # The server

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; port 0 takes a free one."""
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/api/{method}", self._api.serve)
        app.router.add_get("/link/", self._sockets.link)
        app.router.add_post(uploads.PATH, partial(uploads.receive, self._workspace))
        self._port = await Port(web.AppRunner(app, access_log=None, shutdown_timeout=1.0), port).open()
        self._api.api_url = f"{self._port.url}/api/"

    async def stop(self) -> None:
        await self._sockets.stop()
        await self._http.stop()
        if self._port is not None:
            await self._port.close()

    async def set_request_url(self, url: str, signing_secret: str) -> None:
        """From now on the app hears by signed HTTP requests to this URL. Raises ValueError when the URL does not
        prove to be the app's.
        """
        await self._http.set_url(url, signing_secret)

    @property
    def api_url(self) -> str:
        """Known from start() on."""
        return self._api.api_url

    # What there is

    @property
    def messages(self) -> list[Message]:
        """Every message in the order of ts, replies and deleted ones too, as each is now."""
        return self._workspace.messages

    @property
    def pins(self) -> list[str]:
        """The ts of pinned messages, in the order of pinning."""
        return list(self._workspace.pins)

    @property
    def people(self) -> dict[str, Person]:
        """By id, the bot too. May be changed while it runs: the next users.info shows it."""
        return self._workspace.people

    @property
    def groups(self) -> dict[str, Sequence[str]]:
        """Members of user groups by the group's id; may be changed while it runs."""
        return self._workspace.groups

    @property
    def disabled_groups(self) -> set[str]:
        """Ids of user groups that are disabled; may be changed while it runs."""
        return self._workspace.disabled_groups

    @property
    def workspace(self) -> Workspace:
        """What else may be changed while it runs: the organisation it is of, whose user groups are the organisation's,
        and which are described in a form that nobody documented.
        """
        return self._workspace

    def send_envelope(self, delivery: Delivery) -> Delivery:
        """Whatever it holds, as somebody could who has the app's tokens."""
        return self._telling.deliver(delivery)

    @property
    def calls(self) -> list[RecordedCall]:
        """Every call of the Web API, in the order of the answers, without tokens."""
        return self._api.calls

    @property
    def deliveries(self) -> list[Delivery]:
        """All that was sent to the app, and what became of it."""
        return [*self._sockets.deliveries, *self._http.deliveries]

    @property
    def signed_requests(self) -> list[SignedRequest]:
        """Every request of HTTP mode, as it went over the wire, repeated ones too."""
        return self._http.requests

    @property
    def connections(self) -> int:
        return self._sockets.connections

    @property
    def connections_opened(self) -> int:
        """How many handshakes have succeeded since the start."""
        return self._sockets.opened

    def message(self, ts: str) -> Message:
        """The message as it is now. KeyError when there is none, or it was deleted."""
        message = self._workspace.find(ts)
        if message is None:
            raise KeyError(ts)
        return message

    @property
    def files(self) -> list[File]:
        """That were uploaded and shared."""
        return list(self._workspace.files.values())

    def add_channel(self, channel: Channel) -> None:
        self._workspace.channels[channel.id] = channel

    @property
    def scheduled(self) -> list[Scheduled]:
        """What is still to be posted, in the order of scheduling."""
        return list(self._workspace.scheduled.values())

    def pass_time(self, to: float) -> None:
        """Post what is due when it is `to`, in seconds since 1970; nothing else takes notice."""
        scheduled.post_what_is_due(self._workspace, to)

    def add_file(self, file: File) -> None:
        """Somebody uploaded it."""
        self._workspace.files[file.id] = file

    # Following and waiting

    def on_change(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` at once for every message posted, edited, deleted or pinned, from now on."""
        self._workspace.on_change(listener)

    async def wait_for(self, predicate: Callable[[Message], bool], timeout: float) -> Message:
        """The first message that satisfies `predicate`, as it was then: one that is there now, or the next one
        posted or edited. Raises TimeoutError with the channel's last words.
        """
        for message in self.messages:
            if not message.deleted and predicate(message):
                return message
        try:
            found = await self._workspace.wait(lambda m: m is not None and not m.deleted and predicate(m), timeout)
        except TimeoutError:
            last = " | ".join(message.text[:80] for message in self.messages[-5:])
            raise TimeoutError(f"no such message within {timeout} s; the last ones: {last}") from None
        assert found is not None
        return found

    async def wait_until(self, condition: Callable[[], bool], timeout: float) -> None:
        """Return when `condition` holds; it is asked after every change, call, connection and acknowledgement."""
        if not condition():
            await self._workspace.wait(lambda _: condition(), timeout)

    def fail_waits(self, error: Exception) -> None:
        """Raise `error` in everybody who waits now: what they wait for will not come."""
        self._workspace.fail_waits(error)

    # People and other bots

    def say(
        self,
        user: str,
        text: str,
        thread_ts: str | None = None,
        channel: str | None = None,
        *,
        broadcast: bool = False,
        **shape: Any,
    ) -> str:
        """A person writes; the ts. `text` is in Slack's own form (`<@U0BOT> status`). `broadcast` shows a reply in
        the channel too. `shape` sets further fields of the message as it goes over the wire (app_id, workflow_id,
        subtype, …).
        """
        if user not in self._workspace.people:
            raise ValueError(f"nobody has the id {user}")
        return self._write(
            Message(
                channel=channel or self.channel.id,
                ts=self._workspace.new_ts(),
                user=user,
                text=text,
                blocks=shapes.typed_blocks(text),
                thread_ts=thread_ts,
                subtype="thread_broadcast" if broadcast else None,
                client_msg_id=str(uuid.uuid4()),
                extra=shape,
            )
        )

    def say_as_bot(
        self, bot_id: str, text: str, thread_ts: str | None = None, *, user: str | None = None, **shape: Any
    ) -> str:
        """Another app writes: without `user` in the old shape (subtype bot_message), with it in the new one."""
        return self._write(
            Message(
                channel=self.channel.id,
                ts=self._workspace.new_ts(),
                user=user,
                bot_id=bot_id,
                text=text,
                thread_ts=thread_ts,
                subtype=None if user else "bot_message",
                extra=shape,
            )
        )

    def edit(self, ts: str, text: str) -> None:
        """The author edits a message; the bot hears of it as message_changed."""
        message = self.message(ts)
        mark = {"user": message.user, "ts": self._workspace.new_ts()}
        self._workspace.edit(
            message, text=text, blocks=shapes.typed_blocks(text), metadata=message.metadata, edited=mark
        )

    def delete(self, ts: str) -> None:
        self._workspace.delete(self.message(ts))

    def press(self, user: str, ts: str, action_id: str, *, as_it_was: bool = False) -> Delivery:
        """A person presses a button of a message and confirms what it asks. `as_it_was` takes a button that an edit
        has removed since, as a client does that has not seen the edit.
        """
        message = self.message(ts)
        seen = [message.blocks, *(version.blocks for version in message.past)] if as_it_was else [message.blocks]
        found = [b for blocks in seen for b in interactions.buttons(blocks) if b.get("action_id") == action_id]
        if not found:
            raise ValueError(f"there is no button {action_id} on {ts}")
        channel = self._workspace.channels[message.channel]
        person = self._workspace.people[user]
        return self._telling.deliver(
            Delivery(interactions.pressed(self._workspace, channel, person, message, found[0]), "interactive")
        )

    def command(self, user: str, text: str, *, command: str = "/cutover", channel: str | None = None) -> Delivery:
        """A person sends a slash command; what only they see is then in the delivery's `response`. It works in
        channels where the bot is no member, too.
        """
        if "commands" not in self._api.scopes:
            raise ValueError("the app has no slash commands without the scope commands")
        place = self._workspace.channels[channel or self.channel.id]
        person = self._workspace.people[user]
        return self._telling.deliver(
            Delivery(interactions.commanded(self._workspace, place, person, command, text), "slash_commands")
        )

    def redeliver(self, what: str | Delivery) -> Delivery:
        """Send the event of a message (its ts) again, under the same event id, as Slack does when it believes the first
        one lost; or anything that was sent before. Also the way to deliver late what was lost or said while nobody was
        connected.
        """
        return self._telling.redeliver(what)

    def _transport(self) -> Transport:
        return self._http if self._http.open else self._sockets

    def _write(self, message: Message) -> str:
        if message.channel not in self._workspace.channels:
            raise ValueError(f"there is no channel {message.channel}")
        if message.thread_ts is not None:
            parent = self._workspace.find(message.thread_ts, message.channel)
            if parent is None or parent.thread_ts is not None:
                raise ValueError(f"{message.thread_ts} is no parent of a thread")
        return self._workspace.post(message).ts

    # Bad nights

    def fail_next(self, method: str, fault: str = "internal_error", times: int = 1) -> None:
        """Answer the next calls of a method with a fault and do nothing: "html_500", "text_503", "ratelimited",
        "drop" (the connection breaks), "hang" (no answer ever), or any other word as the name of an error. With
        "drop_after" it is done, and then the connection breaks: whoever called cannot know.
        """
        if method not in METHODS:
            raise ValueError(f"there is no method {method}")
        self._api.faults.setdefault(method, deque()).extend([fault] * times)

    def heal(self, method: str) -> None:
        """No fault is left for it; calls that hang go on hanging."""
        self._api.faults.pop(method, None)

    def drop_after_next_post(self, matching: Callable[[Message], bool] | None = None) -> None:
        """Store the next post (the next that is `matching`), then break its connection: the poster cannot know."""
        self._api.drop_after_post = matching or (lambda message: True)

    def set_weather(self, *, limited: float, lost: float, seed: int = 1) -> Weather:
        """From now on trouble comes by chance, and is counted."""
        self._api.weather = Weather(limited=limited, lost=lost, seed=seed)
        return self._api.weather

    def set_down(self, *, down: bool) -> None:
        """All of Slack is gone, and back: every call is answered 503, every WebSocket is cut, and none is let in."""
        self._api.is_down = self._sockets.is_down = down
        if down:
            self._sockets.kill()

    def refuse_next_handshakes(self, times: int = 1) -> None:
        """Refuse to open a connection; the ticket is spent all the same."""
        self._sockets.refuse_handshakes += times

    def lose_next_events(self, times: int = 1) -> None:
        """Store what is said but tell no connection."""
        self._telling.lose_next_events(times)

    def send_disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every connection to come back on a new one ("warning", "refresh_requested", "link_disabled", …)."""
        self._sockets.goodbye(reason)

    def kill_sockets(self) -> None:
        """Break every WebSocket's TCP connection without a word."""
        self._sockets.kill()

    def deaden_sockets(self) -> None:
        """Leave every WebSocket open and dead: nothing comes of it any more, no answer to a ping either."""
        self._sockets.deaden()

    def silence_sockets(self) -> None:
        """Leave every WebSocket open and well, but for what people say: nothing of that comes over it any more."""
        self._sockets.silence()

    @property
    def ghosts(self) -> int:
        """Connections that are gone without a farewell, and are still counted in every hello."""
        return self._sockets.ghosts
