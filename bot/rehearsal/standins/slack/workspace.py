"""What there is in the workspace: people, channels, messages with all their versions, pins; and who waits for a
change.

Nothing here knows HTTP, sockets or what may be posted. A message is a frozen value: an edit puts a new value in its
place and keeps the old one in `past`, so that whoever holds a message holds what was true when it was taken. Every
change is reported, in order and before control returns to the writer, to listeners and to those who wait; a state that
lasts only an instant is therefore never missed by a waiter that was there.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Json = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """Somebody whom users.info knows. `name` is what a transcript shows; `team_id` "" is the workspace's own team, and
    "-" is shown for nobody. `teams` are a Grid member's workspaces, None for somebody of no organisation.
    """

    id: str
    name: str
    team_id: str = ""
    deleted: bool = False
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    is_app_user: bool = False
    is_invited_user: bool = False
    teams: tuple[str, ...] | None = None


@dataclass
class Channel:
    """A conversation; its flags may be turned while the stand-in runs. An id that begins with D is a direct
    message.
    """

    id: str
    name: str
    is_private: bool = False
    is_member: bool = True
    is_archived: bool = False
    is_shared: bool = False
    is_ext_shared: bool = False

    @property
    def kind(self) -> Literal["im", "group", "channel"]:
        """The events' `channel_type`."""
        if self.id.startswith("D"):
            return "im"
        return "group" if self.is_private else "channel"

    @property
    def scope(self) -> str:
        """The first half of the scopes for this kind of channel, as in channels:history."""
        return {"im": "im", "group": "groups", "channel": "channels"}[self.kind]


@dataclass(frozen=True, kw_only=True)
class Version:
    """What a message said before an edit; `since` is when it began to say so, in seconds of the wall clock."""

    text: str
    blocks: Sequence[Json]
    metadata: Json | None
    since: float


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message as it was at one moment.

    `thread_ts` is the parent's ts for a reply and None at top level (the wire repeats the ts on a parent that has
    replies). `extra` are fields shown on the wire as they are. `edited` is Slack's mark, which an edit by blocks
    does not leave; `past`, oldest first, tells of every edit. A deleted message stays, marked.
    """

    channel: str
    ts: str
    user: str | None
    bot_id: str | None = None
    text: str = ""
    blocks: Sequence[Json] = ()
    metadata: Json | None = None
    thread_ts: str | None = None
    subtype: str | None = None
    client_msg_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    since: float = 0.0
    edited: Json | None = None
    past: tuple[Version, ...] = ()
    deleted: bool = False

    @property
    def event_type(self) -> str:
        """The metadata's event type, "" without metadata."""
        return str(self.metadata["event_type"]) if self.metadata else ""

    @property
    def payload(self) -> Json:
        """The metadata's payload, empty without metadata."""
        return dict(self.metadata["event_payload"]) if self.metadata else {}


@dataclass(frozen=True)
class Scheduled:
    """A message that is to be posted at `post_at`, seconds since 1970. One with metadata never is, as in Slack."""

    id: str
    channel: str
    post_at: int
    text: str
    blocks: Sequence[Json]
    created: int
    has_metadata: bool = False


@dataclass(frozen=True)
class File:
    """A file that somebody uploaded; `created` in seconds since 1970."""

    id: str
    name: str
    user: str
    channels: tuple[str, ...]
    created: int
    size: int = 0
    content: bytes = b""


@dataclass(frozen=True)
class Change:
    """Something happened to a message; `before` is what it was (None when it is new)."""

    kind: Literal["posted", "edited", "deleted", "pinned"]
    message: Message
    before: Message | None = None


@dataclass(frozen=True)
class Bot:
    """The one app of the workspace."""

    user_id: str
    bot_id: str
    app_id: str
    name: str


