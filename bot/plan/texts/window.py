"""The sentences about the window: how long it is, and what answers and announces that it was lengthened."""

from __future__ import annotations

from datetime import datetime

from bot.plan import window
from bot.plan.run import Run
from bot.plan.text import Person, Text, joined, say
from bot.plan.texts.amounts import duration, number


def span(run: Run) -> Text:
    """As a clause; empty where there is no window, or it is over because users are let in."""
    minutes = window.minutes(run)
    if minutes is None or run.is_window_over:
        return Text()
    length = say("{length} from the freeze on", length=duration(minutes * 60))
    end = window.passes_at(run, 100)
    return joined([length, say("until {end}", end=_at(end))], by=", ") if end is not None else length


def status(run: Run, now: datetime) -> Text:
    """As a sentence; empty like the clause."""
    if not (length := span(run)):
        return Text()
    left = window.seconds_left(run, now)
    if left is None:
        return say("Window: {length}.", length=length)
    return say("Window: {length}; {left}.", length=length, left=f"{duration(left)} left" if left > 0 else "it is over")


def lengthened(minutes: int) -> Text:
    return say("The window is {length} from the freeze on now. Recorded under your name.", length=_both(minutes))


def out_of_bounds(run: Run, least: int, now: datetime) -> Text:
    minutes, passed = window.minutes(run), window.minutes_passed(run, now)
    return say(
        "Nothing was changed: say `window MINUTES` with a whole number from {least} to {most}, counted from the freeze "
        "on{passed}. The window is {length} now.",
        least=number(least),
        most=number(window.LONGEST_MINUTES),
        passed=f", of which {number(passed)} have passed" if passed else "",
        length=_both(minutes) if minutes is not None else "not limited",
    )


def over() -> Text:
    return say("Nothing was changed: the window is over, since what users were kept out for is done.")


def told(run: Run, user: str, before: int | None, now: datetime) -> Text:
    """In the channel at once, once the run has the new one."""
    left, needed = window.seconds_left(run, now), window.time_needed(run)
    return joined(
        [
            say("*The window is now {length}*{was}.", length=span(run), was=_was(before)),
            say("{who} said so.", who=Person(user)),
            f"{duration(left)} left." if left is not None and left > 0 else "",
            say("The remaining work needs about {needed} by the practice.", needed=duration(needed))
            if needed is not None
            else "",
        ]
    )


def _was(before: int | None) -> str:
    return f" (it was {duration(before * 60)})" if before is not None else ""


def _both(minutes: int) -> str:
    length = duration(minutes * 60)
    return length if length.endswith(" min") else f"{length} ({number(minutes)} minutes)"


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
