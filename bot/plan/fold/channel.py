"""After what became of our posts."""

from __future__ import annotations

from typing import Any

from bot.plan import events as e
from bot.plan.changed import replace
from bot.plan.fold.effect import effect
from bot.plan.outbox import owe, tell_findings
from bot.plan.posts import Attached, Body, Post, Prose, Verbatim, header_key
from bot.plan.run import Run
from bot.plan.texts import way_back

_POSTED_ANEW_AT_MOST = 3
"""So that the bot does not quarrel for ever with somebody, or something, that deletes what it posts."""


@effect.register
def post_intended(event: e.PostIntended, run: Run) -> Run:
    return _with(run, event.key, intended=True)


@effect.register
def posted(event: e.Posted, run: Run) -> Run:
    first = run.deliveries[event.key]
    at, place = first.posted_at or event.at, first.posted_as or run.happened
    run = _with(run, event.key, intended=True, ts=event.ts, shown=event.displayed_state, posted_at=at, posted_as=place)
    body = first.post.body
    if isinstance(body, Attached) and body.code and run.deliveries[event.key].file is None:
        return _with_messages(run, first.post, body.code)
    return run


def _with_messages(run: Run, post: Post, code: str) -> Run:
    """What could not be attached, as messages below: people may need it when nothing else of us is left."""
    pieces = way_back.pieces(code)
    bodies: list[Body] = [Verbatim(says=way_back.part(n, len(pieces)), code=piece) for n, piece in enumerate(pieces, 1)]
    for n, body in enumerate(bodies or [Prose(way_back.NOT_SHOWN)], 1):
        run = owe(run, replace(post, key=f"{post.key}/{n}", body=body))
    return run


@effect.register
def post_edited(event: e.PostEdited, run: Run) -> Run:
    return _with(run, event.key, shown=event.displayed_state)


@effect.register
def post_lost(event: e.PostLost, run: Run) -> Run:
    """The header, the gate at hand and its list are owed anew, since people work with them; all else stays away."""
    lost = (*run.deliveries[event.key].lost, event.ts)
    header = header_key(run.run_id)
    if event.key not in {header, run.gate_key, run.list_key} or len(lost) > _POSTED_ANEW_AT_MOST:
        return _with(run, event.key, lost=lost, gone=True)
    run = _with(run, event.key, lost=lost, intended=False, ts="", shown="")
    return replace(run, pinned=run.pinned and event.key != header)


@effect.register
def pin_given_up(event: e.PinGivenUp, run: Run) -> Run:
    header = run.deliveries[header_key(run.run_id)]
    told = tell_findings(run, f"pin/{len(header.every_ts)}", [event.finding])
    return replace(told, pinned=True)  # there is nothing left to do for it


def _with(run: Run, key: str, **changes: Any) -> Run:
    return replace(run, deliveries={**run.deliveries, key: replace(run.deliveries[key], **changes)})


@effect.register
def header_pinned(event: e.HeaderPinned, run: Run) -> Run:
    return replace(run, pinned=True)
