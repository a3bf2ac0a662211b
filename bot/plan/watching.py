"""The moves of what is seen at the source: looks before the freeze is proven, drift and blindness after it, the guard.

    ReportLook, MissLook     -> FreezeSeen, FreezeGone       until the freeze has passed, also while the run is held
    ReportDrift              -> DriftSeen                    from the proof on, until `release` or a thaw
                             -> WatchRebased                 nothing new, but what was reported before has ended

An alarm ends no watch: the next look is compared with the state that was reported, so that whatever moves after it is
reported too. The freeze time is as good as the looks that it rests on: wherever nobody looked, or somebody thawed, it
is taken back (`bot.plan.fold`), and the next look that finds the layers gives another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.plan import events as e
from bot.plan.findings import failed
from bot.plan.inputs import MissLook, Refusal, ReportBlindness, ReportDrift, ReportGuard, ReportLook
from bot.plan.run import Phase, Run
from bot.plan.texts import sentences

Decision = Sequence[e.Event] | Refusal


def report_look(run: Run, command: ReportLook, now: datetime) -> Decision:
    if not run.gate.freezes or run.freeze is not None or command.frozen == (run.frozen_since is not None):
        return []
    if command.frozen:
        return [e.FreezeSeen(at=now, database_time=command.database_time)]
    gone = e.FreezeGone(at=now, database_time=command.database_time)
    if run.phase is not Phase.VERIFYING or not run.verification:
        return [gone]
    lifted = failed("freeze-layers", sentences.LIFTED_WHILE_CHECKED, sentences.FREEZE_AGAIN)
    return [gone, e.FindingMade(at=now, checkpoint=run.gate.name, attempt=run.verification, finding=lifted)]


def miss_look(run: Run, command: MissLook, now: datetime) -> Decision:
    """Once checks have begun, they ask the source themselves, and fail where it does not answer."""
    if run.phase is Phase.VERIFYING and run.verification:
        return []
    unproven = run.gate.freezes and run.freeze is None
    return [e.FreezeGone(at=now)] if unproven and run.frozen_since is not None else []


def report_drift(run: Run, command: ReportDrift, now: datetime) -> Decision:
    if run.freeze is None or not run.watched or "confirmed" in {run.abort, run.thaw}:
        return []
    # A check compares with the freeze record and so does the look after it: what one reported is not reported again.
    told = run.drift if run.moved_to is None else ()
    if changes := tuple(change for change in command.changes if change not in told):
        return [e.DriftSeen(at=now, changes=changes, moved_to=command.moved_to)]
    if (run.drift or run.moved_to) and command.moved_to is not None and _has_ended(run, command.moved_to):
        return [e.WatchRebased(at=now, moved_to=command.moved_to)]
    return []


def _has_ended(run: Run, now: e.MovedTo) -> bool:
    """Something that was reported to last does so no longer, and would be reported again."""
    before = run.moved_to
    return before is None or not {*before.missing, *before.writers} <= {*now.missing, *now.writers}


def report_guard(run: Run, command: ReportGuard, now: datetime) -> Decision:
    if not run.guarded:
        return []
    if command.since is None:
        return [] if run.guard_lost else [e.GuardLost(at=now, why=command.why)]
    if command.since == run.guard_since and not run.guard_lost:
        return []
    return [e.GuardTaken(at=now, since=command.since, tables=command.tables, unguarded=command.unguarded)]


def report_blindness(run: Run, command: ReportBlindness, now: datetime) -> Decision:
    if run.blind == bool(command.why) or not run.watched:
        return []
    return [e.WatchBlinded(at=now, why=command.why) if command.why else e.WatchSawAgain(at=now)]
