"""The moves of a gate that is being checked, from its approvals to its passing.

    BeginVerification        -> VerificationBegan
    TellFinding ...          -> FindingMade ...
    EndVerification          -> ChecksPassed, or CheckpointRefused on what was found
    JudgeApprovals           -> CheckpointPassed, or what has become of the approvals

A check may take an hour, in which somebody may leave the team: so the approvals are judged again when all else is
proven, and on what Slack says at that moment. One that lapsed takes the gate back to waiting and leaves the others as
they are. When Slack does not answer, the gate does not pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.plan import events as e
from bot.plan.evidence import put_forward
from bot.plan.fold import after
from bot.plan.inputs import BeginVerification, EndVerification, JudgeApprovals, Refusal, TellFinding
from bot.plan.run import Run
from bot.plan.text import say
from bot.plan.texts import approvals, sentences

Decision = Sequence[e.Event] | Refusal


def begin_verification(run: Run, command: BeginVerification, now: datetime) -> Decision:
    return [e.VerificationBegan(at=now, checkpoint=run.gate.name, attempt=run.attempts.get(run.gate.name, 0) + 1)]


def tell_finding(run: Run, command: TellFinding, now: datetime) -> Decision:
    if not (attempt := run.verification):
        return Refusal(sentence=say("A finding belongs to a verification that has begun"))
    return [e.FindingMade(at=now, checkpoint=run.gate.name, attempt=attempt, finding=command.finding)]


def end_verification(run: Run, command: EndVerification, now: datetime) -> Decision:
    gate = run.gate.name
    if run.offer is None or not run.offer.by or not run.findings:
        return Refusal(sentence=say("A gate passes on an approval and on findings, and one of them is missing"))
    attempt = run.verification
    if run.stopped_by(run.findings):
        return [e.CheckpointRefused(at=now, checkpoint=gate, attempt=attempt)]
    return [e.ChecksPassed(at=now, checkpoint=gate, attempt=attempt)]


def judge_approvals(run: Run, command: JudgeApprovals, now: datetime) -> Decision:
    """The last thing before a gate passes: is everybody who approved it still somebody who may?"""
    if run.offer is None or not run.checked or command.attempt != run.verification:
        return Refusal(sentence=say("These approvals are not to be judged now"))
    if run.stopped_by(run.findings):  # seen meanwhile
        return [e.CheckpointRefused(at=now, checkpoint=run.gate.name, attempt=run.verification)]
    lapsed: dict[str, e.ApprovalLapsed] = {}
    unknown: list[str] = []
    for given in run.offer.checking:
        permission = command.permissions.get(given.ts)
        if permission is None or not permission.known or permission.open:
            unknown.append(given.user)
        elif not permission.approver or run.may_not_hand_over(given.user):
            why = sentences.OPENED_ALL_BEFORE if permission.approver else permission.reason
            lapsed[given.user] = e.ApprovalLapsed(
                at=now, checkpoint=given.checkpoint, user=given.user, name=given.name, ts=given.ts, why=why
            )
    if not lapsed and not unknown:
        passed = _passed(run, now)
        following = None if run.gate.step else run.plan.following(run.gate.name)
        return [passed, put_forward(after(run, passed), following, now)] if following else [passed]
    if lapsed:
        kept = [user for user in run.offer.by if user not in lapsed]
        finding = approvals.lapsed(run.gate, {user: gone.why for user, gone in lapsed.items()}, kept, run.names)
    else:
        finding = approvals.not_known(run.gate, unknown, run.names)
    told = e.FindingMade(at=now, checkpoint=run.gate.name, attempt=command.attempt, finding=finding)
    if lapsed:
        return [told, *lapsed.values()]
    return [told, e.CheckpointRefused(at=now, checkpoint=run.gate.name, attempt=command.attempt)]


def _passed(run: Run, now: datetime) -> e.CheckpointPassed:
    assert run.offer is not None
    facts: dict[str, Any] = {}
    for finding in run.findings:
        facts |= finding.facts
    return e.CheckpointPassed(at=now, checkpoint=run.gate.name, attempt=run.verification, by=run.offer.by, facts=facts)
