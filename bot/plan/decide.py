"""The table of legal moves: (run, command, now) -> the events that follow, or a refusal that changes nothing.

`_MOVES` says in which phases a command is legal; what is absent is refused. Commands are imperative and come from
outside; events are past tense and go to the journal. A person's word takes two moves: it is heard (and journaled)
first, then judged by the table of words (`bot.plan.commands`) with what Slack says about who spoke.

    Hear("frozen" by U1)     -> MessageHeard
    Judge(ts, permission)      -> SignalAccepted, Answered        or only Answered(refused)
    BeginVerification        -> VerificationBegan
    TellFinding …            -> FindingMade …
    EndVerification          -> ChecksPassed                    or CheckpointRefused
    JudgeApprovals           -> CheckpointPassed                or FindingMade, ApprovalLapsed …
    BeginStep, EndStep       -> StepBegan, StepEnded, CheckpointOffered(next gate)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from bot.plan import events as e
from bot.plan import posts, retention, signals, thawing, verifying, watching, window
from bot.plan.checklist import Checklist
from bot.plan.commands import table as words
from bot.plan.evidence import put_forward
from bot.plan.findings import MOVED, blocks
from bot.plan.fold import after
from bot.plan.inputs import (
    Abort,
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
from bot.plan.results import StepResult, UsersResult, step_of
from bot.plan.run import Phase, Run
from bot.plan.text import Text, named, say
from bot.plan.texts import run_control, sentences
from bot.plan.texts.foreign import person_name
from bot.plan.texts.state import doing
from bot.plan.timetable import reminders_due, waits_for_people

Decision = Sequence[e.Event] | Refusal


def open_run(command: Open, now: datetime) -> Sequence[e.Event]:
    """A new run, with its first gate on offer."""
    opened = e.RunOpened(
        at=now,
        run_id=command.run_id,
        parties=command.parties,
        channel=command.channel,
        approvers=command.approvers,
        retain_days=command.retain_days,
        accepted_ahead=command.accepted_ahead,
        practice=command.practice,
        estimated_rows=command.estimated_rows,
        api_counts=command.api_counts,
        names=_shown(command.names),
        users_mode=command.users_mode,
        rules=command.rules,
        way_back=command.way_back,
        source_tls=command.source_tls,
        abandons=command.abandons,
        plan=command.plan,
    )
    run = after(None, opened)
    return [opened, put_forward(run, run.plan.first, now)] if run.started else [opened]


def _shown(names: Mapping[str, str]) -> dict[str, str]:
    return {user: name for user, given in names.items() if (name := person_name(given))}


def decide(run: Run, command: Command, now: datetime) -> Decision:
    """What follows from `command`. Never raises on a command; a Refusal means that nothing has changed."""
    phases, move = _MOVES[type(command)]
    if run.phase not in phases:
        return Refusal(
            sentence=say("{command} does not belong here: {doing}", command=type(command).__name__, doing=doing(run))
        )
    return move(run, command, now)


# -- what the machinery reports ---------------------------------------------------------------------------------------


def _take_up(run: Run, command: TakeUp, now: datetime) -> Decision:
    """Nothing is to be made up for: of the decision that the process before died in, all was written or nothing."""
    return [
        e.BotStarted(
            at=now,
            away_since=run.last_at,
            entitlement=command.entitlement,
            otherwise=command.otherwise,
            names=_shown(command.names),
        )
    ]


def _leave(run: Run, command: Leave, now: datetime) -> Decision:
    return [e.BotLeft(at=now, why=command.why)] if run.frozen else []


def _tell_finding(run: Run, command: TellFinding, now: datetime) -> Decision:
    """A check that sees the source moved is a drift at once."""
    made = verifying.tell_finding(run, command, now)
    if isinstance(made, Refusal):
        return made
    moved = tuple(command.finding.facts.get(MOVED, ())) if blocks([command.finding]) else ()
    drifted = watching.report_drift(run, ReportDrift(changes=moved), now)
    assert not isinstance(drifted, Refusal)
    return [*made, *drifted]


def _begin_step(run: Run, command: BeginStep, now: datetime) -> Decision:
    assert run.step is not None
    return [e.StepBegan(at=now, step=run.step.name, attempt=run.step.attempt + 1)]


def _end_step(run: Run, command: EndStep, now: datetime) -> Decision:
    assert run.step is not None
    if run.step.name != (of := step_of(command.result)):
        return Refusal(sentence=say("A result of {of} does not end the step {step}", of=of, step=run.step.name))
    ended = e.StepEnded(at=now, step=run.step.name, result=command.result)
    return [ended, *_behind_step(after(run, ended), command.result, now)]


def _behind_step(run: Run, result: StepResult, now: datetime) -> Sequence[e.Event]:
    """What follows when a step has ended: reasons that the settings accept ahead, and the next gate."""
    happened: list[e.Event] = []
    if isinstance(result, UsersResult):
        happened += [
            e.ReasonAccepted(at=now, reason=reason, set_digest=result.attention[reason].digest, user="settings")
            for reason in run.open_reasons
            if reason in run.opened.accepted_ahead
        ]
    if run.gate.releases and run.watched:
        happened.append(e.Released(at=now, user=run.opened_by(run.gate.name)[-1], ts=""))
    if run.phase is not Phase.DONE and (gate := run.plan.following(run.gate.name)) is not None:
        happened.append(put_forward(run, gate, now))
    return happened


def _fail_step(run: Run, command: FailStep, now: datetime) -> Decision:
    assert run.step is not None
    return [e.StepFailed(at=now, step=run.step.name, **vars(command))]


def _report_second_instance(run: Run, command: ReportSecondInstance, now: datetime) -> Decision:
    if run.second_instance == (command.connections > 1):
        return []
    return [
        e.SecondInstanceGone(at=now)
        if run.second_instance
        else e.SecondInstanceSeen(at=now, connections=command.connections)
    ]


def _remind(run: Run, command: Remind, now: datetime) -> Decision:
    waiting = waits_for_people(run)
    if waiting is None or (nth := reminders_due(waiting, command.after, now)) <= waiting.reminders:
        return []
    if isinstance(waiting, Checklist):
        return [e.ChecklistReminderDue(at=now, checkpoint=waiting.checkpoint, number=waiting.number, nth=nth)]
    return [e.ReminderDue(at=now, checkpoint=waiting.checkpoint, offer=waiting.number, nth=nth)]


def _tell_window(run: Run, command: TellWindow, now: datetime) -> Decision:
    percent = window.passed(run, now)
    return [e.WindowTold(at=now, percent=percent)] if percent > run.window_told else []


def _intend_post(run: Run, command: IntendPost, now: datetime) -> Decision:
    if (delivery := run.deliveries.get(command.key)) is None or delivery.ts:
        return Refusal(sentence=say("This post is not owed"))
    return [e.PostIntended(at=now, key=command.key)]


def _confirm_post(run: Run, command: ConfirmPost, now: datetime) -> Decision:
    if (delivery := run.deliveries.get(command.key)) is None or delivery.ts:
        return Refusal(sentence=say("This post is not owed"))
    return [e.Posted(at=now, key=command.key, ts=command.ts, displayed_state=command.displayed_state)]


def _confirm_edit(run: Run, command: ConfirmEdit, now: datetime) -> Decision:
    if (delivery := run.deliveries.get(command.key)) is None or not delivery.ts or delivery.ts != command.ts:
        return Refusal(sentence=say("This post is not in the channel"))
    return [e.PostEdited(at=now, key=command.key, displayed_state=command.displayed_state)]


def _lose_post(run: Run, command: LosePost, now: datetime) -> Decision:
    delivery = run.deliveries.get(command.key)
    if delivery is None or not delivery.visible or delivery.ts != command.ts:
        return Refusal(sentence=say("This post is not in the channel"))
    return [e.PostLost(at=now, key=command.key, ts=command.ts)]


def _report_deletion(run: Run, command: ReportDeletion, now: datetime) -> Decision:
    lost = [key for key, delivery in run.deliveries.items() if delivery.visible and delivery.ts == command.ts]
    return [e.PostLost(at=now, key=key, ts=command.ts) for key in lost]


def _give_up_pin(run: Run, command: GiveUpPin, now: datetime) -> Decision:
    return [e.PinGivenUp(at=now, finding=command.finding)]


def _confirm_pin(run: Run, command: ConfirmPin, now: datetime) -> Decision:
    return [e.HeaderPinned(at=now)]


# -- what people say --------------------------------------------------------------------------------------------------


def _hear(run: Run, command: Hear, now: datetime) -> Decision:
    if command.ts in run.heard or (command.request and command.request in {m.request for m in run.heard.values()}):
        return Refusal(sentence=say("This has been heard already"))
    if command.thread_ts not in {None, command.ts} and run.thread_of(command.thread_ts) is None:
        return Refusal(sentence=say("This message is in a thread that is not of this run"))
    meaning = signals.read(command.text, run.plan, addressed=command.addressed)
    if meaning is None:
        return Refusal(sentence=say("This message is neither a signal nor a word to the bot"))
    thread = None if command.thread_ts == command.ts else command.thread_ts
    return [
        e.MessageHeard(
            at=now,
            ts=command.ts or _own_ts(run, now),
            user=command.user,
            team=command.team,
            text=command.text,
            addressed=command.addressed,
            thread_ts=thread,
            via=command.via,
            request=command.request,
            digest=command.digest,
            kind=words.kind_of(meaning),
        )
    ]


def _own_ts(run: Run, now: datetime) -> str:
    """A name for what has no message, in the form of Slack's."""
    microseconds = round(now.timestamp() * 1_000_000)
    while (ts := f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06}") in run.heard:
        microseconds += 1
    return ts


