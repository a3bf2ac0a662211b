"""What an event changes: one function each, registered in the module of its subject."""

from __future__ import annotations

from functools import singledispatch

from bot.plan import events as e
from bot.plan.run import Run


@singledispatch
def effect(event: e.Event, run: Run) -> Run:
    """The run once `event` has happened. Never fails on an event that `decide` can emit."""
    raise NotImplementedError(f"no effect is registered for {type(event).__name__}")
