"""A world in memory for the conductor: disk, channel, source, examiners and steps that implement its ports, people who
say what is next, and time that jumps to whenever something happens next.

Every effect goes through `World.effect`, where it can be made to fail, or the process to die, before it had its effect
or after. A world outlives the conductors in it, as disk and Slack outlive a process.
"""

import asyncio
import selectors
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from bot.conductor import Conductor
from bot.errors import CutoverError, MessageLost, OutcomeUnknown, ServiceUnreachable, UsageError
from bot.obstacles import DATABASE_AWAY
from bot.plan import display
from bot.plan.actions import settled
from bot.plan.decide import decide
from bot.plan.events import Event, MovedTo
from bot.plan.findings import Finding, passed
from bot.plan.fold import after, fold
from bot.plan.inputs import Hear, Permission, Refusal, TakeUp
from bot.plan.posts import Post
from bot.plan.results import StepResult
from bot.plan.run import Phase, Run
from bot.ports import Guarded, Headway, Look, Moved, Progress, Record, Report, ThawRecord
from bot.watch import Watch
from tests.plan.histories import ANN, BOT, START, Night, good_findings, night_at, permission_of, result_of, spoken

_T = TypeVar("_T")


class SupportsBool(Protocol):
    def __bool__(self) -> bool: ...


LOST = OutcomeUnknown("nobody answered", unchanged="it may have been done", do="look")
LOST_MESSAGE = MessageLost("a message is gone", unchanged="nothing was changed", do="look")
AWAY = ServiceUnreachable(
    "it could not be reached", unchanged="nothing was changed", do="fix the network", obstacle=DATABASE_AWAY
)


# -- time that jumps --------------------------------------------------------------------------------------------------


class _Jumping(selectors.DefaultSelector):
    """Never waits: when nothing is ready, it is as late as it would be after waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits, and nothing would ever happen"
            self.now += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def turning(play: Coroutine[Any, Any, _T]) -> _T:
    """Runs it in time that jumps: what waits for a minute is there at once."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(play)


async def until(condition: Callable[[], bool]) -> None:
    """Looks now and then; in time that jumps this costs nothing, and what never comes ends in an error."""
    async with asyncio.timeout(3600):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


# -- the world --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trouble:
    """What meets the `nth` effect of this kind, counted from 1: before it happens or after, with an error, or the
    process dies of it.
    """

    effect: str
    nth: int
    happens: bool
    deadly: bool


class Died(BaseException):
    """The process is gone at once, as by SIGKILL."""


