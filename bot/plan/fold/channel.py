"""After what became of our posts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.plan import events as e
from bot.plan.outbox import tell_findings
from bot.plan.posts import header_key
from bot.plan.run import Run

_POSTED_ANEW_AT_MOST = 3
"""So that the bot does not quarrel for ever with somebody, or something, that deletes what it posts."""


def post_intended(run: Run, event: e.PostIntended) -> Run:
    return _with(run, event.key, intended=True)


def posted(run: Run, event: e.Posted) -> Run:
    first = run.deliveries[event.key]
    at, place = first.posted_at or event.at, first.posted_as or run.happened
    return _with(run, event.key, intended=True, ts=event.ts, shown=event.displayed_state, posted_at=at, posted_as=place)


def post_edited(run: Run, event: e.PostEdited) -> Run:
    return _with(run, event.key, shown=event.displayed_state)


def post_lost(run: Run, event: e.PostLost) -> Run:
    """The header and the gate at hand are owed anew, since people work with them; all else stays away."""
    lost = (*run.deliveries[event.key].lost, event.ts)
    header = header_key(run.run_id)
    if event.key not in {header, run.gate_key} or len(lost) > _POSTED_ANEW_AT_MOST:
        return _with(run, event.key, lost=lost, gone=True)
    run = _with(run, event.key, lost=lost, intended=False, ts="", shown="")
    return replace(run, pinned=run.pinned and event.key != header)


def pin_given_up(run: Run, event: e.PinGivenUp) -> Run:
    header = run.deliveries[header_key(run.run_id)]
    told = tell_findings(run, f"pin/{len(header.every_ts)}", [event.finding])
    return replace(told, pinned=True)  # there is nothing left to do for it


def _with(run: Run, key: str, **changes: Any) -> Run:
    return replace(run, deliveries={**run.deliveries, key: replace(run.deliveries[key], **changes)})
