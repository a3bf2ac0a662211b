"""What was posted into the channel."""

from __future__ import annotations

from typing import Literal

from bot.plan.events.fact import Event
from bot.plan.findings import Finding


class PostIntended(Event):
    """Written before the request: a post without `Posted` may or may not be in the channel."""

    type: Literal["post-intended"] = "post-intended"
    key: str


class Posted(Event):
    """`displayed_state` is what the message shows of the run's state (`bot.plan.display`); "" when not known."""

    type: Literal["posted"] = "posted"
    key: str
    ts: str
    displayed_state: str


class PostEdited(Event):
    type: Literal["post-edited"] = "post-edited"
    key: str
    displayed_state: str


class PostLost(Event):
    """Our message at `ts` is no longer in the channel: somebody deleted it."""

    type: Literal["post-lost"] = "post-lost"
    key: str
    ts: str


class SecondInstanceSeen(Event):
    """Slack counts more connections of our app than ours: another process takes some of its events away."""

    type: Literal["second-instance-seen"] = "second-instance-seen"
    connections: int


class SecondInstanceGone(Event):
    type: Literal["second-instance-gone"] = "second-instance-gone"


class HeaderPinned(Event):
    type: Literal["header-pinned"] = "header-pinned"


class PinGivenUp(Event):
    """The channel does not let the header be pinned; `finding` says why."""

    type: Literal["pin-given-up"] = "pin-given-up"
    finding: Finding