class World:
    """`place` is where its night has come to (`tests.plan.histories.PLACES`), or the night itself."""

    def __init__(self, place: str | Night = "opened", trouble: Trouble | None = None) -> None:
        night = night_at(place) if isinstance(place, str) else place
        self.disk: list[Event] = list(night.events)
        self.full: SupportsBool = False
        self.now = night.now
        self.trouble = trouble
        self.effects: Counter[str] = Counter()
        self.sorts: dict[str, list[str]] = {}
        """By effect, of what sort each was: the kind of a post, the gate that was examined, the events of an append."""
        self.posted: list[str] = []
        """Keys, in the order of posting."""
        self.deleted: list[str] = []
        """Keys of posts that somebody deleted."""
        self.shown: dict[str, str] = {}
        """By key the state that a post displays."""
        self.progress: list[Headway | None] = []
        """What each edit showed."""
        self.pins: list[str] = [d.ts for d in list(night.run.deliveries.values())[:1] if night.run.pinned]
        self.reminders: list[datetime] = [
            at for at in [night.run.reminder.post_at] if at and night.run.reminder.settled
        ]
        """When each message that was left for later is to be posted."""
        self.reminder_refused: Finding | None = None
        """What the channel answers instead of keeping one."""
        self.pin_refused: Finding | None = None
        """What the channel answers instead of pinning."""
        self.always: dict[str, tuple[float, CutoverError]] = {}
        """By effect, or by effect and post (`post KEY`), the error that meets it each time, after so many seconds."""
        self.times: dict[str, float] = {}
        """When each post was posted, by the loop's clock."""
        self.edited: list[tuple[str, float]] = []
        """What was edited, or was to be, and when it began."""
        self.log: list[str] = []
        self.looks: list[Look | CutoverError] = [Look(frozen=False, database_time=START)]
        """The answers to come; the last one is given again and again."""
        self.renewing: CutoverError | None = None
        """What the source answers when our sessions are to be renewed."""
        self.thaw_record: ThawRecord | None = None
        self.guarding: Guarded | CutoverError = Guarded(since=START, tables=3, unguarded=())
        """The state of the hard guard when it is asked."""
        self.said: list[Hear] = []
        """What the history of the channel holds."""
        self.changes: Callable[[Run], Awaitable[Sequence[str]]] = _nothing_moved
        self.moved_to = MovedTo(baseline={})
        self.findings: dict[str, Callable[[], Finding]] = {}
        self.examiners: dict[str, Callable[[Run, Report], AsyncIterator[Finding]]] = {}
        self.steps: dict[str, Callable[[Report], Awaitable[StepResult]]] = {}
        self._died = False
        self._ts = {d.post.key: d.ts for d in night.run.deliveries.values() if d.ts}
        for delivery in night.run.deliveries.values():
            if delivery.ts:
                self.posted.append(delivery.post.key)
                self.shown[delivery.post.key] = delivery.shown

    # What may go wrong

    def _meets(self, effect: str, *, happens: bool) -> bool:
        if self._died:
            raise Died
        trouble = self.trouble
        if trouble is None or (trouble.effect, trouble.nth, trouble.happens) != (effect, self.effects[effect], happens):
            return False
        if trouble.deadly:
            self._died = True
            raise Died
        return True

    def counts(self, effect: str, sort: str) -> None:
        self.effects[effect] += 1
        self.sorts.setdefault(effect, []).append(sort)

    async def effect(self, name: str, do: Callable[[], _T], error: CutoverError, *, of: str = "", sort: str = "") -> _T:
        """Does it, unless there is trouble before; and answers, unless there is trouble after. `of` is a post's key."""
        self.counts(name, sort)
        for place in (name, f"{name} {of}"):
            if place in self.always:
                seconds, trouble = self.always[place]
                await asyncio.sleep(seconds)
                raise trouble
        await asyncio.sleep(0.1)
        if self._meets(name, happens=False):
            raise error
        result = do()
        if self._meets(name, happens=True):
            raise error
        return result

    # Clock

    def clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def new_ts(self) -> str:
        return f"{int(self.clock().timestamp())}.000200"

    # The channel

    def shows(self, key: str, ts: str) -> bool:
        return self._ts.get(key) == ts

    def delete(self, key: str) -> None:
        """Somebody deletes the post; its pin goes with it."""
        ts = self._ts.pop(key)
        self.pins = [pin for pin in self.pins if pin != ts]
        self.deleted.append(key)

    # A process

    def opened(self) -> tuple[Record, Run]:
        """The disk as a process that starts finds it, and the run that it holds."""
        run = fold(self.disk)
        assert run is not None
        return _Disk(self), run

    def keep(self, events: Sequence[Event]) -> None:
        """What a process that starts writes first, and nothing meets it."""
        self.disk.extend(events)

    def conductor(self, *, once: bool = True) -> Conductor:
        """As after a start: the run is what the disk says, taken up."""
        record, run = self.opened()
        taken_up = decide(run, TakeUp(), self.clock())
        assert not isinstance(taken_up, Refusal)
        self.keep(taken_up)
        return Conductor(
            after(run, *taken_up),
            record=record,
            channel=_Channel(self),
            source=_Source(self),
            examiners=_Examiners(self),
            steps=_Steps(self),
            clock=_Clock(self),
            once=once,
        )

    def watch(self, conductor: Conductor) -> Watch:
        """Not started: nothing is due but what a test says is."""
        remind_after = timedelta(minutes=15)
        return Watch(
            conductor, source=_Source(self), channel=_Channel(self), clock=_Clock(self), remind_after=remind_after
        )

    def hears(self, conductor: Conductor, text: str, user: str = ANN) -> str:
        ts = self.new_ts()
        conductor.dispatch(Hear(ts=ts, user=user, team="T0", thread_ts=None, **spoken(text)))
        return ts

    def with_people(self, conductor: Conductor) -> Conductor:
        """Ann says whatever brings the night on, whenever the channel shows that it waits for her."""

        def speak() -> None:
            try:
                say_what_is_next(conductor.run)
            except Died as death:
                conductor.fail(death)

        def say_what_is_next(run: Run) -> None:
            if not run.unanswered and (said := self.next_word(run)) is not None:
                self.hears(conductor, *said)

        conductor.on_change = lambda run: asyncio.get_running_loop().call_soon(speak) and None
        return conductor

    def next_word(self, run: Run) -> tuple[str, str] | None:
        """What somebody says now, and who; None while nobody has anything to say."""
        if run.phase is Phase.HELD:
            return f"<@{BOT}> retry", ANN
        if run.phase is Phase.WAITING and run.deliveries[run.gate_key].ts:
            reason = next(iter(run.open_reasons), None)
            return (f"<@{BOT}> accept {reason}" if reason else run.gate.signal), ANN
        return None

    async def play(self) -> tuple[int, Run]:
        """A night with people in it to its end, started again when the process dies: exit code and run."""
        for _ in range(3):
            conductor = self.with_people(self.conductor())
            try:
                async with asyncio.timeout(3600):
                    return await conductor.conduct(), conductor.run
            except Died:
                self._died = False
        raise AssertionError("it dies again and again")

    def check(self, run: Run) -> None:
        """The disk says what the run is, and the channel shows it: everything owed once, as it is now, and pinned."""
        assert fold(self.disk) == run
        assert settled(run)
        assert Counter(self.posted) == Counter([*run.deliveries, *self.deleted])
        assert self.shown == {
            key: display.displayed_state(run, delivery.post) for key, delivery in run.deliveries.items()
        }
        assert set(self.pins) == {next(iter(run.deliveries.values())).ts}
        assert self.reminders == ([run.reminder.post_at] if run.handover is not None else [])


