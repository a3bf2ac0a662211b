"""Keeps time for the watch: repeated chores by the loop's own clock, dated ones by apscheduler.

The clock on the wall may be set by people and by time servers, hours back or ahead; the loop's clock only goes on. What
has to come every so often is therefore counted by the loop's clock alone, from the end of its last turn, and arming a
timer anew does not begin its interval anew: whatever happens meanwhile, and however often, it comes.

apscheduler keeps dates by the clock on the wall. So it is given every few seconds how long each of them is still away,
by `now`, which must not jump either; a date that it calls too early is asked for and found not to be due, one that it
would call too late is given to it again.

    timers = Timers(fire, clock.now)
    timers.start()
    timers.arm(due)      # after every event; what is due no more is disarmed
    timers.stop()
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from bot.plan.timetable import Chore, Timer

_DATES_TOLD_EVERY_SECONDS = 5.0


class _Away(BaseTrigger):  # type: ignore[misc]  # apscheduler ships no types
    """Once, so long after apscheduler was given it, by whatever its clock says then."""

    def __init__(self, delay: timedelta) -> None:
        self._delay = max(delay, timedelta())

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        return now + self._delay if previous_fire_time is None else None


class Timers:
    """`fire` does a timer's chore and never raises; at most one turn of a timer is under way at a time."""

    def __init__(self, fire: Callable[[Timer], Awaitable[None]], now: Callable[[], datetime]) -> None:
        self._fire = fire
        self._now = now
        self._armed: dict[str, Timer] = {}
        self._coming: dict[str, asyncio.TimerHandle] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._since: dict[Chore, float] = {}
        """By chore, when its last turn ended, or it was first armed, by the loop's clock."""
        self._dates = AsyncIOScheduler(timezone=UTC)
        self._telling: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._dates.start()
        self._tell_dates()

    def stop(self) -> None:
        """Cuts off what is under way."""
        if self._telling is not None:
            self._telling.cancel()
        for handle in self._coming.values():
            handle.cancel()
        for task in self._under_way.values():
            task.cancel()
        self._armed.clear()
        self._dates.shutdown(wait=False)

    def arm(self, due: Iterable[Timer]) -> None:
        """These and no others. What is under way of one that is due no more goes on to its end."""
        before, self._armed = self._armed, {timer.name: timer for timer in due}
        for name in before.keys() - self._armed.keys():
            self._disarm(name)
        for name in self._armed.keys() - before.keys():
            timer = self._armed[name]
            if timer.every is None:
                self._tell_date(timer)
            else:
                self._come_in(timer, self._first_wait(timer, timer.every))

    def is_armed(self, name: str) -> bool:
        return name in self._armed

    def hasten(self, name: str) -> None:
        """An armed timer's next turn comes now."""
        self._come_in(self._armed[name], 0)

    def _first_wait(self, timer: Timer, every: timedelta) -> float:
        if timer.at_once:
            return 0
        now = asyncio.get_running_loop().time()
        return max(self._since.setdefault(timer.chore, now) + every.total_seconds() - now, 0)

    def _disarm(self, name: str) -> None:
        if (handle := self._coming.pop(name, None)) is not None:
            handle.cancel()
        if self._dates.get_job(name) is not None:
            self._dates.remove_job(name)

    # -- every so often -----------------------------------------------------------------------------------------------

    def _come_in(self, timer: Timer, seconds: float) -> None:
        if timer.name in self._under_way:  # its end arms the next turn
            return
        if (handle := self._coming.pop(timer.name, None)) is not None:
            handle.cancel()
        self._coming[timer.name] = asyncio.get_running_loop().call_later(seconds, self._begin, timer)

    def _begin(self, timer: Timer) -> None:
        self._coming.pop(timer.name, None)
        self._under_way[timer.name] = asyncio.create_task(self._turn(timer), name=f"watch/{timer.name}")

    async def _turn(self, timer: Timer) -> None:
        try:
            await self._fire(timer)
        finally:
            del self._under_way[timer.name]
            self._since[timer.chore] = asyncio.get_running_loop().time()
        if (again := self._armed.get(timer.name)) is not None and again.every is not None:
            self._come_in(again, again.every.total_seconds())

    # -- at a date ----------------------------------------------------------------------------------------------------

    def _tell_dates(self) -> None:
        for timer in self._armed.values():
            if timer.at is not None:
                self._tell_date(timer)
        loop = asyncio.get_running_loop()
        self._telling = loop.call_later(_DATES_TOLD_EVERY_SECONDS, self._tell_dates)

    def _tell_date(self, timer: Timer) -> None:
        assert timer.at is not None
        self._dates.add_job(
            self._fire,
            _Away(timer.at - self._now()),
            args=(timer,),
            id=timer.name,
            replace_existing=True,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )
