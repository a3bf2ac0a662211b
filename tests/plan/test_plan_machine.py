"""Nights that nobody would script: people, faults and crashes at any time, against a small model of what happened.

The machine does what the conductor does (`decide`, journal, `after`, `next_actions`) and plays the world around it: the
channel as it really stands, what was said there and by whom, findings, results, drift. The model keeps only facts of
that world and the events of the journal; it never asks the run what is true. After every step the promises are held
against it:

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

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

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

from bot.plan.results import Attention

from .histories import (
    ANN,
    BEN,
    BOT,
    BY_NAME,
    EVE,
    MEMBER,
    NED,
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
    Open,
    Phase,
    Refusal,
    Remind,
    ReportBlindness,
    ReportDrift,
    ReportLook,
    Run,
    Standing,
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
    result_of,
    standing_of,
    talk_of,
    timers,
    to_record,
    warned,
)

LISTED = (ANN, BEN)
PEOPLE = st.sampled_from([ANN, ANN, BEN, EVE, STRANGER])
AS_SIGNALS = ["{signal}", "*{signal}*!", "<@U0BOT> `{signal}`."]
NEARLY = ["not {signal} yet", "{signal}?", "froze", "good morning"]
WORDS = ["status", "retry", "retry", "abort", "abort yes", "accept phone-only", "accept sso", "coffee", "signal"]
LEAVE_OUT = "accept unreadable:public.caches: it is made anew"
DECIDE = f"decide {NED} skip"
WAIVE = "accept quiet: it is known"
HOLD = "hold it is late"
WORDS += [LEAVE_OUT, DECIDE, WAIVE, HOLD, "thaw yes", "release"]
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
STEP_OF = {name: checkpoint.step for name, checkpoint in BY_NAME.items()}
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
    waived: set[str] = field(default_factory=set)
    """Who let the gate pass in spite of a check."""
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
    abort_words: list[tuple[str, datetime]] = field(default_factory=list)
    aborting: bool = False
    thaw_words: list[tuple[str, datetime]] = field(default_factory=list)
    thawing: bool = False
    ended_work: set[str] = field(default_factory=set)

    def takes(self, gate: str) -> int:
        """How many people's approvals, by the stricter of the settings at the opening and of today's."""
        return max(self.needed.get(gate, 1), self.needed_today.get(gate, 1))


class Nights(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.begin_night()

    def begin_night(self) -> None:
        self.now = START
        self.world = World()
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
    def alive(self) -> Run:
        assert self.run is not None
        return self.run

    def take(self, event: e.AnyEvent) -> None:
        self.check(event)
        line = json.dumps(to_record(event))
        self.journal.append(line)
        self.run = after(self.run, event)
        self.reread = after(self.reread, from_record(json.loads(line)))
        for place, offer in self.run.offers.items():
            was = self.gate_status.get(place, "waiting")
            assert offer.status == was or offer.status in GATE_STATUSES[was], "a gate moves forward only"
            self.gate_status[place] = offer.status

    def obey(self, command: Command, *, survives: int | None = None) -> bool:
        """`survives` is how many of the events come to the disk before the process is killed; None for all."""
        before = self.alive
        decision = decide(before, command, self.tick())
        if isinstance(decision, Refusal):
            assert decision.sentence
            return False
        if any(isinstance(event, e.Answered) and event.status == "refused" for event in decision):
            assert len(decision) == 1, "a refusal changes nothing"
        for event in decision[:survives]:
            self.take(event)
        if survives is not None:
            self.take_up()
        return bool(decision)

    def take_up(self, today: dict[str, int] | None = None) -> None:
        """A process begins with what the journal says and nothing else, but for how many approvals its settings ask."""
        self.run = self.reread = None
        for line in self.journal:
            self.run = after(self.run, from_record(json.loads(line)))
        self.reread = self.run
        self.under_way = ""
        self.world.findings, self.world.checks_passed = None, False
        if today is not None:
            self.world.needed_today = today
        entitlement = e.Entitlement(users=LISTED, groups=("S0ONCALL",), approvals=self.world.needed_today)
        self.obey(TakeUp(entitlement=entitlement))

    # -- what each event must be true to ------------------------------------------------------------------------------

    def check(self, event: e.AnyEvent) -> None:  # noqa: PLR0912  # one branch an event
        world = self.world
        match event:
            case e.CheckpointOffered():
                assert not world.aborting, "no gate is offered once the run goes back"
                before = [name for name in BY_NAME if BY_NAME[name].number < BY_NAME[event.checkpoint].number]
                assert world.offer[0] == (before[-1] if before else world.offer[0])
                world.offer, world.digest = (event.checkpoint, event.offer), event.digest
                world.approvals, world.may_run, world.findings, world.waived = [], "", None, set()
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
                assert not any(self.stops(finding) for finding in world.findings)
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
                assert unsaid or any(self.stops(finding) for finding in world.findings or [])
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
                world.abort_words.append((event.ts, event.at))
            case e.AbortConfirmed():
                self.check_abort(event)
                world.aborting, world.drifted, world.thawing = True, False, False
                world.approvals, world.may_run, world.findings = [], "", None
            case e.ThawAsked():
                assert self.entitled(event.ts, "thaw")
                world.thaw_words.append((event.ts, event.at))
            case e.ThawConfirmed():
                assert self.entitled(event.ts, "thaw yes")
                asked = [ts for ts, at in world.thaw_words if ts < event.ts and event.at - at <= timedelta(minutes=10)]
                assert asked, "a thaw wants a second yes within ten minutes"
                assert not world.aborting
                assert not world.thawing
                world.thawing, world.drifted = True, False
                world.approvals, world.may_run, world.findings = [], "", None
            case e.Unfrozen():
                assert world.thawing
                world.thawing = False
            case e.HoldAsked():
                message = world.said[event.ts]
                assert message.user != STRANGER
                assert event.ts in world.vouched
                assert message.text == f"<@{BOT}> {HOLD}"
                world.approvals, world.findings = [], None
            case e.CheckWaived():
                assert self.entitled(event.ts, WAIVE)
                assert event.user not in world.waived, "one person is not two"
                world.waived.add(event.user)
            case e.Released():
                assert self.entitled(event.ts, "release")
                assert self.alive.handover is not None
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
                assert self.entitled(event.ts, LEAVE_OUT)
                assert (event.table, event.why) == ("public.caches", "it is made anew")
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

    def stops(self, finding: Finding) -> bool:
        return finding.verdict is Verdict.FAIL and not (finding.waivable and len(self.world.waived) > 1)

    def check_approval(self, event: e.SignalAccepted) -> None:
        world, message = self.world, self.world.said[event.ts]
        assert message.signal == event.checkpoint == world.offer[0], "the word of the gate on offer"
        assert message.user == event.user
        assert event.ts in world.was_approver
        assert event.ts > self.posted_at(), "it was said after its offer stood in the channel"
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
        assert not any(self.stops(finding) for finding in world.findings), "no gate passes disproved"
        assert not world.thawing
        assert not world.drifted
        assert not world.aborting

    def check_abort(self, event: e.AbortConfirmed) -> None:
        assert self.entitled(event.ts, "abort yes")
        assert not self.world.aborting
        asked = [ts for ts, at in self.world.abort_words if ts < event.ts and event.at - at <= timedelta(minutes=10)]
        assert asked, "an abort wants a second yes within ten minutes"

    def posted_at(self) -> str:
        """When the gate on offer came to stand in the channel; later than everything while it does not."""
        gate, number = self.world.offer
        return self.world.stood.get(f"{RUN_ID}/checkpoint/{gate}/{number}", "~")

    def spend(self) -> None:
        self.world.spent |= set(self.world.approvals)
        self.world.approvals, self.world.findings, self.world.checks_passed = [], None, False

    # -- people -------------------------------------------------------------------------------------------------------

    @initialize(
        gates=st.sampled_from([1, 2, 3, 0, 1, 2]),
        step=st.booleans(),
        then=TROUBLES,
        needed=NEEDED,
    )
    def opened(self, gates: int, step: bool, then: str, needed: dict[str, int]) -> None:
        """Nights begin anywhere: so many gates have gone well, perhaps the last step has too, and then some trouble."""
        parties = e.Parties(source_ref="abcdef", source_database="postgres", target_project="p-1")
        self.world.needed = needed
        command = Open(
            run_id=RUN_ID,
            parties=parties,
            channel="C0",
            approvers=LISTED,
            retain_days=90,
            accepted_ahead=(),
            rules=e.Rules(groups=("S0ONCALL",), approvals=needed, window_minutes=60),
        )
        for event in open_run(command, self.now):
            self.take(event)
        for n in range(1, gates + 1):
            self.a_whole_gate_goes_well()
            if n < gates or step:
                self.a_whole_step_goes_well()
        self.trouble(then)

    @precondition(lambda self: self.alive.phase in {Phase.ABORTED, Phase.DONE})
    @rule(gates=st.integers(0, 2), step=st.booleans(), then=TROUBLES, needed=NEEDED)
    def another_night_begins(self, gates: int, step: bool, then: str, needed: dict[str, int]) -> None:
        self.begin_night()
        self.opened(gates=gates, step=step, then=then, needed=needed)

    def trouble(self, then: str) -> None:
        match then:
            case "refused":
                self.a_whole_gate_goes_well(well=False)
            case "verifying":
                self.a_whole_gate_goes_well(ends=False)
            case "aborted":
                self.a_whole_gate_goes_well(ends=False)
                self.the_run_is_aborted("abort yes")
            case "cut off":
                self.a_whole_step_goes_well(survives=1)
            case "step fails" if isinstance(self.begin(), do.Work):
                self.end_step(well=False, set_digest="a", attention=False)
            case "drift":
                self.the_source_moves()
            case "thaw fails":
                self.the_run_is_aborted("abort yes")
                if isinstance(self.begin(), do.Thaw):
                    self.end_thaw(well=False, raises=False, survives=None)
            case "blind":
                self.obey(ReportBlindness(why="No answer."))

    def post_message(self, user: str, text: str, signal: str = "", thread_ts: str | None = None) -> Message:
        message = Message(ts=self.new_ts(), user=user, text=text, thread_ts=thread_ts, signal=signal)
        self.world.said[message.ts] = message
        return message

    def hear(self, message: Message) -> bool:
        return self.obey(
            Hear(
                ts=message.ts,
                user=message.user,
                team="T0",
                text=message.text,
                thread_ts=message.thread_ts,
                bot_user=BOT,
            )
        )

    @rule(user=PEOPLE, said=SIGNALLED, in_thread=st.sampled_from([False, False, False, True]), reaches=REACHES)
    def somebody_signals(self, user: str, said: tuple[str, str], in_thread: bool, reaches: str) -> None:
        """Or nearly; at top level or below whatever was posted last."""
        text, gate = said
        gate = self.world.offer[0] if gate == "current" else gate
        thread = next(reversed(self.world.channel.values()), "1600000000.000100") if in_thread else None
        self.speak(user, text.format(signal=SIGNALS[gate]), gate if text in AS_SIGNALS else "", thread, reaches)

    @rule(user=PEOPLE, word=st.sampled_from(WORDS), reaches=REACHES)
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

    @rule(
        word=st.sampled_from(["retry", "retry", "abort yes", "accept sso", "thaw yes", HOLD]),
        survives=st.integers(1, 3),
    )
    def the_process_is_killed_while_it_answers(self, word: str, survives: int) -> None:
        """Only the first events of the decision come to the disk."""
        message = self.post_message(ANN, f"<@{BOT}> {word}")
        self.hear(message)
        self.obey(Judge(ts=message.ts, standing=self.standing(message), bot_user=BOT), survives=survives)

    @precondition(lambda self: not self.world.aborting)
    @rule(word=st.sampled_from(["retry", "status", "abort", "abort yes"]))
    def the_run_is_aborted(self, word: str) -> None:
        """Or nearly."""
        for text in ("abort", word):
            self.say(ANN, f"<@{BOT}> {text}")

    @precondition(lambda self: not self.world.aborting)
    @rule()
    def a_second_yes_comes_before_the_first_word(self) -> None:
        """And is heard after it."""
        yes, first = (self.post_message(ANN, f"<@{BOT}> {text}") for text in ("abort yes", "abort"))
        for message in (first, yes):
            self.hear(message)
            self.answer_all()

    @precondition(lambda self: self.world.said)
    @rule(data=st.data())
    def an_event_is_delivered_again(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(list(self.world.said.values())))
        heard_before = message.ts in self.alive.heard
        assert not (self.hear(message) and heard_before)
        if message.ts in self.world.answered:
            assert not self.obey(Judge(ts=message.ts, standing=self.standing(message), bot_user=BOT))

    @precondition(lambda self: self.world.said)
    @rule()
    def the_history_is_swept(self) -> None:
        for message in list(self.world.said.values()):
            self.hear(message)

    @precondition(lambda self: "ask" in next_actions(self.alive))
    @rule(known=st.booleans())
    def slack_says_who_spoke(self, known: bool) -> None:
        ask = next_actions(self.alive)["ask"]
        assert isinstance(ask, do.AskWho)
        self.answer(ask.ts, known=known)

    def answer(self, ts: str, *, known: bool) -> None:
        message = self.world.said[ts]
        counts = known and self.must_count(message)
        standing = self.standing(message) if known else UNKNOWN
        assert self.obey(Judge(ts=ts, standing=standing, bot_user=BOT))
        assert ts in self.world.answered
        if counts:
            assert ts in [a.given.ts for offer in self.alive.offers.values() for a in offer.approvals], "none is lost"

    def standing(self, message: Message) -> Standing:
        """What Slack says of its author at this moment."""
        self.world.vouched.add(message.ts)
        if message.user in self.world.approvers:
            self.world.was_approver.add(message.ts)
            return Standing(known=True, member=True, approver=True)
        self.world.was_approver.discard(message.ts)
        return standing_of(message.user) if message.user in {EVE, STRANGER} else MEMBER

    def must_count(self, message: Message) -> bool:
        """It is the word of the gate on offer, said in time by somebody who may, and nothing else is open."""
        run, world = self.alive, self.world
        return (
            message.signal == world.offer[0]
            and message.user in world.approvers
            and message.ts > self.posted_at()
            and run.deliveries[run.gate_key].every_ts
            and not (world.drifted or world.aborting or world.thawing or world.may_run or run.hold or run.is_over)
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

    @rule(users=st.lists(PEOPLE, min_size=1, max_size=3), early=st.booleans())
    def several_people_signal(self, users: list[str], early: bool) -> None:
        """The same one twice, two at once, some of whom may not; perhaps before the checkpoint is in the channel."""
        gate = self.world.offer[0]
        for reason in self.alive.open_reasons:
            self.say(ANN, f"<@{BOT}> accept {reason}")
        said = [self.post_message(user, SIGNALS[gate], gate) for user in users if early]
        self.tell_all()
        said += [self.post_message(user, SIGNALS[gate], gate) for user in users if not early]
        for message in said:
            self.hear(message)
        self.answer_all()

    @rule(user=PEOPLE, goes_on=st.booleans())
    def the_run_is_held(self, user: str, goes_on: bool) -> None:
        self.say(user, f"<@{BOT}> {HOLD}")
        if goes_on:
            self.say(ANN, f"<@{BOT}> retry")

    @precondition(lambda self: not self.world.aborting)
    @rule(word=st.sampled_from(["thaw yes", "thaw yes", "retry", "abort yes"]), well=st.booleans())
    def the_source_is_thawed(self, word: str, well: bool) -> None:
        """Or nearly; and perhaps tried again, and perhaps the night goes on behind it."""
        for text in ("thaw", word):
            self.say(ANN, f"<@{BOT}> {text}")
        if isinstance(self.begin(), do.Thaw):
            self.end_thaw(well=well, raises=False, survives=None)
            self.say(ANN, f"<@{BOT}> retry")

    @precondition(lambda self: self.alive.phase is Phase.WAITING)
    @rule(users=st.lists(PEOPLE, min_size=1, max_size=3), waivable=st.booleans())
    def a_check_is_waived(self, users: list[str], waivable: bool) -> None:
        """By so many of whom some may, and the gate is tried again on the same finding."""
        self.a_whole_gate_goes_well(well=False, waivable=waivable)
        for user in users:
            self.say(user, f"<@{BOT}> {WAIVE}")
        self.a_whole_gate_goes_well(well=False, waivable=waivable)

    @rule(roles=st.sampled_from(ROLES))
    def somebody_is_put_into_a_group_or_taken_out(self, roles: set[str]) -> None:
        self.world.approvers = set(roles)

    # -- the channel --------------------------------------------------------------------------------------------------

    def talk(self, action: do.Action, *, arrives: bool, told: bool) -> None:
        match action:
            case do.Deliver(delivery=delivery, look_first=look_first):
                key = delivery.post.key
                if look_first and key in self.world.channel:
                    self.obey(ConfirmPost(key=key, ts=self.world.channel[key], face=""))
                    return
                if not look_first:
                    self.obey(IntendPost(key=key))
                face = self.alive.face_of(delivery.post)
                parent = self.alive.deliveries.get(delivery.post.thread or "")
                if parent is not None and parent.stands and not self.stands(parent):
                    self.lose(parent, told=arrives and told)
                elif arrives:
                    assert key not in self.world.channel, "no post stands twice in the channel"
                    self.world.channel[key] = self.new_ts()
                    self.world.stood.setdefault(key, self.world.channel[key])
                    if told:
                        self.obey(ConfirmPost(key=key, ts=self.world.channel[key], face=face))
            case do.Redraw(delivery=delivery):
                if not self.stands(delivery):
                    self.lose(delivery, told=arrives and told)
                elif arrives and told:
                    self.obey(
                        ConfirmEdit(key=delivery.post.key, ts=delivery.ts, face=self.alive.face_of(delivery.post))
                    )
            case do.PinHeader(ts=ts):
                header = self.alive.deliveries[f"{RUN_ID}/header"]
                assert ts == header.ts
                if not self.stands(header):
                    self.lose(header, told=arrives and told)
                elif arrives and told:
                    self.obey(ConfirmPin())

    def stands(self, delivery: do.Delivery) -> bool:
        return self.world.channel.get(delivery.post.key) == delivery.ts

    def lose(self, delivery: do.Delivery, *, told: bool) -> None:
        """Slack refuses what is to be done with it; `told` when the refusal arrives."""
        if told:
            assert self.obey(LosePost(key=delivery.post.key, ts=delivery.ts))
            assert not self.obey(LosePost(key=delivery.post.key, ts=delivery.ts)), "it is lost once"

    @precondition(lambda self: self.world.channel)
    @rule(data=st.data())
    def somebody_deletes_a_post(self, data: st.DataObject) -> None:
        """Most likely one that people work with."""
        keys = [key for key in (f"{RUN_ID}/header", self.alive.gate_key) if key in self.world.channel]
        del self.world.channel[data.draw(st.sampled_from([*keys, *keys, *self.world.channel]))]

    @precondition(lambda self: next_actions(self.alive).keys() & {"post", "edit"})
    @rule(data=st.data(), arrives=st.booleans(), told=st.booleans())
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
        assert work.key not in self.world.ended_work, "no work is done again once it has ended"
        match work:
            case do.Verify():
                assert self.obey(BeginVerification())
            case do.Work():
                assert self.obey(BeginStep())
        self.under_way = work.key
        return work

    def end(self, command: Command, survives: int | None = None) -> None:
        """The work at hand ends with this."""
        key, self.under_way = self.under_way, ""
        assert self.obey(command, survives=survives)
        if not (isinstance(command, EndVerification) and (self.alive.checked or survives is not None)):
            self.world.ended_work.add(key)  # what was checked is checked again after a restart

    @precondition(lambda self: self.due() is not None)
    @rule(
        ends=st.sampled_from([True, True, False]),
        well=st.sampled_from([True, True, False]),
        warns=st.booleans(),
        set_digest=st.sampled_from("ab"),
        survives=st.sampled_from([None, None, None, 1, 2, 3]),
    )
    def work_goes_on(self, ends: bool, well: bool, warns: bool, set_digest: str, survives: int | None) -> None:
        match self.begin():
            case do.Verify():
                self.examine(well=well, warns=warns, ends=ends, survives=survives, judged=well)
            case do.JudgeAgain() if ends:
                self.judge_again(known=well, survives=survives)
            case do.Work() if ends:
                self.end_step(well=well, set_digest=set_digest, attention=warns, survives=survives)
            case do.Thaw() if ends:
                self.end_thaw(well=well, raises=warns and not well, survives=survives)

    def examine(self, *, well: bool, warns: bool, ends: bool, survives: int | None, judged: bool = True) -> None:
        """The freeze record comes from a finding, so that a pass of gate 1 has one; other examiners may say nothing."""
        good = passed("quiet", "It is so.") if not warns else warned("quiet", "It is not told.")
        bad = failed("quiet", "It is not so.", "Mend it.", waivable=warns)
        assert self.obey(TellFinding(finding=good if well else bad))
        if not ends:
            return
        if self.alive.gate.name == "freeze":
            for finding in good_findings("freeze", self.now):
                self.obey(TellFinding(finding=finding))
        self.end(EndVerification(), survives)
        if judged and isinstance(self.begin(), do.JudgeAgain):
            self.judge_again(known=True)

    def judge_again(self, *, known: bool, survives: int | None = None) -> None:
        """Slack says of everybody who approved whether they may now, or says it of nobody."""
        due, world = self.due(), self.world
        assert isinstance(due, do.JudgeAgain)
        assert [given.ts for given in due.approvals] == world.approvals
        late = JudgeApprovals(attempt=due.attempt - 1, standings={})
        assert not self.obey(late), "what was asked for another verification is not believed"
        world.judged_again = {ts: world.said[ts].user in world.approvers if known else None for ts in world.approvals}
        command = JudgeApprovals(
            attempt=due.attempt,
            standings={
                ts: Standing(known=known, member=known, approver=bool(may), reason="they left")
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
    @rule()
    def a_verification_ends_before_it_found_anything(self) -> None:
        """Nothing follows, whether it began or not."""
        if self.world.findings:
            return
        assert not self.obey(EndVerification())

    def end_step(self, *, well: bool, set_digest: str, attention: bool, survives: int | None = None) -> None:
        step = self.alive.step
        assert step is not None
        if not well:
            unreadable = ("public.caches",) if step.name == "export" else ()
            self.end(FailStep(why="It stopped; nothing was lost; look at it.", unreadable=unreadable))
        else:
            listed = {"sso": Attention(count=1, digest=set_digest, todo="Link them.")} if attention else {}
            self.end(EndStep(result=result_of(step.name, attention=listed, sha256=set_digest)), survives)

    def end_thaw(self, *, well: bool, raises: bool, survives: int | None) -> None:
        if raises:
            self.end(FailThaw(why="No answer; nothing was thawed; look at it."))
            return
        good, bad = passed("writes-again", "It writes."), failed("writes-again", "It does not.", "Thaw by SQL.")
        command = EndThaw(findings=(good if well else bad,))
        if survives is None:
            self.end(command)
        else:
            self.obey(command, survives=survives)  # what was not told to have ended is done again, which is safe

    @precondition(lambda self: self.under_way and not isinstance(self.due(), do.Verify | do.JudgeAgain | do.Work))
    @rule(step=st.sampled_from(["export", "users", "handover"]))
    def cancelled_work_reports_late(self, step: str) -> None:
        """It reached its end before it saw that it was cancelled."""
        for command in (
            TellFinding(finding=passed("quiet", "It is so.")),
            EndVerification(),
            EndStep(result=result_of(step)),
            FailStep(why="It stopped."),
        ):
            assert not self.obey(command)
        self.under_way = ""

    @rule(almost=st.booleans(), crossing=st.booleans())
    def the_night_goes_on(self, almost: bool, crossing: bool) -> None:
        """What most of a night is made of; without it few nights would come to the later gates."""
        self.answer_all()
        self.tell_all()
        if isinstance(self.due(), do.Work):
            self.a_whole_step_goes_well(crossing=crossing)
        else:
            self.a_whole_gate_goes_well(almost=almost)

    def a_whole_gate_goes_well(
        self, *, almost: bool = False, well: bool = True, ends: bool = True, waivable: bool = False
    ) -> None:
        """Perhaps after all have tried who may not open it."""
        self.answer_all()
        self.tell_all()
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
        self.examine(well=well, warns=waivable, ends=ends, survives=None)

    def almost_open(self, gate: str, user: str, text: str, known: bool) -> None:
        other = next(name for name in SIGNALS if name != gate)
        message = self.post_message(user, text.format(signal=SIGNALS[gate], other=SIGNALS[other]))
        self.hear(message)
        self.answer(message.ts, known=known)
        assert self.alive.phase is Phase.WAITING

    def a_whole_step_goes_well(self, *, crossing: bool = False, survives: int | None = None) -> None:
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
                return
            self.talk(action, arrives=True, told=True)
        raise AssertionError("the talk does not end")

    # -- the source, the clock, the machine ---------------------------------------------------------------------------

    @rule()
    def the_source_moves(self) -> None:
        self.obey(ReportDrift(changes=("public.orders took 2 writes",)))

    @rule(
        what=st.sampled_from(
            [
                ReportLook(frozen=True, database_time=START),
                ReportLook(frozen=False, database_time=START),
                ReportBlindness(why="No answer."),
                ReportBlindness(why=""),
                TellWindow(),
                *[Remind(checkpoint=gate, offer=number, after=REMIND_AFTER) for gate in SIGNALS for number in (1, 2)],
            ]
        ),
        minutes=st.sampled_from([0, 0, 1, 11, 31]),
    )
    def time_passes(self, what: Command, minutes: int) -> None:
        """And a timer knocks."""
        self.tick(60 * minutes)
        self.obey(what)

    @rule()
    def the_process_is_killed_and_started_again(self) -> None:
        """What was checked is checked again; all else goes on where it was."""
        before = next_actions(self.alive).get("work")
        self.take_up()
        assert self.due() == before or (isinstance(before, do.JudgeAgain) and isinstance(self.due(), do.Verify))

    @rule(today=NEEDED)
    def it_is_started_again_with_other_settings(self, today: dict[str, int]) -> None:
        """A gate that has enough approvals may then need more, and one that waited for more may have enough."""
        self.take_up(today)

    @precondition(lambda self: isinstance(self.due(), do.Verify | do.JudgeAgain))
    @rule(roles=st.sampled_from(ROLES), known=st.sampled_from([True, True, False]), survives=st.integers(1, 3))
    def somebody_leaves_while_the_gate_is_checked(self, roles: set[str], known: bool, survives: int) -> None:
        """And perhaps the process is killed just as that is found."""
        self.begin()
        if isinstance(self.due(), do.Verify):
            self.examine(well=True, warns=False, ends=True, survives=None, judged=False)
        self.world.approvers = set(roles)
        self.begin()
        self.judge_again(known=known, survives=survives if survives < 3 else None)

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
            status = self.alive.status_of(delivery.post)
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
            assert f"{RUN_ID}/alarm/blind/{self.run.blinds}" in self.run.alarms, "blindness is told while it lasts"
        assert bool(self.run.drift) == self.world.drifted, "a drift stands until gate 1 is offered anew"
        if self.world.aborting:
            assert isinstance(actions.get("work"), do.Thaw | None)
            assert self.run.phase in {Phase.ABORTING, Phase.ABORTED, Phase.HELD}
            assert {offer.status for offer in self.run.offers.values()} <= {"passed", "void"}
        if self.world.thawing:
            assert isinstance(actions.get("work"), do.Thaw | None)
            assert self.run.phase in {Phase.THAWING, Phase.HELD}
        if self.run.phase is Phase.WAITING:
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
    """Two hundred nights of some forty steps each."""
    play(nights=200, steps=40)


@pytest.mark.all
def test_no_long_night_breaks_a_promise() -> None:
    """The same, two thousand of them."""
    play(nights=2_000, steps=50)
