"""After what people said, and what the process itself does."""

from __future__ import annotations

from dataclasses import replace

from bot.plan import events as e
from bot.plan import posts
from bot.plan.offer import OfferStatus
from bot.plan.outbox import looked_on, owe, undone, with_alarm, with_offer, without_alarms
from bot.plan.posts import Post
from bot.plan.run import Phase, Run, doing
from bot.plan.texts import alarms
from bot.plan.texts.foreign import defused


def bot_started(run: Run, event: e.BotStarted) -> Run:
    # What a verification that was cut off had found proves nothing: the next one asks everything again.
    findings = () if run.phase is Phase.VERIFYING else run.findings
    run = replace(
        run,
        starts=run.starts + 1,
        verification=0,
        findings=findings,
        checked=False,
        frozen_since=looked_on(run),
    )
    before, run = run, _entitled(without_alarms(run, "left"), event)
    minutes = int((event.at - event.away_since).total_seconds() // 60)
    run = with_alarm(run, f"back/{run.starts}", alarms.back_again(minutes, doing(run)), status="done")
    run = _kept(run, event)
    if (run.today or run.opened.entitlement).says_the_same_as(before.today or before.opened.entitlement):
        return run
    text = alarms.entitlements_differ(*run.entitled.each)
    return with_alarm(run, f"entitled/{run.starts}", text, status="done")


def _entitled(run: Run, event: e.BotStarted) -> Run:
    """By today's settings too. The gate at hand may take more people's approvals, or fewer, than it did."""
    run = replace(run, today=event.entitlement or run.today)
    if run.offer is None:
        return run
    return with_offer(run, run.offer.taking(run.entitled.needed(run.offer.checkpoint)))


def _kept(run: Run, event: e.BotStarted) -> Run:
    """Each kept setting is reported once: the run keeps its own value, whatever the change."""
    new = tuple(name for name in event.otherwise if name not in run.kept)
    if not new:
        return run
    run = replace(run, kept=(*run.kept, *new))
    return with_alarm(run, f"kept/{run.starts}", alarms.kept(new), status="done")


def bot_left(run: Run, event: e.BotLeft) -> Run:
    run = replace(run, leavings=run.leavings + 1)
    text = alarms.left(defused(event.why))
    return with_alarm(run, f"left/{run.leavings}", text, status="waiting" if event.why else "done")


def message_heard(run: Run, event: e.MessageHeard) -> Run:
    return replace(
        run,
        heard={**run.heard, event.ts: event},
        heard_as={**run.heard_as, event.ts: run.happened},
        unanswered=run.unanswered | {event.ts},
    )


def answered(run: Run, event: e.Answered) -> Run:
    run = replace(run, unanswered=run.unanswered - {event.ts})
    if event.joins:
        return replace(run, joined={**run.joined, event.ts: event.joins})
    gate = run.current[0] if run.current else ""
    thread = run.thread_of(run.heard[event.ts].thread_ts) or run.gate_key
    post = Post(
        key=posts.answer_key(run.run_id, event.ts),
        kind="cutover_answer",
        checkpoint=gate,
        status=event.status,
        thread=thread,
        body=posts.Prose(event.text),
    )
    return owe(run, post)


def user_decided(run: Run, event: e.UserDecided) -> Run:
    return replace(run, decisions={**run.decisions, event.id: event}, decided_since=run.decided_since | {event.id})


def abort_confirmed(run: Run, event: e.AbortConfirmed) -> Run:
    if not event.user:
        run = with_alarm(run, "aborted-at-the-terminal", alarms.aborted_at_the_terminal(), status="done")
    return replace(undone(run), abort="confirmed", step=None, freezing=False, thaw="")


def hold_asked(run: Run, event: e.HoldAsked) -> Run:
    if run.offer is not None and run.offer.is_open:
        again: OfferStatus = "refused" if run.offer.status == "refused" else "waiting"
        run = with_offer(run, run.offer.settled(again, "withdrawn"))
    run = replace(run, hold=alarms.hold(event.user, event.why), failures=run.failures + 1, frozen_since=looked_on(run))
    return with_alarm(run, f"held/{run.failures}", alarms.held_by(event.user, event.why, run.entitled.may))


def run_aborted(run: Run, event: e.RunAborted) -> Run:
    return with_alarm(replace(run, abort="done"), "aborted", alarms.aborted(run.run_id), status="done")
