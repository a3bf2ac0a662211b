"""From events to the run: what each event changes, and which posts it makes the bot owe the channel.

`after(run, event)` returns a new run. The fold trusts the journal (`decide` is where moves are refused) and therefore
never fails on an event that `decide` can emit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from bot.plan import events as e
from bot.plan import posts
from bot.plan.fold.channel import pin_given_up, post_edited, post_intended, post_lost, posted
from bot.plan.fold.gates import (
    approval_lapsed,
    checkpoint_offered,
    checkpoint_passed,
    checkpoint_refused,
    checkpoint_voided,
    finding_made,
    reminder_due,
    signal_accepted,
    step_began,
    step_ended,
    step_failed,
    step_reopened,
    verification_began,
    window_told,
)
from bot.plan.fold.people import (
    abort_confirmed,
    answered,
    bot_left,
    bot_started,
    hold_asked,
    message_heard,
    run_aborted,
    user_decided,
)
from bot.plan.fold.source import (
    drift_seen,
    freeze_applied,
    freeze_failed,
    guard_lost,
    guard_taken,
    second_instance_seen,
    thaw_confirmed,
    thaw_failed,
    thawed,
    unfrozen,
    watch_blinded,
    watch_rebased,
)
from bot.plan.outbox import owe, settled, unwatched, without_alarms
from bot.plan.posts import Post
from bot.plan.run import Run

_AFTER: Mapping[type[e.Event], Callable[[Run, Any], Run]] = {
    e.BotStarted: bot_started,
    e.BotLeft: bot_left,
    e.MessageHeard: message_heard,
    e.Answered: answered,
    e.CheckpointOffered: checkpoint_offered,
    e.CheckpointVoided: checkpoint_voided,
    e.SignalAccepted: signal_accepted,
    e.VerificationBegan: verification_began,
    e.FindingMade: finding_made,
    e.ChecksPassed: lambda run, event: replace(run, checked=True),
    e.ApprovalLapsed: approval_lapsed,
    e.CheckpointRefused: checkpoint_refused,
    e.CheckpointPassed: checkpoint_passed,
    e.StepBegan: step_began,
    e.StepEnded: step_ended,
    e.StepFailed: step_failed,
    e.FreezeSeen: lambda run, event: replace(run, frozen_since=event.database_time),
    e.FreezeGone: lambda run, event: replace(run, frozen_since=None),
    e.DriftSeen: drift_seen,
    e.WatchRebased: watch_rebased,
    e.GuardTaken: guard_taken,
    e.GuardLost: guard_lost,
    e.WatchBlinded: watch_blinded,
    e.WatchSawAgain: lambda run, event: without_alarms(replace(run, blind=False), "blind"),
    e.SecondInstanceSeen: second_instance_seen,
    e.SecondInstanceGone: lambda run, event: without_alarms(replace(run, second_instance=False), "second-instance"),
    e.ReminderDue: reminder_due,
    e.ReasonAccepted: lambda run, event: replace(run, accepted={**run.accepted, event.reason: event.set_digest}),
    e.UnreadableAccepted: lambda run, event: replace(run, left_unread={**run.left_unread, event.table: event}),
    e.UserDecided: user_decided,
    e.StepReopened: step_reopened,
    # A drift stands until gate 1 is offered anew, whatever happens between.
    e.RetryAsked: lambda run, event: run if run.drift else settled(run),
    e.AbortAsked: lambda run, event: replace(run, abort="asked", abort_asked=event),
    e.AbortConfirmed: abort_confirmed,
    e.ThawFailed: thaw_failed,
    e.Thawed: thawed,
    e.RunAborted: run_aborted,
    e.StartAsked: lambda run, event: replace(run, started=True),
    e.CheckWaived: lambda run, event: replace(run, waivers=(*run.waivers, event)),
    e.HoldAsked: hold_asked,
    e.FreezeAsked: lambda run, event: replace(run, freezing=True),
    e.FreezeApplied: freeze_applied,
    e.FreezeFailed: freeze_failed,
    e.ThawAsked: lambda run, event: replace(run, thaw="asked", thaw_asked=event),
    e.ThawConfirmed: thaw_confirmed,
    e.Unfrozen: unfrozen,
    e.Released: lambda run, event: unwatched(run),
    e.WindowTold: window_told,
    e.PostIntended: post_intended,
    e.Posted: posted,
    e.PostEdited: post_edited,
    e.PostLost: post_lost,
    e.HeaderPinned: lambda run, event: replace(run, pinned=True),
    e.PinGivenUp: pin_given_up,
}


_ACTS = (
    e.SignalAccepted,
    e.ReasonAccepted,
    e.UnreadableAccepted,
    e.CheckWaived,
    e.UserDecided,
    e.HoldAsked,
    e.StartAsked,
    e.FreezeAsked,
    e.ThawAsked,
    e.ThawConfirmed,
    e.AbortAsked,
    e.AbortConfirmed,
    e.Released,
)
"""What a person's word brings about at once, and whole."""


def after(run: Run | None, *events: e.Event) -> Run:
    """The run once these have happened. The first event of a run is `RunOpened`."""
    for event in events:
        run = _after(run, event)
    if run is None:
        raise ValueError("a run begins with RunOpened")
    return run


def _after(run: Run | None, event: e.Event) -> Run:
    if isinstance(event, e.RunOpened):
        header = posts.header_key(event.run_id)
        post = Post(key=header, kind="cutover_run", checkpoint="", status="waiting", thread=None, body=posts.Header())
        return owe(Run(opened=event, last_at=event.at, happened=1, started=not event.rules.start_on_word), post)
    if run is None:
        raise ValueError("a run begins with RunOpened")
    run = replace(_AFTER[type(event)](run, event), last_at=event.at, happened=run.happened + 1)
    return replace(run, acted_on=run.acted_on | {event.ts or ""}) if isinstance(event, _ACTS) else run


def fold(events: Iterable[e.Event]) -> Run | None:
    """The run that these events add up to; None for no events."""
    run: Run | None = None
    for event in events:
        run = _after(run, event)
    return run
