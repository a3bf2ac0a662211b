"""The window: for how long users can be kept out, how much of it is left, and whether the night still fits. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.plan.run import Run

TOLD_AT = (50, 80, 100)
"""Per cent of the window."""


def passes_at(run: Run, percent: int) -> datetime | None:
    """When so many per cent of the window have passed; None while no window runs."""
    minutes = run.opened.rules.window_minutes
    if minutes is None or run.frozen_at is None:
        return None
    return run.frozen_at + timedelta(minutes=minutes) * percent / 100


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


def time_left(run: Run, now: datetime) -> float:
    """Seconds until the window ends; below 0 when it is over."""
    end = passes_at(run, 100)
    assert end is not None
    return (end - now).total_seconds()


def time_needed(run: Run) -> float | None:
    """Seconds of work that are still to come, by the practice's pace; None where none of this source was taken."""
    opened = run.opened
    practice = opened.practice
    if practice is None or not practice.is_of(opened.parties.source_ref, opened.parties.source_database):
        return None
    needed = practice.time_needed
    return sum(seconds for step, seconds in needed.by_step.items() if step not in run.results)
