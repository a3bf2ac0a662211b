"""The table of legal moves: (run, command, now) -> the events that follow, or a refusal that changes nothing.

`_MOVES` says in which phases a command is legal; what is absent is refused. Commands are imperative and come from
outside; events are past tense and go to the journal. A person's word takes two moves: it is heard (and journaled)
first, then judged by the table of words (`bot.plan.words`) with what Slack says about who spoke.

    Hear("frozen" by U1)     -> MessageHeard
    Judge(ts, standing)      -> SignalAccepted, Answered        or only Answered(refused)
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
from bot.plan import verifying, window
from bot.plan.checkpoints import BY_STEP, FREEZE, PLAN, following
from bot.plan.commands import (
    Abort,
    BeginStep,
    BeginVerification,
    Command,
    ConfirmEdit,
    ConfirmPin,
    ConfirmPost,
    EndFreeze,
    EndStep,
    EndThaw,
    EndVerification,
    FailFreeze,
    FailStep,
    FailThaw,
    GiveUpPin,
    Hear,
    IntendPost,
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
    ReportRival,
    ReportThaw,
    TakeUp,
    TellFinding,
    TellWindow,
)
from bot.plan.findings import MOVED, blocks
from bot.plan.fold import after
from bot.plan.results import StepResult, UsersResult
from bot.plan.run import Phase, Run, doing
from bot.plan.talk import posts, sentences, signals
from bot.plan.talk.offers import offer
from bot.plan.timetable import reminders_due
from bot.plan.words import judging as words
from bot.plan.words.steering import back_to_the_freeze

Decision = Sequence[e.AnyEvent] | Refusal


def open_run(command: Open, now: datetime) -> Sequence[e.AnyEvent]:
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
        users_mode=command.users_mode,
        rules=command.rules,
        way_back=command.way_back,
        source_tls=command.source_tls,
        abandons=command.abandons,
    )
    run = after(None, opened)
    return [opened, offer(run, PLAN[0].name, now)] if run.started else [opened]


def decide(run: Run, command: Command, now: datetime) -> Decision:
    """What follows from `command`. Never raises on a command; a Refusal means that nothing has changed."""
    phases, move = _MOVES[type(command)]
    if run.phase not in phases:
        return Refusal(sentence=f"{type(command).__name__} does not belong here: {doing(run)}")
    return move(run, command, now)


# -- what the machinery reports ---------------------------------------------------------------------------------------


def _take_up(run: Run, command: TakeUp, now: datetime) -> Decision:
    """Nothing is to be made up for: of the decision that the process before died in, all was written or nothing."""
    return [e.BotStarted(at=now, away_since=run.last_at, entitlement=command.entitlement)]


def _leave(run: Run, command: Leave, now: datetime) -> Decision:
    return [e.BotLeft(at=now, why=command.why)] if run.frozen else []


def _tell_finding(run: Run, command: TellFinding, now: datetime) -> Decision:
    """A check that sees the source moved is a drift at once."""
    made = verifying.tell_finding(run, command, now)
    if isinstance(made, Refusal):
        return made
    moved = tuple(command.finding.facts.get(MOVED, ())) if blocks([command.finding]) else ()
    drifted = _report_drift(run, ReportDrift(changes=moved), now)
    assert not isinstance(drifted, Refusal)
    return [*made, *drifted]


def _begin_step(run: Run, command: BeginStep, now: datetime) -> Decision:
    assert run.step is not None
    return [e.StepBegan(at=now, step=run.step.name, attempt=run.step.attempt + 1)]


def _end_step(run: Run, command: EndStep, now: datetime) -> Decision:
    assert run.step is not None
    if run.step.name != command.result.kind:
        return Refusal(sentence=f"A result of {command.result.kind} does not end the step {run.step.name}")
    ended = e.StepEnded(at=now, step=run.step.name, result=command.result)
    return [ended, *_behind_step(after(run, ended), command.result, now)]


def _behind_step(run: Run, result: StepResult, now: datetime) -> Sequence[e.AnyEvent]:
    """What follows when a step has ended: reasons that the settings accept ahead, and the next gate on offer."""
    happened: list[e.AnyEvent] = []
    if isinstance(result, UsersResult):
        happened += [
            e.ReasonAccepted(at=now, reason=reason, set_digest=result.attention[reason].digest, user="settings")
            for reason in run.open_reasons
            if reason in run.opened.accepted_ahead
        ]
    if run.phase is not Phase.DONE and (gate := following(BY_STEP[result.kind].name)) is not None:
        happened.append(offer(run, gate.name, now))
    return happened


def _fail_step(run: Run, command: FailStep, now: datetime) -> Decision:
    assert run.step is not None
    return [e.StepFailed(at=now, step=run.step.name, **vars(command))]


def _report_look(run: Run, command: ReportLook, now: datetime) -> Decision:
    if run.gate is not FREEZE or command.frozen == (run.frozen_since is not None):
        return []
    if command.frozen:
        return [e.FreezeSeen(at=now, database_time=command.database_time)]
    if run.phase is Phase.VERIFYING:  # the proof itself finds what is missing
        return []
    return [e.FreezeGone(at=now, database_time=command.database_time)]


def _miss_look(run: Run, command: MissLook, now: datetime) -> Decision:
    return [e.FreezeGone(at=now)] if run.gate is FREEZE and run.frozen_since is not None else []


def _report_drift(run: Run, command: ReportDrift, now: datetime) -> Decision:
    if run.freeze is None or run.drift or not run.watched or not command.changes:
        return []
    if "confirmed" in {run.abort, run.thaw}:
        return []
    return [e.DriftSeen(at=now, changes=command.changes)]


def _report_guard(run: Run, command: ReportGuard, now: datetime) -> Decision:
    if not run.guarded:
        return []
    if command.since is None:
        return [] if run.guard_lost else [e.GuardLost(at=now, why=command.why)]
    if command.since == run.guard_since and not run.guard_lost:
        return []
    return [e.GuardTaken(at=now, since=command.since, tables=command.tables, unguarded=command.unguarded)]


def _report_blindness(run: Run, command: ReportBlindness, now: datetime) -> Decision:
    if run.blind == bool(command.why) or not run.watched:
        return []
    return [e.WatchBlinded(at=now, why=command.why) if command.why else e.WatchSawAgain(at=now)]


def _report_rival(run: Run, command: ReportRival, now: datetime) -> Decision:
    if run.rival == (command.connections > 1):
        return []
    return [e.RivalGone(at=now) if run.rival else e.RivalSeen(at=now, connections=command.connections)]


def _remind(run: Run, command: Remind, now: datetime) -> Decision:
    if run.offer is None or (command.checkpoint, command.offer) != run.current:
        return []
    nth = reminders_due(run.offer, command.after, now)
    if nth <= run.offer.reminders:
        return []
    return [e.ReminderDue(at=now, checkpoint=command.checkpoint, offer=command.offer, nth=nth)]


def _tell_window(run: Run, command: TellWindow, now: datetime) -> Decision:
    percent = window.passed(run, now)
    return [e.WindowTold(at=now, percent=percent)] if percent > run.window_told else []


def _end_freeze(run: Run, command: EndFreeze, now: datetime) -> Decision:
    return [e.FreezeApplied(at=now, attempt=run.freeze_attempts + 1, findings=command.findings)]


def _fail_freeze(run: Run, command: FailFreeze, now: datetime) -> Decision:
    return [e.FreezeFailed(at=now, why=command.why)]


def _abort(run: Run, command: Abort, now: datetime) -> Decision:
    if run.abort == "confirmed":
        return [e.RetryAsked(at=now, user="", ts="")] if run.hold else []
    return [e.AbortConfirmed(at=now, user="", ts="")]


def _end_thaw(run: Run, command: EndThaw, now: datetime) -> Decision:
    thawed = e.Thawed(at=now, attempt=run.thaw_attempts + 1, findings=command.findings)
    if blocks(command.findings):
        failing = "; ".join(f.evidence.rstrip(".") for f in command.findings if blocks([f]))
        return [thawed, e.ThawFailed(at=now, why=f"The thaw ran, and Supabase does not write as before: {failing}.")]
    if run.abort == "confirmed":
        return [thawed, e.RunAborted(at=now)]
    return [thawed, *_unfrozen(after(run, thawed), now)]


def _unfrozen(run: Run, now: datetime) -> Sequence[e.AnyEvent]:
    """What follows from a thaw that ends no run: before the handover all that stood on the freeze is void."""
    if run.is_over or run.offer is None:
        return [e.Unfrozen(at=now)]
    return [*back_to_the_freeze(run, "the source was thawed", now), e.Unfrozen(at=now)]


def _report_thaw(run: Run, command: ReportThaw, now: datetime) -> Decision:
    if run.thawed_at is not None and command.thawed_at <= run.thawed_at:
        return []
    thawed = e.Thawed(at=now, attempt=run.thaw_attempts + 1, findings=command.findings, elsewhere=command.thawed_at)
    if run.freeze is None:  # nothing stood on the freeze yet
        return [thawed]
    return [thawed, *_unfrozen(after(run, thawed), now)]


def _fail_thaw(run: Run, command: FailThaw, now: datetime) -> Decision:
    return [e.ThawFailed(at=now, why=command.why)]


def _intend_post(run: Run, command: IntendPost, now: datetime) -> Decision:
    if (delivery := run.deliveries.get(command.key)) is None or delivery.ts:
        return Refusal(sentence="This post is not owed")
    return [e.PostIntended(at=now, key=command.key)]


def _confirm_post(run: Run, command: ConfirmPost, now: datetime) -> Decision:
    if (delivery := run.deliveries.get(command.key)) is None or delivery.ts:
        return Refusal(sentence="This post is not owed")
    return [e.Posted(at=now, key=command.key, ts=command.ts, face=command.face)]


def _confirm_edit(run: Run, command: ConfirmEdit, now: datetime) -> Decision:
    if (delivery := run.deliveries.get(command.key)) is None or not delivery.ts or delivery.ts != command.ts:
        return Refusal(sentence="This post does not stand in the channel")
    return [e.PostEdited(at=now, key=command.key, face=command.face)]


def _lose_post(run: Run, command: LosePost, now: datetime) -> Decision:
    delivery = run.deliveries.get(command.key)
    if delivery is None or not delivery.stands or delivery.ts != command.ts:
        return Refusal(sentence="This post does not stand in the channel")
    return [e.PostLost(at=now, key=command.key, ts=command.ts)]


def _report_deletion(run: Run, command: ReportDeletion, now: datetime) -> Decision:
    lost = [key for key, delivery in run.deliveries.items() if delivery.stands and delivery.ts == command.ts]
    return [e.PostLost(at=now, key=key, ts=command.ts) for key in lost]


def _give_up_pin(run: Run, command: GiveUpPin, now: datetime) -> Decision:
    return [e.PinGivenUp(at=now, finding=command.finding)]


def _confirm_pin(run: Run, command: ConfirmPin, now: datetime) -> Decision:
    return [e.HeaderPinned(at=now)]


# -- what people say --------------------------------------------------------------------------------------------------


def _hear(run: Run, command: Hear, now: datetime) -> Decision:
    if command.ts in run.heard or (command.request and command.request in {m.request for m in run.heard.values()}):
        return Refusal(sentence="This has been heard already")
    if command.thread_ts not in {None, command.ts} and run.thread_of(command.thread_ts) is None:
        return Refusal(sentence="This message stands in a thread that is not of this run")
    meaning = signals.read(command.text, bot_user=command.bot_user, addressed=command.via != "message")
    if meaning is None:
        return Refusal(sentence="This message is neither a signal nor a word to the bot")
    thread = None if command.thread_ts == command.ts else command.thread_ts
    return [
        e.MessageHeard(
            at=now,
            ts=command.ts or _own_ts(run, now),
            user=command.user,
            team=command.team,
            text=command.text,
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
        return Refusal(sentence="This message has been answered already")
    message = run.heard[command.ts]

    def answered(status: Literal["done", "refused"], sentence: str) -> e.Answered:
        text = sentences.to_author(message, sentence)
        joins = _said_already(run, message, status, text)
        return e.Answered(at=now, ts=message.ts, user=message.user, status=status, text=text, joins=joins)

    if command.ts in run.acted_on:  # and the process died before its author was told
        return [answered("done", sentences.took_effect(doing(run)))]
    verdict = words.judge(run, message, command.standing, bot_user=command.bot_user, progress=command.progress, now=now)
    if isinstance(verdict, Refusal):
        return [answered("refused", verdict.sentence)]
    sentence, happened = verdict
    return [*happened, answered("done", sentence)]


def _said_already(run: Run, message: e.MessageHeard, status: str, text: str) -> str:
    """The ts of an earlier message of the same person whose answer, still owed, would say the same at the same place:
    whoever says one thing a hundred times is not told the same a hundred times. "" when there is none.
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

