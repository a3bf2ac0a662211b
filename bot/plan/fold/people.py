"""After what people said, and what the process itself does."""

from __future__ import annotations

from bot.plan import events as e
from bot.plan import posts
from bot.plan.changed import replace
from bot.plan.checklist import ItemState
from bot.plan.fold.effect import effect
from bot.plan.hold import SaidHold
from bot.plan.offer import OfferStatus
from bot.plan.outbox import (
    looked_on,
    owe,
    resumed,
    undone,
    unwatched,
    voided_if_open,
    with_alarm,
    with_offer,
    without_alarms,
)
from bot.plan.posts import AlarmKey, Post
from bot.plan.run import Phase, Run
from bot.plan.texts import alarms
from bot.plan.texts.state import doing


@effect.register
def bot_started(event: e.BotStarted, run: Run) -> Run:
    # What a verification that was cut off had found proves nothing: the next one asks everything again.
    findings = () if run.phase is Phase.VERIFYING else run.findings
    run = replace(
        run,
        starts=run.starts + 1,
        verification=0,
        findings=findings,
        checked=False,
        frozen_since=looked_on(run),
        names={**run.names, **event.names},
    )
    before, run = run, _entitled(without_alarms(run, "left"), event)
    minutes = int((event.at - event.away_since).total_seconds() // 60)
    run = with_alarm(run, AlarmKey("back", (run.starts,)), alarms.back_again(minutes, doing(run)), status="done")
    run = _kept(run, event)
    if (run.today or run.opened.entitlement).says_the_same_as(before.today or before.opened.entitlement):
        return run
    text = alarms.entitlements_differ(*run.entitled.each)
    return with_alarm(run, AlarmKey("entitled", (run.starts,)), text, status="done")


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
    return with_alarm(run, AlarmKey("kept", (run.starts,)), alarms.kept(new), status="done")


@effect.register
def bot_left(event: e.BotLeft, run: Run) -> Run:
    run = replace(run, leavings=run.leavings + 1)
    text = alarms.left(event.why)
    return with_alarm(run, AlarmKey("left", (run.leavings,)), text, status="waiting" if event.why else "done")


@effect.register
def message_heard(event: e.MessageHeard, run: Run) -> Run:
    return replace(
        run,
        heard={**run.heard, event.ts: event},
        heard_as={**run.heard_as, event.ts: run.happened},
        unanswered=run.unanswered | {event.ts},
    )


@effect.register
def answered(event: e.Answered, run: Run) -> Run:
    run = replace(run, unanswered=run.unanswered - {event.ts})
    if event.joins:
        return replace(run, joined={**run.joined, event.ts: event.joins})
    thread = run.thread_of(run.heard[event.ts].thread_ts) or run.gate_key
    post = Post(
        key=posts.answer_key(run.run_id, event.ts),
        kind="cutover_answer",
        checkpoint=run.at,
        status=event.status,
        thread=thread,
        body=posts.Prose(event.text),
    )
    return owe(run, post)


@effect.register
def user_decided(event: e.UserDecided, run: Run) -> Run:
    return replace(run, decisions={**run.decisions, event.id: event}, decided_since=run.decided_since | {event.id})


@effect.register
def abort_confirmed(event: e.AbortConfirmed, run: Run) -> Run:
    if not event.user:
        run = with_alarm(run, AlarmKey("aborted-at-the-terminal"), alarms.aborted_at_the_terminal(), status="done")
    return replace(undone(run), abort="confirmed", step=None, freezing=False, thaw="")


@effect.register
def hold_asked(event: e.HoldAsked, run: Run) -> Run:
    if run.offer is not None and run.offer.is_open:
        again: OfferStatus = "refused" if run.offer.status == "refused" else "waiting"
        run = with_offer(run, run.offer.settled(again, "withdrawn"))
    hold = SaidHold(user=event.user, why=event.why)
    run = replace(run, hold=hold, failures=run.failures + 1, frozen_since=looked_on(run))
    text = alarms.held_by(event.user, event.why, run.entitled.may)
    return with_alarm(run, AlarmKey("held", (run.failures,)), text)


@effect.register
def run_aborted(event: e.RunAborted, run: Run) -> Run:
    return with_alarm(replace(run, abort="done"), AlarmKey("aborted"), alarms.aborted(run.run_id), status="done")


@effect.register
def reason_accepted(event: e.ReasonAccepted, run: Run) -> Run:
    return replace(run, accepted={**run.accepted, event.reason: event.set_digest})


@effect.register
def unreadable_accepted(event: e.UnreadableAccepted, run: Run) -> Run:
    return replace(run, left_unread={**run.left_unread, event.table: event})


@effect.register
def retry_asked(event: e.RetryAsked, run: Run) -> Run:
    """A drift remains until the freeze is offered anew, whatever happens between; behind the seal it holds nothing."""
    return run if run.drift and not run.is_closed else resumed(run)


@effect.register
def abort_asked(event: e.AbortAsked, run: Run) -> Run:
    return replace(run, abort="asked", abort_asked=event)


@effect.register
def start_asked(event: e.StartAsked, run: Run) -> Run:
    return replace(run, started=True)


@effect.register
def check_waived(event: e.CheckWaived, run: Run) -> Run:
    return replace(run, waivers=(*run.waivers, event))


@effect.register
def freeze_asked(event: e.FreezeAsked, run: Run) -> Run:
    return replace(run, freezing=True)


@effect.register
def thaw_asked(event: e.ThawAsked, run: Run) -> Run:
    return replace(run, thaw="asked", thaw_asked=event)


@effect.register
def released(event: e.Released, run: Run) -> Run:
    return unwatched(run)


@effect.register
def item_ticked(event: e.ItemTicked, run: Run) -> Run:
    return _with_item(run, event.item, "ticked", user=event.user)


@effect.register
def item_accepted(event: e.ItemAccepted, run: Run) -> Run:
    return _with_item(run, event.item, "accepted", user=event.user, why=event.why)


@effect.register
def item_unticked(event: e.ItemUnticked, run: Run) -> Run:
    """An offer that rests on the list is void, and the gate waits for its list again."""
    run = voided_if_open(run)
    run = replace(run, current=None, verification=0, findings=(), checked=False)
    return _with_item(run, event.item, "open")


def _with_item(run: Run, key: str, state: ItemState, *, user: str = "", why: str = "") -> Run:
    assert run.checklist is not None
    changed = run.checklist.with_item(key, state, user=user, why=why)
    return replace(run, checklists={**run.checklists, run.at: changed})
