"""Why a run is held, as values; `bot.plan.texts.state` says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SaidHold:
    """A member stopped the run."""

    user: str
    why: str


@dataclass(frozen=True, kw_only=True)
class StepStopped:
    """`why` is a sentence of our edges. Tables that stopped it are the run's `unreadable`."""

    step: str
    why: str


@dataclass(frozen=True, kw_only=True)
class SourceMoved:
    """`changes` are the clauses of the last drift."""

    changes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FreezeTakenBack:
    """The source was thawed, and the run did not end by that."""


@dataclass(frozen=True, kw_only=True)
class ThawStopped:
    """`why` is a sentence of our edges."""

    why: str


Hold = SaidHold | StepStopped | SourceMoved | FreezeTakenBack | ThawStopped
