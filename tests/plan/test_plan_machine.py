"""Nights that nobody would script: people, faults and crashes at any time, against a small model of what happened.

The machine does what the conductor does (`decide`, journal, `after`, `next_actions`), does with its timers what
`bot.watch` does, and plays the world around it: the source with its freezes, thaws, sessions and writes, the channel as
it really stands, what was said there and by whom, results. A process is killed at any time, also in the middle of an
append: of a decision all events come to the disk or none. Each night ends with people who end the run by words.

Two hold it against what happened. The witness (`tests.plan.witness`) knows the source, the channel and the people, and
judges by the contract. The model here keeps what the journal says; after every step the promises are held against it:

    no gate passes but on its word, said by as many distinct people as it needs, each entitled when Slack was asked,
    after the present offer stood in the channel, and on findings of which none fails that was not waived by two;
    an approval is used once, and none by somebody entitled is lost
    everybody who approved a gate was asked about once more after its checks had passed, and was entitled then: if not,
    the gate waits again, keeps what the others approved, and says whose approval lapsed; if Slack did not say, it stays
    shut. By today's settings a gate may take more people than the run was opened with
    no step begins but behind a passed gate; nothing goes forward after an abort
    no post stands twice in the channel, also when one was deleted and is posted anew; no work is done again once it
    has ended; no message is answered twice
    a new process that reads the journal is where the old one was
"""

import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.plan import display
from bot.plan.posts import AlarmKey
from bot.plan.results import Attention, UsersResult

from .histories import (
    ANN,
    BEN,
    BOT,
    EVE,
    MEMBER,
    NED,
    PLAN,
    REMIND_AFTER,
    RUN_ID,
    SIGNALS,
    START,
    STRANGER,
    UNKNOWN,
    BeginStep,
    BeginVerification,
    Command,
    ConfirmEdit,
    ConfirmPin,
    ConfirmPost,
    EndStep,
    EndThaw,
    EndVerification,
    FailStep,
    FailThaw,
    Finding,
    Hear,
    IntendPost,
    Judge,
    JudgeApprovals,
    LosePost,
    MissLook,
    Open,
    Permission,
    Phase,
    Refusal,
    Remind,
    ReportBlindness,
    ReportDrift,
    ReportGuard,
    ReportLook,
    ReportThaw,
    Run,
    TakeUp,
    TellFinding,
    TellWindow,
    Verdict,
    after,
    decide,
    do,
    e,
    failed,
    from_record,
    good_findings,
    next_actions,
    open_run,
    passed,
    permission_of,
    result_of,
    spoken,
    talk_of,
    timers,
    to_record,
    warned,
)
from .witness import Source, Spoiled, Spoken, Witness

LISTED = (ANN, BEN)
PEOPLE = st.sampled_from([ANN, ANN, BEN, EVE, STRANGER])
AS_SIGNALS = ["{signal}", "*{signal}*!", "<@U0BOT> `{signal}`."]
NEARLY = ["not {signal} yet", "{signal}?", "froze", "good morning"]
WORDS = ["status", "retry", "retry", "abort", "abort yes", "accept phone-only", "accept sso", "coffee", "signal"]
LEAVE_OUT = "accept unreadable:public.caches: it is made anew"
DECIDE = f"decide {NED} skip"
WAIVE = "accept quiet: it is known"
HOLD = "hold it is late"
LEAVE_OUT_LONGER = "accept unreadable:public.orders archive: it is old"
WORDS += [LEAVE_OUT, LEAVE_OUT_LONGER, DECIDE, WAIVE, HOLD, "thaw", "thaw yes", "release", "start"]
UNREADABLE = ("public.caches", "public.orders", "public.orders archive")
ROLES = [{ANN, BEN}, {ANN, EVE}, {ANN, BEN, EVE}]
"""Who is an approver at a time: people are put into groups and taken out of them in the middle of a night."""
NEEDED = st.sampled_from([{}, {}, {"freeze": 2}, {"export": 2, "users": 2}])
SIGNALLED = st.one_of(
    st.tuples(st.sampled_from(AS_SIGNALS), st.just("current")),
    st.tuples(st.sampled_from(AS_SIGNALS), st.sampled_from(list(SIGNALS))),
    st.tuples(st.sampled_from(NEARLY), st.just("current")),
)
"""What is said, and the gate whose word it speaks of."""
REACHES = st.sampled_from(["heeded", "heeded", "heeded", "unvouched", "crossing", "heard", "missed"])
ALMOST = [
    (ANN, "{signal}?", True),
    (BEN, "{other}", True),
    (EVE, "{signal}", True),
    (STRANGER, "{signal}", True),
    (ANN, "{signal}", False),
]
"""Who almost opens a gate: the person, the text, and whether Slack says who it is."""
TROUBLES = st.sampled_from(
    ["", "", "refused", "cut off", "step fails", "drift", "thaw fails", "verifying", "aborted", "blind"]
)
DIES = st.sampled_from([None, None, None, True, False])
"""Whether what is decided comes to the disk before the process is killed there; None when it lives on."""
SORTS = st.sampled_from([{}, {}, {}, {"waits": True}, {"dry": True}, {"guard": True}])
"""Runs that wait for the word `start`, that change no user, that keep the hard guard."""
SEEN = st.sampled_from(["reporting", "reporting", "billing"])
"""Whose override a check finds."""
STEP_OF = {gate.name: gate.step for gate in PLAN.gates}
GATE_STATUSES = {
    "waiting": {"verifying", "void"},
    "verifying": {"passed", "refused", "void", "waiting"},
    "refused": {"verifying", "void", "waiting"},
    "passed": {"void"},
    "void": set[str](),
}


@dataclass(frozen=True)
class Message:
    """What stands in the channel. `signal` is the gate whose word it is, "" for anything else."""

    ts: str
    user: str
    text: str
    thread_ts: str | None
    signal: str
    button: bool = False


@dataclass
class World:
    """What truly happened, told by nobody but the rules and the journal."""

    channel: dict[str, str] = field(default_factory=dict)
    """Key -> ts of what really stands there, also when the bot does not know it."""
    stood: dict[str, str] = field(default_factory=dict)
    """Key -> ts at which it first stood there."""
    said: dict[str, Message] = field(default_factory=dict)
    approvers: set[str] = field(default_factory=lambda: {ANN, BEN})
    needed: dict[str, int] = field(default_factory=dict)
    vouched: set[str] = field(default_factory=set)
    """Messages whose author Slack named when they were judged."""
    was_approver: set[str] = field(default_factory=set)
    """Those whose author was an approver just then."""
    answered: list[str] = field(default_factory=list)
    offer: tuple[str, int] = ("", 0)
    digest: str = ""
    approvals: list[str] = field(default_factory=list)
    """The ts of the messages that count for the gate at hand."""
    checks_passed: bool = False
    """All checks of the verification at hand are over, and nothing stops the gate."""
    judged_again: dict[str, bool | None] = field(default_factory=dict)
    """What Slack said since then of the authors of these messages: entitled, not, or nothing."""
    lapsed: set[str] = field(default_factory=set)
    needed_today: dict[str, int] = field(default_factory=dict)
    """How many approvals the settings ask for that this process was given."""
    spent: set[str] = field(default_factory=set)
    findings: list[Finding] | None = None
    """Of the verification at hand; None when none has begun."""
    may_run: str = ""
    """The step behind the gate that passed last, until it ends or is dropped."""
    frozen: bool = False
    """Whether there is a freeze record to hold the source against."""
    drifted: bool = False
    abort_words: list[str] = field(default_factory=list)
    aborting: bool = False
    thaw_words: list[str] = field(default_factory=list)
    thawing: bool = False
    handed_over: bool = False

    def takes(self, gate: str) -> int:
        """How many people's approvals, by the stricter of the settings at the opening and of today's."""
        return max(self.needed.get(gate, 1), self.needed_today.get(gate, 1))


