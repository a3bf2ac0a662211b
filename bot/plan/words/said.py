"""A word, by whom, and when it was judged; and what it can be about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.plan import events as e
from bot.plan.run import Run
from bot.plan.talk import signals

Reply = tuple[str, Sequence[e.AnyEvent]]
"""The sentence for its author, and what follows besides."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """`progress` is how far the work at hand has come, as a clause, or ""."""

    message: e.MessageHeard
    meaning: signals.Signal | signals.Word
    now: datetime
    progress: str

    @property
    def user(self) -> str:
        return self.message.user

    @property
    def argument(self) -> str:
        """What follows the word; "" after a signal."""
        return self.meaning.argument if isinstance(self.meaning, signals.Word) else ""

    def is_about(self, run: Run, key: str) -> bool:
        """Our post `key` stood in the channel before this was said.

        Slack's own order tells it of messages; what has no message of its own is told by when it was heard.
        """
        post = run.deliveries[key]
        if not post.every_ts:
            return False
        if self.message.via == "message":
            return self.message.ts > post.every_ts[0]
        return post.posted_at is not None and self.message.at > post.posted_at

    def is_about_the_offer(self, run: Run) -> bool:
        """The gate at hand stood in the channel before; a button says itself beside which evidence it stood."""
        if self.message.via == "button" and (run.offer is None or self.message.digest != run.offer.digest):
            return False
        return self.is_about(run, run.gate_key)

    def confirms(self, asked: e.AbortAsked | e.ThawAsked | None) -> bool:
        """It is the second yes to what was asked, and not one that was said before."""
        if asked is None:
            return False
        if self.message.via == "message":
            return self.message.ts > asked.ts
        return self.message.at > asked.at
