"""Each gate of the plan with all that was said and found about it, in every place where people saw it. Pure.

A run forgets as it goes on: findings of earlier attempts, ticks of an earlier list, why something became void. So all
of it is gathered from the events themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.plan import events as e
from bot.plan import posts
from bot.plan.findings import Finding, blocks
from bot.plan.gate import Gate
from bot.plan.offer import Offer
from bot.plan.run import Run
from bot.plan.text import Foreign, Text, joined, say
from bot.plan.texts.foreign import marked
from bot.plan.texts.state import doing
from bot.plan.waiving import waives
from bot.report.chronicle import Moment


@dataclass
class Attempt:
    """One checking of a gate; `outcome` is "passed", "refused", "lapsed" when the checks passed and an approval was no
    longer valid, or, when it was cut off, "not ended".
    """

    number: int
    at: datetime
    findings: list[Finding] = field(default_factory=list)
    outcome: str = "not ended"

    @property
    def failed(self) -> tuple[str, ...]:
        """The checks that stopped it, or would have without a waiver."""
        return tuple(dict.fromkeys(finding.check for finding in self.findings if blocks([finding])))


@dataclass
class Posted:
    """A gate as it was once put before people. `void` is what made it void, None while nothing did. `passed_at` and
    `step_ended_at` are None where it did not come so far; `by` is on whose approvals it passed, whatever came later.
    """

    gate: Gate
    offer: Offer
    key: str
    attempts: list[Attempt] = field(default_factory=list)
    waivers: list[e.CheckWaived] = field(default_factory=list)
    passed_at: datetime | None = None
    by: tuple[str, ...] = ()
    step_ended_at: datetime | None = None
    void: Moment | None = None
    void_why: Text = field(default_factory=Text)

    def waivers_of(self, finding: Finding) -> list[e.CheckWaived]:
        return [waiver for waiver in self.waivers if waives(waiver, finding)]

    @property
    def state(self) -> Text:
        """What became of it, as a sentence: why it is void, or what it still waits for."""
        match self.offer.status:
            case "void" if self.void is not None:
                return say("Void: {why}", why=self.void_why)
            case "refused":
                checks = ", ".join(self.attempts[-1].failed) if self.attempts else ""
                return say("Not passed: the checks refused it ({checks}).", checks=Foreign(checks))
            case "verifying":
                return say("Not finished: its checks were running when the journal ends.")
            case "waiting":
                return say(
                    "Not finished: it waited for `{word}` from {n} more {people} when the journal ends.",
                    word=self.gate.signal,
                    n=self.offer.missing,
                    people="person" if self.offer.missing == 1 else "people",
                )
            case _:
                return Text()

    @property
    def seconds(self) -> tuple[float, float, float] | None:
        """Until the checks that it passed on began, until it passed, and until its step had ended; None where it did
        not pass. 0 for a step that did not end, or that there is not.
        """
        if self.passed_at is None or not self.attempts:
            return None
        began = self.attempts[-1].at
        step = (self.step_ended_at - self.passed_at).total_seconds() if self.step_ended_at else 0.0
        return (began - self.offer.at).total_seconds(), (self.passed_at - began).total_seconds(), step


@dataclass(frozen=True, kw_only=True)
class ItemAct:
    """What somebody did with an item of a checklist: `what` is "ticked", "tick taken back" or "accepted open"."""

    event: e.ItemTicked | e.ItemUnticked | e.ItemAccepted
    what: str

    @property
    def why(self) -> str:
        return self.event.why if isinstance(self.event, e.ItemAccepted) else ""


@dataclass
class Checkpoint:
    """A gate of the plan. `items` are what was done with its checklist, whichever time it was posted."""

    gate: Gate
    posted: list[Posted] = field(default_factory=list)
    items: list[ItemAct] = field(default_factory=list)

    def state(self, run: Run) -> Text:
        """Why there is nothing about it, or nothing but its list; empty where it was put before people."""
        if self.posted:
            return Text()
        return say("Not reached: {doing}.", doing=joined([doing(run)]))


class Checkpoints:
    """Gathers them, event by event."""

    def __init__(self) -> None:
        self._of: dict[str, Checkpoint] = {}
        self._at: dict[tuple[str, int], Posted] = {}
        self._now: Posted | None = None

    def found(self, run: Run) -> Sequence[Checkpoint]:
        """In the order of the plan; each offer as it was in the end."""
        for place, posted in self._at.items():
            posted.offer = run.offers[place]
        return tuple(self._of.values())

    def take(self, before: Run | None, run: Run, event: e.Event, moment: Moment | None) -> None:
        if isinstance(event, e.RunOpened):
            self._of = {gate.name: Checkpoint(gate) for gate in run.plan.gates}
        if isinstance(event, e.CheckpointOffered):
            self._offered(run, event)
        if isinstance(event, e.StepReopened):
            self._now = self._at[run.current] if run.current else None
        self._items(event)
        if self._now is not None:
            self._of_the_gate_at_hand(self._now, event)
        if before is not None and moment is not None:
            self._voided(before, run, event, moment)

    def _offered(self, run: Run, event: e.CheckpointOffered) -> None:
        place = (event.checkpoint, event.offer)
        key = posts.gate_key(run.run_id, *place)
        self._now = self._at[place] = Posted(run.plan.gate(event.checkpoint), run.offers[place], key)
        self._of[event.checkpoint].posted.append(self._now)

    def _items(self, event: e.Event) -> None:
        match event:
            case e.ItemTicked():
                self._of[event.checkpoint].items.append(ItemAct(event=event, what="ticked"))
            case e.ItemUnticked():
                self._of[event.checkpoint].items.append(ItemAct(event=event, what="tick taken back"))
            case e.ItemAccepted():
                self._of[event.checkpoint].items.append(ItemAct(event=event, what="accepted open"))
            case _:
                pass

    def _of_the_gate_at_hand(self, posted: Posted, event: e.Event) -> None:
        attempt = posted.attempts[-1] if posted.attempts else None
        match event:
            case e.VerificationBegan():
                posted.attempts.append(Attempt(event.attempt, event.at))
            case e.FindingMade() if attempt is not None:
                attempt.findings.append(event.finding)
            case e.CheckpointRefused() if attempt is not None:
                attempt.outcome = "refused"
            case e.ApprovalLapsed() if attempt is not None:
                attempt.outcome = "lapsed"
            case e.CheckpointPassed() if attempt is not None:
                attempt.outcome = "passed"
                posted.passed_at, posted.by = event.at, event.by
            case e.StepEnded():
                posted.step_ended_at = event.at
            case e.CheckWaived():
                posted.waivers.append(event)
            case _:
                pass

    def _voided(self, before: Run, run: Run, event: e.Event, moment: Moment) -> None:
        """Whatever the event was, when an offer is void behind it and was not before, it is the reason."""
        if before.offers is run.offers:
            return
        for place, offer in run.offers.items():
            posted = self._at[place]
            if offer.status == "void" and posted.void is None:
                posted.void = moment
                posted.void_why = _why_void(event, moment)


def _why_void(event: e.Event, moment: Moment) -> Text:
    return say("{why}.", why=marked(event.why)) if isinstance(event, e.CheckpointVoided) else moment.text
