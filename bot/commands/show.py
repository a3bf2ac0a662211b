"""How findings and progress are shown in the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Self

from rich.console import Console
from rich.text import Text

from bot.plan.findings import Finding, Verdict
from bot.ports import Progress
from bot.progress import Gauge, in_words
from bot.terminal import below, shown, tell

SECONDS_BETWEEN_LINES = 10.0
"""Between two reports of the same work, where none can be drawn over."""
MARKS = {Verdict.PASS: ("pass", "green"), Verdict.WARN: ("warn", "yellow"), Verdict.FAIL: ("FAIL", "bold red")}


def show(findings: Iterable[Finding], console: Console | None = None) -> None:
    """Each sentence on a line of its own, uncut and not broken, so that paths and SQL in it can be copied; a terminal
    breaks it where it ends. What fails stands out by its colour there.
    """
    console = console or Console(highlight=False, markup=False, soft_wrap=True)
    for finding in findings:
        mark, style = MARKS[finding.verdict]
        said = f"  {finding.check}  {below(finding.evidence)}"
        fix = f"\n      → {below(finding.fix)}" if finding.fix else ""
        if console.is_terminal:
            console.print(Text.assemble((f"{mark:<4}", style), shown(f"{said}{fix}")))
        else:
            tell(f"{mark:<4}{said}{fix}", flush=True)


class Ticker:
    """Shows on stderr how far the work is, while the context lasts: on a terminal one line that is drawn over, for a
    file or another program a line of its own now and then, and one soon after something else begins.
    """

    _SECONDS_ON_A_TERMINAL = 0.25
    _SECONDS_TO_ANOTHER_STEP = 3.0

    def __init__(
        self,
        beginning: str,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        quiet: bool = False,
    ) -> None:
        """`beginning` is shown until the work says something; `clock` gives seconds and never goes back. When `quiet`,
        only `say` shows anything.
        """
        self._console = console or Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self._clock = clock
        self._quiet = quiet
        self._gauge = Gauge()
        self._step = ""
        self._drawn_at: float | None = None
        spinner = "dots" if self._console.encoding.startswith("utf") else "line"
        line = self._console.status(beginning, spinner=spinner, refresh_per_second=4)
        self._line = line if self._console.is_terminal and not quiet else None

    def hear(self, progress: Progress) -> None:
        """May be called from any thread."""
        now = self._clock()
        self._gauge.hear(progress, now)
        if self._quiet or not self._is_due(progress, now):
            return
        self._step, self._drawn_at = progress.step, now
        headway = self._gauge.headway(now)
        said = shown(f"{progress.step}: {in_words(headway)}") if headway else ""
        if self._line is None:
            self._console.print(said)
        else:
            self._line.update(Text(said))
            self._line.start()

    def _is_due(self, progress: Progress, now: float) -> bool:
        if self._drawn_at is None:
            return True
        if self._line is not None:
            return progress.step != self._step or now - self._drawn_at >= self._SECONDS_ON_A_TERMINAL
        every = SECONDS_BETWEEN_LINES if progress.step == self._step else self._SECONDS_TO_ANOTHER_STEP
        return now - self._drawn_at >= every

    def say(self, text: str) -> None:
        """A line that stays, above the one that is drawn over."""
        self._console.print(shown(below(text)))

    def rest(self) -> None:
        """Draws nothing until the work says something again."""
        if self._line is not None:
            self._line.stop()
        self._drawn_at = None

    def __enter__(self) -> Self:
        if self._line is not None:
            self._line.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            self._line.stop()
