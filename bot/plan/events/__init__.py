"""Everything that can have happened in a run, in the past tense.

The journal holds these and nothing else, one a line; `bot.plan.run.fold` turns them into the run. An event is written
once and read for ever: a field may be added with a default, and nothing may be renamed or removed.

Slack's message timestamps ("1700000000.000100") are names of messages and compare as text of equal width. All other
times are aware.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from bot.plan.events.channel import (
    HeaderPinned,
    PinGivenUp,
    Posted,
    PostEdited,
    PostIntended,
    PostLost,
    SecondInstanceGone,
    SecondInstanceSeen,
)
from bot.plan.events.fact import Event
from bot.plan.events.gates import (
    ApprovalLapsed,
    CheckpointOffered,
    CheckpointPassed,
    CheckpointRefused,
    CheckpointVoided,
    ChecksPassed,
    FindingMade,
    ReminderDue,
    StepBegan,
    StepEnded,
    StepFailed,
    StepReopened,
    VerificationBegan,
    WindowTold,
)
from bot.plan.events.opening import (
    BotLeft,
    BotStarted,
    Entitlement,
    FreezeMode,
    Parties,
    Rules,
    RunOpened,
    StartAsked,
    UsersMode,
    Via,
)
from bot.plan.events.people import (
    AbortAsked,
    AbortConfirmed,
    Answered,
    CheckWaived,
    FreezeAsked,
    HoldAsked,
    MessageHeard,
    MessageKind,
    ReasonAccepted,
    Released,
    RetryAsked,
    SignalAccepted,
    ThawAsked,
    ThawConfirmed,
    UnreadableAccepted,
    UserDecided,
)
from bot.plan.events.source import (
    DriftSeen,
    FreezeApplied,
    FreezeFailed,
    FreezeGone,
    FreezeSeen,
    GuardLost,
    GuardTaken,
    MovedTo,
    RunAborted,
    Thawed,
    ThawFailed,
    Unfrozen,
    WatchBlinded,
    WatchRebased,
    WatchSawAgain,
)

__all__ = [
    "AbortAsked",
    "AbortConfirmed",
    "Answered",
    "AnyEvent",
    "ApprovalLapsed",
    "BotLeft",
    "BotStarted",
    "CheckWaived",
    "CheckpointOffered",
    "CheckpointPassed",
    "CheckpointRefused",
    "CheckpointVoided",
    "ChecksPassed",
    "DriftSeen",
    "Entitlement",
    "Event",
    "FindingMade",
    "FreezeApplied",
    "FreezeAsked",
    "FreezeFailed",
    "FreezeGone",
    "FreezeMode",
    "FreezeSeen",
    "GuardLost",
    "GuardTaken",
    "HeaderPinned",
    "HoldAsked",
    "MessageHeard",
    "MessageKind",
    "MovedTo",
    "Parties",
    "PinGivenUp",
    "PostEdited",
    "PostIntended",
    "PostLost",
    "Posted",
    "ReasonAccepted",
    "Released",
    "ReminderDue",
    "RetryAsked",
    "Rules",
    "RunAborted",
    "RunOpened",
    "SecondInstanceGone",
    "SecondInstanceSeen",
    "SignalAccepted",
    "StartAsked",
    "StepBegan",
    "StepEnded",
    "StepFailed",
    "StepReopened",
    "ThawAsked",
    "ThawConfirmed",
    "ThawFailed",
    "Thawed",
    "Unfrozen",
    "UnreadableAccepted",
    "UserDecided",
    "UsersMode",
    "VerificationBegan",
    "Via",
    "WatchBlinded",
    "WatchRebased",
    "WatchSawAgain",
    "WindowTold",
    "from_record",
    "to_record",
]

AnyEvent = Annotated[
    RunOpened
    | BotStarted
    | BotLeft
    | MessageHeard
    | Answered
    | CheckpointOffered
    | CheckpointVoided
    | SignalAccepted
    | VerificationBegan
    | FindingMade
    | ChecksPassed
    | ApprovalLapsed
    | CheckpointRefused
    | CheckpointPassed
    | StepBegan
    | StepEnded
    | StepFailed
    | FreezeSeen
    | FreezeGone
    | DriftSeen
    | WatchBlinded
    | WatchRebased
    | WatchSawAgain
    | ReminderDue
    | ReasonAccepted
    | UnreadableAccepted
    | UserDecided
    | StepReopened
    | RetryAsked
    | AbortAsked
    | AbortConfirmed
    | ThawFailed
    | Thawed
    | RunAborted
    | StartAsked
    | CheckWaived
    | HoldAsked
    | FreezeAsked
    | ThawAsked
    | ThawConfirmed
    | Released
    | Unfrozen
    | FreezeApplied
    | FreezeFailed
    | WindowTold
    | GuardTaken
    | GuardLost
    | PostIntended
    | Posted
    | PostEdited
    | PostLost
    | HeaderPinned
    | PinGivenUp
    | SecondInstanceSeen
    | SecondInstanceGone,
    Field(discriminator="type"),
]
_ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


def from_record(record: dict[str, Any]) -> AnyEvent:
    """The event in a journal line's content. Raises pydantic's ValidationError when it is not one of ours."""
    return _ADAPTER.validate_python(record)


def to_record(event: Event) -> dict[str, Any]:
    """JSON values only; `from_record` gives the event back."""
    return event.model_dump(mode="json")
