"""Who looks on while `cutover run` works: a person at a terminal, or a program that reads its log.

    Narrator        for people: a line for what has happened, one for what is waited for and what Ctrl-C would mean, and
                    below them, where the terminal can draw over it, how far the work is
    ProgressLog     for programs: what happens is in the log already, and the progress of long work joins it there

Both hear of the run from the conductor (`bot.ports.Onlooker`). A terminal that goes away stops no night: what cannot be
written is dropped, and the channel and the journal have it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

import structlog

from bot.commands.show import SECONDS_BETWEEN_LINES, Ticker
from bot.plan.events import Event
from bot.plan.run import Phase, Run
from bot.plan.text import Text, plain
from bot.plan.texts import narration
from bot.ports import Progress
from bot.progress import Gauge

log = structlog.get_logger("cutover")

_WORKS = frozenset({Phase.VERIFYING, Phase.RUNNING})
_ELSEWHERE = "the channel"


class Narrator:
    """`ticker` is where it is said, entered already."""

    def __init__(self, ticker: Ticker) -> None:
        self._ticker = ticker
        self._channel = _ELSEWHERE
        self._is_introduced = False
        self._works = False
        self._now = ""
        self._turn = Lock()
        """A report that comes from another thread when the work has just ended must not be drawn."""

    def named(self, channel: str) -> None:
        self._channel = channel

    def saw(self, run: Run, events: Sequence[Event]) -> None:
        with self._turn, contextlib.suppress(OSError, ValueError):
            self._saw(run, events)

    def _saw(self, run: Run, events: Sequence[Event]) -> None:
        if not self._is_introduced:
            self._is_introduced = True
            self._ticker.rest()
            self._say(run.last_at, narration.head(run))
        self._works = run.phase in _WORKS
        if not self._works:
            self._ticker.rest()
        for event in events:
            for text in narration.told(event, run):
                self._say(event.at, text)
        now = narration.now(run, self._channel)
        if now and plain(now) != self._now:
            self._now = plain(now)
            self._say(run.last_at, now)

    def _say(self, at: datetime, text: Text) -> None:
        self._ticker.say(f"{at:%H:%M:%S}  {plain(text)}")

    def hear(self, progress: Progress) -> None:
        with self._turn, contextlib.suppress(OSError, ValueError):
            if self._works:
                self._ticker.hear(progress)


class ProgressLog:
    """A line in the log now and then, with the numbers as they are; none when `quiet`."""

    def __init__(self, *, quiet: bool, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds and never goes back."""
        self._quiet = quiet
        self._clock = clock
        self._gauge = Gauge()
        self._next_at: float | None = None

    def named(self, channel: str) -> None:
        """The log has the ids of things."""

    def saw(self, run: Run, events: Sequence[Event]) -> None:
        """The conductor has logged it."""

    def hear(self, progress: Progress) -> None:
        now = self._clock()
        self._gauge.hear(progress, now)
        if self._quiet or (self._next_at is not None and now < self._next_at):
            return
        self._next_at = now + SECONDS_BETWEEN_LINES
        log.info("progress", **self._numbers(now))

    def _numbers(self, now: float) -> dict[str, Any]:
        headway = self._gauge.headway(now)
        assert headway is not None
        progress = headway.progress
        told: dict[str, Any] = {"step": progress.step, "done": progress.done, "unit": progress.unit}
        if progress.total:
            told["total"] = progress.total
        if headway.per_second is not None:
            told["per_second"] = round(headway.per_second, 1)
        if headway.seconds_left is not None:
            told["seconds_left"] = round(headway.seconds_left)
        return told
