"""From events to the run: what each event changes, and which posts it makes the bot owe the channel.

`after(run, event)` returns a new run. The fold trusts the journal (`decide` is where moves are refused) and therefore
never fails on an event that `decide` can emit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from bot.plan import events as e
from bot.plan.checkpoints import BY_NAME, BY_STEP, FREEZE, PLAN
from bot.plan.findings import Finding
from bot.plan.offer import Offer, OfferStatus
from bot.plan.results import HandoverResult, UsersResult
from bot.plan.run import Delivery, Phase, Run, StepState, doing
from bot.plan.talk import alarms, posts
from bot.plan.talk.posts import Post
from bot.plan.window import time_left, time_needed


def _owe(run: Run, post: Post) -> Run:
    alarms = run.alarms | {post.key} if post.kind == "cutover_alarm" and post.status == "waiting" else run.alarms
    return replace(run, deliveries={**run.deliveries, post.key: Delivery(post=post)}, alarms=alarms)


def _alarm(run: Run, name: str, text: str, *, status: str = "waiting") -> Run:
    gate = run.current[0] if run.current else ""
    key = f"{run.run_id}/alarm/{name}"
    return _owe(
        run,
        Post(
            key=key, kind="cutover_alarm", checkpoint=gate, status=status, thread=run.gate_key, body=posts.Prose(text)
        ),
    )


def _over(run: Run, alarm: str) -> Run:
    return replace(run, alarms=run.alarms - {f"{run.run_id}/alarm/{alarm}"})


def _offer(run: Run, offer: Offer) -> Run:
    return replace(run, offers={**run.offers, (offer.checkpoint, offer.number): offer})


def _tell_findings(run: Run, name: str, findings: Iterable[Finding]) -> Run:
    """Findings that belong to no verification, in the thread of the gate at hand."""
    for n, finding in enumerate(findings, 1):
        run = _owe(run, _finding_post(run, f"{name}/{n}", run.gate.name, finding))
    return run


def _finding_post(run: Run, name: str, checkpoint: str, finding: Finding) -> Post:
    return Post(
        key=f"{run.run_id}/finding/{name}",
        kind="cutover_finding",
        checkpoint=checkpoint,
        status={"pass": "passed", "warn": "warned", "fail": "refused"}[finding.verdict],
        thread=run.gate_key,
        body=finding,
    )


def _settled(run: Run) -> Run:
    """The hold is over: its alarms no longer stand. What the bot cannot see or hear is another matter."""
    others = (f"{run.run_id}/alarm/blind/", f"{run.run_id}/alarm/rival/")
    return replace(
        run, hold="", unreadable=(), drift=(), alarms=frozenset(key for key in run.alarms if key.startswith(others))
    )


def _bot_started(run: Run, event: e.BotStarted) -> Run:
    # What a verification that was cut off had found proves nothing: the next one asks everything again.
    findings = () if run.phase is Phase.VERIFYING else run.findings
    run = replace(run, starts=run.starts + 1, verification=0, findings=findings)
    minutes = int((event.at - event.away_since).total_seconds() // 60)
    return _alarm(run, f"back/{run.starts}", alarms.back_again(minutes, doing(run)), status="done")


def _message_heard(run: Run, event: e.MessageHeard) -> Run:
    return replace(run, heard={**run.heard, event.ts: event}, unanswered=run.unanswered | {event.ts})


def _answered(run: Run, event: e.Answered) -> Run:
    gate = run.current[0] if run.current else ""
    thread = run.thread_of(run.heard[event.ts].thread_ts) or run.gate_key
    post = Post(
        key=f"{run.run_id}/answer/{event.ts}",
        kind="cutover_answer",
        checkpoint=gate,
        status=event.status,
        thread=thread,
        body=posts.Prose(event.text),
    )
    return _owe(replace(run, unanswered=run.unanswered - {event.ts}), post)


def _checkpoint_offered(run: Run, event: e.CheckpointOffered) -> Run:
    place = (event.checkpoint, event.offer)
    offer = Offer(
        checkpoint=event.checkpoint,
        number=event.offer,
        evidence=event.evidence,
        digest=event.digest,
        at=event.at,
        needed=run.opened.rules.approvals.get(event.checkpoint, 1),
    )
    if event.checkpoint == FREEZE.name:
        run = replace(_settled(run), window_told=0, guard_since=None, guard_lost=False)
    passed = {c.name for c in PLAN if c.number < BY_NAME[event.checkpoint].number}
    run = replace(
        run,
        offers={**run.offers, place: offer},
        current=place,
        step=None,
        # A freeze offered anew has its own freeze time: sessions from between the two would count as new otherwise.
        frozen_since=None if event.checkpoint == FREEZE.name else run.frozen_since,
        facts={gate: facts for gate, facts in run.facts.items() if gate in passed},
        results={step: result for step, result in run.results.items() if step in {BY_NAME[g].step for g in passed}},
        waivers=tuple(waiver for waiver in run.waivers if waiver.checkpoint in passed),
        findings=(),
    )
    post = Post(
        key=run.gate_key,
        kind="cutover_checkpoint",
        checkpoint=event.checkpoint,
        status="waiting",
        thread=None,
        body=posts.Gate(*place),
    )
    return _owe(run, post)


def _checkpoint_voided(run: Run, event: e.CheckpointVoided) -> Run:
    place = (event.checkpoint, event.offer)
    return _offer(run, run.offers[place].settled("void", "void"))


def _signal_accepted(run: Run, event: e.SignalAccepted) -> Run:
    assert run.offer is not None
    run = _offer(run, run.offer.approved(event))
    return run if run.offer is not None and run.offer.missing else replace(run, verification=0, findings=())


def _verification_began(run: Run, event: e.VerificationBegan) -> Run:
    assert run.offer is not None
    run = _offer(run, replace(run.offer, attempt=event.attempt))
    attempts = {**run.attempts, event.checkpoint: event.attempt}
    return replace(run, attempts=attempts, verification=event.attempt, findings=())


def _finding_made(run: Run, event: e.FindingMade) -> Run:
    name = f"{event.checkpoint}/{event.attempt}/{len(run.findings) + 1}"
    post = _finding_post(run, name, event.checkpoint, event.finding)
    return _owe(replace(run, findings=(*run.findings, event.finding)), post)


def _checkpoint_refused(run: Run, event: e.CheckpointRefused) -> Run:
    assert run.offer is not None
    return _offer(run, run.offer.settled("refused", "refused"))


def _checkpoint_passed(run: Run, event: e.CheckpointPassed) -> Run:
    assert run.offer is not None
    run = _offer(run, run.offer.settled("passed", "spent"))
    step = StepState(name=BY_NAME[event.checkpoint].step)
    gate_alarms = {key for key in run.alarms if key.startswith(f"{run.run_id}/alarm/waits/")}
    return replace(run, facts={**run.facts, event.checkpoint: event.facts}, step=step, alarms=run.alarms - gate_alarms)


def _step_began(run: Run, event: e.StepBegan) -> Run:
    return replace(run, step=StepState(name=event.step, attempt=event.attempt, began_at=event.at))


def _step_ended(run: Run, event: e.StepEnded) -> Run:
    decided = frozenset[str]() if isinstance(event.result, UsersResult) else run.decided_since
    run = replace(run, step=None, results={**run.results, event.step: event.result}, decided_since=decided)
    closing = isinstance(event.result, HandoverResult)
    post = Post(
        key=f"{run.run_id}/summary/{event.step}/{len([k for k in run.deliveries if '/summary/' in k]) + 1}",
        kind="cutover_summary",
        checkpoint="" if closing or run.current is None else run.current[0],
        status="done",
        thread=None if closing else run.gate_key,
        body=event.result,
    )
    return _owe(run, post)


def _step_failed(run: Run, event: e.StepFailed) -> Run:
    run = replace(run, hold=event.why, unreadable=event.unreadable, failures=run.failures + 1)
    text = alarms.step_failed(event.step, event.why, run.open_tables, ends=event.ends)
    return _alarm(run, f"step-failed/{run.failures}", text)


def _step_reopened(run: Run, event: e.StepReopened) -> Run:
    """Back behind the gate that the step followed; what stood before people is void."""
    assert run.offer is not None
    gate = BY_STEP[event.step].name
    passed = max(place for place in run.offers if place[0] == gate)
    waits = frozenset(key for key in run.alarms if key.startswith(f"{run.run_id}/alarm/waits/"))
    return replace(
        _offer(run, run.offer.settled("void", "void")),
        current=passed,
        step=StepState(name=event.step),
        reopenings=run.reopenings + 1,
        results={step: result for step, result in run.results.items() if step != event.step},
        alarms=run.alarms - waits,
    )


def _user_decided(run: Run, event: e.UserDecided) -> Run:
    return replace(run, decisions={**run.decisions, event.id: event}, decided_since=run.decided_since | {event.id})


def _voided_if_open(run: Run) -> Run:
    """What the gate at hand stood for is gone: nothing can pass it any more."""
    return run if run.offer is None or not run.offer.is_open else _offer(run, run.offer.settled("void", "void"))


def _drift_seen(run: Run, event: e.DriftSeen) -> Run:
    run = replace(run, drift=event.changes, drifts=run.drifts + 1)
    if run.handover is not None:  # what is closed stays closed: told, and nothing is held
        return _alarm(run, f"drift/{run.drifts}", alarms.drifted_after_handover(event.changes))
    why = "The source has moved under the freeze: " + "; ".join(event.changes) + "."
    run = _voided_if_open(run)
    return _alarm(replace(run, hold=why), f"drift/{run.drifts}", alarms.drifted(event.changes))


def _guard_taken(run: Run, event: e.GuardTaken) -> Run:
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
    return _alarm(run, f"guard/{run.guard_changes}", text, status="done")


def _guard_lost(run: Run, event: e.GuardLost) -> Run:
    run = replace(run, guard_lost=True, guard_changes=run.guard_changes + 1)
    return _alarm(run, f"guard/{run.guard_changes}", alarms.unguarded(event.why))


def _watch_blinded(run: Run, event: e.WatchBlinded) -> Run:
    run = replace(run, blind=True, blinds=run.blinds + 1)
    return _alarm(run, f"blind/{run.blinds}", alarms.blinded(event.why))


def _rival_seen(run: Run, event: e.RivalSeen) -> Run:
    run = replace(run, rival=True, rivals=run.rivals + 1)
    return _alarm(run, f"rival/{run.rivals}", alarms.rival(event.connections))


def _reminder_due(run: Run, event: e.ReminderDue) -> Run:
    assert run.offer is not None
    minutes = int((event.at - run.offer.at).total_seconds() // 60)
    run = _offer(run, replace(run.offer, reminders=event.nth))
    text = alarms.waits(run.gate, run.opened.may, minutes)
    return _alarm(run, f"waits/{event.checkpoint}/{event.offer}/{event.nth}", text)


def _abort_confirmed(run: Run, event: e.AbortConfirmed) -> Run:
    if not event.user:
        run = _alarm(run, "aborted-at-the-terminal", alarms.aborted_at_the_terminal(), status="done")
    return _voided_if_open(replace(_settled(run), abort="confirmed", step=None, freezing=False, thaw=""))


def _thaw_confirmed(run: Run, event: e.ThawConfirmed) -> Run:
    return replace(_settled(_voided_if_open(run)), thaw="confirmed", freezing=False)


def _unfrozen(run: Run, event: e.Unfrozen) -> Run:
    run = replace(run, thaw="", thaw_asked=None)
    if run.is_over:
        return replace(_settled(run), watched=False, alarms=frozenset(), blind=False)
    return replace(run, hold=alarms.UNFROZEN, step=None)


def _hold_asked(run: Run, event: e.HoldAsked) -> Run:
    if run.offer is not None and run.offer.is_open:
        again: OfferStatus = "refused" if run.offer.status == "refused" else "waiting"
        run = _offer(run, run.offer.settled(again, "withdrawn"))
    run = replace(run, hold=alarms.hold(event.user, event.why), failures=run.failures + 1)
    return _alarm(run, f"held/{run.failures}", alarms.held_by(event.user, event.why, run.opened.may))


def _freeze_applied(run: Run, event: e.FreezeApplied) -> Run:
    run = replace(run, freezing=False, freeze_attempts=event.attempt)
    return _tell_findings(run, f"kit/{event.attempt}", event.findings)


def _freeze_failed(run: Run, event: e.FreezeFailed) -> Run:
    run = replace(run, freezing=False, failures=run.failures + 1)
    return _alarm(run, f"freeze-failed/{run.failures}", alarms.freeze_failed(event.why), status="done")


def _window_told(run: Run, event: e.WindowTold) -> Run:
    run = replace(run, window_told=event.percent)
    assert run.frozen_at is not None
    text = alarms.window_passes(event.percent, time_left(run, event.at), time_needed(run))
    return _alarm(run, f"window/{run.drifts}/{event.percent}", text)


def _thaw_failed(run: Run, event: e.ThawFailed) -> Run:
    run = replace(run, hold=event.why, failures=run.failures + 1)
    return _alarm(run, f"thaw-failed/{run.failures}", alarms.thaw_failed(event.why))


def _thawed(run: Run, event: e.Thawed) -> Run:
    run = replace(run, thaw_attempts=event.attempt, thawed_at=event.elsewhere or event.at)
    if event.elsewhere is not None:
        run = _alarm(run, f"thawed/{event.attempt}", alarms.thawed_elsewhere(event.elsewhere), status="done")
    return _tell_findings(run, f"thaw/{event.attempt}", event.findings)


def _run_aborted(run: Run, event: e.RunAborted) -> Run:
    return _alarm(replace(run, abort="done"), "aborted", alarms.aborted(run.run_id), status="done")


def _delivery(run: Run, key: str, **changes: Any) -> Run:
    return replace(run, deliveries={**run.deliveries, key: replace(run.deliveries[key], **changes)})


_AFTER: Mapping[type[e.Event], Callable[[Run, Any], Run]] = {
    e.BotStarted: _bot_started,
    e.MessageHeard: _message_heard,
    e.Answered: _answered,
    e.CheckpointOffered: _checkpoint_offered,
    e.CheckpointVoided: _checkpoint_voided,
    e.SignalAccepted: _signal_accepted,
    e.VerificationBegan: _verification_began,
    e.FindingMade: _finding_made,
    e.CheckpointRefused: _checkpoint_refused,
    e.CheckpointPassed: _checkpoint_passed,
    e.StepBegan: _step_began,
    e.StepEnded: _step_ended,
    e.StepFailed: _step_failed,
    e.FreezeSeen: lambda run, event: replace(run, frozen_since=event.database_time),
    e.FreezeGone: lambda run, event: replace(run, frozen_since=None),
    e.DriftSeen: _drift_seen,
    e.GuardTaken: _guard_taken,
    e.GuardLost: _guard_lost,
    e.WatchBlinded: _watch_blinded,
    e.WatchSawAgain: lambda run, event: _over(replace(run, blind=False), f"blind/{run.blinds}"),
    e.RivalSeen: _rival_seen,
    e.RivalGone: lambda run, event: _over(replace(run, rival=False), f"rival/{run.rivals}"),
    e.ReminderDue: _reminder_due,
    e.ReasonAccepted: lambda run, event: replace(run, accepted={**run.accepted, event.reason: event.set_digest}),
    e.UnreadableAccepted: lambda run, event: replace(run, left_unread={**run.left_unread, event.table: event}),
    e.UserDecided: _user_decided,
    e.StepReopened: _step_reopened,
    # A drift stands until gate 1 is offered anew, whatever happens between.
    e.RetryAsked: lambda run, event: run if run.drift else _settled(run),
    e.AbortAsked: lambda run, event: replace(run, abort="asked", abort_asked=event),
    e.AbortConfirmed: _abort_confirmed,
    e.ThawFailed: _thaw_failed,
    e.Thawed: _thawed,
    e.RunAborted: _run_aborted,
    e.StartAsked: lambda run, event: replace(run, started=True),
    e.CheckWaived: lambda run, event: replace(run, waivers=(*run.waivers, event)),
    e.HoldAsked: _hold_asked,
    e.FreezeAsked: lambda run, event: replace(run, freezing=True),
    e.FreezeApplied: _freeze_applied,
    e.FreezeFailed: _freeze_failed,
    e.ThawAsked: lambda run, event: replace(run, thaw="asked", thaw_asked=event),
    e.ThawConfirmed: _thaw_confirmed,
    e.Unfrozen: _unfrozen,
    e.Released: lambda run, event: replace(_settled(run), watched=False, alarms=frozenset(), blind=False),
    e.WindowTold: _window_told,
    e.PostIntended: lambda run, event: _delivery(run, event.key, intended=True),
    e.Posted: lambda run, event: _delivery(
        run, event.key, intended=True, ts=event.ts, shown=event.face, posted_at=event.at
    ),
    e.PostEdited: lambda run, event: _delivery(run, event.key, shown=event.face),
    e.HeaderPinned: lambda run, event: replace(run, pinned=True),
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


def after(run: Run | None, event: e.Event) -> Run:
    """The run once `event` has happened. The first event of a run is `RunOpened`."""
    if isinstance(event, e.RunOpened):
        header = posts.header_key(event.run_id)
        post = Post(key=header, kind="cutover_run", checkpoint="", status="waiting", thread=None, body=posts.Header())
        return _owe(Run(opened=event, last_at=event.at, started=not event.rules.start_on_word), post)
    if run is None:
        raise ValueError("a run begins with RunOpened")
    run = replace(_AFTER[type(event)](run, event), last_at=event.at)
    return replace(run, acted_on=run.acted_on | {event.ts or ""}) if isinstance(event, _ACTS) else run


def fold(events: Iterable[e.Event]) -> Run | None:
    """The run that these events add up to; None for no events."""
    run: Run | None = None
    for event in events:
        run = after(run, event)
    return run
