"""The run: what the events add up to.

`bot.plan.fold` is the only way to a `Run`; nothing about a run is stored anywhere else. A `Run` is a value: `after(run,
event)` returns a new one. The fold trusts the journal (`decide` is where moves are refused) and therefore never fails
on an event that `decide` can emit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from bot.plan import events as e
from bot.plan import posts
from bot.plan.checklist import ITEM, Checklist
from bot.plan.delivery import Delivery
from bot.plan.entitled import Entitled
from bot.plan.findings import UNREADABLE, Finding, blocks
from bot.plan.gate import Gate
from bot.plan.hold import Hold
from bot.plan.offer import Offer
from bot.plan.plan import Plan
from bot.plan.posts import AlarmKey
from bot.plan.reminder import Reminder
from bot.plan.results import ExportResult, HandoverResult, StepResult, UsersResult
from bot.plan.waiving import waives, waives_any


class Phase(StrEnum):
    """Where the run is; with the current gate it decides what is legal."""

    WAITING = "waiting"
    VERIFYING = "verifying"
    RUNNING = "running"
    FREEZING = "freezing"
    THAWING = "thawing"
    HELD = "held"
    ABORTING = "aborting"
    ABORTED = "aborted"
    DONE = "done"


@dataclass(frozen=True, kw_only=True)
class StepState:
    """`attempt` is 0 while the step is due and has not begun."""

    name: str
    attempt: int = 0
    began_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    opened: e.RunOpened
    last_at: datetime
    happened: int = 0
    """How many events there were: the order of what Slack has not numbered, whatever becomes of a clock."""
    offers: Mapping[tuple[str, int], Offer] = field(default_factory=dict)
    at: str = ""
    """The gate at hand; "" before the first."""
    current: tuple[str, int] | None = None
    """Its offer; None while its checklist is open."""
    checklists: Mapping[str, Checklist] = field(default_factory=dict)
    """By gate, the last one that was opened."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """Verifications begun so far, by gate."""
    verification: int = 0
    """The attempt at hand; 0 while the one that the approval asks for has not begun."""
    findings: tuple[Finding, ...] = ()
    """Those of the verification at hand or, after it, of the last one."""
    checked: bool = False
    """The verification at hand found nothing that stops the gate, and its approvals are judged again."""
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By passed gate; of the gate that freezes they are the freeze record."""
    passed_at: Mapping[str, datetime] = field(default_factory=dict)
    """By passed gate, by our clock."""
    step: StepState | None = None
    results: Mapping[str, StepResult] = field(default_factory=dict)
    frozen_since: datetime | None = None
    hold: Hold | None = None
    unreadable: tuple[str, ...] = ()
    """The tables that stopped the step, each `schema.table`."""
    drift: tuple[str, ...] = ()
    drifts: int = 0
    drifted_at: datetime | None = None
    """When the last one was seen, by our clock."""
    moved_to: e.MovedTo | None = None
    """What the watch compares with since the source has moved; None while that is the freeze record."""
    blind: bool = False
    blinds: int = 0
    second_instance: bool = False
    """Another process is connected as our app."""
    second_instances: int = 0
    failures: int = 0
    reopenings: int = 0
    """How often a step that had ended was taken up again."""
    starts: int = 0
    today: e.Entitlement | None = None
    """What the settings of this process say about who may open gates; None when it is the one that opened the run."""
    kept: tuple[str, ...] = ()
    """The settings that said otherwise at a start than when the run was opened; that the run keeps its own was said."""
    leavings: int = 0
    """How often the bot ended while a freeze was in place, and could still say so."""
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
    waivers: tuple[e.CheckWaived, ...] = ()
    """Of gates that are passed or on offer; a gate that is offered anew has none."""
    started: bool = True
    """False while the run waits for the word `start`."""
    freezing: bool = False
    """The bot is to freeze the source, and has not ended that."""
    freeze_attempts: int = 0
    thaw: Literal["", "asked", "confirmed"] = ""
    thaw_asked: e.ThawAsked | None = None
    thaw_attempts: int = 0
    unthawed: bool = False
    """The last thaw failed: what of it was done is not known."""
    thawed_at: datetime | None = None
    """When the last thaw ended, wherever it took place."""
    watched: bool = True
    """False once the new system is live, or the source was thawed after the handover."""
    guard_since: datetime | None = None
    """When the hard guard was set, by the database's clock; None before it was first taken for this freeze."""
    guard_lost: bool = False
    guard_changes: int = 0
    window_told: int = 0
    """So many per cent of the window were reported."""
    lengthenings: tuple[e.WindowLengthened, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """By Slack id: of approvers from the opening on, and of whoever spoke, as they were called then."""
    acted_on: frozenset[str] = frozenset()
    """The messages (ts) of which something came; answered or not."""
    heard: Mapping[str, e.MessageHeard] = field(default_factory=dict)
    heard_as: Mapping[str, int] = field(default_factory=dict)
    """By the ts of a message, its place among all that has happened."""
    joined: Mapping[str, str] = field(default_factory=dict)
    """By the ts of a message whose answer said just what an earlier one's did, the ts of that one."""
    unanswered: frozenset[str] = frozenset()
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    alarms: frozenset[AlarmKey] = frozenset()
    """Those that still apply."""
    pinned: bool = False
    """The header is pinned, or cannot be and that was reported."""
    reminder: Reminder = field(default_factory=Reminder)
    purged_at: datetime | None = None

    @property
    def run_id(self) -> str:
        return self.opened.run_id

    @property
    def plan(self) -> Plan:
        return self.opened.plan

    @property
    def phase(self) -> Phase:
        if self.abort == "done":
            return Phase.ABORTED
        if self.hold is not None:
            return Phase.HELD
        if self.abort == "confirmed":
            return Phase.ABORTING
        if self.thaw == "confirmed":
            return Phase.THAWING
        if self.has_ended:
            return Phase.DONE
        if self.freezing:
            return Phase.FREEZING
        if self.step is not None:
            return Phase.RUNNING
        if self.offer is not None and self.offer.status == "verifying":
            return Phase.VERIFYING
        return Phase.WAITING

    @property
    def has_ended(self) -> bool:
        """The plan has ended: nothing is left to do but to watch."""
        last = self.plan.last
        done = last.step in self.results if last.step else last.name in self.facts
        return done or self.is_dry_run_over

    @property
    def is_closed(self) -> bool:
        """The bundle is sealed, or a dry run has ended, which seals none: what was exported stays as it is."""
        return self.handover is not None or self.is_dry_run_over

    @property
    def is_dry_run_over(self) -> bool:
        return self.users is not None and self.users.dry_run

    @property
    def offer(self) -> Offer | None:
        return self.offers[self.current] if self.current else None

    @property
    def gate(self) -> Gate:
        return self.plan.gate(self.at) if self.at else self.plan.first

    @property
    def checklist(self) -> Checklist | None:
        """That of the gate at hand; None where it has none."""
        return self.checklists.get(self.at)

    @property
    def open_items(self) -> tuple[str, ...]:
        """The keys of what is not attested yet, and keeps the gate at hand from being offered."""
        return self.checklist.open if self.checklist is not None and self.current is None else ()

    @property
    def gate_key(self) -> str:
        """The key of the post of the gate at hand: its offer, before that its checklist, before any gate the header."""
        return posts.gate_key(self.run_id, *self.current) if self.current else self.list_key

    @property
    def list_key(self) -> str:
        """The key of the post of the checklist at hand; of the header, where there is none."""
        if self.checklist is not None:
            return posts.checklist_key(self.run_id, self.at, self.checklist.number)
        return posts.header_key(self.run_id)

    @property
    def freeze(self) -> Mapping[str, Any] | None:
        """The freeze record: `frozenAt`, `lsn`, `xmax`, `baseline`; None until the gate that freezes has passed."""
        return self.facts.get(self.plan.freezing.name)

    @property
    def is_window_over(self) -> bool:
        """Users are let in, or what they were kept out for is done."""
        letting_in = self.plan.ending_the_window
        return self.is_dry_run_over or (self.is_closed if letting_in is None else self.is_passed(letting_in.name))

    @property
    def is_before_the_freeze(self) -> bool:
        """The gate at hand comes before the one that freezes."""
        return self.gate in self.plan.before(self.plan.freezing.name)

    @property
    def guarded(self) -> bool:
        """The hard guard should be held: from the proof of the freeze until the export has been checked."""
        if not self.opened.rules.hold_locks or self.freeze is None or self.drift:
            return False
        if any(gate.ends_guard and gate.name in self.facts for gate in self.plan.gates):
            return False
        return not self.is_closed and self.abort not in {"confirmed", "done"} and self.thaw != "confirmed"

    @property
    def frozen(self) -> bool:
        """A freeze is in place, as far as the run knows, and is somebody's to watch."""
        seen = self.freeze is not None or self.frozen_since is not None
        return seen and self.watched and self.abort != "done"

    @property
    def frozen_at(self) -> datetime | None:
        """When the freeze was proven, by the database's clock; None until the gate has passed."""
        return None if self.freeze is None else datetime.fromisoformat(self.freeze["frozenAt"])

    @property
    def frozen_by(self) -> str:
        """Who gave the last signal of the gate that freezes; "" until it was given."""
        freezing = self.plan.freezing.name
        by = [user for offer in self.offers.values() if offer.checkpoint == freezing for user in offer.by]
        return by[-1] if by else ""

    @property
    def entitled(self) -> Entitled:
        """Who may act, by the settings that the run was opened with and by today's."""
        return Entitled(opened=self.opened.entitlement, today=self.today or self.opened.entitlement)

    @property
    def changed_target(self) -> bool:
        """A gate whose step writes to the target was passed, so that it may have written."""
        return any(gate.changes_target and self.opened_by(gate.name) for gate in self.plan.gates)

    def may_not_hand_over(self, user: str) -> bool:
        """They opened every gate whose step handled the data, and the settings want another person for the handover."""
        if not self.entitled.deny_same_person or not self.gate.seals:
            return False
        return all(user in self.opened_by(gate.name) for gate in self.plan.leading_to_the_seal)

    def is_passed(self, checkpoint: str) -> bool:
        return checkpoint in self.facts

    def opened_by(self, checkpoint: str) -> tuple[str, ...]:
        """On whose approvals the gate last passed; () when it has not."""
        passed = [o for o in self.offers.values() if o.checkpoint == checkpoint and o.status == "passed"]
        return passed[-1].by if passed else ()

    def waived_by(self, finding: Finding) -> tuple[str, ...]:
        """Distinct approvers who waived just this finding at the current gate, in order."""
        here = (w for w in self.waivers if w.checkpoint == self.gate.name)
        return tuple(dict.fromkeys(w.user for w in here if waives(w, finding)))

    @property
    def waived(self) -> tuple[e.CheckWaived, ...]:
        """The waivers that gates passed on, and those of what was found last at the gate at hand."""
        return tuple(w for w in self.waivers if w.checkpoint in self.facts or waives_any(w, self.findings))

    @property
    def waivers_needed(self) -> int:
        """Two approvers where there are two; how many a user group has is not known, so a group is two."""
        return 2 if self.opened.rules.groups or len(set(self.opened.approvers)) > 1 else 1

    def stopped_by(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Those that stop the gate: they fail, and were not waived or cannot be."""
        return tuple(
            finding
            for finding in findings
            if blocks([finding]) and not (finding.waivable and len(self.waived_by(finding)) >= self.waivers_needed)
        )

    @property
    def export(self) -> ExportResult | None:
        return next((result for result in self.results.values() if isinstance(result, ExportResult)), None)

    @property
    def users(self) -> UsersResult | None:
        return next((result for result in self.results.values() if isinstance(result, UsersResult)), None)

    @property
    def handover(self) -> HandoverResult | None:
        return next((result for result in self.results.values() if isinstance(result, HandoverResult)), None)

    @property
    def open_reasons(self) -> tuple[str, ...]:
        """Attention reasons that nobody has accepted for the set of users as it is now; none after a dry run, since no
        gate asks for it.
        """
        attention = self.users.attention if self.users and not self.users.dry_run else {}
        return tuple(sorted(reason for reason, a in attention.items() if self.accepted.get(reason) != a.digest))

    @property
    def open_tables(self) -> tuple[str, ...]:
        """Tables that cannot be read, as the hold or the last checking found, and that nobody has let the export leave
        out.
        """
        found = self.unreadable or tuple(
            table for finding in self.findings for table in finding.facts.get(UNREADABLE, ()) if self.export is None
        )
        return tuple(table for table in found if table not in self.left_unread)

    @property
    def why_left_unread(self) -> dict[str, str]:
        """By table (`schema.table`), the reason that the bundle gives for leaving it out."""
        return {
            table: f"it could not be read; {accepted.user} accepted that: {accepted.why}"
            for table, accepted in self.left_unread.items()
        }

    @property
    def told_unreadable(self) -> str:
        """The key of the post that named the tables which cannot be read; "" when there is none."""
        if self.unreadable:
            return posts.alarm_key(self.run_id, AlarmKey("step-failed", (self.failures,)))
        told = {key: delivery.post.body for key, delivery in self.deliveries.items()}
        named = [key for key, body in told.items() if isinstance(body, Finding) and UNREADABLE in body.facts]
        return named[-1] if named else ""

    @property
    def waivable(self) -> tuple[Finding, ...]:
        """Findings of the last checking that stop the gate, and that approvers may let pass; none while it is checked
        again, or where the same check found what may not pass.
        """
        if self.phase is Phase.VERIFYING:
            return ()
        stopped = self.stopped_by(self.findings)
        never = {finding.check for finding in stopped if not finding.waivable}
        return tuple(finding for finding in stopped if finding.check not in never)

    @property
    def acceptable(self) -> tuple[str, ...]:
        """What may follow `accept` now."""
        checks = dict.fromkeys(f"{finding.check}: WHY" for finding in self.waivable)
        items = (f"{ITEM}{key}: WHY" for key in self.open_items)
        return (*self.open_reasons, *checks, *items, *(f"unreadable:{table}: WHY" for table in self.open_tables))

    def answer_to(self, ts: str) -> Delivery | None:
        """The post that answers this message; None while nothing was decided to answer."""
        return self.deliveries.get(posts.answer_key(self.run_id, self.joined.get(ts, ts)))

    def told_finding(self, finding: Finding) -> str:
        """The key of the post that last showed this finding at the current gate; "" when there is none."""
        told = [key for key, d in self.deliveries.items() if (d.post.body, d.post.thread) == (finding, self.gate_key)]
        return told[-1] if told else ""

    def thread_of(self, thread_ts: str | None) -> str | None:
        """The key of our top-level post whose thread it is; None when it is not a thread of this run."""
        if thread_ts is None:
            return None
        return next((k for k, d in self.deliveries.items() if thread_ts in d.every_ts and not d.post.thread), None)