async def _nothing_moved(run: Run) -> Sequence[str]:
    return ()


# -- the ports --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Clock:
    world: World

    def now(self) -> datetime:
        return self.world.clock()


@dataclass(frozen=True)
class _Disk:
    world: World

    def append(self, events: Sequence[Event]) -> None:
        world = self.world
        if world.full:
            raise UsageError("the disk is full", unchanged="nothing was added to it", do="make room")
        world.counts("append", " ".join(dict.fromkeys(event.type for event in events)))
        world._meets("append", happens=False)
        world.disk.extend(events)
        world._meets("append", happens=True)

    @property
    def head(self) -> tuple[int, str]:
        return len(self.world.disk), "f" * 64


@dataclass(frozen=True)
class _Channel:
    world: World

    async def post(self, run: Run, post: Post, headway: Headway | None, head: tuple[int, str]) -> str:
        displayed_state = display.displayed_state(run, post)
        parent = run.deliveries[post.thread] if post.thread is not None else None
        if parent is not None and parent.visible and not self.world.shows(parent.post.key, parent.ts):
            raise LOST_MESSAGE

        def store() -> str:
            ts = self.world.new_ts()
            self.world.posted.append(post.key)
            self.world.times[post.key] = asyncio.get_running_loop().time()
            self.world._ts[post.key] = ts
            self.world.shown[post.key] = displayed_state
            return ts

        return await self.world.effect("post", store, LOST, of=post.key, sort=post.kind)

    async def find(self, run: Run, key: str) -> str | None:
        return await self.world.effect("find", lambda: self.world._ts.get(key), AWAY)

    async def redraw(self, run: Run, post: Post, ts: str, headway: Headway | None, head: tuple[int, str]) -> None:
        if not self.world.shows(post.key, ts):
            raise LOST_MESSAGE
        displayed_state = display.displayed_state(run, post)
        self.world.edited.append((post.key, asyncio.get_running_loop().time()))

        def store() -> None:
            self.world.shown[post.key] = displayed_state
            self.world.progress.append(headway)

        await self.world.effect("redraw", store, LOST, of=post.key, sort=post.kind)

    async def pin(self, ts: str) -> Finding | None:
        if ts not in self.world._ts.values():
            raise LOST_MESSAGE
        if self.world.pin_refused is None:
            await self.world.effect("pin", lambda: self.world.pins.append(ts), LOST)
        return self.world.pin_refused

    async def leave_reminder(self, run: Run) -> str | Finding:
        at = run.reminder.post_at
        assert at is not None
        if self.world.reminder_refused is None:
            await self.world.effect("leave_reminder", lambda: self.world.reminders.append(at), LOST)
        return self.world.reminder_refused or f"Q{at.timestamp():.0f}"

    async def find_reminder(self, run: Run) -> str | Finding | None:
        at = run.reminder.post_at
        assert at is not None
        there = await self.world.effect("find_reminder", lambda: at in self.world.reminders, AWAY)
        return f"Q{at.timestamp():.0f}" if there else None

    async def permission(self, user: str, team: str, approvers: Sequence[str], groups: Sequence[str]) -> Permission:
        try:
            return await self.world.effect("permission", lambda: permission_of(user), AWAY)
        except CutoverError:
            return Permission(known=False, member=False, approver=False)

    async def missed(self, run: Run) -> AsyncIterator[Hear]:
        for message in await self.world.effect("missed", lambda: list(self.world.said), AWAY):
            yield message