_LOOKING = frozenset({Phase.WAITING, Phase.FREEZING, Phase.VERIFYING})

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
    ReportLook: (_LOOKING, _report_look),
    MissLook: (_LOOKING - {Phase.VERIFYING}, _miss_look),
    ReportDrift: (_LIVING, _report_drift),
    ReportGuard: (_LIVING, _report_guard),
    ReportBlindness: (_ALWAYS, _report_blindness),
    ReportRival: (_ALWAYS, _report_rival),
    Remind: (frozenset({Phase.WAITING}), _remind),
    TellWindow: (_LIVING, _tell_window),
    EndFreeze: (frozenset({Phase.FREEZING}), _end_freeze),
    FailFreeze: (frozenset({Phase.FREEZING}), _fail_freeze),
    EndThaw: (frozenset({Phase.ABORTING, Phase.THAWING}), _end_thaw),
    FailThaw: (frozenset({Phase.ABORTING, Phase.THAWING}), _fail_thaw),
    ReportThaw: (_LIVING, _report_thaw),
    Abort: (_ALWAYS - {Phase.DONE, Phase.ABORTED}, _abort),
    IntendPost: (_ALWAYS, _intend_post),
    ConfirmPost: (_ALWAYS, _confirm_post),
    ConfirmEdit: (_ALWAYS, _confirm_edit),
    LosePost: (_ALWAYS, _lose_post),
    ReportDeletion: (_ALWAYS, _report_deletion),
    ConfirmPin: (_ALWAYS, _confirm_pin),
    GiveUpPin: (_ALWAYS, _give_up_pin),
}
