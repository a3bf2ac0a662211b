"""What must happen now, as a function of the run alone.

A restart needs no path of its own: fold the journal, then do what `next_actions` says. Every action carries its
idempotency key; the conductor runs at most one action a lane at a time, starts none whose key is under way, and
cancels work that is no longer due (that is how an abort or a drift stops a step). The lanes:

    ask    who is the author of a message: first of what may start or stop something, then of what only asks
    post   new messages: gates, alarms and summaries, then findings, then answers; of a kind the longest owed first
    edit   of what is in the channel: the gate at hand, then all else, the header last and behind urgent posts;
           before the header the reminder that is left for the end of the retention
    work   verification and the judging of its approvals, step, freeze, thaw: never two at once

Posts and edits wait for nothing but their own kind: a channel that takes no edits still gets its alarms, and a flood
of answers holds back no gate. What Slack did not take rests for a while, each message by itself (`Action.rests_as`),
and whatever is behind it goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from bot.plan import display, posts, retention, signals
from bot.plan.delivery import Delivery
from bot.plan.events import MessageHeard, MessageKind, SignalAccepted
from bot.plan.run import Phase, Run

Lane = Literal["ask", "post", "edit", "work"]
_KINDS: Mapping[MessageKind, int] = {"act": 0, "tell": 1, "miss": 2}
_FIRST = 0
_IN_TURN = 5
"""Whoever has more words waiting than these lets those of everybody else go first."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """`key` is unique to one effect and stable over restarts."""

    key: str

    @property
    def rests_as(self) -> str:
        """By what its failures are counted: the same for whatever is tried with one message."""
        return self.key


@dataclass(frozen=True, kw_only=True)
class AskWho(Action):
    ts: str
    user: str
    team: str
    kind: MessageKind = "act"


@dataclass(frozen=True, kw_only=True)
class Deliver(Action):
    """Put the post into the channel. `look_first` is set when an earlier try may have succeeded."""

    delivery: Delivery
    look_first: bool


@dataclass(frozen=True, kw_only=True)
class Redraw(Action):
    """Edit the post so that it shows what the run is now."""

    delivery: Delivery

    @property
    def rests_as(self) -> str:
        return f"{self.delivery.post.key}/edit"


@dataclass(frozen=True, kw_only=True)
class PinHeader(Action):
    ts: str


@dataclass(frozen=True, kw_only=True)
class LeaveReminder(Action):
    """Let the channel's service post a message when the retention ends. `look_first` is set when an earlier try may
    have succeeded.
    """

    look_first: bool


@dataclass(frozen=True, kw_only=True)
class Verify(Action):
    """`looks_first` when nobody has seen the freeze yet that is to be proven."""

    examiners: tuple[str, ...]
    looks_first: bool


@dataclass(frozen=True, kw_only=True)
class JudgeAgain(Action):
    """Ask Slack anew of everybody on whose approvals the gate is about to pass."""

    attempt: int
    approvals: tuple[SignalAccepted, ...]


@dataclass(frozen=True, kw_only=True)
class Work(Action):
    step: str


@dataclass(frozen=True, kw_only=True)
class Freeze(Action):
    pass


@dataclass(frozen=True, kw_only=True)
class Thaw(Action):
    pass


def next_actions(run: Run, resting: Collection[str] = ()) -> Mapping[Lane, Action]:
    """At most one action a lane; nothing to do is an empty mapping. Of what is `resting` none is due yet."""
    due: dict[Lane, Action] = {}
    if (ask := _next_question(run)) is not None:
        due["ask"] = ask
    if (post := next((d for d in _posts(run) if d.rests_as not in resting), None)) is not None:
        due["post"] = post
    nothing_urgent = post is None or _urgency(run, post.delivery.post) > _FIRST
    if (edit := next((e for e in _edits(run, header=nothing_urgent) if e.rests_as not in resting), None)) is not None:
        due["edit"] = edit
    if (work := _next_work(run)) is not None:
        due["work"] = work
    return due


def settled(run: Run) -> bool:
    """True when the channel shows all there is to show and nobody waits for an answer."""
    return not next_actions(run)


def _next_question(run: Run) -> AskWho | None:
    waiting = [
        message
        for message in map(run.heard.__getitem__, run.unanswered)
        # Whether it is newer than what it is about is known once that is found or posted.
        if (about := _about(run, message)) is None or about.ts or not about.intended
    ]
    if not waiting:
        return None
    talkers = Counter((message.user, message.kind) for message in waiting)

    def turn(message: MessageHeard) -> tuple[int, bool, str]:
        return _KINDS[message.kind], talkers[message.user, message.kind] > _IN_TURN, message.ts

    first = min(waiting, key=turn)
    return AskWho(key=f"{run.run_id}/who/{first.ts}", ts=first.ts, user=first.user, team=first.team, kind=first.kind)


def _about(run: Run, message: MessageHeard) -> Delivery | None:
    """The post that must have been there before this: a signal's checkpoint, or what a second yes says yes to."""
    if message.kind != "act":
        return None
    if signals.may_signal(message.text, run.plan):
        return run.deliveries[run.gate_key]
    match signals.second_yes(message.text, run.plan):
        case "abort":
            return run.answer_to(run.abort_asked.ts) if run.abort_asked else None
        case "thaw":
            return run.answer_to(run.thaw_asked.ts) if run.thaw_asked else None
        case _:
            return None