def step(**told: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A rule, behind which the witness looks at the bot. Where it met a known fault behind which nothing more can be
    judged, another night begins.
    """
    return lambda doing: rule(**told)(_witnessed(doing))


def _witnessed(doing: Callable[..., None]) -> Callable[..., None]:
    @wraps(doing)
    def witnessed(self: "Nights", **drawn: Any) -> None:
        try:
            doing(self, **drawn)
            self.the_witness_looks()
        except Spoiled:
            self.begin_night()
            self.opened(gates=0, step=False, then="", needed={}, sort={})

    return witnessed


class Nights(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.begin_night()

    def begin_night(self) -> None:
        self.now = START
        """Of the world, of Slack and of the database."""
        self.skew = timedelta(0)
        """How far the bot's clock is off."""
        self.world = World()
        self.witness = Witness()
        self.dry = False
        self.drifts = 0
        self.base = 0
        """How many movements of the source the watch takes for granted, since it told them."""
        self.told_thaw: datetime | None = None
        self.journal: list[str] = []
        self.run: Run | None = None
        self.reread: Run | None = None
        self.under_way = ""
        """The key of the work that this process has begun."""
        self.gate_status: dict[tuple[str, int], str] = {}

    # -- the conductor ------------------------------------------------------------------------------------------------

    def tick(self, seconds: float = 1) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def new_ts(self) -> str:
        return f"{int(self.tick().timestamp())}.000100"

    @property
    def source(self) -> Source:
        return self.witness.source

    @property
    def alive(self) -> Run:
        assert self.run is not None
        return self.run

    def take(self, event: e.Event) -> None:
        self.check(event)
        if isinstance(event, e.DriftSeen):
            self.drifts, self.base = self.drifts + 1, len(self.source.movements)
            self.told_thaw = None if self.source.frozen else self.source.thawed_at
        line = json.dumps(to_record(event))
        self.journal.append(line)
        self.run = after(self.run, event)
        self.reread = after(self.reread, from_record(json.loads(line)))
        for place, offer in self.run.offers.items():
            was = self.gate_status.get(place, "waiting")
            assert offer.status == was or offer.status in GATE_STATUSES[was], "a gate moves forward only"
            self.gate_status[place] = offer.status

    def dispatch(self, command: Command, *, survives: bool | None = None) -> bool:
        """`survives` is whether the decision comes to the disk before the process is killed, whole or not at all; None
        when it is not killed.
        """
        before = self.alive
        now = self.tick()
        decision = decide(before, command, now + self.skew)
        if isinstance(decision, Refusal):
            assert decision.sentence
            return False
        if any(isinstance(event, e.Answered) and event.status == "refused" for event in decision):
            assert len(decision) == 1, "a refusal changes nothing"
        if survives is not False:
            self.witness.decided(decision, now)
            for event in decision:
                self.take(event)
        if survives is not None:
            self.take_up()
        self.witness.shows(self.due(), display.header_status(self.alive))
        return bool(decision)

    def take_up(self, today: dict[str, int] | None = None) -> None:
        """A process begins with what the journal says and nothing else, but for how many approvals its settings ask."""
        self.run = self.reread = None
        for line in self.journal:
            self.run = after(self.run, from_record(json.loads(line)))
        self.reread = self.run
        self.under_way = ""
        self.witness.process_begins(self.tick())
        self.world.findings, self.world.checks_passed = None, False
        if today is not None:
            self.world.needed_today = today
        entitlement = e.Entitlement(users=LISTED, groups=("S0ONCALL",), approvals=self.world.needed_today)
        self.dispatch(TakeUp(entitlement=entitlement))

    # -- what each event must be true to ------------------------------------------------------------------------------

    def check(self, event: e.Event) -> None:  # noqa: PLR0912  # one branch an event
        world = self.world
        match event:
            case e.CheckpointOffered():
                before = [gate.name for gate in PLAN.before(event.checkpoint)]
                assert world.offer[0] == (before[-1] if before else world.offer[0])
                world.offer, world.digest = (event.checkpoint, event.offer), event.digest
                world.approvals, world.may_run, world.findings = [], "", None
                world.drifted, world.frozen = False, world.frozen and event.checkpoint != "freeze"
            case e.SignalAccepted():
                self.check_approval(event)
                world.approvals, world.findings = [*world.approvals, event.ts], None
            case e.VerificationBegan():
                needed = world.takes(world.offer[0])
                assert len(world.approvals) >= needed, "a verification stands on as many approvals as it needs"
                world.findings, world.checks_passed, world.judged_again = [], False, {}
            case e.FindingMade():
                assert world.findings is not None, "a finding belongs to a verification of this process"
                if not world.checks_passed:
                    world.findings.append(event.finding)
                else:
                    assert event.finding.check == "approvers-entitled"
                    assert not all(world.judged_again.values()), "it is told when an approval does not stand"
            case e.ChecksPassed():
                assert world.findings, "no checks pass that were not made"
                assert not any(finding.verdict is Verdict.FAIL and not finding.waivable for finding in world.findings)
                world.checks_passed = True
            case e.ApprovalLapsed():
                assert world.checks_passed or world.lapsed, "approvals are judged again once all else is proven"
                assert world.judged_again[event.ts] is False, "none lapses of whom Slack says nothing, or that he may"
                assert event.user == world.said[event.ts].user
                world.lapsed.add(event.ts)
                world.approvals = [ts for ts in world.approvals if ts != event.ts]
                world.findings, world.checks_passed = None, False
            case e.CheckpointRefused():
                unsaid = world.checks_passed and None in world.judged_again.values()
                assert unsaid or any(finding.verdict is Verdict.FAIL for finding in world.findings or [])
                self.spend()
            case e.CheckpointPassed():
                self.check_passed(event)
                self.spend()
                world.may_run, world.frozen = STEP_OF[event.checkpoint], True
            case e.StepBegan():
                assert event.step == world.may_run, "a step runs behind its passed gate"
            case e.StepEnded():
                assert event.step == world.may_run
                world.may_run = ""
                world.handed_over = event.step == "handover"
            case e.StepReopened():
                assert world.offer == ("users", world.offer[1]), "only what stands before its gate is taken up again"
                assert event.step == STEP_OF["export"]
                world.may_run, world.approvals = event.step, []
                world.offer = max(place for place in self.run.offers if place[0] == "export")
            case e.DriftSeen():
                assert world.frozen, "what is not frozen does not drift"
                world.drifted, world.approvals = True, []
            case e.AbortAsked():
                assert self.entitled(event.ts, "abort")
                assert not world.aborting, "it goes back already"
                world.abort_words.append(event.ts)
            case e.AbortConfirmed():
                self.check_abort(event)
                world.aborting, world.drifted, world.thawing = True, False, False
                world.approvals, world.may_run, world.findings = [], "", None
            case e.Thawed(overtaken=False) if world.offer[0] == "freeze":
                if not world.may_run:  # who approved it meant another freeze than comes next
                    world.approvals, world.findings, world.checks_passed = [], None, False
            case e.ThawAsked():
                assert self.entitled(event.ts, "thaw")
                world.thaw_words.append(event.ts)
            case e.ThawConfirmed():
                assert self.entitled(event.ts, "thaw yes")
                assert any(ts < event.ts for ts in world.thaw_words), "a thaw wants a second yes"
                assert not world.aborting
                assert not world.thawing or self.witness.over, (
                    "a thaw that failed may be asked for anew where nothing is held"
                )
                world.thawing, world.drifted = True, False
                world.approvals, world.may_run, world.findings = [], "", None
            case e.Unfrozen():
                assert world.thawing or self.source.left_a_record
                world.thawing = world.drifted = False
            case e.ThawFailed() if world.handed_over:
                world.thawing = False  # it is held by nothing, and the thaw is said anew
            case e.HoldAsked():
                message = world.said[event.ts]
                assert message.user != STRANGER
                assert event.ts in world.vouched
                assert message.text == f"<@{BOT}> {HOLD}"
                world.approvals, world.findings = [], None
            case e.CheckWaived():
                assert self.entitled(event.ts, WAIVE)
            case e.Released():
                assert self.entitled(event.ts, "release")
                assert self.witness.over
                world.drifted = False  # nobody watches any more
            case e.RetryAsked():
                assert self.entitled(event.ts, "retry")
            case e.ReasonAccepted():
                assert event.ts is not None
                assert self.entitled(event.ts, f"accept {event.reason}")
                assert event.ts > self.posted_at(), "nobody accepts a list that was not yet shown"
            case e.UserDecided():
                assert self.entitled(event.ts, DECIDE)
                assert (event.id, event.choice) == (NED, "skip")
                assert event.ts > self.posted_at(), "nobody decides on a list that was not yet shown"
            case e.UnreadableAccepted():
                assert any(self.entitled(event.ts, word) for word in (LEAVE_OUT, LEAVE_OUT_LONGER))
                assert event.table in UNREADABLE
                assert self.run.phase is Phase.HELD and event.table not in self.run.left_unread
            case e.Answered():
                assert event.ts in world.said
                assert event.ts not in world.answered, "a message is answered at most once"
                world.answered.append(event.ts)
            case e.RunAborted():
                assert world.aborting
            case _:
                pass

    def entitled(self, ts: str, word: str) -> bool:
        message = self.world.said[ts]
        return ts in self.world.was_approver and message.text == f"<@{BOT}> {word}"

    def check_approval(self, event: e.SignalAccepted) -> None:
        world, message = self.world, self.world.said[event.ts]
        assert message.signal == event.checkpoint == world.offer[0], "the word of the gate on offer"
        assert message.user == event.user
        assert event.ts in world.was_approver
        assert message.button or event.ts > self.posted_at(), "it was said after its offer stood in the channel"
        assert event.digest == world.digest, "it is bound to what is on offer"
        assert event.ts not in world.spent, "it is used once"
        assert message.user not in [world.said[ts].user for ts in world.approvals], "one person is not two"
        assert len(world.approvals) < world.takes(event.checkpoint), "what is enough is enough"
        assert not world.thawing
        assert not world.drifted
        assert not world.aborting
        assert not world.may_run, "a passed gate asks for nothing"

    def check_passed(self, event: e.CheckpointPassed) -> None:
        world = self.world
        assert (event.checkpoint, world.offer[0]) == (world.offer[0], event.checkpoint)
        assert len(world.approvals) >= world.takes(event.checkpoint), "no gate passes unapproved"
        assert event.by == tuple(world.said[ts].user for ts in world.approvals)
        assert world.checks_passed, "no gate passes before its checks are over"
        assert set(world.judged_again) >= set(world.approvals), "everybody who approved is judged again"
        assert all(world.judged_again[ts] for ts in world.approvals), "nobody opens a gate who may no more"
        assert world.findings, "no gate passes unexamined"
        assert not world.thawing
        assert not world.drifted
        assert not world.aborting

    def check_abort(self, event: e.AbortConfirmed) -> None:
        assert self.entitled(event.ts, "abort yes")
        assert not self.world.aborting
        assert any(ts < event.ts for ts in self.world.abort_words), "an abort wants a second yes"

    def posted_at(self) -> str:
        """When the gate on offer came to stand in the channel; later than everything while it does not."""
        gate, number = self.world.offer
        return self.world.stood.get(f"{RUN_ID}/checkpoint/{gate}/{number}", "~")

    def spend(self) -> None:
        self.world.spent |= set(self.world.approvals)
        self.world.approvals, self.world.findings, self.world.checks_passed = [], None, False

    # -- people -------------------------------------------------------------------------------------------------------

    @initialize(gates=st.sampled_from([1, 2, 3, 0, 1, 2]), step=st.booleans(), then=TROUBLES, needed=NEEDED, sort=SORTS)
    @_witnessed
    def opened(self, gates: int, step: bool, then: str, needed: dict[str, int], sort: dict[str, bool]) -> None:
        """Nights begin anywhere: so many gates have gone well, perhaps the last step has too, and then some trouble."""
        parties = e.Parties(source_ref="abcdef", source_database="postgres", target_project="p-1")
        self.world.needed, self.dry = needed, sort.get("dry", False)
        self.witness = Witness(guard=sort.get("guard", False))
        command = Open(
            run_id=RUN_ID,
            parties=parties,
            channel="C0",
            approvers=LISTED,
            retain_days=90,
            accepted_ahead=(),
            rules=e.Rules(
                groups=("S0ONCALL",),
                approvals=needed,
                window_minutes=60,
                hold_locks=sort.get("guard", False),
                start_on_word=sort.get("waits", False),
            ),
        )
        events = open_run(command, self.now)
        self.witness.decided(events, self.now)
        for event in events:
            self.take(event)
        for n in range(1, gates + 1):
            self.a_whole_gate_goes_well()
            if n < gates or step:
                self.a_whole_step_goes_well()
        self.trouble(then)

    @precondition(lambda self: self.alive.phase in {Phase.ABORTED, Phase.DONE})
    @step(gates=st.integers(0, 2), step=st.booleans(), then=TROUBLES, needed=NEEDED, sort=SORTS)
    def another_night_begins(
        self, gates: int, step: bool, then: str, needed: dict[str, int], sort: dict[str, bool]
    ) -> None:
        self.people_end_the_run()
        self.begin_night()
        self.opened(gates=gates, step=step, then=then, needed=needed, sort=sort)

    def trouble(self, then: str) -> None:
        match then:
            case "refused":
                self.a_whole_gate_goes_well(well=False)
            case "verifying":
                self.a_whole_gate_goes_well(ends=False)
            case "aborted":
                self.a_whole_gate_goes_well(ends=False)
                self.an_abort_is_asked_for("abort yes")
            case "cut off":
                self.a_whole_step_goes_well(survives=False)
            case "step fails" if isinstance(self.begin(), do.Work):
                self.end_step(well=False, set_digest="a", attention=False)
            case "drift":
                self.source.writes(self.tick())
                self.timers_have_their_turn()
            case "thaw fails":
                for text in ("thaw", "thaw yes") if self.witness.over else ("abort", "abort yes"):
                    self.say(ANN, f"<@{BOT}> {text}")
                if isinstance(self.begin(), do.Thaw):
                    self.end_thaw(well=False, raises=False, survives=None)
            case "blind":
                self.timers_have_their_turn(sees=False)

    def teardown(self) -> None:
        """At the end of each night people end the run, wherever it is."""
        if sys.exc_info()[0] is None and self.run is not None:
            with contextlib.suppress(Spoiled):
                self.people_end_the_run()

    def people_end_the_run(self) -> None:
        """By words alone, in a channel that works, over a source that answers."""
        self.world.approvers = {ANN, BEN}
        ends = ["release", "thaw", "thaw yes"] if self.witness.over else ["abort", "abort yes", "thaw", "thaw yes"]
        for word in 2 * [*ends, "retry", *ends]:
            if self.witness.ended:
                break
            self.say(ANN, f"<@{BOT}> {word}")
            self.tell_all()
            if isinstance(self.begin(), do.Thaw):
                self.end_thaw(well=True, raises=False, survives=None)
        self.witness.holds("words-end-it", self.witness.ended, self.alive.phase)
        for word in ("start", "retry", "thaw yes", "abort yes"):
            self.say(ANN, f"<@{BOT}> {word}")  # what has ended stays as it is

    def the_witness_looks(self) -> None:
        self.witness.sees(self.armed(), self.due(), display.header_status(self.alive))

    def armed(self) -> set[str]:
        return {timer.chore for timer in timers(self.alive, REMIND_AFTER)}

    def post_message(self, user: str, text: str, signal: str = "", thread_ts: str | None = None) -> Message:
        message = Message(ts=self.new_ts(), user=user, text=text, thread_ts=thread_ts, signal=signal)
        self.world.said[message.ts] = message
        self.witness.says(message.ts, Spoken(self.now, user, text, signal))
        return message

    def hear(self, message: Message) -> bool:
        return self.dispatch(
            Hear(
                ts=message.ts,
                user=message.user,
                team="T0",
                thread_ts=message.thread_ts,
                **spoken(message.text),
            )
        )

    @step(user=PEOPLE, said=SIGNALLED, in_thread=st.sampled_from([False, False, False, True]), reaches=REACHES)
    def somebody_signals(self, user: str, said: tuple[str, str], in_thread: bool, reaches: str) -> None:
        """Or nearly; at top level or below whatever was posted last."""
        text, gate = said
        gate = (self.world.offer[0] or "freeze") if gate == "current" else gate
        thread = next(reversed(self.world.channel.values()), "1600000000.000100") if in_thread else None
        self.speak(user, text.format(signal=SIGNALS[gate]), gate if text in AS_SIGNALS else "", thread, reaches)

    @precondition(lambda self: self.posted_at() != "~")
    @step(user=PEOPLE, number=st.sampled_from(["", "", "an older one"]), known=st.sampled_from([True, True, False]))
    def somebody_presses_a_button(self, user: str, number: str, known: bool) -> None:
        """Beside the evidence of the gate on offer, or of one that was shown before it; what they press has no ts."""
        self.tell_all()
        gate, digest = self.world.offer[0], number or self.world.digest
        heard = self.dispatch(
            Hear(
                ts="",
                user=user,
                team="T0",
                text=SIGNALS[gate],
                thread_ts=None,
                addressed=True,
                via="button",
                request=f"request {len(self.journal)}",
                digest=digest,
            )
        )
        assert heard
        ts = next(reversed(self.alive.heard))
        self.world.said[ts] = Message(ts, user, SIGNALS[gate], None, "" if number else gate, button=True)
        self.witness.says(ts, Spoken(self.now, user, SIGNALS[gate], gate, digest))
        self.answer(ts, known=known)

    @step()
    def the_clock_of_the_bot_is_set_back(self) -> None:
        self.skew = timedelta(hours=-2)

    @step(user=PEOPLE, word=st.sampled_from(WORDS), reaches=REACHES)
    def somebody_says_a_word(self, user: str, word: str, reaches: str) -> None:
        self.speak(user, f"<@{BOT}> {word}", "", None, reaches)

    def speak(self, user: str, text: str, signal: str, thread_ts: str | None, reaches: str) -> None:
        """When all is told, and judged at once; or before something was told, and judged after it; or later, or it
        never reaches us.
        """
        if reaches in {"heeded", "unvouched"}:
            self.tell_all()
        message = self.post_message(user, text, signal, thread_ts)
        if reaches == "missed" or not self.hear(message) or reaches == "heard":
            return
        self.tell_all()
        self.answer(message.ts, known=reaches != "unvouched")

    @step(
        word=st.sampled_from(["retry", "retry", "abort yes", "accept sso", "thaw yes", HOLD]),
        survives=st.booleans(),
    )
    def the_process_is_killed_while_it_answers(self, word: str, survives: bool) -> None:
        """What it decided is on the disk whole, or not at all."""
        message = self.post_message(ANN, f"<@{BOT}> {word}")
        self.hear(message)
        self.dispatch(Judge(ts=message.ts, permission=self.permission(message)), survives=survives)

    @precondition(lambda self: not self.world.aborting)
    @step(word=st.sampled_from(["retry", "status", "abort", "abort yes"]))
    def the_run_is_aborted(self, word: str) -> None:
        """Or nearly."""
        self.an_abort_is_asked_for(word)

    def an_abort_is_asked_for(self, word: str) -> None:
        for text in ("abort", word):
            self.say(ANN, f"<@{BOT}> {text}")

    @precondition(lambda self: not self.world.aborting)
    @step()
    def a_second_yes_comes_before_the_first_word(self) -> None:
        """And is heard after it."""
        yes, first = (self.post_message(ANN, f"<@{BOT}> {text}") for text in ("abort yes", "abort"))
        for message in (first, yes):
            self.hear(message)
            self.answer_all()

    @precondition(lambda self: self.messages())
    @step(data=st.data())
    def an_event_is_delivered_again(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.messages()))
        heard_before = message.ts in self.alive.heard
        assert not (self.hear(message) and heard_before)
        if message.ts in self.world.answered:
            assert not self.dispatch(Judge(ts=message.ts, permission=self.permission(message)))

    @precondition(lambda self: self.messages())
    @step()
    def the_history_is_swept(self) -> None:
        for message in self.messages():
            self.hear(message)

    def messages(self) -> list[Message]:
        """What stands in the channel's history."""
        return [message for message in self.world.said.values() if not message.button]

    @precondition(lambda self: "ask" in next_actions(self.alive))
    @step(known=st.booleans())
    def slack_says_who_spoke(self, known: bool) -> None:
        ask = next_actions(self.alive)["ask"]
        assert isinstance(ask, do.AskWho)
        self.answer(ask.ts, known=known)

    def answer(self, ts: str, *, known: bool) -> None:
        message = self.world.said[ts]
        counts = known and self.must_count(message)
        permission = self.permission(message) if known else UNKNOWN
        assert self.dispatch(Judge(ts=ts, permission=permission))
        assert ts in self.world.answered
        if counts:
            late = message.button and self.skew
            name = "no-approval-is-lost" + ("-to-a-clock" if late else "")
            self.witness.holds(name, self.witness.has_approved(ts), message)

    def permission(self, message: Message) -> Permission:
        """What Slack says of its author at this moment."""
        self.world.vouched.add(message.ts)
        self.witness.vouched(message.ts, approver=message.user in self.world.approvers)
        if message.user in self.world.approvers:
            self.world.was_approver.add(message.ts)
            return Permission(known=True, member=True, approver=True)
        self.world.was_approver.discard(message.ts)
        return permission_of(message.user) if message.user in {EVE, STRANGER} else MEMBER

    def must_count(self, message: Message) -> bool:
        """It is the word of the gate on offer, said in time by somebody who may, and nothing else is open."""
        run, world = self.alive, self.world
        return (
            message.signal == world.offer[0] != ""
            and message.user in world.approvers
            and (message.button or message.ts > self.posted_at())
            and run.deliveries[run.gate_key].every_ts
            and not (world.drifted or world.aborting or world.thawing or world.may_run or run.hold or run.has_ended)
            and not (run.open_reasons or run.decided_since)
            and message.user not in [world.said[ts].user for ts in world.approvals]
            and len(world.approvals) < world.takes(world.offer[0])
        )

    def say(self, user: str, text: str, signal: str = "") -> None:
        """Once all is told, and answered at once."""
        self.tell_all()
        message = self.post_message(user, text, signal)
        self.hear(message)
        self.answer_all()

    @step(users=st.lists(PEOPLE, min_size=1, max_size=3), early=st.booleans())
    def several_people_signal(self, users: list[str], early: bool) -> None:
        """The same one twice, two at once, some of whom may not; perhaps before the checkpoint is in the channel."""
        gate = self.world.offer[0] or "freeze"
        for reason in self.alive.open_reasons:
            self.say(ANN, f"<@{BOT}> accept {reason}")
        said = [self.post_message(user, SIGNALS[gate], gate) for user in users if early]
        self.tell_all()
        said += [self.post_message(user, SIGNALS[gate], gate) for user in users if not early]
        for message in said:
            self.hear(message)
        self.answer_all()

    @step(user=PEOPLE, goes_on=st.booleans())
    def the_run_is_held(self, user: str, goes_on: bool) -> None:
        self.say(user, f"<@{BOT}> {HOLD}")
        if goes_on:
            self.say(ANN, f"<@{BOT}> retry")

    @precondition(lambda self: not self.world.aborting)
    @step(word=st.sampled_from(["thaw yes", "thaw yes", "retry", "abort yes"]), well=st.booleans())
    def the_source_is_thawed(self, word: str, well: bool) -> None:
        """Or nearly; and perhaps tried again, and perhaps the night goes on behind it."""
        for text in ("thaw", word):
            self.say(ANN, f"<@{BOT}> {text}")
        if isinstance(self.begin(), do.Thaw):
            self.end_thaw(well=well, raises=False, survives=None)
            self.say(ANN, f"<@{BOT}> retry")

    @precondition(lambda self: self.alive.phase is Phase.WAITING)
    @step(users=st.lists(PEOPLE, min_size=1, max_size=3), waivable=st.booleans(), seen=st.lists(SEEN, min_size=2))
    def a_check_is_waived(self, users: list[str], waivable: bool, seen: list[str]) -> None:
        """By so many of whom some may, and the gate is tried again on the same finding, or on another of that check."""
        self.a_whole_gate_goes_well(well=False, waivable=waivable, seen=seen[:2])
        for user in users:
            self.say(user, f"<@{BOT}> {WAIVE}")
        self.a_whole_gate_goes_well(well=False, waivable=waivable, seen=seen[1:3])

    @precondition(lambda self: self.alive.phase is Phase.WAITING)
    @step(first=SEEN, then=SEEN, signals=st.booleans())
    def two_people_waive_what_each_of_them_saw(self, first: str, then: str, signals: bool) -> None:
        """And the second finding is perhaps not the first; and one of two signals perhaps comes before the second."""
        self.a_whole_gate_goes_well(well=False, waivable=True, seen=[first])
        self.say(ANN, f"<@{BOT}> {WAIVE}")
        self.a_whole_gate_goes_well(well=False, waivable=True, seen=[then])
        if signals and self.alive.phase is Phase.WAITING:
            self.say(ANN, SIGNALS[self.world.offer[0]], self.world.offer[0])
        self.say(min(self.world.approvers - {ANN}), f"<@{BOT}> {WAIVE}")
        self.a_whole_gate_goes_well(well=False, waivable=True, seen=[then])

    @precondition(lambda self: isinstance(self.due(), do.Work))
    @step(word=st.sampled_from([LEAVE_OUT, LEAVE_OUT_LONGER]))
    def tables_cannot_be_read(self, word: str) -> None:
        """And one of them is left out."""
        self.begin()
        self.end_step(well=False, set_digest="a", attention=False)
        for text in (word, "retry"):
            self.say(ANN, f"<@{BOT}> {text}")

    @step(roles=st.sampled_from(ROLES))
    def somebody_is_put_into_a_group_or_taken_out(self, roles: set[str]) -> None:
        self.world.approvers = set(roles)

    # -- the channel --------------------------------------------------------------------------------------------------

    def talk(self, action: do.Action, *, arrives: bool, told: bool) -> None:
        match action:
            case do.Deliver(delivery=delivery, look_first=look_first):
                key = delivery.post.key
                if look_first and key in self.world.channel:
                    self.dispatch(ConfirmPost(key=key, ts=self.world.channel[key], displayed_state=""))
                    return
                if not look_first:
                    self.dispatch(IntendPost(key=key))
                displayed_state = display.displayed_state(self.alive, delivery.post)
                parent = self.alive.deliveries.get(delivery.post.thread or "")
                if parent is not None and parent.stands and not self.stands(parent):
                    self.lose(parent, told=arrives and told)
                elif arrives:
                    self.witness.stands(delivery.post, self.tick())
                    self.world.channel[key] = self.new_ts()
                    self.world.stood.setdefault(key, self.world.channel[key])
                    if told:
                        self.dispatch(ConfirmPost(key=key, ts=self.world.channel[key], displayed_state=displayed_state))
            case do.Redraw(delivery=delivery):
                if not self.stands(delivery):
                    self.lose(delivery, told=arrives and told)
                elif arrives and told:
                    self.dispatch(
                        ConfirmEdit(
                            key=delivery.post.key,
                            ts=delivery.ts,
                            displayed_state=display.displayed_state(self.alive, delivery.post),
                        )
                    )
            case do.PinHeader(ts=ts):
                header = self.alive.deliveries[f"{RUN_ID}/header"]
                assert ts == header.ts
                if not self.stands(header):
                    self.lose(header, told=arrives and told)
                elif arrives and told:
                    self.dispatch(ConfirmPin())

    def stands(self, delivery: do.Delivery) -> bool:
        return self.world.channel.get(delivery.post.key) == delivery.ts

    def lose(self, delivery: do.Delivery, *, told: bool) -> None:
        """Slack refuses what is to be done with it; `told` when the refusal arrives."""
        if told:
            assert self.dispatch(LosePost(key=delivery.post.key, ts=delivery.ts))
            assert not self.dispatch(LosePost(key=delivery.post.key, ts=delivery.ts)), "it is lost once"

    @precondition(lambda self: self.world.channel)
    @step(data=st.data())
    def somebody_deletes_a_post(self, data: st.DataObject) -> None:
        """Most likely one that people work with."""
        keys = [key for key in (f"{RUN_ID}/header", self.alive.gate_key) if key in self.world.channel]
        key = data.draw(st.sampled_from([*keys, *keys, *self.world.channel]))
        del self.world.channel[key]
        self.witness.is_deleted(key)

    @precondition(lambda self: next_actions(self.alive).keys() & {"post", "edit"})
    @step(data=st.data(), arrives=st.booleans(), told=st.booleans())
    def one_post_or_edit(self, data: st.DataObject, arrives: bool, told: bool) -> None:
        """Done, lost on the way, or done without an answer; neither waits for the other."""
        due = next_actions(self.alive)
        lane = data.draw(st.sampled_from(sorted(due.keys() & {"post", "edit"})))
        self.talk(due[lane], arrives=arrives, told=told)

    # -- the work -----------------------------------------------------------------------------------------------------

    def due(self) -> do.Action | None:
        return next_actions(self.alive).get("work")

    def begin(self) -> do.Action | None:
        """What is due, begun if it was not; what the process did before was cancelled and awaited."""
        work = self.due()
        if work is None or work.key == self.under_way:
            return work
        self.witness.work_begins(work.key)
        match work:
            case do.Verify():
                assert self.dispatch(BeginVerification())
            case do.Work():
                assert self.dispatch(BeginStep())
        self.under_way = work.key
        return work

    def end(self, command: Command, survives: bool | None = None) -> None:
        """The work at hand ends with this."""
        key, self.under_way = self.under_way, ""
        assert self.dispatch(command, survives=survives)
        checked = isinstance(command, EndVerification) and (self.alive.checked or survives is not None)
        if survives is not False and not checked:  # what was checked is checked again after a restart
            self.witness.work_ended(key)

    @precondition(lambda self: self.due() is not None)
    @step(
        ends=st.sampled_from([True, True, False]),
        well=st.sampled_from([True, True, False]),
        warns=st.booleans(),
        set_digest=st.sampled_from("ab"),
        survives=DIES,
    )
    def work_goes_on(self, ends: bool, well: bool, warns: bool, set_digest: str, survives: bool | None) -> None:
        match self.begin():
            case do.Verify():
                self.examine(well=well, warns=warns, ends=ends, survives=survives, judged=well)
            case do.JudgeAgain() if ends:
                self.judge_again(known=well, survives=survives)
            case do.Work() if ends:
                self.end_step(well=well, set_digest=set_digest, attention=warns, survives=survives)
            case do.Thaw() if ends:
                self.end_thaw(well=well, raises=warns and not well, survives=survives)

    def examine(
        self,
        *,
        well: bool,
        warns: bool,
        ends: bool,
        survives: bool | None,
        judged: bool = True,
        seen: Sequence[str] = ("reporting",),
    ) -> None:
        """What the examiners find in the source is true; one of them may find something else, once or twice."""
        if self.alive.gate.name == "freeze" and "look" in self.armed():
            self.look()  # a freeze that is first seen when the word is said is looked at again at once
        if well:
            self.tell(passed("quiet", "It is so.") if not warns else warned("quiet", "It is not told."))
        for what in () if well else seen:
            self.tell(failed("quiet", f"It is overridden for {what}.", "Fix it.", waivable=warns))
        if not ends:
            return
        for finding in self.found_in_the_source():
            self.tell(finding)
        if not isinstance(self.due(), do.Verify):
            return
        self.end(EndVerification(), survives)
        if judged and isinstance(self.begin(), do.JudgeAgain):
            self.judge_again(known=True)

    def tell(self, finding: Finding) -> None:
        now = self.tick()
        assert self.dispatch(TellFinding(finding=finding))
        self.witness.reads(finding, now)

    def found_in_the_source(self) -> list[Finding]:
        """By examiners that are given the run, as all of them are."""
        source, run = self.source, self.alive
        if run.gate.name != "freeze":
            if changes := self.changes():
                return [failed("freeze-holds", "The source moved.", "Say `retry`.", moved=list(changes))]
            return [passed("freeze-holds", "Nothing moved.")]
        if run.frozen_since is None or not source.frozen:
            return [failed("freeze-layers", "No freeze is in place.", "Freeze.")]
        if source.older_that_write(run.frozen_since):
            return [failed("old-sessions", "A session from before the freeze can write.", "End it.")]
        found = good_findings("freeze", self.now)
        return [f.model_copy(update={"facts": f.facts | {"baseline": self.state()}}) if f.facts else f for f in found]

    def state(self) -> dict[str, int]:
        return {"moves": len(self.source.movements)}

    def changes(self) -> tuple[str, ...]:
        """How the source differs from the freeze record, but for what has been told of it."""
        assert self.alive.freeze is not None
        more = len(self.source.movements) - max(self.base, self.alive.freeze["baseline"]["moves"])
        moved = (f"public.orders is at write {len(self.source.movements)}",) if more > 0 else ()
        thawed = None if self.source.frozen else self.source.thawed_at
        return moved + ((f"the freeze is gone since {thawed:%T}",) if thawed and thawed != self.told_thaw else ())

    def judge_again(self, *, known: bool, survives: bool | None = None) -> None:
        """Slack says of everybody who approved whether they may now, or says it of nobody."""
        due, world = self.due(), self.world
        assert isinstance(due, do.JudgeAgain)
        assert [given.ts for given in due.approvals] == world.approvals
        late = JudgeApprovals(attempt=due.attempt - 1, permissions={})
        assert not self.dispatch(late), "what was asked for another verification is not believed"
        world.judged_again = {ts: world.said[ts].user in world.approvers if known else None for ts in world.approvals}
        command = JudgeApprovals(
            attempt=due.attempt,
            permissions={
                ts: Permission(known=known, member=known, approver=bool(may), reason="they left")
                for ts, may in world.judged_again.items()
            },
        )
        before = list(world.approvals)
        self.end(command, survives)
        if survives is None and not all(world.judged_again.values()):
            assert self.alive.phase is Phase.WAITING
            kept = [ts for ts in before if known and world.judged_again[ts]]
            assert world.approvals == kept, "the others' approvals are kept, if Slack said who they are"

    @precondition(lambda self: isinstance(self.due(), do.Verify))
    @step()
    def a_verification_ends_before_it_found_anything(self) -> None:
        """Nothing follows, whether it began or not."""
        if self.world.findings:
            return
        assert not self.dispatch(EndVerification())

    def end_step(self, *, well: bool, set_digest: str, attention: bool, survives: bool | None = None) -> None:
        step = self.alive.step
        assert step is not None
        if not well:
            unreadable = UNREADABLE if step.name == "export" else ()
            self.end(FailStep(why="It stopped; nothing was lost; look at it.", unreadable=unreadable))
        else:
            listed = {"sso": Attention(count=1, digest=set_digest, todo="Link them.")} if attention else {}
            result = result_of(step.name, attention=listed, sha256=set_digest)
            if self.dry and isinstance(result, UsersResult):
                result = result.model_copy(update={"dry_run": True})
            self.end(EndStep(result=result), survives)

    def end_thaw(self, *, well: bool, raises: bool, survives: bool | None) -> None:
        if raises:
            self.end(FailThaw(why="No answer; nothing was thawed; look at it."))
            return
        good, bad = passed("writes-again", "It writes."), failed("writes-again", "It does not.", "Thaw by SQL.")
        if well:
            self.witness.thaws(self.tick(), leaves_a_record=False)
        command = EndThaw(findings=(good if well else bad,))
        if survives is None:
            self.end(command)
        else:
            self.dispatch(command, survives=survives)  # what was not told to have ended is done again, which is safe

    @precondition(lambda self: self.under_way and not isinstance(self.due(), do.Verify | do.JudgeAgain | do.Work))
    @step(step=st.sampled_from(["export", "users", "handover"]))
    def cancelled_work_reports_late(self, step: str) -> None:
        """It reached its end before it saw that it was cancelled."""
        for command in (
            TellFinding(finding=passed("quiet", "It is so.")),
            EndVerification(),
            EndStep(result=result_of(step)),
            FailStep(why="It stopped."),
        ):
            assert not self.dispatch(command)
        self.under_way = ""

    @step(almost=st.booleans(), crossing=st.booleans(), careful=st.booleans())
    def the_night_goes_on(self, almost: bool, crossing: bool, careful: bool) -> None:
        """What most of a night is made of; without it few nights would come to the later gates."""
        self.answer_all()
        self.tell_all()
        if isinstance(self.due(), do.Work):
            self.a_whole_step_goes_well(crossing=crossing)
        else:
            self.a_whole_gate_goes_well(almost=almost, careful=careful)

    def a_whole_gate_goes_well(
        self,
        *,
        almost: bool = False,
        well: bool = True,
        ends: bool = True,
        waivable: bool = False,
        careful: bool = True,
        seen: Sequence[str] = ("reporting",),
    ) -> None:
        """Perhaps after all have tried who may not open it."""
        if not self.world.offer[0]:
            self.say(ANN, f"<@{BOT}> start")
        self.answer_all()
        self.tell_all()
        if self.world.offer[0] == "freeze" and self.alive.phase is Phase.WAITING:
            self.people_freeze(careful=careful)
        if self.alive.phase is not Phase.WAITING:
            return
        if self.alive.decided_since:
            self.hear(self.post_message(ANN, f"<@{BOT}> retry"))
            self.answer_all()
            self.a_whole_step_goes_well()
            self.tell_all()
        for reason in self.alive.open_reasons:
            self.hear(self.post_message(ANN, f"<@{BOT}> accept {reason}"))
        self.answer_all()
        gate = self.world.offer[0]
        for user, text, known in ALMOST if almost else []:
            if user not in self.world.approvers or text != "{signal}" or not known:
                self.almost_open(gate, user, text, known)
        for user in (ANN, min(self.world.approvers - {ANN})):
            if self.alive.phase is Phase.WAITING:
                self.hear(self.post_message(user, SIGNALS[gate], gate))
                self.answer_all()
        self.begin()
        if isinstance(self.due(), do.Verify):
            self.examine(well=well, warns=waivable, ends=ends, survives=None, seen=seen)

    def people_freeze(self, *, careful: bool) -> None:
        """As they are told to; or without the end of older sessions. Then a look sees it."""
        if careful or not self.source.frozen:
            self.source.freezes(ends_sessions=careful)
        self.look_if_armed()

    def almost_open(self, gate: str, user: str, text: str, known: bool) -> None:
        other = next(name for name in SIGNALS if name != gate)
        message = self.post_message(user, text.format(signal=SIGNALS[gate], other=SIGNALS[other]))
        self.hear(message)
        self.answer(message.ts, known=known)
        assert self.alive.phase is Phase.WAITING

    def a_whole_step_goes_well(self, *, crossing: bool = False, survives: bool | None = None) -> None:
        """And perhaps somebody says the next word before its checkpoint is posted."""
        if not isinstance(self.begin(), do.Work):
            return
        self.end_step(well=True, set_digest="a", attention=True, survives=survives)
        gate = self.world.offer[0]
        if crossing and self.alive.phase is Phase.WAITING:
            self.speak(ANN, SIGNALS[gate], gate, None, "crossing")
            assert self.alive.phase is Phase.WAITING

    def answer_all(self) -> None:
        while "ask" in next_actions(self.alive):
            ask = next_actions(self.alive)["ask"]
            assert isinstance(ask, do.AskWho)
            self.answer(ask.ts, known=True)

    def tell_all(self) -> None:
        for _ in range(500):
            if (action := talk_of(self.alive)) is None:
                self.witness.all_is_told(self.drifts)
                return
            self.talk(action, arrives=True, told=True)
        raise AssertionError("the talk does not end")

    # -- the source, the clock, the machine ---------------------------------------------------------------------------

    @step(turn=st.booleans())
    def the_source_moves(self, turn: bool) -> None:
        """An older session writes, or one that overrides the default; and perhaps the timers have their turn."""
        self.source.writes(self.tick())
        if turn:
            self.timers_have_their_turn()

    @step()
    def an_app_connects(self) -> None:
        self.source.connects(self.tick())

    @precondition(lambda self: self.source.frozen)
    @step(
        record=st.booleans(),
        connects=st.booleans(),
        again=st.booleans(),
        turn=st.booleans(),
        ends_sessions=st.booleans(),
    )
    def somebody_thaws(self, record: bool, connects: bool, again: bool, turn: bool, ends_sessions: bool) -> None:
        """By the command or with pasted SQL, for more than a second; then perhaps they freeze again."""
        self.witness.thaws(self.tick(), leaves_a_record=record)
        self.look_if_armed()
        if connects:
            self.source.connects(self.tick())
        if turn:
            self.timers_have_their_turn()
        if again:
            self.tick()
            self.source.freezes(ends_sessions=ends_sessions)
            self.look_if_armed()

    @precondition(lambda self: not self.source.frozen)
    @step(ends_sessions=st.booleans())
    def somebody_freezes(self, ends_sessions: bool) -> None:
        self.tick()
        self.source.freezes(ends_sessions=ends_sessions)
        self.look_if_armed()

    @step(
        what=st.sampled_from(
            [
                TellWindow(),
                *[Remind(checkpoint=gate, offer=number, after=REMIND_AFTER) for gate in SIGNALS for number in (1, 2)],
            ]
        ),
        minutes=st.sampled_from([0, 0, 1, 11, 31]),
        sees=st.sampled_from([True, True, False]),
    )
    def time_passes(self, what: Command, minutes: int, sees: bool) -> None:
        """And all timers have their turn."""
        self.tick(60 * minutes)
        self.dispatch(what)
        self.timers_have_their_turn(sees=sees)

    def timers_have_their_turn(self, *, sees: bool = True) -> None:
        """What is armed is done once, as `bot.watch` does it; the source answers or does not."""
        if self.source.left_a_record and self.source.thawed_at is not None and self.armed() & {"thaw-record", "watch"}:
            wrote = passed("writes-again", "It writes.")
            self.dispatch(ReportThaw(thawed_at=self.source.thawed_at, findings=(wrote,)))
        self.look_if_armed(sees=sees)
        if "watch" in self.armed():
            if not sees:
                self.dispatch(ReportBlindness(why="No answer."))
            else:
                self.dispatch(ReportBlindness(why=""))
                self.dispatch(ReportDrift(changes=self.changes()))
        if "guard" in self.armed():
            self.dispatch(ReportGuard(since=START, tables=3) if sees else ReportGuard(since=None, why="No answer."))
        if sees:
            self.the_witness_looks()
            self.witness.timers_had_their_turn()

    def look_if_armed(self, *, sees: bool = True) -> None:
        if "look" not in self.armed():
            return
        if sees:
            self.look()
        else:
            self.witness.look_fails(self.tick())
            self.dispatch(MissLook())

    def look(self) -> None:
        self.dispatch(ReportBlindness(why=""))
        self.dispatch(ReportLook(frozen=self.source.frozen, database_time=self.tick()))

    @step()
    def the_process_is_killed_and_started_again(self) -> None:
        """What was checked is checked again; all else goes on where it was."""
        before = self.due()
        self.take_up()
        again = self.due()
        same = (again and again.key) == (before and before.key)
        assert same or (isinstance(before, do.JudgeAgain) and isinstance(again, do.Verify))

    @step(today=NEEDED)
    def it_is_started_again_with_other_settings(self, today: dict[str, int]) -> None:
        """A gate that has enough approvals may then need more, and one that waited for more may have enough."""
        self.take_up(today)

    @precondition(lambda self: isinstance(self.due(), do.Verify | do.JudgeAgain))
    @step(roles=st.sampled_from(ROLES), known=st.sampled_from([True, True, False]), survives=DIES)
    def somebody_leaves_while_the_gate_is_checked(self, roles: set[str], known: bool, survives: bool | None) -> None:
        """And perhaps the process is killed just as that is found."""
        self.begin()
        if isinstance(self.due(), do.Verify):
            self.examine(well=True, warns=False, ends=True, survives=None, judged=False)
        self.world.approvers = set(roles)
        if isinstance(self.begin(), do.JudgeAgain):
            self.judge_again(known=known, survives=survives)

    # -- what holds after every step ----------------------------------------------------------------------------------

    @invariant()
    def the_journal_is_the_run(self) -> None:
        assert self.reread == self.run

    @invariant()
    def every_post_has_a_legal_status(self) -> None:
        legal = {
            "cutover_run": {"waiting", "running", "held", "done", "aborted", "failed"},
            "cutover_checkpoint": set(GATE_STATUSES),
            "cutover_finding": {"passed", "warned", "refused"},
            "cutover_answer": {"done", "refused"},
            "cutover_summary": {"done"},
            "cutover_alarm": {"waiting", "done"},
        }
        for key, delivery in self.alive.deliveries.items() if self.run else []:
            assert key == delivery.post.key
            status = display.status_of(self.alive, delivery.post)
            assert status in legal[delivery.post.kind]

    @invariant()
    def what_is_due_is_legal(self) -> None:
        if self.run is None:
            return
        actions = next_actions(self.run)
        if self.run.deliveries[self.run.gate_key].ts:
            assert ("ask" in actions) == bool(self.run.unanswered), "who spoke is asked, and nobody else"
        timers(self.run, REMIND_AFTER)
        if self.run.blind and not self.world.aborting:
            assert AlarmKey("blind", (self.run.blinds,)) in self.run.alarms, "blindness is told while it lasts"
        if not self.run.has_ended:
            assert bool(self.run.drift) == self.world.drifted, "a drift stands until gate 1 is offered anew"
        if self.world.aborting:
            assert isinstance(actions.get("work"), do.Thaw | None)
            assert self.run.phase in {Phase.ABORTING, Phase.ABORTED, Phase.HELD}
            assert {offer.status for offer in self.run.offers.values()} <= {"passed", "void"}
        if self.world.thawing:
            assert isinstance(actions.get("work"), do.Thaw | None)
            assert self.run.phase in {Phase.THAWING, Phase.HELD, Phase.DONE}
        if self.run.phase is Phase.WAITING and self.run.started:
            assert self.run.offer is not None
            assert self.run.offer.status in {"waiting", "refused"}, "somebody can always move a run that waits"


def play(nights: int, steps: int) -> None:
    run_state_machine_as_test(
        Nights,
        settings=settings(
            max_examples=nights, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_no_night_breaks_a_promise() -> None:
    """Forty nights of some twenty-five steps each, and the words that end them."""
    play(nights=40, steps=25)


@pytest.mark.all
@pytest.mark.parametrize("part", range(20))
def test_no_long_night_breaks_a_promise(part: int) -> None:
    """Three thousand of them, in parts of which each is over long before a test is taken to hang."""
    play(nights=150, steps=40)