@dataclass(frozen=True)
class _Source:
    world: World

    async def look(self) -> Look:
        looks = self.world.looks
        answer = looks.pop(0) if len(looks) > 1 else looks[0]
        if isinstance(answer, CutoverError):
            raise answer
        return answer

    async def renew(self, run: Run) -> None:
        if self.world.renewing is not None:
            raise self.world.renewing
        await self.world.effect("renew", lambda: self.world.log.append("sessions renewed"), AWAY)

    async def drift(self, run: Run) -> Moved:
        """As told, though it was told before: what the source is now is not looked at here."""
        return Moved(changes=tuple(await self.world.changes(run)), to=self.world.moved_to)

    async def guard(self) -> Guarded:
        if isinstance(self.world.guarding, CutoverError):
            raise self.world.guarding
        return self.world.guarding

    async def unguard(self) -> None:
        self.world.log.append("guard released")

    async def freeze(self) -> Sequence[Finding]:
        def frozen() -> list[Finding]:
            self.world.log.append("frozen")
            return [passed("freeze-applied", "The layers of the freeze stand.")]

        return await self.world.effect("freeze", frozen, AWAY)

    async def thaw(self) -> Sequence[Finding]:
        def thawed() -> list[Finding]:
            self.world.log.append("thawed")
            return [passed("thaw-writes", "A fresh session writes again.")]

        return await self.world.effect("thaw", thawed, AWAY)

    async def thawed_elsewhere(self, since: datetime) -> ThawRecord | None:
        record = self.world.thaw_record
        return record if record is not None and record.thawed_at > since else None


class _Examiners(dict[str, Any]):
    """By whatever name: finds what is good, unless the world has a finding under the name."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def __missing__(self, name: str) -> Any:
        if name in self._world.examiners:
            return self._world.examiners[name]

        async def examine(run: Run, report: Report) -> AsyncIterator[Finding]:
            good = next(f for f in good_findings(run.gate.name, self._world.now) if f.check == name)
            found = self._world.findings.get(name, lambda: good)
            yield await self._world.effect("examine", found, AWAY, sort=run.gate.name)

        return examine


class _Steps(dict[str, Any]):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def __missing__(self, name: str) -> Any:
        async def work(run: Run, report: Report) -> StepResult:
            if name in self._world.steps:
                return await self._world.steps[name](report)
            report(Progress(step=name, done=1, total=2, unit="parts"))
            result = await self._world.effect("step", lambda: result_of(name), AWAY, sort=name)
            self._world.log.append(f"{name} done")
            return result

        return work
