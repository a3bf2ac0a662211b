"""What the conductor and the watch need of the edges, and nothing more.

Every promise here is held by the real edges. An edge raises only errors of `bot.errors`; `OutcomeUnknown` means that
the effect may have happened and that the caller must look before it repeats.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from bot.plan.events import Event, MovedTo
from bot.plan.findings import Finding
from bot.plan.inputs import Command, Hear, Permission
from bot.plan.posts import Post
from bot.plan.results import StepResult
from bot.plan.run import Run


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a step has come. `done` of `total` in `unit`; `total` is 0 while unknown. `note` is a clause without
    full stop.
    """

    step: str
    done: int
    total: int
    unit: str
    note: str = ""


Report = Callable[[Progress], None]
"""Called often and cheaply, from the event loop or from any thread; the newest value wins."""


@dataclass(frozen=True, kw_only=True)
class Headway:
    """How far a step has come, how fast it goes and how long it will take, as
    `bot.progress` makes it of what is reported.

    `per_second` is in the progress's unit, None while it is not known, and 0.0 when nothing was done for a while.
    `seconds_left` is None while it is not known, and never 0.
    """

    progress: Progress
    per_second: float | None = None
    seconds_left: float | None = None


class Record(Protocol):
    """The journal as the conductor sees it."""

    def append(self, events: Sequence[Event]) -> None:
        """What one decision made, all on disk (fsync) when it returns; a crash too leaves all of it or nothing. Raises
        CutoverError (disk full, gone) with nothing appended.
        """

    @property
    def head(self) -> tuple[int, str]:
        """Number of the last line, counted from 1, and its hash; (0, "") when empty."""


class Channel(Protocol):
    """The one channel of the run. Order of posts is the order of calls; nothing is retried but what Slack
    rate-limited.
    """

    async def post(self, run: Run, post: Post, headway: Headway | None, head: tuple[int, str]) -> str:
        """The new message's ts; of an attached file its id, since Slack does not say which message shares it. Raises
        OutcomeUnknown when Slack may have stored it, MessageLost when that one is gone below which it belongs.
        """

    async def find(self, run: Run, key: str) -> str | None:
        """The ts of our own message that carries `key`, or the id of the file that was attached for it, looked for in
        the history since the run was opened; None when it is not there.
        """

    async def redraw(self, run: Run, post: Post, ts: str, headway: Headway | None, head: tuple[int, str]) -> None:
        """Edits the message to what the run is now. Idempotent. Raises MessageLost."""

    async def pin(self, ts: str) -> Finding | None:
        """None once it is pinned, else what keeps it from that: no reason to stop. Idempotent. Raises MessageLost."""

    async def leave_reminder(self, run: Run) -> str | Finding:
        """Leaves a message that is posted at `run.reminder.post_at`; its id, or what keeps it from being left: no
        reason to stop. Raises OutcomeUnknown when it may have been left.
        """

    async def find_reminder(self, run: Run) -> str | Finding | None:
        """The id of the one that was left for that time, "" when it is in the channel already; None when there is
        none, and a finding when that is not known.
        """

    async def permission(self, user: str, team: str, approvers: Sequence[str], groups: Sequence[str]) -> Permission:
        """Whether the person is one of the approvers, or in one of the user groups. Asked of Slack now, no cache.
        Never raises for Slack's sake: `known=False` when it did not answer.
        """

    def missed(self, run: Run) -> AsyncIterator[Hear]:
        """Plain human messages in the channel and in this run's threads since the header was posted, oldest first.
        Each is given at least once; what was given before may be left out. What could be read is given even when
        something else could not, and then the trouble is raised.
        """


Attachment = Callable[[Run], Awaitable[bytes]]
"""The list of users to fix, as the file that is attached: it holds no address. Raises CutoverError where it is not what
the run wrote.
"""


class Onlooker(Protocol):
    """Whoever looks on at the machine that the bot runs on. Quick, and never raises."""

    def saw(self, run: Run, events: Sequence[Event]) -> None:
        """After every decision that changed something, with the run as it is then; at the beginning without events."""

    def hear(self, progress: Progress) -> None:
        """Whatever the work at hand reports, often, in whichever thread it is done."""

    def named(self, channel: str) -> None:
        """How people call the channel of the run; given before anything is seen."""


class Door(Protocol):
    """The conductor as a timer sees it: the run as it is, and the one way to change it."""

    run: Run
    on_change: Callable[[Run], None]
    """Called after every event, with the run as it is then."""

    def dispatch(self, command: Command) -> bool:
        """True when something followed."""

    def fail(self, error: BaseException) -> None:
        """Ends the process with this error, at a safe point."""

    def redraw_header(self) -> None:
        """Show the newest progress when the channel is free."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """`frozen` when all layers of the freeze are set; `database_time` is the database's clock."""

    frozen: bool
    database_time: datetime


class ThawRecord(BaseModel):
    """What a thaw did without the bot, as it is in `thaw.json`; `thawed_at` is by the clock of its machine, and
    `restored_at` by the database's, from just before it restored what was set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=True)

    thawed_at: AwareDatetime
    findings: tuple[Finding, ...]
    restored_at: AwareDatetime | None = None


@dataclass(frozen=True, kw_only=True)
class Moved:
    """`changes` are clauses naming table and kind, empty when nothing moved; `to` is what the source is now."""

    changes: tuple[str, ...]
    to: MovedTo


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """The hard guard as it is: `since` is the database's clock, `unguarded` are tables that could not be locked."""

    since: datetime
    tables: int
    unguarded: tuple[str, ...]


class Source(Protocol):
    async def look(self) -> Look:
        """Cheap (about a round trip). Until a freeze is in place it also rewrites `freeze-prior.json`."""

    async def renew(self, run: Run) -> None:
        """Opens our long-lived sessions anew, because those from before the freeze count as old. Raises LockHeld when
        another took the lock.
        """

    async def drift(self, run: Run) -> Moved:
        """What has moved since the last drift (`run.moved_to`), or since the freeze record (`run.freeze`)."""

    async def guard(self) -> Guarded:
        """Holds the hard guard, and keeps it held: to be asked at least every half minute. Raises CutoverError when it
        is not held, naming who keeps it out.
        """

    async def unguard(self) -> None:
        """Gives its locks back."""

    async def freeze(self) -> Sequence[Finding]:
        """Freezes as the kit does and ends older sessions, ours too, one by one. Safe to repeat. A failing finding
        means that it is not in place, or that a session is left that can write. Raises CutoverError when nothing was
        frozen.
        """

    async def thaw(self) -> Sequence[Finding]:
        """Restores what was before the freeze, ends sessions, and proves by writes that touch no row that writing
        works. Safe to repeat.
        """

    async def thawed_elsewhere(self, since: datetime) -> ThawRecord | None:
        """The last thaw that `cutover thaw` did in this data directory without the bot, if it was after `since`. Asks
        nobody but the disk.
        """


Examiner = Callable[[Run, Report], AsyncIterator[Finding]]
"""Asks the world and yields findings as it gets them; read-only. What it cannot find out is a failing finding or a
CutoverError, never a pass.
"""

StepWork = Callable[[Run, Report], Awaitable[StepResult]]
"""Does the step from wherever an earlier, cut-off attempt left it. Cancelled (asyncio) at any await, it leaves what
the next attempt can go on from.
"""

Examiners = Mapping[str, Examiner]
Steps = Mapping[str, StepWork]