class Workspace:
    """The state, and the only way to change it."""

    def __init__(
        self,
        *,
        team_id: str,
        bot: Bot,
        people: Iterable[Person],
        channels: Iterable[Channel],
        groups: Mapping[str, Sequence[str]],
    ) -> None:
        self.team_id = team_id
        self.enterprise_id = ""
        self.bot = bot
        self.people = {person.id: person for person in people}
        self.people.setdefault(bot.user_id, Person(bot.user_id, bot.name, is_bot=True))
        self.channels = {channel.id: channel for channel in channels}
        self.groups = dict(groups)
        self.disabled_groups: set[str] = set()
        self.organisation_groups: set[str] = set()
        self.malformed_groups: set[str] = set()
        self.pins: list[str] = []
        self.files: dict[str, File] = {}
        self.uploads: dict[str, Any] = {}
        """Files whose bytes are to come, or have come, by the ticket of their place."""
        self.deleted_files: set[str] = set()
        self.scheduled: dict[str, Scheduled] = {}
        self._messages: dict[str, Message] = {}
        self._last_micros = 0
        self._listeners: list[Callable[[Change], None]] = []
        self._waiting: dict[asyncio.Future[Message | None], Callable[[Message | None], bool]] = {}

    # Reading

    @property
    def messages(self) -> list[Message]:
        """Every message of every channel, replies and deleted ones too, in the order of their ts."""
        return list(self._messages.values())

    def find(self, ts: str, channel: str | None = None) -> Message | None:
        """The message that is there now; None when there is none, or it was deleted, or is in another
        channel.
        """
        message = self._messages.get(ts)
        if message is None or message.deleted or (channel is not None and message.channel != channel):
            return None
        return message

    def was_deleted(self, ts: str, channel: str) -> bool:
        message = self._messages.get(ts)
        return message is not None and message.deleted and message.channel == channel

    def tombstone(self, ts: str, channel: str) -> Message | None:
        """What a deleted parent leaves in the channel as long as it has replies."""
        message = self._messages.get(ts)
        left = message is not None and message.deleted and message.channel == channel and self.replies(message)
        return message if left else None

    def replies(self, parent: Message) -> list[Message]:
        return [m for m in self._messages.values() if m.thread_ts == parent.ts and not m.deleted]

    # Writing

    def new_ts(self) -> str:
        """A time stamp of the wall clock, unique, later than all before, always of the same width."""
        self._last_micros = max(time.time_ns() // 1000, self._last_micros + 1)
        return f"{self._last_micros // 1_000_000}.{self._last_micros % 1_000_000:06d}"

    def post(self, message: Message) -> Message:
        posted = replace(message, since=float(message.ts))
        self._messages[posted.ts] = posted
        self._tell(Change("posted", posted))
        return posted

    def edit(
        self, message: Message, *, text: str, blocks: Sequence[Json], metadata: Json | None, edited: Json | None
    ) -> Message:
        was = Version(text=message.text, blocks=message.blocks, metadata=message.metadata, since=message.since)
        after = replace(
            message,
            text=text,
            blocks=blocks,
            metadata=metadata,
            edited=edited or message.edited,
            since=time.time(),
            past=(*message.past, was),
        )
        return self._exchange("edited", message, after)

    def delete(self, message: Message) -> Message:
        """Its pin goes with it."""
        if message.ts in self.pins:
            self.pins.remove(message.ts)
        return self._exchange("deleted", message, replace(message, deleted=True))

    def pin(self, message: Message) -> None:
        self.pins.append(message.ts)
        self._tell(Change("pinned", message, message))

    def _exchange(self, kind: Literal["edited", "deleted"], before: Message, after: Message) -> Message:
        self._messages[after.ts] = after
        self._tell(Change(kind, after, before))
        return after

    # Following and waiting

    def on_change(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    def stir(self, message: Message | None = None) -> None:
        """Let those who wait look again; `message` is the one that is new or changed, if it is about one."""
        for waiter, satisfied in list(self._waiting.items()):
            if waiter.done():
                continue
            try:
                if satisfied(message):
                    waiter.set_result(message)
            except Exception as mistake:  # noqa: BLE001 - a question asked wrongly is the asker's, not the poster's
                waiter.set_exception(mistake)

    async def wait(self, satisfied: Callable[[Message | None], bool], timeout: float) -> Message | None:
        """The message with which `satisfied` first came true, None if it was no message's doing. Raises
        TimeoutError.
        """
        waiter: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = satisfied
        try:
            async with asyncio.timeout(timeout):
                return await waiter
        finally:
            del self._waiting[waiter]

    def fail_waits(self, error: Exception) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(error)

    def _tell(self, change: Change) -> None:
        for listener in list(self._listeners):
            listener(change)
        self.stir(change.message)
