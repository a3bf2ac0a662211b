"""Everything that can have happened in a run, in the past tense.

The journal holds these and nothing else, one a line; `bot.plan.run.fold` turns them into the run. An event is written
once and read for ever: a field may be added with a default, and nothing may be renamed or removed.

Slack's message timestamps ("1700000000.000100") are names of messages and compare as text of equal width. All other
times are aware.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from bot.plan.findings import Finding
from bot.plan.practice import Practice
from bot.plan.results import StepResult


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Parties(_Fact):
    """Between whom the run moves: shown in every checkpoint and part of its evidence."""

    source_ref: str
    source_database: str
    target_project: str


class Event(_Fact):
    at: AwareDatetime


Via = Literal["message", "button", "command"]
"""By which road a person said something: in the channel, with a gate's button, or as a slash command."""

FreezeMode = Literal["people", "bot"]
"""Who runs the freeze kit: people, with the SQL that they are shown, or the bot, when an approver asks it to."""


class Rules(_Fact):
    """What the settings say about who may open which gate, as it was when the run was opened.

    `approvals` is by checkpoint the number of distinct approvers that it needs; 1 where none is named.
    """

    groups: tuple[str, ...] = ()
    """User groups whose members are approvers too."""
    approvals: dict[str, int] = {}
    deny_same_person: bool = False
    """Whoever opened all earlier gates may not open the last."""
    freeze_mode: FreezeMode = "people"
    window_minutes: int | None = None
    """How long users can be kept out, from the freeze record on; None when no window was set."""
    start_on_word: bool = False
    """The first gate is not offered until an approver says `start`."""


UsersMode = Literal["create", "match", "dry-run"]
"""Whether users who are not in the target are created, only matched, or nothing is changed and all is only foreseen."""


class RunOpened(Event):
    """`practice` is the last one before; `estimated_rows` is what the source's planner believed when it was opened."""

    type: Literal["run-opened"] = "run-opened"
    version: int = 1
    run_id: str
    parties: Parties
    channel: str
    approvers: tuple[str, ...]
    retain_days: int
    accepted_ahead: tuple[str, ...] = ()
    users_mode: UsersMode = "create"
    rules: Rules = Rules()
    practice: Practice | None = None
    estimated_rows: int | None = None


class BotStarted(Event):
    """A process took the run up again; `away_since` is the time of the last event before."""

    type: Literal["bot-started"] = "bot-started"
    away_since: AwareDatetime


class MessageHeard(Event):
    """A message that the bot will answer or act on, kept word for word: it may be edited or deleted in Slack later."""

    type: Literal["message-heard"] = "message-heard"
    ts: str
    user: str
    team: str
    text: str
    thread_ts: str | None = None
    via: Via = "message"
    request: str = ""
    digest: str = ""


class Answered(Event):
    """It was decided what to tell the author of message `ts`; `refused` says that nothing else came of it."""

    type: Literal["answered"] = "answered"
    ts: str
    user: str
    status: Literal["done", "refused"]
    text: str


class CheckpointOffered(Event):
    """A gate and the evidence that approvals will be bound to; `offer` counts from 1 for each gate."""

    type: Literal["checkpoint-offered"] = "checkpoint-offered"
    checkpoint: str
    offer: int
    evidence: dict[str, Any]
    digest: str


class CheckpointVoided(Event):
    type: Literal["checkpoint-voided"] = "checkpoint-voided"
    checkpoint: str
    offer: int
    why: str


class SignalAccepted(Event):
    """An approval, bound to the run, the gate and the evidence digest on offer. Spent by the verification it starts."""

    type: Literal["signal-accepted"] = "signal-accepted"
    checkpoint: str
    digest: str
    user: str
    ts: str


class VerificationBegan(Event):
    """`attempt` counts from 1 over all offers of the gate; one cut off by a crash begins anew under the next number."""

    type: Literal["verification-began"] = "verification-began"
    checkpoint: str
    attempt: int


class FindingMade(Event):
    type: Literal["finding-made"] = "finding-made"
    checkpoint: str
    attempt: int
    finding: Finding


class CheckpointRefused(Event):
    type: Literal["checkpoint-refused"] = "checkpoint-refused"
    checkpoint: str
    attempt: int


class CheckpointPassed(Event):
    """`facts` are those of the attempt's findings, merged; those of gate `freeze` are the freeze record."""

    type: Literal["checkpoint-passed"] = "checkpoint-passed"
    checkpoint: str
    attempt: int
    by: tuple[str, ...]
    facts: dict[str, Any]


