"""What must happen now, as a function of the run alone.

A restart needs no path of its own: fold the journal, then do what `next_actions` says. Every action carries its
idempotency key; the conductor runs at most one action a lane at a time, starts none whose key is under way, and
cancels work that is no longer due (that is how an abort or a drift stops a step). The lanes:

    ask    who is the author of a message: first, since a person waits
    talk   posts and edits, one after the other: answers first, then edits, then the rest in order, the header last
    work   verification, step, freeze, thaw: never two at once
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bot.plan.run import Delivery, Phase, Run
from bot.plan.talk import signals

Lane = Literal["ask", "talk", "work"]


@dataclass(frozen=True, kw_only=True)
class Action:
    """`key` is unique to one effect and stable over restarts."""

    key: str


@dataclass(frozen=True, kw_only=True)
class AskWho(Action):
    ts: str
    user: str
    team: str


@dataclass(frozen=True, kw_only=True)
class Deliver(Action):
    """Put the post into the channel. `look_first` is set when an earlier try may have succeeded."""

    delivery: Delivery
    look_first: bool


@dataclass(frozen=True, kw_only=True)
class Redraw(Action):
    """Edit the post so that it shows what the run is now."""

    delivery: Delivery


@dataclass(frozen=True, kw_only=True)
class PinHeader(Action):
    ts: str


@dataclass(frozen=True, kw_only=True)
class Verify(Action):
    examiners: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Work(Action):
    step: str


@dataclass(frozen=True, kw_only=True)
class Freeze(Action):
    pass


@dataclass(frozen=True, kw_only=True)
class Thaw(Action):
    pass


def next_actions(run: Run) -> Mapping[Lane, Action]:
    """At most one action a lane; nothing to do is an empty mapping."""
    due: dict[Lane, Action] = {}
    if (ask := _next_question(run)) is not None:
        due["ask"] = ask
    if (talk := _next_talk(run)) is not None:
        due["talk"] = talk
    if (work := _next_work(run)) is not None:
        due["work"] = work
    return due


def settled(run: Run) -> bool:
    """True when the channel shows all there is to show and nobody waits for an answer."""
    return not next_actions(run)


def settled_talk(run: Run) -> bool:
    """True when no post or edit is owed, so that progress may be shown."""
    return _next_talk(run) is None


def _next_question(run: Run) -> AskWho | None:
    gate = run.deliveries[run.gate_key]
    for ts in sorted(run.unanswered):
        message = run.heard[ts]
        if gate.intended and not gate.ts and signals.may_signal(message.text):
            continue  # whether it is newer than the checkpoint is known once the checkpoint is found or posted
        return AskWho(key=f"{run.run_id}/who/{ts}", ts=ts, user=message.user, team=message.team)
    return None


def _next_talk(run: Run) -> Deliver | Redraw | PinHeader | None:
    owed = [d for d in run.deliveries.values() if not d.ts]
    ready = [d for d in owed if d.post.thread is None or run.deliveries[d.post.thread].ts]
    answers = [d for d in ready if d.post.kind == "cutover_answer"]
    for delivery in answers:
        return _deliver(delivery)
    header, *others = run.deliveries.values()
    for delivery in others:
        if _is_stale(run, delivery):
            return _redraw(run, delivery)
    for delivery in ready:
        return _deliver(delivery)
    if header.stands and not run.pinned:
        return PinHeader(key=f"{header.post.key}/pin", ts=header.ts)
    return _redraw(run, header) if _is_stale(run, header) else None


def _is_stale(run: Run, delivery: Delivery) -> bool:
    return delivery.stands and delivery.shown != run.face_of(delivery.post)


def _redraw(run: Run, delivery: Delivery) -> Redraw:
    return Redraw(key=f"{delivery.post.key}/{run.face_of(delivery.post)}", delivery=delivery)


def _deliver(delivery: Delivery) -> Deliver:
    return Deliver(key=delivery.post.key, delivery=delivery, look_first=delivery.intended)


def _next_work(run: Run) -> Verify | Work | Freeze | Thaw | None:
    match run.phase:
        case Phase.VERIFYING:
            assert run.offer is not None
            last = run.offer.approvals[-1].given.ts
            return Verify(key=f"{run.gate_key}/verify/{last}", examiners=run.gate.examiners)
        case Phase.RUNNING:
            assert run.step is not None
            return Work(key=f"{run.gate_key}/{run.step.name}/{run.failures + run.reopenings}", step=run.step.name)
        case Phase.FREEZING:
            return Freeze(key=f"{run.run_id}/freeze/{run.freeze_attempts + run.failures}")
        case Phase.ABORTING | Phase.THAWING:
            return Thaw(key=f"{run.run_id}/thaw/{run.failures + run.thaw_attempts}")
        case _:
            return None
