"""What has become of a post so far. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.plan.posts import Attached, Post

_FILE = "F"
"""What the id of a file begins with, and no message's ts."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A post and how far it has come. `shown` is the state that the channel displays, "" while that is not known."""

    post: Post
    intended: bool = False
    ts: str = ""
    shown: str = ""
    posted_at: datetime | None = None
    """When it first appeared in the channel, by our clock, which may be set back: no order hangs on it."""
    posted_as: int = 0
    """The place, among all that has happened, of its first appearance in the channel."""
    lost: tuple[str, ...] = ()
    """The ts of messages that carried it and were deleted, oldest first."""
    gone: bool = False
    """Deleted, and not to be posted anew: what belongs in its thread goes to the channel."""

    @property
    def every_ts(self) -> tuple[str, ...]:
        """Of all messages that carry or carried it, oldest first."""
        return tuple(dict.fromkeys(ts for ts in (*self.lost, self.ts) if ts))

    @property
    def file(self) -> Attached | None:
        """What was attached, where it is a file in the channel and not words in its place."""
        body = self.post.body
        return body if isinstance(body, Attached) and self.ts.startswith(_FILE) else None

    @property
    def visible(self) -> bool:
        """It is in the channel."""
        return bool(self.ts) and not self.gone
