"""From events to the run: what each event changes, and which posts it makes the bot owe the channel.

`after(run, event)` returns a new run. The fold trusts the journal (`decide` is where moves are refused) and therefore
never fails on an event that `decide` can emit.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.plan import events as e
from bot.plan import posts
from bot.plan.changed import replace
from bot.plan.fold import channel, gates, people, retention, source
from bot.plan.fold.effect import effect
from bot.plan.outbox import owe
from bot.plan.posts import Post
from bot.plan.run import Run

__all__ = ["after", "channel", "fold", "gates", "people", "retention", "source"]

_ACTS = (
    e.SignalAccepted,
    e.ReasonAccepted,
    e.UnreadableAccepted,
    e.CheckWaived,
    e.ItemTicked,
    e.ItemUnticked,
    e.ItemAccepted,
    e.UserDecided,
    e.HoldAsked,
    e.StartAsked,
    e.FreezeAsked,
    e.ThawAsked,
    e.ThawConfirmed,
    e.AbortAsked,
    e.AbortConfirmed,
    e.Released,
    e.WindowLengthened,
)
"""What a person's word brings about at once, and whole."""


def after(run: Run | None, *events: e.Event) -> Run:
    """The run once these have happened. The first event of a run is `RunOpened`."""
    for event in events:
        run = _after(run, event)
    if run is None:
        raise ValueError("a run begins with RunOpened")
    return run


def _after(run: Run | None, event: e.Event) -> Run:
    if isinstance(event, e.RunOpened):
        header = posts.header_key(event.run_id)
        post = Post(key=header, kind="cutover_run", checkpoint="", status="waiting", thread=None, body=posts.Header())
        begun = Run(
            opened=event, last_at=event.at, happened=1, started=not event.rules.start_on_word, names=event.names
        )
        return owe(begun, post)
    if run is None:
        raise ValueError("a run begins with RunOpened")
    if isinstance(event, e.PersonalEvent) and event.name:
        run = replace(run, names={**run.names, event.user: event.name})
    place = run.happened + 1
    run = effect(event, run)
    acted_on = run.acted_on | {event.ts or ""} if isinstance(event, _ACTS) else run.acted_on
    return replace(run, last_at=event.at, happened=place, acted_on=acted_on)


def fold(events: Iterable[e.Event]) -> Run | None:
    """The run that these events add up to; None for no events."""
    run: Run | None = None
    for event in events:
        run = _after(run, event)
    return run
