"""After what happens at the source: drift, the guard, the freeze and the thaw."""

from __future__ import annotations

from bot.plan import events as e
from bot.plan.changed import replace
from bot.plan.findings import blocks
from bot.plan.fold.effect import effect
from bot.plan.hold import FreezeTakenBack, SourceMoved, ThawStopped
from bot.plan.outbox import (
    looked_on,
    resumed,
    tell_findings,
    undone,
    unwatched,
    voided_if_open,
    with_alarm,
    with_offer,
    without_alarms,
)
from bot.plan.posts import AlarmKey
from bot.plan.run import Run
from bot.plan.texts import alarms


@effect.register
def drift_seen(event: e.DriftSeen, run: Run) -> Run:
    again = bool(run.drift)
    run = replace(
        run,
        drift=event.changes,
        drifts=run.drifts + 1,
        drifted_at=event.at,
        moved_to=event.moved_to or run.moved_to,
    )
    alarm = AlarmKey("drift", (run.drifts,))
    if run.is_closed:  # what is closed stays closed: reported, and nothing is held
        text = alarms.drifted_after_the_end(event.changes, handed_over=run.handover is not None, again=again)
        return with_alarm(run, alarm, text)
    run = without_alarms(voided_if_open(run), "guard")  # nobody holds it where all is exported anew
    run = replace(run, hold=SourceMoved(changes=event.changes))
    return with_alarm(run, alarm, alarms.drifted(event.changes, again=again))


@effect.register
def watch_rebased(event: e.WatchRebased, run: Run) -> Run:
    return replace(run, moved_to=event.moved_to)


@effect.register
def guard_taken(event: e.GuardTaken, run: Run) -> Run:
    again = run.guard_since is not None
    run = replace(run, guard_since=event.since, guard_lost=False, guard_changes=run.guard_changes + 1)
    run = without_alarms(run, "guard")
    text = alarms.guarded(event.tables, event.unguarded, event.since, again=again)
    return with_alarm(run, AlarmKey("guard", (run.guard_changes,)), text, status="done")


@effect.register
def guard_lost(event: e.GuardLost, run: Run) -> Run:
    run = replace(run, guard_lost=True, guard_changes=run.guard_changes + 1)
    return with_alarm(run, AlarmKey("guard", (run.guard_changes,)), alarms.unguarded(event.why))


@effect.register
def watch_blinded(event: e.WatchBlinded, run: Run) -> Run:
    run = replace(run, blind=True, blinds=run.blinds + 1)
    return with_alarm(run, AlarmKey("blind", (run.blinds,)), alarms.blinded(event.why))


@effect.register
def second_instance_seen(event: e.SecondInstanceSeen, run: Run) -> Run:
    run = replace(run, second_instance=True, second_instances=run.second_instances + 1)
    alarm = AlarmKey("second-instance", (run.second_instances,))
    return with_alarm(run, alarm, alarms.second_instance(event.connections))


@effect.register
def thaw_confirmed(event: e.ThawConfirmed, run: Run) -> Run:
    return replace(undone(run), thaw="confirmed", freezing=False)


@effect.register
def unfrozen(event: e.Unfrozen, run: Run) -> Run:
    if run.thaw == "confirmed":  # what held the run, if anything, was this thaw
        run = resumed(run)
    run = without_alarms(replace(run, thaw="", thaw_asked=None), "window")
    if run.is_closed:
        return unwatched(run if run.unthawed else without_alarms(run, "thaw-failed"))
    if not run.at or run.is_before_the_freeze:  # nothing rested on the freeze
        return run
    return replace(run, hold=FreezeTakenBack(), step=None)


@effect.register
def freeze_applied(event: e.FreezeApplied, run: Run) -> Run:
    run = replace(run, freezing=False, freeze_attempts=event.attempt)
    return tell_findings(run, f"kit/{event.attempt}", event.findings)


@effect.register
def freeze_failed(event: e.FreezeFailed, run: Run) -> Run:
    run = replace(run, freezing=False, failures=run.failures + 1)
    alarm = AlarmKey("freeze-failed", (run.failures,))
    return with_alarm(run, alarm, alarms.freeze_failed(event.why), status="done")


@effect.register
def thaw_failed(event: e.ThawFailed, run: Run) -> Run:
    """What was done at the source is not known. A run that has ended is held by nothing: the thaw is asked anew."""
    run = replace(run, failures=run.failures + 1, unthawed=True, frozen_since=looked_on(run))
    run = replace(run, thaw="", thaw_asked=None) if run.has_ended else replace(run, hold=ThawStopped(why=event.why))
    alarm = AlarmKey("thaw-failed", (run.failures,))
    return with_alarm(run, alarm, alarms.thaw_failed(event.why, over=run.has_ended))


@effect.register
def thawed(event: e.Thawed, run: Run) -> Run:
    run = replace(run, thaw_attempts=event.attempt, thawed_at=event.elsewhere or event.at)
    if not event.overtaken:
        run = _unproven(replace(run, unthawed=blocks(event.findings), frozen_since=looked_on(run)))
    if event.elsewhere is not None:
        text = alarms.thawed_elsewhere(event.elsewhere, overtaken=event.overtaken)
        run = with_alarm(run, AlarmKey("thawed", (event.attempt,)), text, status="done")
    return tell_findings(run, f"thaw/{event.attempt}", event.findings)


def _unproven(run: Run) -> Run:
    """Until a freeze is proven it is over with its thaw: whoever approved it meant another than comes next."""
    if not run.gate.freezes or run.freeze is not None or run.offer is None or not run.offer.is_open:
        return run
    if not run.offer.approvals:
        return run
    return replace(with_offer(run, run.offer.settled("waiting", "void")), verification=0, findings=(), checked=False)


@effect.register
def freeze_seen(event: e.FreezeSeen, run: Run) -> Run:
    return replace(run, frozen_since=event.database_time)


@effect.register
def freeze_gone(event: e.FreezeGone, run: Run) -> Run:
    return replace(run, frozen_since=None)


@effect.register
def watch_saw_again(event: e.WatchSawAgain, run: Run) -> Run:
    return without_alarms(replace(run, blind=False), "blind")


@effect.register
def second_instance_gone(event: e.SecondInstanceGone, run: Run) -> Run:
    return without_alarms(replace(run, second_instance=False), "second-instance")
