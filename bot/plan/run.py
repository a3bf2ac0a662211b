"""The run: what the events add up to.

`bot.plan.fold` is the only way to a `Run`; nothing about a run is stored anywhere else. A `Run` is a value: `after(run,
event)` returns a new one. The fold trusts the journal (`decide` is where moves are refused) and therefore never fails
on an event that `decide` can emit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from bot.plan import events as e
from bot.plan.checkpoints import BY_NAME, FREEZE, PLAN, Checkpoint
from bot.plan.findings import UNREADABLE, Finding
from bot.plan.results import ExportResult, HandoverResult, StepResult, UsersResult
from bot.plan.talk import posts
from bot.plan.talk.posts import Post


class Phase(StrEnum):
    """Where the run stands; with the current gate it decides what is legal."""

    WAITING = "waiting"
    VERIFYING = "verifying"
    RUNNING = "running"
    HELD = "held"
    ABORTING = "aborting"
    ABORTED = "aborted"
    DONE = "done"


OfferStatus = Literal["waiting", "verifying", "refused", "passed", "void"]


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A gate as it was last put before people. `approval` is the unspent one, if any."""

    checkpoint: str
    number: int
    evidence: Mapping[str, Any]
    digest: str
    at: datetime
    status: OfferStatus = "waiting"
    approval: e.SignalAccepted | None = None
    attempt: int = 0
    """The last verification begun for it; 0 before the first."""
    reminders: int = 0


