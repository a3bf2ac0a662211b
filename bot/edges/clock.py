"""The time. Whoever needs it is given a clock, so that a test or a rehearsal can give another."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _wall() -> datetime:
    return datetime.now(UTC)


def _steady() -> float:
    """Seconds that only go on: while the machine sleeps too, where the system can say it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SystemClock:
    """What the clock on the wall said when this one was made, and the seconds since then: a wall clock that is set
    back or ahead meanwhile, by a person or a time server, moves neither the journal's times nor what is due.
    """

    def __init__(self, wall: Callable[[], datetime] = _wall, steady: Callable[[], float] = _steady) -> None:
        self._began, self._began_steady, self._steady = wall(), steady(), steady

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self._steady() - self._began_steady)
