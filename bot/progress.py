"""How fast the work at hand goes and how long it will still take, from what it says of itself. Pure: given the time.

    gauge = Gauge()
    gauge.hear(progress, now)            # as often as the work reports, and cheap
    headway = gauge.headway(now)         # whenever somebody looks
    in_words(headway)                    # "1,234,000 of 4,000,000 rows, 310,000/s, about 9 s left (reading orders)"

The speed is that of the last minute, so that a change is felt soon and forgotten soon. A second in which several times
as much was done as in the usual second of that minute counts only as several: after a restart those who are done with
already are passed by at once, and that says nothing about the others.

A step that begins, goes back, counts something else or stood still for longer than that minute is measured anew.
Nothing is promised that cannot be known: no speed before a few seconds have passed, and no time left while the total
is unknown, or reached already because it was an estimate.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from threading import Lock

from bot.plan.texts.amounts import done_of, duration, number, speed
from bot.ports import Headway, Progress

WINDOW_SECONDS = 60.0
_SLICE_SECONDS = 1.0
_SOONEST_SECONDS = 2.0
_LEAP = 4


class Gauge:
    """Hears one work at a time, from whichever thread that is done in. Times are seconds of any steady clock; memory
    does not grow with the reports.
    """

    def __init__(self, window_seconds: float = WINDOW_SECONDS) -> None:
        self._window = window_seconds
        self._progress: Progress | None = None
        self._since = 0.0
        self._slices: deque[tuple[float, int]] = deque()
        """When a slice of time began, and how much was done in it; slices in which nothing was done are missing."""
        self._turn = Lock()

    def hear(self, progress: Progress, now: float) -> None:
        with self._turn:
            self._hear(progress, now)

    def _hear(self, progress: Progress, now: float) -> None:
        last = self._progress
        self._progress = progress
        if last is None or (last.step, last.unit) != (progress.step, progress.unit) or progress.done < last.done:
            self._since = now
            self._slices.clear()
        elif gained := progress.done - last.done:
            self._gain(gained, now)

    def clear(self) -> None:
        """The work has ended."""
        with self._turn:
            self._progress = None

    def headway(self, now: float) -> Headway | None:
        """None when no work is under way."""
        with self._turn:
            return self._headway(now)

    def _headway(self, now: float) -> Headway | None:
        progress = self._progress
        if progress is None:
            return None
        per_second = self._per_second(now)
        to_do = progress.total - progress.done
        left = to_do / per_second if per_second and to_do > 0 else None
        return Headway(progress=progress, per_second=per_second, seconds_left=left)

    def _gain(self, gained: int, now: float) -> None:
        last = self._slices[-1][0] if self._slices else self._since
        if now - last > self._window:  # nobody knows how much of the pause this took
            self._since = now
            self._slices.clear()
        elif self._slices and now - last < _SLICE_SECONDS:
            began, before = self._slices.pop()
            self._slices.append((began, before + gained))
        else:
            self._slices.append((now, gained))
            self._forget(now)

    def _forget(self, now: float) -> None:
        while self._slices and now - self._slices[0][0] > self._window:
            self._slices.popleft()

    def _per_second(self, now: float) -> float | None:
        self._forget(now)
        watched = min(now - self._since, self._window)
        if watched < _SOONEST_SECONDS:
            return None
        if not self._slices:
            return 0.0 if watched >= self._window else None
        most = _LEAP * median(gained for _, gained in self._slices)
        return sum(min(gained, most) for _, gained in self._slices) / watched


def in_words(headway: Headway) -> str:
    """As a clause. Unit and note are as the work gave them."""
    progress = headway.progress
    note = f"({progress.note})" if progress.note else ""
    if not progress.done and not progress.total:
        return progress.note or f"no {progress.unit} so far"
    said = [_how_far(progress)]
    if headway.per_second == 0:
        said.append(f"nothing new for {duration(WINDOW_SECONDS)}")
    elif headway.per_second is not None:
        said.append(speed(headway.per_second, progress.unit))
    if headway.seconds_left is not None:
        said.append(f"about {duration(headway.seconds_left)} left")
    return f"{', '.join(said)} {note}".rstrip()


def _how_far(progress: Progress) -> str:
    done = done_of(progress.done, progress.unit)
    if not progress.total:
        return f"{done} so far"
    if progress.unit == "bytes":
        return f"{done} of {done_of(progress.total, progress.unit)}"
    return f"{number(progress.done)} of {done_of(progress.total, progress.unit)}"
