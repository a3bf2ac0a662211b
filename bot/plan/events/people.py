"""What people said and what came of it."""

from __future__ import annotations

from typing import Literal

from bot.plan.events.fact import Event
from bot.plan.events.opening import Via
from bot.plan.text import Text

MessageKind = Literal["act", "tell", "miss"]
"""What may come of a message: it may start or stop something; it only asks to be told something, which any member may;
or nothing can come of it, whoever says it.
"""


class MessageHeard(Event):
    """A message that the bot will answer or act on, kept word for word but for mentions of the bot, which `addressed`
    stands for: it may be edited or deleted in the channel later.
    """

    type: Literal["message-heard"] = "message-heard"
    ts: str
    user: str
    team: str
    text: str
    addressed: bool = False
    thread_ts: str | None = None
    via: Via = "message"
    request: str = ""
    digest: str = ""
    kind: MessageKind = "act"


class Answered(Event):
    """It was decided what to tell the author of message `ts`; `refused` says that nothing else came of it.

    `joins` is the ts of an earlier message of theirs whose answer says just this and was not posted yet: that one
    answers both.
    """

    type: Literal["answered"] = "answered"
    ts: str
    user: str
    status: Literal["done", "refused"]
    text: Text
    joins: str = ""


class SignalAccepted(Event):
    """An approval, bound to the run, the gate and the evidence digest on offer. The verification that it starts, alone
    or with others, spends it.
    """

    type: Literal["signal-accepted"] = "signal-accepted"
    checkpoint: str
    digest: str
    user: str
    ts: str


class ReasonAccepted(Event):
    """An approver accepts that the users of this exact set are migrated incompletely. `user` is "settings" when
    accepted ahead; `why` is "" when none was given.
    """

    type: Literal["reason-accepted"] = "reason-accepted"
    reason: str
    set_digest: str
    user: str
    ts: str | None = None
    why: str = ""


class ItemTicked(Event):
    """A member states that an item of the checklist at hand is so."""

    type: Literal["item-ticked"] = "item-ticked"
    checkpoint: str
    item: str
    user: str
    ts: str


class ItemUnticked(Event):
    """A member states that it is not so, or not any more; also of one that was accepted open."""

    type: Literal["item-unticked"] = "item-unticked"
    checkpoint: str
    item: str
    user: str
    ts: str


class ItemAccepted(Event):
    """An approver lets the gate be offered with this item open."""

    type: Literal["item-accepted"] = "item-accepted"
    checkpoint: str
    item: str
    why: str
    user: str
    ts: str


class UnreadableAccepted(Event):
    """An approver lets the export go on without a table (`schema.table`) that cannot be read."""

    type: Literal["unreadable-accepted"] = "unreadable-accepted"
    table: str
    why: str
    user: str
    ts: str


class UserDecided(Event):
    """An approver says who a user of the source is in the target: `stack_id` with "match", "" otherwise."""

    type: Literal["user-decided"] = "user-decided"
    id: str
    choice: Literal["match", "create", "skip"]
    stack_id: str = ""
    user: str
    ts: str


class RetryAsked(Event):
    type: Literal["retry-asked"] = "retry-asked"
    user: str
    ts: str


class AbortAsked(Event):
    type: Literal["abort-asked"] = "abort-asked"
    user: str
    ts: str


class AbortConfirmed(Event):
    """`user` and `ts` are "" when it was `cutover abort` at the terminal."""

    type: Literal["abort-confirmed"] = "abort-confirmed"
    user: str
    ts: str


class CheckWaived(Event):
    """An approver lets a gate pass in spite of what a check found: of the finding with this digest, and of no other.
    Where there are two approvers, it takes two. `digest` is "" in journals from before a waiver was bound to it.
    """

    type: Literal["check-waived"] = "check-waived"
    checkpoint: str
    check: str
    why: str
    user: str
    ts: str
    digest: str = ""


class HoldAsked(Event):
    """A member stopped the run where it was. Approvals that were not spent are withdrawn."""

    type: Literal["hold-asked"] = "hold-asked"
    why: str
    user: str
    ts: str


class FreezeAsked(Event):
    """An approver told the bot to freeze the source itself."""

    type: Literal["freeze-asked"] = "freeze-asked"
    user: str
    ts: str


class ThawAsked(Event):
    type: Literal["thaw-asked"] = "thaw-asked"
    user: str
    ts: str


class ThawConfirmed(Event):
    type: Literal["thaw-confirmed"] = "thaw-confirmed"
    user: str
    ts: str


class Released(Event):
    """An approver says that the new system is live: nobody watches the source any more."""

    type: Literal["released"] = "released"
    user: str
    ts: str
