"""A word, by whom, and when it was judged; and what it can be about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.plan import events as e
from bot.plan import posts, signals
from bot.plan.delivery import Delivery
from bot.plan.run import Run
from bot.plan.text import Text

Reply = tuple[Text, Sequence[e.Event]]
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
        """Our post `key` was in the channel before this was said."""
        return self.is_behind(run, run.deliveries[key])

    def is_behind(self, run: Run, post: Delivery) -> bool:
        """By Slack's order of messages; by the journal's for what has no message. Neither goes back as a clock may."""
        if not post.every_ts:
            return False
        if self.message.via == "message":
            return self.message.ts > post.every_ts[0]
        return run.heard_as[self.message.ts] > post.posted_as

    def is_about_the_offer(self, run: Run) -> bool:
        """The gate at hand was in the channel before; a button says itself beside which evidence it was shown."""
        if self.message.via == "button":
            return run.offer is not None and self.message.digest == run.offer.digest
        return self.is_about(run, run.gate_key)

    def is_about_the_checklist(self, run: Run) -> bool:
        """The list at hand was in the channel before; a button says itself on which list it is."""
        assert run.checklist is not None
        if self.message.via == "button":
            return self.message.digest == posts.list_name(run.checklist.checkpoint, run.checklist.number)
        return self.is_about(run, posts.checklist_key(run.run_id, run.at, run.checklist.number))

    def since(self, post: Delivery) -> timedelta:
        """How long after the post it was said: by Slack's clock, or by ours where Slack does not say when."""
        if self.message.via == "message":
            return timedelta(seconds=float(self.message.ts) - float(post.every_ts[0]))
        assert post.posted_at is not None
        return abs(self.message.at - post.posted_at)
