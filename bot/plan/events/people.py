"""What people said and what came of it."""

from __future__ import annotations

from typing import Literal

from bot.plan.events.fact import Event, PersonalEvent
from bot.plan.events.opening import Via
from bot.plan.text import Text

MessageKind = Literal["act", "tell", "miss"]
"""What may come of a message: it may start or stop something; it only asks for information, which any member may;
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


class Answered(PersonalEvent):
    """It was decided what to tell the author of message `ts`; `refused` says that nothing else came of it.

    `joins` is the ts of an earlier message of theirs whose answer says just this and was not posted yet: that one
    answers both.
    """

    type: Literal["answered"] = "answered"
    ts: str
    status: Literal["done", "refused"]
    text: Text
    joins: str = ""


class SignalAccepted(PersonalEvent):
    """An approval, bound to the run, the gate and the evidence digest on offer. The verification that it starts, alone
    or with others, spends it.
    """

    type: Literal["signal-accepted"] = "signal-accepted"
    checkpoint: str
    digest: str
    ts: str


class ReasonAccepted(PersonalEvent):
    """An approver accepts that the users of this exact set are migrated incompletely. `user` is "settings" when
    accepted ahead; `why` is "" when none was given.
    """

    type: Literal["reason-accepted"] = "reason-accepted"
    reason: str
    set_digest: str
    ts: str | None = None
    why: str = ""


class ItemTicked(PersonalEvent):
    """A member states that an item of the checklist at hand is so."""

    type: Literal["item-ticked"] = "item-ticked"
    checkpoint: str
    item: str
    ts: str


class ItemUnticked(PersonalEvent):
    """A member states that it is not so, or not any more; also of one that was accepted open."""

    type: Literal["item-unticked"] = "item-unticked"
    checkpoint: str
    item: str
    ts: str


class ItemAccepted(PersonalEvent):
    """An approver lets the gate be offered with this item open."""

    type: Literal["item-accepted"] = "item-accepted"
    checkpoint: str
    item: str
    why: str
    ts: str


class UnreadableAccepted(PersonalEvent):
    """An approver lets the export go on without a table (`schema.table`) that cannot be read."""

    type: Literal["unreadable-accepted"] = "unreadable-accepted"
    table: str
    why: str
    ts: str


class UserDecided(PersonalEvent):
    """An approver says who a user of the source is in the target: `stack_id` with "match", "" otherwise."""

    type: Literal["user-decided"] = "user-decided"
    id: str
    choice: Literal["match", "create", "skip"]
    stack_id: str = ""
    ts: str


class RetryAsked(PersonalEvent):
    type: Literal["retry-asked"] = "retry-asked"
    ts: str


class AbortAsked(PersonalEvent):
    type: Literal["abort-asked"] = "abort-asked"
    ts: str


class AbortConfirmed(PersonalEvent):
    """`user` and `ts` are "" when it was `cutover abort` at the terminal."""

    type: Literal["abort-confirmed"] = "abort-confirmed"
    ts: str


class CheckWaived(PersonalEvent):
    """An approver lets a gate pass in spite of what a check found: of the finding with this digest, and of no other.
    Where there are two approvers, it takes two. `digest` is "" in journals from before a waiver was bound to it.
    """

    type: Literal["check-waived"] = "check-waived"
    checkpoint: str
    check: str
    why: str
    ts: str
    digest: str = ""


class HoldAsked(PersonalEvent):
    """A member stopped the run where it was. Approvals that were not spent are withdrawn."""

    type: Literal["hold-asked"] = "hold-asked"
    why: str
    ts: str


class FreezeAsked(PersonalEvent):
    """An approver told the bot to freeze the source itself."""

    type: Literal["freeze-asked"] = "freeze-asked"
    ts: str


class ThawAsked(PersonalEvent):
    type: Literal["thaw-asked"] = "thaw-asked"
    ts: str


class ThawConfirmed(PersonalEvent):
    type: Literal["thaw-confirmed"] = "thaw-confirmed"
    ts: str


class Released(PersonalEvent):
    """An approver says that the new system is live: nobody watches the source any more."""

    type: Literal["released"] = "released"
    ts: str