def _judge(run: Run, command: Judge, now: datetime) -> Decision:
    if command.ts not in run.unanswered:
        return Refusal(sentence=say("This message has been answered already"))
    message, name = run.heard[command.ts], person_name(command.permission.name)
    names = {**run.names, message.user: name} if name else run.names

    def answered(status: Literal["done", "refused"], sentence: Text) -> e.Answered:
        text = named(sentences.to_author(message, sentence), names)
        joins = _said_already(run, message, status, text)
        return e.Answered(at=now, ts=message.ts, user=message.user, name=name, status=status, text=text, joins=joins)

    if command.ts in run.acted_on:  # and the process died before its author had an answer
        return [answered("done", run_control.took_effect(doing(run)))]
    verdict = words.judge(run, message, command.permission, progress=command.progress, now=now)
    if isinstance(verdict, Refusal):
        return [answered("refused", verdict.sentence)]
    sentence, happened = verdict
    return [*(_by_name(event, message.user, name) for event in happened), answered("done", sentence)]


def _by_name(event: e.Event, user: str, name: str) -> e.Event:
    """The event with what somebody is called who has just brought it about."""
    of_them = isinstance(event, e.PersonalEvent) and event.user == user
    return event.model_copy(update={"name": name}) if of_them else event


def _said_already(run: Run, message: e.MessageHeard, status: str, text: Text) -> str:
    """The ts of an earlier message of the same person whose answer, still owed, would say the same at the same place:
    whoever says one thing a hundred times does not get one answer a hundred times. "" when there is none.
    """
    thread = run.thread_of(message.thread_ts) or run.gate_key
    for earlier in run.heard.values():
        delivery = run.deliveries.get(posts.answer_key(run.run_id, earlier.ts))
        if delivery is None or delivery.intended or earlier.user != message.user:
            continue
        post = delivery.post
        if (post.thread, post.status, post.body) == (thread, status, posts.Prose(text)):
            return earlier.ts
    return ""