def _posts(run: Run) -> Iterator[Deliver]:
    """All that are owed and have a place to go, the most urgent first.

    The header is the first message of a run: what is looked for in the history is looked for behind it.
    """
    header, *others = run.deliveries.values()
    owed = [d for d in (header, *others) if not d.ts] if header.every_ts else [header]
    ready = [d for d in owed if d.post.thread is None or run.deliveries[d.post.thread].ts]
    for delivery in sorted(ready, key=lambda d: _urgency(run, d.post)):
        yield Deliver(key=delivery.post.key, delivery=delivery, look_first=delivery.intended)


def _urgency(run: Run, post: posts.Post) -> int:
    if isinstance(post.body, posts.Verbatim) or (isinstance(post.body, posts.Attached) and post.body.code):
        return _FIRST  # the way back belongs to its gate
    if isinstance(post.body, posts.Attached):  # nothing waits for a list
        return 1
    match post.kind:
        case "cutover_finding":
            return 1
        case "cutover_answer":
            asked = run.heard.get(post.key.removeprefix(posts.answer_key(run.run_id, "")))
            return 2 if asked is None or asked.kind == "act" else 3
        case _:
            return _FIRST


def _edits(run: Run, *, header: bool) -> Iterator[Redraw | PinHeader | LeaveReminder]:
    """`header` is False while a gate, an alarm or a summary is to be posted: the header shows where they are."""
    board, *others = run.deliveries.values()
    gate = run.gate_key
    stale = [delivery for delivery in others if _is_stale(run, delivery)]
    for delivery in sorted(stale, key=lambda d: d.post.key != gate):
        yield _redraw(run, delivery)
    if board.visible and not run.pinned:
        yield PinHeader(key=f"{board.post.key}/pin", ts=board.ts)
    if retention.owes_reminder(run):
        yield LeaveReminder(key=f"{run.run_id}/retention-reminder", look_first=run.reminder.post_at is not None)
    if header and _is_stale(run, board):
        yield _redraw(run, board)


def _is_stale(run: Run, delivery: Delivery) -> bool:
    return delivery.visible and delivery.shown != display.displayed_state(run, delivery.post)


def _redraw(run: Run, delivery: Delivery) -> Redraw:
    return Redraw(key=f"{delivery.post.key}/{display.displayed_state(run, delivery.post)}", delivery=delivery)


def _next_work(run: Run) -> Verify | JudgeAgain | Work | Freeze | Thaw | None:
    match run.phase:
        case Phase.VERIFYING:
            assert run.offer is not None
            if run.checked:
                return JudgeAgain(
                    key=f"{run.gate_key}/judge/{run.verification}",
                    attempt=run.verification,
                    approvals=run.offer.checking,
                )
            last = run.offer.approvals[-1].given.ts
            unseen = run.freeze is None and run.frozen_since is None
            return Verify(key=f"{run.gate_key}/verify/{last}", examiners=run.gate.examiners, looks_first=unseen)
        case Phase.RUNNING:
            assert run.step is not None
            return Work(key=f"{run.gate_key}/{run.step.name}/{run.failures + run.reopenings}", step=run.step.name)
        case Phase.FREEZING:
            return Freeze(key=f"{run.run_id}/freeze/{run.freeze_attempts + run.failures}")
        case Phase.ABORTING | Phase.THAWING:
            return Thaw(key=f"{run.run_id}/thaw/{run.failures + run.thaw_attempts}")
        case _:
            return None
