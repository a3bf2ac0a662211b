"""The chores of the timers: they look, sweep and remind, and tell the conductor what they saw. They decide nothing.

Which timers are armed follows from the run (`bot.plan.timetable`) after every event, so that a restart arms the same
ones; `bot.timers` keeps their time. A look that fails, or that the source does not answer in time, is reported when it
has failed three times running, since a watch that cannot see must not look like one that sees nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog

from bot.errors import CutoverError, LockHeld, ServiceError
from bot.plan import inputs as say
from bot.plan.run import Run
from bot.plan.texts.foreign import capitalized
from bot.plan.timetable import Chore, Timer, timers
from bot.ports import Channel, Clock, Door, Source
from bot.timers import Timers

log = structlog.get_logger("cutover.watch")

_BLIND_AFTER = 3


class Watch:
    def __init__(
        self, conductor: Door, *, source: Source, channel: Channel, clock: Clock, remind_after: timedelta
    ) -> None:
        """`clock` is the conductor's."""
        self._conductor = conductor
        self._source = source
        self._channel = channel
        self._remind_after = remind_after
        self._timers = Timers(self.fire, clock.now)
        self._misses = 0
        self._renewed = True
        """No session of ours is from before the freeze that was seen; one of the time before would count as old."""
        self._aside: set[asyncio.Task[None]] = set()
        self.on_unheard: Callable[[str], None] = lambda ts: None
        """Called with the ts of each message that a sweep of the timer's had to find."""
        self._chores: Mapping[Chore, Callable[[Timer], Awaitable[None]]] = {
            "look": self._look,
            "watch": self._watch,
            "thaw-record": self._read_thaw_record,
            "sweep": self._sweep,
            "redraw": self._redraw,
            "remind": self._remind,
            "window": self._window,
            "guard": self._guard,
        }

    def start(self) -> None:
        self._timers.start()
        self._conductor.on_change = self._arm
        self._arm(self._conductor.run)
        if self._timers.is_armed("watch"):
            # Nobody watched while the bot was away: what moved then is reported now, not after the first interval.
            self._timers.hasten("watch")

    def stop(self) -> None:
        self._timers.stop()
        for task in self._aside:
            task.cancel()

    def sweep_soon(self) -> None:
        """Returns at once."""
        self._set_aside(self.sweep())

    async def sweep(self) -> Sequence[str]:
        """Hears what was said while nobody listened; what was heard before changes nothing. The ts of what is new."""
        new: list[str] = []
        try:
            async for message in self._channel.missed(self._conductor.run):
                if self._conductor.dispatch(message):
                    new.append(message.ts)  # noqa: PERF401 - what came before a failure was heard
        except ServiceError as error:
            log.warning("not all that was said could be read", why=str(error))
        return new

    def _arm(self, run: Run) -> None:
        was_guarded = self._timers.is_armed("guard")
        self._timers.arm(timers(run, self._remind_after))
        if was_guarded and not self._timers.is_armed("guard"):
            self._set_aside(self._source.unguard())

    def _set_aside(self, doing: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(self._unfailing(doing))
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def fire(self, timer: Timer) -> None:
        """Does the chore of a timer that is due."""
        await self._unfailing(self._chores[timer.chore](timer))

    async def _unfailing(self, doing: Awaitable[object]) -> None:
        try:
            await doing
        except Exception as error:  # noqa: BLE001  # the loop that reports it
            # Whoever keeps the time would drop it: a watch that dies silently is worse than a bot that stops.
            self._conductor.fail(error)

    async def _sweep(self, timer: Timer) -> None:
        for ts in await self.sweep():
            self.on_unheard(ts)

    async def _read_thaw_record(self, timer: Timer) -> None:
        await self._thawed_elsewhere()

    async def _thawed_elsewhere(self) -> None:
        """A thaw beside the bot is reported as what it is, before it is seen as a source that moves."""
        run = self._conductor.run
        record = await self._source.thawed_elsewhere(run.thawed_at or run.opened.at)
        if record is not None:
            self._conductor.dispatch(
                say.ReportThaw(thawed_at=record.thawed_at, findings=record.findings, restored_at=record.restored_at)
            )

    async def _look(self, timer: Timer) -> None:
        try:
            look = await self._source.look()
        except CutoverError as error:
            self._conductor.dispatch(say.MissLook())
            self._missed(error)
            return
        self._saw()
        if self._conductor.dispatch(say.ReportLook(frozen=look.frozen, database_time=look.database_time)):
            self._renewed = not look.frozen
        if not self._renewed:
            await self._renew()

    async def _renew(self) -> None:
        try:
            await self._source.renew(self._conductor.run)
            self._renewed = True
        except LockHeld as error:
            self._conductor.fail(error)
        except CutoverError as error:
            log.warning("sessions could not be renewed; the next look tries again", why=str(error))

    async def _watch(self, timer: Timer) -> None:
        await self._thawed_elsewhere()
        run = self._conductor.run
        if run.freeze is None or not run.watched:
            return
        try:
            moved = await self._source.drift(run)
        except LockHeld as error:
            self._conductor.fail(error)
            return
        except CutoverError as error:
            self._missed(error)
            return
        self._saw()
        now = self._conductor.run
        if now.freeze is run.freeze and now.moved_to is run.moved_to:  # else it was compared with what is no more
            self._conductor.dispatch(say.ReportDrift(changes=moved.changes, moved_to=moved.to))

    async def _redraw(self, timer: Timer) -> None:
        self._conductor.redraw_header()

    async def _remind(self, timer: Timer) -> None:
        self._conductor.dispatch(say.Remind(after=self._remind_after))

    async def _guard(self, timer: Timer) -> None:
        try:
            held = await self._source.guard()
        except CutoverError as error:
            why = capitalized(str(error))
            self._conductor.dispatch(say.ReportGuard(since=None, why=why))
            return
        if not self._conductor.run.guarded:  # it was taken too late to be wanted
            await self._source.unguard()
            return
        self._conductor.dispatch(say.ReportGuard(since=held.since, tables=held.tables, unguarded=held.unguarded))

    async def _window(self, timer: Timer) -> None:
        self._conductor.dispatch(say.TellWindow())

    def _missed(self, error: CutoverError) -> None:
        self._misses += 1
        log.warning("the freeze could not be looked at", times=self._misses, why=str(error))
        if self._misses >= _BLIND_AFTER:
            self._conductor.dispatch(say.ReportBlindness(why=capitalized(str(error))))

    def _saw(self) -> None:
        self._misses = 0
        if self._conductor.run.blind:
            self._conductor.dispatch(say.ReportBlindness(why=""))