class StepBegan(Event):
    """`attempt` counts from 1: a step that a crash or an error cut off begins again."""

    type: Literal["step-began"] = "step-began"
    step: str
    attempt: int


class StepEnded(Event):
    type: Literal["step-ended"] = "step-ended"
    step: str
    result: StepResult


class StepFailed(Event):
    """The step stopped at a safe point; the run is held until an approver says `retry` or `abort`."""

    type: Literal["step-failed"] = "step-failed"
    step: str
    why: str
    unreadable: tuple[str, ...] = ()
    """The tables (`schema.table`) that could not be read, and that an approver may leave out."""
    ends: bool = False
    """The process ends too, since only another one can go on, with another credential."""


class FreezeSeen(Event):
    """The first look that found the freeze's layers; `database_time` is the freeze time, older sessions are old."""

    type: Literal["freeze-seen"] = "freeze-seen"
    database_time: AwareDatetime


class FreezeGone(Event):
    """The layers are no longer there, while gate `freeze` waits."""

    type: Literal["freeze-gone"] = "freeze-gone"
    database_time: AwareDatetime


class DriftSeen(Event):
    """The source is not what the freeze record says. `changes` are sentences naming table and kind of change."""

    type: Literal["drift-seen"] = "drift-seen"
    changes: tuple[str, ...]


class WatchBlinded(Event):
    """The freeze could not be looked at several times running; `why` is our own sentence."""

    type: Literal["watch-blinded"] = "watch-blinded"
    why: str


class WatchSawAgain(Event):
    type: Literal["watch-saw-again"] = "watch-saw-again"


class ReminderDue(Event):
    """Gate `checkpoint` has waited; `nth` counts from 1 for each offer."""

    type: Literal["reminder-due"] = "reminder-due"
    checkpoint: str
    offer: int
    nth: int


class ReasonAccepted(Event):
    """An approver accepts that the users of this exact set are carried over in part. `user` is "settings" when
    accepted ahead.
    """

    type: Literal["reason-accepted"] = "reason-accepted"
    reason: str
    set_digest: str
    user: str
    ts: str | None = None


class UnreadableAccepted(Event):
    """An approver lets the export go on without a table (`schema.table`) that our role may not read."""

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


class StepReopened(Event):
    """A step whose result stands before a gate is taken up again, for what is still open in it; the gate is void."""

    type: Literal["step-reopened"] = "step-reopened"
    step: str


class RetryAsked(Event):
    type: Literal["retry-asked"] = "retry-asked"
    user: str
    ts: str


class AbortAsked(Event):
    type: Literal["abort-asked"] = "abort-asked"
    user: str
    ts: str


class AbortConfirmed(Event):
    type: Literal["abort-confirmed"] = "abort-confirmed"
    user: str
    ts: str


class ThawFailed(Event):
    type: Literal["thaw-failed"] = "thaw-failed"
    why: str


class Thawed(Event):
    """The way back was gone; `findings` are the same probes as at the freeze, now expected to write."""

    type: Literal["thawed"] = "thawed"
    attempt: int
    findings: tuple[Finding, ...]


class RunAborted(Event):
    type: Literal["run-aborted"] = "run-aborted"


class PostIntended(Event):
    """Written before the request: a post without `Posted` may or may not stand in the channel."""

    type: Literal["post-intended"] = "post-intended"
    key: str


class Posted(Event):
    """`face` is what the message shows of the run's state (`Run.face_of`); "" when that is not known."""

    type: Literal["posted"] = "posted"
    key: str
    ts: str
    face: str


class PostEdited(Event):
    type: Literal["post-edited"] = "post-edited"
    key: str
    face: str


class HeaderPinned(Event):
    type: Literal["header-pinned"] = "header-pinned"


AnyEvent = Annotated[
    RunOpened
    | BotStarted
    | MessageHeard
    | Answered
    | CheckpointOffered
    | CheckpointVoided
    | SignalAccepted
    | VerificationBegan
    | FindingMade
    | CheckpointRefused
    | CheckpointPassed
    | StepBegan
    | StepEnded
    | StepFailed
    | FreezeSeen
    | FreezeGone
    | DriftSeen
    | WatchBlinded
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
    | PostIntended
    | Posted
    | PostEdited
    | HeaderPinned,
    Field(discriminator="type"),
]
_ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


def from_record(record: dict[str, Any]) -> AnyEvent:
    """The event in a journal line's content. Raises pydantic's ValidationError when it is not one of ours."""
    return _ADAPTER.validate_python(record)


def to_record(event: Event) -> dict[str, Any]:
    """JSON values only; `from_record` gives the event back."""
    return event.model_dump(mode="json")
