"""From when to when Supabase was frozen. Pure.

Two clocks tell it: the database's says since when nothing new can write, and that of the bot's machine when this was
seen and when it ended. How long a freeze lasted is taken from the machine's alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.plan import events as e
from bot.plan.findings import blocks
from bot.plan.run import Run


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """`since` is by the database's clock, `seen_at`, `ended_at` and `unwatched_at` by the machine's; `how` is how it
    ended, as a clause. `elsewhere`: it ended by the clock of another machine, where `cutover thaw` ran.
    """

    since: datetime
    seen_at: datetime
    proven: bool = False
    ended_at: datetime | None = None
    how: str = ""
    elsewhere: bool = False
    unwatched_at: datetime | None = None
    """Since when nobody watched it; None while somebody did, as far as the journal goes."""

    @property
    def seconds(self) -> float | None:
        """None for one that has not ended, or not by the clock by which it began."""
        if self.ended_at is None or self.elsewhere:
            return None
        return (self.ended_at - self.seen_at).total_seconds()


class Freezes:
    """Gathers them, event by event. One that was not proven yet counts from the last look that found it anew."""

    def __init__(self) -> None:
        self._found: list[Frozen] = []

    @property
    def found(self) -> Sequence[Frozen]:
        return tuple(self._found)

    def take(self, before: Run | None, run: Run, event: e.Event) -> None:
        match event:
            case e.FreezeSeen():
                self._seen(Frozen(since=event.database_time, seen_at=event.at))
            case e.CheckpointPassed() if run.plan.gate(event.checkpoint).freezes and run.frozen_at is not None:
                if self._open is None:
                    self._seen(Frozen(since=run.frozen_at, seen_at=event.at))
                self._change(proven=True)
            case e.FreezeGone() if self._open is not None:
                looked = event.database_time is not None
                how = "its layers were no longer set" if looked else "a look failed, and nobody knows whether it held"
                self._change(ended_at=event.at, how=how)
            case e.Thawed() if not event.overtaken and self._found and self._found[-1].how != _VERIFIED:
                how = _UNVERIFIED if blocks(event.findings) else _VERIFIED
                ended = event.elsewhere or event.at
                self._change(ended_at=ended, how=how, elsewhere=event.elsewhere is not None)
            case _:
                pass
        if before is not None and before.watched and not run.watched and self._open is not None:
            self._change(unwatched_at=event.at)

    @property
    def _open(self) -> Frozen | None:
        return self._found[-1] if self._found and self._found[-1].ended_at is None else None

    def _seen(self, found: Frozen) -> None:
        last = self._open
        if last is None:
            self._found.append(found)
        elif not last.proven:
            self._found[-1] = found

    def _change(self, **changes: object) -> None:
        self._found[-1] = replace(self._found[-1], **changes)  # type: ignore[arg-type]


_VERIFIED = "thawed, and verified that writes work"
_UNVERIFIED = "thawed, and not verified that writes work"
