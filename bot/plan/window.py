"""The window: for how long users can be kept out, how much of it is left, and whether the night still fits. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.plan.run import Run

TOLD_AT = (50, 80, 100)
"""Per cent of the window."""
LONGEST_MINUTES = 100_000


def minutes(run: Run) -> int | None:
    """How long the window is, as somebody lengthened it last or as the run was opened; None where none was set."""
    return run.lengthenings[-1].minutes if run.lengthenings else run.opened.rules.window_minutes


def minutes_passed(run: Run, now: datetime) -> int:
    """Whole ones since the freeze was proven; 0 before that."""
    return 0 if run.frozen_at is None else max(0, int((now - run.frozen_at).total_seconds() // 60))


def shortest_minutes(run: Run, now: datetime) -> int:
    """What the window may be set to at the least: no less than was agreed when the run was opened, and more than has
    passed.
    """
    return max(run.opened.rules.window_minutes or 1, minutes_passed(run, now) + 1)


def passes_at(run: Run, percent: int) -> datetime | None:
    """When so many per cent of the window have passed; None while no window runs."""
    length = minutes(run)
    if length is None or run.frozen_at is None:
        return None
    return run.frozen_at + timedelta(minutes=length) * percent / 100


def passed(run: Run, now: datetime) -> int:
    """The largest of `TOLD_AT` that has passed; 0 before the first, and when the window is over."""
    if run.is_window_over:
        return 0
    return max((p for p in TOLD_AT if (at := passes_at(run, p)) is not None and at <= now), default=0)


def next_told(run: Run) -> datetime | None:
    """When the next part of the window will have passed; None when there is none, or the window is over."""
    if run.is_window_over:
        return None
    untold = (passes_at(run, percent) for percent in TOLD_AT if percent > run.window_told)
    return next((at for at in untold if at is not None), None)


def seconds_left(run: Run, now: datetime) -> float | None:
    """Until the window ends; below 0 when it is over, None while no window runs."""
    end = passes_at(run, 100)
    return None if end is None else (end - now).total_seconds()


def time_needed(run: Run) -> float | None:
    """Seconds of work that are still to come, by the practice's pace; None where none of this source was taken."""
    opened = run.opened
    practice = opened.practice
    if practice is None or not practice.is_of(opened.parties.source_ref, opened.parties.source_database):
        return None
    needed = practice.time_needed
    return sum(seconds for step, seconds in needed.by_step.items() if step not in run.results)
