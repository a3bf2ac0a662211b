"""After what happens at the source: drift, the guard, the freeze and the thaw."""

from __future__ import annotations

from dataclasses import replace

from bot.plan import events as e
from bot.plan.fold.owing import settled, tell_findings, voided_if_open, with_alarm
from bot.plan.run import Run
from bot.plan.talk import alarms
from bot.plan.talk.foreign import defused, some


def drift_seen(run: Run, event: e.DriftSeen) -> Run:
    run = replace(run, drift=event.changes, drifts=run.drifts + 1)
    changes = some(event.changes)
    if run.handover is not None:  # what is closed stays closed: told, and nothing is held
        return with_alarm(run, f"drift/{run.drifts}", alarms.drifted_after_handover(changes))
    why = "The source has moved under the freeze: " + "; ".join(changes) + "."
    run = voided_if_open(run)
    return with_alarm(replace(run, hold=why), f"drift/{run.drifts}", alarms.drifted(changes))


def guard_taken(run: Run, event: e.GuardTaken) -> Run:
    again = run.guard_since is not None
    lost = {key for key in run.alarms if key.startswith(f"{run.run_id}/alarm/guard/")}
    run = replace(
        run,
        guard_since=event.since,
        guard_lost=False,
        guard_changes=run.guard_changes + 1,
        alarms=run.alarms - lost,
    )
    text = alarms.guarded(event.tables, event.unguarded, event.since, again=again)
    return with_alarm(run, f"guard/{run.guard_changes}", text, status="done")


def guard_lost(run: Run, event: e.GuardLost) -> Run:
    run = replace(run, guard_lost=True, guard_changes=run.guard_changes + 1)
    return with_alarm(run, f"guard/{run.guard_changes}", alarms.unguarded(defused(event.why)))


def watch_blinded(run: Run, event: e.WatchBlinded) -> Run:
    run = replace(run, blind=True, blinds=run.blinds + 1)
    return with_alarm(run, f"blind/{run.blinds}", alarms.blinded(defused(event.why)))


def rival_seen(run: Run, event: e.RivalSeen) -> Run:
    run = replace(run, rival=True, rivals=run.rivals + 1)
    return with_alarm(run, f"rival/{run.rivals}", alarms.rival(event.connections))


def thaw_confirmed(run: Run, event: e.ThawConfirmed) -> Run:
    return replace(settled(voided_if_open(run)), thaw="confirmed", freezing=False)


def unfrozen(run: Run, event: e.Unfrozen) -> Run:
    run = replace(run, thaw="", thaw_asked=None)
    if run.is_over:
        return replace(settled(run), watched=False, alarms=frozenset(), blind=False)
    return replace(run, hold=alarms.UNFROZEN, step=None)


def freeze_applied(run: Run, event: e.FreezeApplied) -> Run:
    run = replace(run, freezing=False, freeze_attempts=event.attempt)
    return tell_findings(run, f"kit/{event.attempt}", event.findings)


def freeze_failed(run: Run, event: e.FreezeFailed) -> Run:
    run = replace(run, freezing=False, failures=run.failures + 1)
    return with_alarm(run, f"freeze-failed/{run.failures}", alarms.freeze_failed(defused(event.why)), status="done")


def thaw_failed(run: Run, event: e.ThawFailed) -> Run:
    run = replace(run, hold=defused(event.why), failures=run.failures + 1)
    return with_alarm(run, f"thaw-failed/{run.failures}", alarms.thaw_failed(defused(event.why)))


def thawed(run: Run, event: e.Thawed) -> Run:
    since = None if run.freeze is None else run.frozen_since  # until it is proven, a freeze is over with its thaw
    run = replace(run, thaw_attempts=event.attempt, thawed_at=event.elsewhere or event.at, frozen_since=since)
    if event.elsewhere is not None:
        run = with_alarm(run, f"thawed/{event.attempt}", alarms.thawed_elsewhere(event.elsewhere), status="done")
    return tell_findings(run, f"thaw/{event.attempt}", event.findings)
