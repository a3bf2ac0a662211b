"""The watch's time: by clocks that people and time servers set, and by none of them."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import apscheduler.schedulers.base
import pytest

from bot.edges.clock import SystemClock
from bot.plan.timetable import SWEEP_EVERY, WATCH_EVERY, Timer
from bot.timers import Timers
from tests.conducting.worlds import turning

_BEGAN = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
_SWEEP = Timer(name="sweep", chore="sweep", every=SWEEP_EVERY)
_WATCH = Timer(name="watch", chore="watch", every=WATCH_EVERY)


class _Wall:
    """A clock on the wall that somebody sets while the time of the loop goes on."""

    def __init__(self) -> None:
        self.set_by = timedelta()

    def now(self) -> datetime:
        return _BEGAN + timedelta(seconds=asyncio.get_running_loop().time()) + self.set_by

    def hang_up_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """apscheduler, too, reads it."""
        wall = self

        class Read(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
                return wall.now()

        monkeypatch.setattr(apscheduler.schedulers.base, "datetime", Read)


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_wall_clock_that_is_set_neither_silences_nor_floods(monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """Hours back or ahead: what comes every half minute goes on so, and what has a date comes when so much time has
    passed, once for each time that it is due.
    """
    wall = _Wall()
    wall.hang_up_for(monkeypatch)
    came: dict[str, list[float]] = defaultdict(list)

    async def play() -> None:
        loop = asyncio.get_running_loop()
        clock = SystemClock(wall.now, loop.time)
        armed = [_SWEEP, _WATCH, *(Timer(name=f"remind/{n}", chore="remind", at=_at(n)) for n in (1, 2))]

        async def fire(timer: Timer) -> None:
            if timer.at is not None and timer.at > clock.now():
                return  # as the core decides it
            came[timer.name].append(loop.time())
            if timer.at is not None:
                armed.remove(timer)
                timers.arm(armed)

        timers = Timers(fire, clock.now)
        timers.start()
        timers.arm(armed)
        await asyncio.sleep(100)
        wall.set_by = timedelta(hours=hours)
        await asyncio.sleep(900)
        timers.stop()

    turning(play())
    for name in ("sweep", "watch"):
        assert came[name] == [30.0 * n for n in range(1, 34)]
    assert len(came["remind/1"]) == len(came["remind/2"]) == 1
    assert 300 <= came["remind/1"][0] <= 305
    assert 600 <= came["remind/2"][0] <= 605


def _at(n: int) -> datetime:
    return _BEGAN + timedelta(minutes=5 * n)


def test_the_bots_clock_goes_on_whatever_the_wall_says() -> None:
    """From what the wall clock said at the start, by the seconds since then."""
    wall, seconds = [_BEGAN], [1000.0]
    clock = SystemClock(lambda: wall[0], lambda: seconds[0])
    assert clock.now() == _BEGAN
    wall[0] -= timedelta(hours=2)
    seconds[0] += 60
    assert clock.now() == _BEGAN + timedelta(seconds=60)
    wall[0] += timedelta(hours=9)
    seconds[0] += 60
    assert clock.now() == _BEGAN + timedelta(seconds=120)


def test_an_interval_is_counted_from_the_end_of_the_last_turn_and_not_from_the_arming() -> None:
    """A timer that is disarmed and armed again all the time comes as often as one that is left alone."""
    ends: list[float] = []

    async def play() -> None:
        loop = asyncio.get_running_loop()

        async def slow(timer: Timer) -> None:
            await asyncio.sleep(7)
            ends.append(loop.time())

        timers = Timers(slow, lambda: _BEGAN)
        timers.start()
        for _ in range(60):
            timers.arm([_WATCH])
            await asyncio.sleep(1)
            timers.arm([])
            await asyncio.sleep(0.5)
            timers.arm([_WATCH])
            await asyncio.sleep(0.5)
        timers.stop()

    turning(play())
    assert ends == pytest.approx([37.0, 74.0, 111.0], abs=2.0)


def test_at_most_one_turn_is_under_way() -> None:
    """A turn that takes longer than its interval is waited for, also when the timer is armed anew meanwhile."""
    under_way, most, turns = 0, 0, 0

    async def play() -> None:
        async def slow(timer: Timer) -> None:
            nonlocal under_way, most, turns
            under_way += 1
            most, turns = max(most, under_way), turns + 1
            await asyncio.sleep(100)
            under_way -= 1

        timers = Timers(slow, lambda: _BEGAN)
        timers.start()
        for _ in range(50):
            timers.arm([_WATCH])
            timers.hasten("watch")
            await asyncio.sleep(5)
            timers.arm([])
        timers.arm([_WATCH])
        await asyncio.sleep(200)
        timers.stop()

    turning(play())
    assert most == 1
    assert turns >= 3
