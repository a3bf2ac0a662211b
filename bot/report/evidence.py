"""What an auditor asks: between whom, under which rules, on whose word, on which findings, and what came of it. Pure.

The run is what the events add up to; what a run forgets as it goes on (findings of earlier attempts, waivers of a gate
that was posted anew) is gathered from the events themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.artifacts.metadata import Metadata
from bot.plan import events as e
from bot.plan import gate as plan
from bot.plan.findings import Finding
from bot.plan.fold import after
from bot.plan.offer import Approval, Offer
from bot.plan.run import Run
from bot.plan.text import Text
from bot.plan.texts.state import doing
from bot.report.chronicle import Moment, moment


@dataclass
class Attempt:
    """One checking of a gate; `outcome` is "passed", "refused", "lapsed" when the checks passed and an approval did not
    stand, or, when it was cut off, "not ended".
    """

    number: int
    at: datetime
    findings: list[Finding] = field(default_factory=list)
    outcome: str = "not ended"


@dataclass
class Gate:
    """A gate as it was once posted, with all that was said and found about it."""

    checkpoint: plan.Gate
    number: int
    offer: Offer
    attempts: list[Attempt] = field(default_factory=list)
    waivers: list[e.CheckWaived] = field(default_factory=list)

    @property
    def approvals(self) -> Sequence[Approval]:
        return self.offer.approvals


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Users who were migrated incompletely; `accepted_by` is "" while nobody accepted just this set."""

    name: str
    count: int
    todo: str
    accepted_by: str
    accepted_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Words of which nothing came; `why` is what their author was told."""

    at: datetime
    user: str
    text: str
    why: Text


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """`head` is the number and the hash of the last line that it was made from; `bundle` is None before the export, and
    `bundle_sha256` that of its file as it was read.
    """

    run: Run
    doing: Text
    milestones: Sequence[tuple[str, datetime]]
    gates: Sequence[Gate]
    reasons: Sequence[Reason]
    moments: Sequence[Moment]
    vias: dict[str, str]
    """By the ts of a message, how it came: message, button or command."""
    refused: Sequence[Refused]
    bundle: Metadata | None
    bundle_sha256: str
    head: tuple[int, str]

    @property
    def bundle_is_the_journals(self) -> bool:
        """The tables on the page are those that were approved: the journal holds the digest of their file."""
        return self.run.export is not None and self.run.export.sha256 == self.bundle_sha256


@dataclass
class _Gathered:
    gates: dict[tuple[str, int], Gate] = field(default_factory=dict)
    at_hand: Gate | None = None
    accepted: dict[str, e.ReasonAccepted] = field(default_factory=dict)
    vias: dict[str, str] = field(default_factory=dict)
    milestones: list[tuple[str, datetime]] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def gathered(
    lines: Iterable[tuple[int, e.Event]], head: tuple[int, str], bundle: Metadata | None, bundle_sha256: str = ""
) -> Evidence | None:
    """From the journal's numbered lines; None for an empty journal."""
    run: Run | None = None
    found = _Gathered()
    for n, event in lines:
        run = after(run, event)
        _take(found, run, event)
        if (told := moment(n, event)) is not None:
            found.moments.append(told)
    if run is None:
        return None
    for place, gate in found.gates.items():
        gate.offer = run.offers[place]
    return Evidence(
        run=run,
        doing=doing(run),
        milestones=found.milestones,
        gates=list(found.gates.values()),
        reasons=_reasons(run, found.accepted),
        moments=found.moments,
        vias=found.vias,
        refused=found.refused,
        bundle=bundle,
        bundle_sha256=bundle_sha256,
        head=head,
    )


def _take(found: _Gathered, run: Run, event: e.Event) -> None:  # noqa: PLR0912  # one branch an event
    gate = found.at_hand
    match event:
        case e.RunOpened():
            found.milestones.append(("Run opened", event.at))
        case e.CheckpointOffered():
            place = (event.checkpoint, event.offer)
            found.at_hand = Gate(run.plan.gate(event.checkpoint), event.offer, run.offers[place])
            found.gates[place] = found.at_hand
        case e.MessageHeard():
            found.vias[event.ts] = event.via
        case e.Answered(status="refused"):
            heard = run.heard[event.ts].text if event.ts in run.heard else ""
            found.refused.append(Refused(at=event.at, user=event.user, text=heard, why=event.text))
        case e.VerificationBegan() if gate is not None:
            gate.attempts.append(Attempt(event.attempt, event.at))
        case e.FindingMade() if gate is not None and gate.attempts:
            gate.attempts[-1].findings.append(event.finding)
        case e.CheckpointRefused() if gate is not None and gate.attempts:
            gate.attempts[-1].outcome = "refused"
        case e.ApprovalLapsed() if gate is not None and gate.attempts:
            gate.attempts[-1].outcome = "lapsed"
        case e.CheckpointPassed() if gate is not None and gate.attempts:
            gate.attempts[-1].outcome = "passed"
            found.milestones.append((f"{gate.checkpoint.title} checkpoint passed", event.at))
        case e.CheckWaived() if gate is not None:
            gate.waivers.append(event)
        case e.StepReopened():
            found.at_hand = found.gates[run.current] if run.current else None
        case e.ReasonAccepted():
            found.accepted[event.reason] = event
        case e.StepEnded():
            found.milestones.append((event.result.milestone, event.at))
        case e.Thawed():
            found.milestones.append(("Supabase thawed", event.elsewhere or event.at))
        case e.RunAborted():
            found.milestones.append(("Run aborted", event.at))
        case e.Released():
            found.milestones.append(("New system live", event.at))
        case _:
            pass


def _reasons(run: Run, accepted: dict[str, e.ReasonAccepted]) -> list[Reason]:
    if run.users is None:
        return []
    reasons = []
    for name, attention in sorted(run.users.attention.items()):
        by = accepted.get(name)
        stands = by if by is not None and by.set_digest == attention.digest else None
        reasons.append(
            Reason(
                name=name,
                count=attention.count,
                todo=attention.todo,
                accepted_by=stands.user if stands else "",
                accepted_at=stands.at if stands else None,
            )
        )
    return reasons