_ALWAYS = frozenset(Phase)
_LIVING = frozenset({Phase.WAITING, Phase.VERIFYING, Phase.RUNNING, Phase.HELD, Phase.DONE})

_LOOKING = frozenset({Phase.WAITING, Phase.FREEZING, Phase.VERIFYING, Phase.HELD})

_MOVES: Mapping[type, tuple[frozenset[Phase], Callable[[Run, Any, datetime], Decision]]] = {
    TakeUp: (_ALWAYS, _take_up),
    Leave: (_ALWAYS, _leave),
    Hear: (_ALWAYS, _hear),
    Judge: (_ALWAYS, _judge),
    BeginVerification: (frozenset({Phase.VERIFYING}), verifying.begin_verification),
    TellFinding: (frozenset({Phase.VERIFYING}), _tell_finding),
    EndVerification: (frozenset({Phase.VERIFYING}), verifying.end_verification),
    JudgeApprovals: (frozenset({Phase.VERIFYING}), verifying.judge_approvals),
    BeginStep: (frozenset({Phase.RUNNING}), _begin_step),
    EndStep: (frozenset({Phase.RUNNING}), _end_step),
    FailStep: (frozenset({Phase.RUNNING}), _fail_step),
    ReportLook: (_LOOKING, watching.report_look),
    MissLook: (_LOOKING, watching.miss_look),
    ReportDrift: (_LIVING, watching.report_drift),
    ReportGuard: (_LIVING, watching.report_guard),
    ReportBlindness: (_ALWAYS, watching.report_blindness),
    ReportSecondInstance: (_ALWAYS, _report_second_instance),
    Remind: (frozenset({Phase.WAITING}), _remind),
    TellWindow: (_LIVING, _tell_window),
    EndFreeze: (frozenset({Phase.FREEZING}), thawing.end_freeze),
    FailFreeze: (frozenset({Phase.FREEZING}), thawing.fail_freeze),
    EndThaw: (frozenset({Phase.ABORTING, Phase.THAWING}), thawing.end_thaw),
    FailThaw: (frozenset({Phase.ABORTING, Phase.THAWING}), thawing.fail_thaw),
    ReportThaw: (_LIVING, thawing.report_thaw),
    Abort: (_ALWAYS - {Phase.DONE, Phase.ABORTED}, thawing.abort),
    IntendPost: (_ALWAYS, _intend_post),
    ConfirmPost: (_ALWAYS, _confirm_post),
    ConfirmEdit: (_ALWAYS, _confirm_edit),
    LosePost: (_ALWAYS, _lose_post),
    ReportDeletion: (_ALWAYS, _report_deletion),
    ConfirmPin: (_ALWAYS, _confirm_pin),
    GiveUpPin: (_ALWAYS, _give_up_pin),
    IntendReminder: (_ALWAYS, retention.intend_reminder),
    ConfirmReminder: (_ALWAYS, retention.confirm_reminder),
    GiveUpReminder: (_ALWAYS, retention.give_up_reminder),
    ReportPurge: (_ALWAYS, retention.report_purge),
}