@dataclass(frozen=True, kw_only=True)
class StepState:
    """`attempt` is 0 while the step is due and has not begun."""

    name: str
    attempt: int = 0
    began_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A post and how far it has come. `shown` is the face that the channel shows, "" while that is not known."""

    post: Post
    intended: bool = False
    ts: str = ""
    shown: str = ""


@dataclass(frozen=True, kw_only=True)
class Run:
    opened: e.RunOpened
    last_at: datetime
    offers: Mapping[tuple[str, int], Offer] = field(default_factory=dict)
    current: tuple[str, int] | None = None
    attempts: Mapping[str, int] = field(default_factory=dict)
    """Verifications begun so far, by gate."""
    verification: int = 0
    """The attempt at hand; 0 while the one that the approval asks for has not begun."""
    findings: tuple[Finding, ...] = ()
    """Those of the verification at hand or, after it, of the last one."""
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By passed gate; that of `freeze` is the freeze record."""
    step: StepState | None = None
    results: Mapping[str, StepResult] = field(default_factory=dict)
    frozen_since: datetime | None = None
    hold: str = ""
    unreadable: tuple[str, ...] = ()
    """Of the hold: the tables that stopped the step, each `schema.table`."""
    drift: tuple[str, ...] = ()
    drifts: int = 0
    blind: bool = False
    blinds: int = 0
    failures: int = 0
    reopenings: int = 0
    """How often a step that had ended was taken up again."""
    starts: int = 0
    accepted: Mapping[str, str] = field(default_factory=dict)
    """Attention reason -> digest of the set of users it was accepted for."""
    left_unread: Mapping[str, e.UnreadableAccepted] = field(default_factory=dict)
    """By table (`schema.table`), those without which the export may go on."""
    decisions: Mapping[str, e.UserDecided] = field(default_factory=dict)
    """By Supabase id, who somebody is in the target."""
    decided_since: frozenset[str] = frozenset()
    """Those of them who were decided on after the users step had ended."""
    abort: Literal["", "asked", "confirmed", "done"] = ""
    abort_asked: e.AbortAsked | None = None
    thaw_attempts: int = 0
    heard: Mapping[str, e.MessageHeard] = field(default_factory=dict)
    unanswered: frozenset[str] = frozenset()
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    alarms: frozenset[str] = frozenset()
    """Keys of the alarms that still stand."""
    pinned: bool = False

    @property
    def run_id(self) -> str:
        return self.opened.run_id

    @property
    def phase(self) -> Phase:
        if self.abort == "done":
            return Phase.ABORTED
        if self.hold:
            return Phase.HELD
        if self.abort == "confirmed":
            return Phase.ABORTING
        if "handover" in self.results or (self.users is not None and self.users.dry_run):
            return Phase.DONE
        if self.step is not None:
            return Phase.RUNNING
        if self.offer is not None and self.offer.status == "verifying":
            return Phase.VERIFYING
        return Phase.WAITING

    @property
    def offer(self) -> Offer | None:
        return self.offers[self.current] if self.current else None

    @property
    def gate(self) -> Checkpoint:
        return BY_NAME[self.current[0]] if self.current else PLAN[0]

    @property
    def gate_key(self) -> str:
        """The key of the current gate's post, or of the header before the first gate is offered."""
        return posts.gate_key(self.run_id, *self.current) if self.current else posts.header_key(self.run_id)

    @property
    def freeze(self) -> Mapping[str, Any] | None:
        """The freeze record: `frozenAt`, `lsn`, `xmax`, `baseline`; None until gate `freeze` has passed."""
        return self.facts.get(FREEZE.name)

    @property
    def frozen_by(self) -> str:
        """Who gave the signal of gate `freeze`; "" until it was given."""
        return next(
            (
                o.approval.user
                for o in reversed(list(self.offers.values()))
                if o.checkpoint == FREEZE.name and o.approval
            ),
            "",
        )

    @property
    def export(self) -> ExportResult | None:
        result = self.results.get("export")
        return result if isinstance(result, ExportResult) else None

    @property
    def users(self) -> UsersResult | None:
        result = self.results.get("users")
        return result if isinstance(result, UsersResult) else None

    @property
    def handover(self) -> HandoverResult | None:
        result = self.results.get("handover")
        return result if isinstance(result, HandoverResult) else None

    @property
    def open_reasons(self) -> tuple[str, ...]:
        """Attention reasons that nobody has accepted for the set of users as it is now."""
        attention = self.users.attention if self.users else {}
        return tuple(sorted(reason for reason, a in attention.items() if self.accepted.get(reason) != a.digest))

    @property
    def open_tables(self) -> tuple[str, ...]:
        """Tables that cannot be read, as the hold or the last checking found, and that nobody has let the export leave
        out.
        """
        found = self.unreadable or tuple(
            table for finding in self.findings for table in finding.facts.get(UNREADABLE, ()) if not self.results
        )
        return tuple(table for table in found if table not in self.left_unread)

    @property
    def why_left_unread(self) -> dict[str, str]:
        """By table (`schema.table`), the reason that stands in the bundle for leaving it out."""
        return {
            table: f"it could not be read; {accepted.user} accepted that: {accepted.why}"
            for table, accepted in self.left_unread.items()
        }

    @property
    def told_unreadable(self) -> str:
        """The ts of the post that named the tables which cannot be read; "" while it is not in the channel."""
        if self.unreadable:
            return self.deliveries[f"{self.run_id}/alarm/step-failed/{self.failures}"].ts
        told = (
            d.ts
            for d in self.deliveries.values()
            if isinstance(d.post.body, Finding) and UNREADABLE in d.post.body.facts
        )
        return max(told, default="")

    @property
    def header_status(self) -> str:
        match self.phase:
            case Phase.WAITING:
                return "waiting"
            case Phase.HELD:
                return "held"
            case Phase.DONE:
                return "done"
            case Phase.ABORTED:
                return "aborted"
            case _:
                return "running"

    def status_of(self, post: Post) -> str:
        """The status that the channel should show for a post now."""
        match post.body:
            case posts.Header():
                return self.header_status
            case posts.Gate(checkpoint, offer):
                return self.offers[checkpoint, offer].status
            case _ if post.kind == "cutover_alarm":
                return "waiting" if post.key in self.alarms else "done"
            case _:
                return post.status

    def face_of(self, post: Post) -> str:
        """What the post must show of the run now: when it differs from what is shown, the message is edited. A gate
        that is refused again has another face, so that readers see that something happened.
        """
        status = self.status_of(post)
        match post.body:
            case posts.Gate(checkpoint, offer):
                return f"{status} {self.offers[checkpoint, offer].attempt}"
            case posts.Header():
                return f"{status} {self.gate_key} {self.phase}"
            case _:
                return status

    def thread_of(self, thread_ts: str | None) -> str | None:
        """The key of our top-level post whose thread it is; None when it is not a thread of this run."""
        return next(
            (k for k, d in self.deliveries.items() if thread_ts and d.ts == thread_ts and not d.post.thread), None
        )


def doing(run: Run) -> str:
    """What the run is at, as a clause for people."""
    match run.phase:
        case Phase.WAITING:
            return f"checkpoint {run.gate.number} ({run.gate.title}) waits for `{run.gate.signal}`"
        case Phase.VERIFYING:
            return f"checkpoint {run.gate.number} ({run.gate.title}) is being checked"
        case Phase.RUNNING:
            assert run.step is not None
            return f"the step `{run.step.name}` is running"
        case Phase.HELD:
            return f"the run is held. {run.hold}"
        case Phase.ABORTING:
            return "the run is being aborted"
        case Phase.ABORTED:
            return "the run is aborted"
        case Phase.DONE if run.handover is None:
            return "the run has ended as a dry run: no user was created or changed"
        case Phase.DONE:
            return "the run is handed over"
