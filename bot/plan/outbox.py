"""What the channel is owed, and the other steps that many events have in common."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bot.plan import posts
from bot.plan.changed import replace
from bot.plan.delivery import Delivery
from bot.plan.findings import Finding
from bot.plan.offer import Offer
from bot.plan.posts import AlarmKey, AlarmKind, Post
from bot.plan.run import Run
from bot.plan.text import Text, named


def owe(run: Run, post: Post) -> Run:
    alarms = run.alarms | {post.alarm} if post.alarm is not None and post.status == "waiting" else run.alarms
    return replace(run, deliveries={**run.deliveries, post.key: Delivery(post=post)}, alarms=alarms)


def with_alarm(run: Run, alarm: AlarmKey, text: Text, *, status: str = "waiting") -> Run:
    return owe(
        run,
        Post(
            key=posts.alarm_key(run.run_id, alarm),
            kind="cutover_alarm",
            checkpoint=run.at,
            status=status,
            thread=run.gate_key,
            body=posts.Prose(named(text, run.names)),
            alarm=alarm,
        ),
    )


def with_offer(run: Run, offer: Offer) -> Run:
    return replace(run, offers={**run.offers, (offer.checkpoint, offer.number): offer})


def tell_findings(run: Run, name: str, findings: Iterable[Finding]) -> Run:
    """Findings that belong to no verification, in the thread of the gate at hand."""
    for n, finding in enumerate(findings, 1):
        run = owe(run, finding_post(run, f"{name}/{n}", run.gate.name, finding))
    return run


def finding_post(run: Run, name: str, checkpoint: str, finding: Finding) -> Post:
    return Post(
        key=f"{run.run_id}/finding/{name}",
        kind="cutover_finding",
        checkpoint=checkpoint,
        status={"pass": "passed", "warn": "warned", "fail": "refused"}[finding.verdict],
        thread=run.gate_key,
        body=finding,
    )


def resumed(run: Run) -> Run:
    """The hold is over, and so are its alarms. Others last as long as their own cause: a guard that is lost, say."""
    return replace(without_alarms(run, "held", "step-failed", "thaw-failed"), hold=None, unreadable=())


def settled(run: Run) -> Run:
    """The hold is over, and what has moved is of no account any more."""
    return replace(without_alarms(resumed(run), "drift"), drift=())


def undone(run: Run) -> Run:
    """The run goes back: nothing can pass the gate at hand any more, and nobody counts on guard or window."""
    return without_alarms(settled(voided_if_open(run)), "guard", "window", "checklist-waits")


def unwatched(run: Run) -> Run:
    """Nobody watches the source from now on. Who held the run holds it still."""
    run = without_alarms(run, "drift", "blind", "guard", "window")
    return replace(run, watched=False, blind=False, drift=())


def voided_if_open(run: Run) -> Run:
    """What the gate at hand stood for is gone: nothing can pass it any more."""
    if run.offer is None or not run.offer.is_open:
        return run
    return without_alarms(with_offer(run, run.offer.settled("void", "void")), "waits")


def looked_on(run: Run) -> datetime | None:
    """The freeze time, where nobody looks for a while: before the proof it is as good as the looks that it rests on."""
    return None if run.freeze is None else run.frozen_since


def without_alarms(run: Run, *kinds: AlarmKind) -> Run:
    """The alarms of these kinds are over."""
    return replace(run, alarms=frozenset(alarm for alarm in run.alarms if alarm.kind not in kinds))
