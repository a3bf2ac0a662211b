"""The moves of the freeze kit, the thaw and the abort: what the bot did at the source, and what was done without it.

    EndFreeze                -> FreezeApplied
    EndThaw                  -> Thawed, then RunAborted, or ThawFailed, or all gates void and Unfrozen
    ReportThaw               -> the same, for a thaw that was not the bot's

A thaw without the bot is noticed late, and perhaps only when Supabase has been frozen again. So it is compared with the
freeze in place: one from before it undoes nothing that rests on that freeze.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.plan import events as e
from bot.plan.commands.control import back_to_the_freeze, voided
from bot.plan.evidence import offer
from bot.plan.findings import blocks
from bot.plan.fold import after
from bot.plan.inputs import Abort, EndFreeze, EndThaw, FailFreeze, FailThaw, Refusal, ReportThaw
from bot.plan.run import Run

Decision = Sequence[e.Event] | Refusal


def end_freeze(run: Run, command: EndFreeze, now: datetime) -> Decision:
    return [e.FreezeApplied(at=now, attempt=run.freeze_attempts + 1, findings=command.findings)]


def fail_freeze(run: Run, command: FailFreeze, now: datetime) -> Decision:
    return [e.FreezeFailed(at=now, why=command.why)]


def abort(run: Run, command: Abort, now: datetime) -> Decision:
    if run.abort == "confirmed":
        return [e.RetryAsked(at=now, user="", ts="")] if run.hold is not None else []
    return [e.AbortConfirmed(at=now, user="", ts="")]


def end_thaw(run: Run, command: EndThaw, now: datetime) -> Decision:
    thawed = e.Thawed(at=now, attempt=run.thaw_attempts + 1, findings=command.findings)
    if blocks(command.findings):
        failing = "; ".join(f.evidence.rstrip(".") for f in command.findings if blocks([f]))
        return [thawed, e.ThawFailed(at=now, why=f"The thaw ran, and Supabase does not write as before: {failing}.")]
    if run.abort == "confirmed":
        return [thawed, e.RunAborted(at=now)]
    return [thawed, *_unfrozen(after(run, thawed), now)]


def fail_thaw(run: Run, command: FailThaw, now: datetime) -> Decision:
    return [e.ThawFailed(at=now, why=command.why)]


def report_thaw(run: Run, command: ReportThaw, now: datetime) -> Decision:
    if run.thawed_at is not None and command.thawed_at <= run.thawed_at:
        return []
    thawed = e.Thawed(
        at=now,
        attempt=run.thaw_attempts + 1,
        findings=command.findings,
        elsewhere=command.thawed_at,
        overtaken=_is_overtaken(run, command.restored_at or command.thawed_at),
    )
    if thawed.overtaken:
        return [thawed]
    if run.abort == "confirmed":  # what the abort still had to do is done
        return [thawed] if blocks(command.findings) else [thawed, e.RunAborted(at=now)]
    if run.freeze is None and run.thaw != "confirmed":  # no gate was passed on the freeze yet
        return [thawed]
    return [thawed, *_unfrozen(after(run, thawed), now)]


def _is_overtaken(run: Run, restored_at: datetime) -> bool:
    """The freeze in place began after this thaw."""
    began = run.frozen_since or run.frozen_at
    return began is not None and restored_at < began


def _unfrozen(run: Run, now: datetime) -> Sequence[e.Event]:
    """What follows from a thaw that ends no run: before the seal all that rests on the freeze is void, and elsewhere
    the gate at hand is put forward anew, since approvals were given for the source as it was.
    """
    if run.has_ended or not run.at:
        return [e.Unfrozen(at=now)]
    if run.is_closed or run.is_before_the_freeze:
        again = [] if run.open_items else [*voided(run, [run.gate], _THAWED, now), offer(run, run.gate, now)]
        return [*again, e.Unfrozen(at=now)]
    return [*back_to_the_freeze(run, _THAWED, now), e.Unfrozen(at=now)]


_THAWED = "the source was thawed"
