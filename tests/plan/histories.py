"""Builds histories of a night, by driving the core as the conductor does: every event comes out of `decide`.

`Night` is a run with a clock that ticks and a channel that hands out timestamps; `night_at(place)` is a night that has
come as far as `place`. The tests of this folder take the core's names from here, so that a name which moves to another
module is fixed in one place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.plan import actions as do
from bot.plan import display
from bot.plan import events as e
from bot.plan.actions import Action, next_actions, settled
from bot.plan.decide import decide, open_run
from bot.plan.events import from_record, to_record
from bot.plan.findings import Finding, Verdict, blocks, failed, passed, warned
from bot.plan.fold import after, fold
from bot.plan.gates import DEFAULT as PLAN
from bot.plan.inputs import (
    BeginStep,
    BeginVerification,
    Command,
    ConfirmEdit,
    ConfirmPin,
    ConfirmPost,
    ConfirmReminder,
    EndFreeze,
    EndStep,
    EndThaw,
    EndVerification,
    FailFreeze,
    FailStep,
    FailThaw,
    GiveUpPin,
    GiveUpReminder,
    Hear,
    IntendPost,
    IntendReminder,
    Judge,
    JudgeApprovals,
    Leave,
    LosePost,
    MissLook,
    Open,
    Permission,
    Refusal,
    Remind,
    ReportBlindness,
    ReportDeletion,
    ReportDrift,
    ReportGuard,
    ReportLook,
    ReportPurge,
    ReportSecondInstance,
    ReportThaw,
    TakeUp,
    TellFinding,
    TellWindow,
)
from bot.plan.plan import Plan
from bot.plan.posts import Post
from bot.plan.results import Attention, ExportResult, HandoverResult, StepNote, StepResult, TableTotal, UsersResult
from bot.plan.run import Phase, Run
from bot.plan.signals import NearMiss, Signal, Word, read
from bot.plan.text import plain
from bot.plan.texts.state import doing
from bot.plan.timetable import Timer, timers, waits_for_people
from bot.slack.render.escape import typed

__all__ = [
    "ANN",
    "BEN",
    "BOT",
    "EVE",
    "LEFT",
    "MEMBER",
    "NED",
    "NED_THERE",
    "PLACES",
    "PLAN",
    "REMIND_AFTER",
    "RUN_ID",
    "SIGNALS",
    "START",
    "STRANGER",
    "UNKNOWN",
    "BeginStep",
    "BeginVerification",
    "Command",
    "ConfirmEdit",
    "ConfirmPin",
    "ConfirmPost",
    "ConfirmReminder",
    "EndFreeze",
    "EndStep",
    "EndThaw",
    "EndVerification",
    "FailFreeze",
    "FailStep",
    "FailThaw",
    "Finding",
    "GiveUpPin",
    "GiveUpReminder",
    "Hear",
    "IntendPost",
    "IntendReminder",
    "Judge",
    "JudgeApprovals",
    "Leave",
    "LosePost",
    "MissLook",
    "NearMiss",
    "Night",
    "Open",
    "Permission",
    "Phase",
    "Post",
    "Refusal",
    "Remind",
    "ReportBlindness",
    "ReportDeletion",
    "ReportDrift",
    "ReportGuard",
    "ReportLook",
    "ReportPurge",
    "ReportSecondInstance",
    "ReportThaw",
    "Run",
    "Signal",
    "TakeUp",
    "TellFinding",
    "TellWindow",
    "Timer",
    "Verdict",
    "Word",
    "after",
    "blocks",
    "decide",
    "do",
    "doing",
    "e",
    "failed",
    "fold",
    "from_record",
    "good_findings",
    "journal_of",
    "next_actions",
    "night_at",
    "night_of_detours",
    "open_run",
    "passed",
    "permission_of",
    "plain",
    "read",
    "result_of",
    "settled",
    "spoken",
    "talk_of",
    "timers",
    "to_record",
    "warned",
]  # fmt: skip

REMIND_AFTER = timedelta(minutes=15)
START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
RUN_ID = "20260301-abcd"
BOT = "U0BOT"
NED, NED_THERE = (f"{n}" * 8 + "-0000-4000-8000-000000000000" for n in (1, 2))
"""A user of the source who is not mapped, and somebody in the target who may be the same person."""
ANN, BEN = "U0ANN", "U0BEN"
"""Approvers."""
EVE, STRANGER = "U0EVE", "U0STRANGER"
"""A full member who is no approver, and somebody who is not even that."""
SIGNALS = {"freeze": "frozen", "export": "exported", "users": "users-mapped"}

MEMBER = Permission(known=True, member=True, approver=False, why="you are not listed as an approver")
UNKNOWN = Permission(known=False, member=False, approver=False)
LEFT = Permission(
    known=True,
    member=False,
    approver=False,
    why="your account is deactivated",
    reason="the account is deactivated",
)
"""Of somebody who was an approver when they spoke."""
_STANDINGS = {
    ANN: Permission(known=True, member=True, approver=True),
    BEN: Permission(known=True, member=True, approver=True),
    EVE: MEMBER,
    STRANGER: Permission(known=True, member=False, approver=False, why="you are a guest here"),
}


def permission_of(user: str) -> Permission:
    return _STANDINGS[user]


def good_findings(checkpoint: str, at: datetime = START, plan: Plan = PLAN) -> list[Finding]:
    """What the examiners of the gate find when all is well; one of them warns, which blocks nothing."""
    found = [passed(name, f"{name} holds.") for name in plan.gate(checkpoint).examiners]
    if checkpoint == "freeze":
        record: dict[str, Any] = {"frozenAt": at.isoformat(), "lsn": "0/1A", "xmax": 7, "baseline": {"orders": 3}}
        found[0] = passed("freeze-proof", "Nothing writes.", **record)
        found[1] = warned("notice", "No notice is configured.", "Set freeze.notice_url.")
    return found


_NOBODY_LEFT = {
    "phone-only": Attention(count=2, digest="aaaa", todo="Ask them for an address."),
    "sso": Attention(count=1, digest="bbbb", todo="Link them by hand."),
}


def result_of(step: str, *, attention: Mapping[str, Attention] | None = None, sha256: str = "e1") -> StepResult:
    """What the step leaves. The users step leaves two reasons of attention unless others are given."""
    match step:
        case "export":
            return ExportResult(
                tables=3,
                rows=30,
                bytes=300,
                auth_users=5,
                sha256=sha256,
                taken_at=START,
                largest=(TableTotal(name="orders", rows=20, bytes=200),),
                left_out={"view": 1},
                storage_objects=4,
                storage_bytes=400,
                duration_ms=1000,
            )
        case "users":
            listed = _NOBODY_LEFT if attention is None else attention
            return UsersResult(
                users=5,
                created=4,
                matched=0,
                updated=0,
                unmapped=1,
                attention_users=len(listed),
                attention=dict(listed),
                mapping_sha256="m1",
                retain_until=START + timedelta(days=90),
                duration_ms=1000,
                to_decide={NED: (NED_THERE,)},
            )
        case "release":
            return StepNote(step="release", says="Nobody watches Supabase any more.")
        case _:
            return HandoverResult(digest="d1", files=9, journal_line=80, journal_hash="h80")


def journal_of(events: Iterable[e.Event]) -> list[str]:
    """The lines that a journal keeps of these events."""
    return [json.dumps(to_record(event)) for event in events]


def spoken(text: str) -> dict[str, Any]:
    """What somebody typed into the channel, as it is heard: a mention of the bot is no part of the text."""
    neutral, addressed = typed(text, bot_user=BOT)
    return {"text": neutral, "addressed": addressed}


class Night:
    """A run and the journal it is folded from. Time moves a second with everything that happens."""

    def __init__(
        self,
        *,
        accepted_ahead: tuple[str, ...] = (),
        rules: e.Rules | None = None,
        approvers: tuple[str, ...] = (ANN, BEN),
        plan: Plan = PLAN,
    ) -> None:
        self.now = START
        self.events: list[e.Event] = []
        self.decisions: list[list[e.Event]] = []
        """The same events, by what decided on them."""
        command = Open(
            run_id=RUN_ID,
            parties=e.Parties(source_ref="abcdef", source_database="postgres", target_project="p-1"),
            channel="C0CUTOVER",
            approvers=approvers,
            retain_days=90,
            accepted_ahead=accepted_ahead,
            rules=rules or e.Rules(),
            plan=plan,
        )
        opened = open_run(command, self.now)
        self.run = after(None, *opened)
        self.events.extend(opened)
        self.decisions.append(list(opened))

    def _follow(self, decision: Sequence[e.Event]) -> None:
        self.decisions.append(list(decision))
        self.events.extend(decision)
        self.run = after(self.run, *decision)

    def later(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    def new_ts(self) -> str:
        """A timestamp as Slack gives to a message that is posted now; later ones are greater as text."""
        self.later(seconds=1)
        return f"{int(self.now.timestamp())}.000100"

    # -- commands -----------------------------------------------------------------------------------------------------

    def try_(self, command: Command) -> list[e.Event] | Refusal:
        """What follows from the command, which has then happened."""
        self.later(seconds=1)
        decision = decide(self.run, command, self.now)
        if isinstance(decision, Refusal):
            return decision
        self._follow(decision)
        return list(decision)

    def do(self, command: Command) -> list[e.Event]:
        """As `try_`, for a command that is legal here."""
        happened = self.try_(command)
        assert not isinstance(happened, Refusal), happened.sentence
        return happened

    def remind(self) -> list[e.Event]:
        """The timer knocks when the next reminder is due of what waits for people."""
        waiting = waits_for_people(self.run)
        assert waiting is not None
        while (at := waiting.at + REMIND_AFTER * (2 ** (waiting.reminders + 1) - 1)) > self.now:
            self.now = at
        return self.do(Remind(after=REMIND_AFTER))

    # -- people -------------------------------------------------------------------------------------------------------

    def hear(self, text: str, user: str = ANN, *, ts: str | None = None, thread_ts: str | None = None) -> str:
        """The ts of the message, heard and not yet judged."""
        ts = ts or self.new_ts()
        self.do(Hear(ts=ts, user=user, team="T0", thread_ts=thread_ts, **spoken(text)))
        return ts

    def judge(self, ts: str, permission: Permission | None = None, *, progress: str = "") -> list[e.Event]:
        permission = permission or permission_of(self.run.heard[ts].user)
        return self.do(Judge(ts=ts, permission=permission, progress=progress))

    def say(self, text: str, user: str = ANN, permission: Permission | None = None) -> list[e.Event]:
        """What follows from the message once it is heard and judged; its answer is the last of it."""
        return self.judge(self.hear(text, user), permission)

    def ask(self, text: str, user: str = ANN) -> list[e.Event]:
        """Says it to the bot by name; a second yes once the channel shows what it is about."""
        if text.casefold().endswith(" yes"):
            self.talk()
        return self.say(f"<@{BOT}> {text}", user)

    # -- the conductor's part -----------------------------------------------------------------------------------------

    def talk(self) -> list[Action]:
        """Posts, edits and pins until the channel shows all there is; what was done, in order."""
        done: list[Action] = []
        while (action := talk_of(self.run)) is not None:
            done.append(action)
            assert len(done) < 200, "talk does not end"
            match action:
                case do.Deliver(delivery=delivery, look_first=look_first):
                    if not look_first:
                        self.do(IntendPost(key=delivery.post.key))
                    displayed_state = display.displayed_state(self.run, delivery.post)
                    self.do(ConfirmPost(key=delivery.post.key, ts=self.new_ts(), displayed_state=displayed_state))
                case do.Redraw(delivery=delivery):
                    self.do(
                        ConfirmEdit(
                            key=delivery.post.key,
                            ts=delivery.ts,
                            displayed_state=display.displayed_state(self.run, delivery.post),
                        )
                    )
                case do.LeaveReminder():
                    self.do(IntendReminder())
                    self.do(ConfirmReminder(id="Q1"))
                case _:
                    self.do(ConfirmPin())
        return done

    def give_signal(self, user: str = ANN) -> None:
        """Whoever must has accepted; the signal of the gate on offer is given and taken."""
        self.talk()
        for reason in self.run.open_reasons:
            self.ask(f"accept {reason}", user)
        self.say(self.run.gate.signal, user)

    def find(self, findings: Iterable[Finding]) -> None:
        self.do(BeginVerification())
        for finding in findings:
            self.do(TellFinding(finding=finding))

    def pass_gate(self, user: str = ANN) -> None:
        """On the signal of `user`, who is the last that it takes."""
        self.tick_all(user)
        self.give_signal(user)
        self.find(good_findings(self.run.gate.name, self.now, self.run.plan))
        self.end_checks()

    def tick_all(self, user: str = ANN) -> None:
        """Whatever is open on the checklist of the gate at hand."""
        self.talk()
        for key in self.run.open_items:
            self.ask(f"tick {key}", user)

    def go_to(self, gate: str, user: str = ANN) -> None:
        """Through gates and steps, until this one is at hand."""
        while self.run.gate.name != gate:
            self.go_on(user)

    def go_on(self, user: str = ANN) -> None:
        """Through the gate at hand and its step, if it has one."""
        self.pass_gate(user)
        if self.run.step is not None:
            self.end_step()
        self.talk()

    def end_checks(self, **permissions: Permission) -> list[e.Event]:
        """The checks are over, and so is the gate, unless one of them stops it or, by what Slack says of them (of a
        user id its permission), one of those who approved it may open it no more.
        """
        happened = self.do(EndVerification())
        if not self.run.checked:
            return happened
        return [*happened, *self.judge_again(**permissions)]

    def judge_again(self, **permissions: Permission) -> list[e.Event]:
        assert self.run.offer is not None
        told = {given.ts: permissions.get(given.user) or permission_of(given.user) for given in self.run.offer.checking}
        return self.do(JudgeApprovals(attempt=self.run.verification, permissions=told))

    def end_step(self, result: StepResult | None = None) -> None:
        assert self.run.step is not None
        self.do(BeginStep())
        self.do(EndStep(result=result or result_of(self.run.step.name)))
        self.talk()

    # -- the machine --------------------------------------------------------------------------------------------------

    def restarted(self) -> Run:
        """The run of a new process that reads the journal."""
        run = fold(from_record(json.loads(line)) for line in journal_of(self.events))
        assert run is not None
        return run


def talk_of(run: Run) -> Action | None:
    """What the channel gets next when one thing is done at a time: posts before edits."""
    due = next_actions(run)
    return due.get("post") or due.get("edit")


def _through(night: Night, gates: int) -> None:
    for _ in range(gates):
        night.pass_gate()
        night.end_step()
    night.talk()


def _drift(night: Night) -> None:
    night.do(ReportDrift(changes=("public.orders took 2 writes",)))
    night.talk()


def _confirm_abort(night: Night) -> None:
    night.ask("abort")
    night.ask("abort yes")


def _waiting(gates: int) -> Callable[[Night], None]:
    return lambda night: _through(night, gates)


def _verifying(gates: int) -> Callable[[Night], None]:
    def reach(night: Night) -> None:
        _through(night, gates)
        night.give_signal()
        night.do(BeginVerification())

    return reach


def _running(gates: int) -> Callable[[Night], None]:
    def reach(night: Night) -> None:
        _through(night, gates)
        night.pass_gate()
        night.do(BeginStep())

    return reach


def _held(night: Night) -> None:
    _running(1)(night)
    night.do(FailStep(why="Stack Auth did not answer; 3 users exist; look at its status page."))


def _drifted(night: Night) -> None:
    _through(night, 1)
    _drift(night)


def _aborting(night: Night) -> None:
    _through(night, 1)
    _confirm_abort(night)


def _thaw_failed(night: Night) -> None:
    _aborting(night)
    night.do(FailThaw(why="Supabase could not be reached; nothing was thawed; fix the connection."))


def _aborted(night: Night) -> None:
    _aborting(night)
    night.do(EndThaw(findings=(passed("writes-again", "A fresh session writes."),)))


def _done(night: Night) -> None:
    _through(night, 3)


_REACH: Mapping[str, Callable[[Night], None]] = {
    "opened": lambda night: None,
    "freeze waits": _waiting(0),
    "freeze is checked": _verifying(0),
    "export runs": _running(0),
    "export waits": _waiting(1),
    "export is checked": _verifying(1),
    "users runs": _running(1),
    "held": _held,
    "drifted": _drifted,
    "users waits": _waiting(2),
    "users is checked": _verifying(2),
    "handover runs": _running(2),
    "aborting": _aborting,
    "thaw failed": _thaw_failed,
    "aborted": _aborted,
    "done": _done,
}
PLACES = tuple(_REACH)


def night_at(place: str) -> Night:
    """A night that has come to `place`, one of `PLACES`; the channel shows everything up to there."""
    night = Night()
    _REACH[place](night)
    if place != "opened":
        night.talk()
    return night


def night_of_detours(why: str = "the office is closed") -> Night:
    """A gate refused and then let pass by two, a hold, a drift, a second way on to the end."""
    night = Night(rules=e.Rules(groups=("S0ONCALL",), window_minutes=60))
    night.talk()
    notice = failed("notice", "No notice.", "Switch it on.", waivable=True)
    for _ in range(2):
        night.give_signal()
        night.find([*good_findings("freeze", night.now), notice])
        night.end_checks()
        night.talk()
        if night.run.offer is not None and night.run.offer.status == "refused":
            night.ask(f"accept notice: {why}", ANN)
            night.ask(f"accept notice: {why}", BEN)
    night.end_step()
    night.ask(f"hold {why}", EVE)
    night.ask("retry")
    night.do(ReportDrift(changes=(f"{why} took 2 writes",)))
    night.ask("retry")
    night.talk()
    for _ in range(3):
        night.pass_gate()
        night.end_step()
    night.talk()
    return night
