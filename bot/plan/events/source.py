"""The source: whether it is frozen, whether it moved, and the way back."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime

from bot.plan.events.fact import Event, Fact
from bot.plan.findings import Finding


class FreezeSeen(Event):
    """The first look that found the freeze's layers; `database_time` is the freeze time, older sessions are old."""

    type: Literal["freeze-seen"] = "freeze-seen"
    database_time: AwareDatetime


class FreezeGone(Event):
    """The layers are no longer there, while the gate that freezes waits; or, without `database_time`, a look failed:
    nobody knows whether they were there all the time.
    """

    type: Literal["freeze-gone"] = "freeze-gone"
    database_time: AwareDatetime | None = None


class MovedTo(Fact):
    """The source as a look found it: `baseline` as in the freeze record; `missing` layers and open `writers` as clauses
    that hold until they end.
    """

    baseline: dict[str, Any]
    missing: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()


class DriftSeen(Event):
    """The source is not what the freeze record says, or has moved again. `changes` are sentences naming table and kind
    of change. The looks after it compare with `moved_to`, or on with what they compared with before.
    """

    type: Literal["drift-seen"] = "drift-seen"
    changes: tuple[str, ...]
    moved_to: MovedTo | None = None


class WatchRebased(Event):
    """Nothing has moved since the last drift, but something that lasted then has ended: it would be reported again."""

    type: Literal["watch-rebased"] = "watch-rebased"
    moved_to: MovedTo


class GuardTaken(Event):
    """The hard guard was set at `since` (the database's clock); `unguarded` are tables that could not be locked."""

    type: Literal["guard-taken"] = "guard-taken"
    since: AwareDatetime
    tables: int
    unguarded: tuple[str, ...]


class GuardLost(Event):
    """It is wanted and not held; `why` is our own sentence."""

    type: Literal["guard-lost"] = "guard-lost"
    why: str


class WatchBlinded(Event):
    """The freeze could not be looked at several times running; `why` is our own sentence."""

    type: Literal["watch-blinded"] = "watch-blinded"
    why: str


class WatchSawAgain(Event):
    type: Literal["watch-saw-again"] = "watch-saw-again"


class ThawFailed(Event):
    type: Literal["thaw-failed"] = "thaw-failed"
    why: str


class Thawed(Event):
    """The way back was gone; `findings` are the same probes as at the freeze, now expected to write.

    `elsewhere` is when a thaw that was not this bot's took place; `overtaken` says that the freeze in place began
    after it.
    """

    type: Literal["thawed"] = "thawed"
    attempt: int
    findings: tuple[Finding, ...]
    elsewhere: AwareDatetime | None = None
    overtaken: bool = False


class Unfrozen(Event):
    """A thaw that ended no run has succeeded: before the handover the run is held, after it the watch ends. One that
    waits for `start` waits on.
    """

    type: Literal["unfrozen"] = "unfrozen"


class FreezeApplied(Event):
    """The bot ran the freeze kit; `findings` say what of it was done. Whether it holds is proven at the gate."""

    type: Literal["freeze-applied"] = "freeze-applied"
    attempt: int
    findings: tuple[Finding, ...]


class FreezeFailed(Event):
    type: Literal["freeze-failed"] = "freeze-failed"
    why: str


class RunAborted(Event):
    type: Literal["run-aborted"] = "run-aborted"
