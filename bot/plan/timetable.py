"""Which timers should be armed, derived from the run: nothing about a timer is remembered, so a restart arms the same
ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bot.plan import window
from bot.plan.checklist import Checklist
from bot.plan.offer import Offer
from bot.plan.run import Phase, Run

LOOK_EVERY = timedelta(seconds=1)
"""So that the freeze time is known to about a second."""
WATCH_EVERY = timedelta(seconds=30)
GUARD_EVERY = timedelta(seconds=10)
"""The server ends a transaction that has been idle for a minute."""
THAW_RECORD_EVERY = timedelta(seconds=5)
"""It asks nobody but the disk, and waits neither for Slack nor for the source."""
SWEEP_EVERY = timedelta(seconds=30)
"""Whatever the run is at: a word that nobody heard may be `hold` or `abort`."""
REDRAW_EVERY = timedelta(seconds=2)

Chore = Literal["look", "watch", "thaw-record", "sweep", "redraw", "remind", "window", "guard"]


@dataclass(frozen=True, kw_only=True)
class Timer:
    """Either every so often, counted from the end of the last turn, or once, at an aware time. `name` is unique among
    the armed ones and changes when the timer must be armed anew. `at_once`: the first turn comes with the arming.
    """

    name: str
    chore: Chore
    every: timedelta | None = None
    at: datetime | None = None
    at_once: bool = False


def waits_for_people(run: Run) -> Offer | Checklist | None:
    """What of the gate at hand people are reminded of: its offer, before that its checklist."""
    if run.offer is not None:
        return run.offer
    return run.checklist if run.open_items else None


def reminders_due(waiting: Offer | Checklist, after: timedelta, now: datetime) -> int:
    """How many reminders what has waited till now has deserved: the first after `after`, the next after twice that,
    and so on; none where `after` is 0. A bot that was away sends the last of them only.
    """
    nth = 0
    while (at := _reminder_at(waiting, nth + 1, after)) is not None and at <= now:
        nth += 1
    return nth


def _reminder_at(waiting: Offer | Checklist, nth: int, after: timedelta) -> datetime | None:
    """None when it never comes: where `after` is 0, or at no date that a calendar has, since a gate that was reminded
    of every second for days may be taken up by a bot that is to wait for a year.
    """
    if not after:
        return None
    try:
        return waiting.at + after * int(2**nth - 1)
    except OverflowError:
        return None


def timers(run: Run, remind_after: timedelta) -> tuple[Timer, ...]:
    """The timers for the run as it is. A gate, or its checklist, is reminded of after `remind_after`, then after twice
    that, and so on; never where it is 0.
    """
    due: list[Timer] = []
    if _looks(run):
        due.append(Timer(name="look", chore="look", every=LOOK_EVERY, at_once=True))
    if _watches(run):
        due.append(Timer(name="watch", chore="watch", every=WATCH_EVERY))
    if run.guarded:
        due.append(Timer(name="guard", chore="guard", every=GUARD_EVERY, at_once=True))
    if run.phase is not Phase.ABORTED:
        due.append(Timer(name="thaw-record", chore="thaw-record", every=THAW_RECORD_EVERY, at_once=True))
        due.append(Timer(name="sweep", chore="sweep", every=SWEEP_EVERY))
    if run.phase in {Phase.RUNNING, Phase.VERIFYING}:
        due.append(Timer(name="redraw", chore="redraw", every=REDRAW_EVERY))
    if run.phase is Phase.WAITING and (waiting := waits_for_people(run)) is not None:
        nth = waiting.reminders + 1
        of = "checklist" if isinstance(waiting, Checklist) else "gate"
        if (at := _reminder_at(waiting, nth, remind_after)) is not None:
            name = f"remind/{of}/{waiting.checkpoint}/{waiting.number}/{nth}"
            due.append(Timer(name=name, chore="remind", at=at))
    if run.phase not in _UNDONE and (at := window.next_told(run)) is not None:
        due.append(Timer(name=f"window/{at.isoformat()}", chore="window", at=at))
    return tuple(due)


_UNDONE = frozenset({Phase.ABORTING, Phase.ABORTED, Phase.THAWING})


def _looks(run: Run) -> bool:
    """The freeze is waited for, also while the run is held: it comes and goes whatever people say to us. And while its
    gate is checked: somebody who lifts it meanwhile, and freezes again, would leave sessions that no check tells apart.
    """
    if run.freeze is not None or not run.gate.freezes:
        return False
    return run.phase in {Phase.WAITING, Phase.FREEZING, Phase.HELD, Phase.VERIFYING}


def _watches(run: Run) -> bool:
    """From the proof of the freeze until `release` or `thaw`, whatever the run is at: also while a gate is checked, and
    after a drift, which ends no watch.
    """
    if run.freeze is None or not run.watched:
        return False
    return run.phase not in _UNDONE and "confirmed" not in {run.abort, run.thaw}
