"""What may be asked of the core: imperative, from outside, and legal or not by the table in `bot.plan.decide`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.plan import events as e
from bot.plan.findings import Finding
from bot.plan.gates import DEFAULT
from bot.plan.plan import Plan
from bot.plan.practice import Practice
from bot.plan.results import StepResult
from bot.plan.text import Text


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Nothing changes. `sentence` says why, for a person or a log line."""

    sentence: Text


@dataclass(frozen=True, kw_only=True)
class Permission:
    """What Slack says about a person at this moment. `why` is a clause naming what is missing, for them; `reason` is
    the same for others. `known` is False when Slack did not answer, and `open` when it did not answer all: whether
    they are an approver is not certain then. `name` is what they call themselves, which decides nothing.
    """

    known: bool
    member: bool
    approver: bool
    why: str = ""
    reason: str = ""
    open: bool = False
    name: str = field(default="", compare=False)


def strictest(permissions: Iterable[Permission]) -> Permission:
    """Of what several settings make of one person, what speaks most against them."""
    return min(permissions, key=lambda permission: (permission.known, permission.member, permission.approver))


@dataclass(frozen=True, kw_only=True)
class Open:
    run_id: str
    parties: e.Parties
    channel: str
    approvers: tuple[str, ...]
    retain_days: int
    accepted_ahead: tuple[str, ...]
    practice: Practice | None = None
    estimated_rows: int | None = None
    api_counts: bool | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    """What the approvers are called, by id, as far as that is known; as they wrote it."""
    users_mode: e.UsersMode = "create"
    way_back: str = ""
    source_tls: Finding | None = None
    abandons: str = ""
    rules: e.Rules = field(default_factory=e.Rules)
    plan: Plan = DEFAULT


@dataclass(frozen=True, kw_only=True)
class TakeUp:
    """A new process goes on with a run that an earlier one opened. `entitlement` is what its settings say; `otherwise`
    are those of them that say otherwise than what the run keeps. `names` are those of approvers, as they wrote them.
    """

    entitlement: e.Entitlement | None = None
    otherwise: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Leave:
    """The bot ends. `why` is a sentence, or "" when it was to end here."""

    why: str


@dataclass(frozen=True, kw_only=True)
class Hear:
    """What a person said in the run's channel: a plain message, a button pressed, or a slash command.

    A button and a slash command name their `request`, by which Slack's second delivery of it is known; a slash command
    has no `ts` and gets one when it is heard. `digest` is that of the evidence beside which a button was shown. `text`
    has no markup, and `addressed` says that it was said to the bot.
    """

    ts: str
    user: str
    team: str
    text: str
    thread_ts: str | None
    addressed: bool = False
    via: e.Via = "message"
    request: str = ""
    digest: str = ""


@dataclass(frozen=True, kw_only=True)
class Judge:
    """`progress` is how far the work at hand has come, as a clause, or ""."""

    ts: str
    permission: Permission
    progress: str = ""


@dataclass(frozen=True, kw_only=True)
class BeginVerification:
    pass


@dataclass(frozen=True, kw_only=True)
class TellFinding:
    finding: Finding


@dataclass(frozen=True, kw_only=True)
class EndVerification:
    pass


@dataclass(frozen=True, kw_only=True)
class JudgeApprovals:
    """What Slack says now of everybody who approved the gate whose checks have passed, by the ts of their words."""

    attempt: int
    permissions: Mapping[str, Permission]


@dataclass(frozen=True, kw_only=True)
class BeginStep:
    pass


@dataclass(frozen=True, kw_only=True)
class EndStep:
    result: StepResult


@dataclass(frozen=True, kw_only=True)
class FailStep:
    """`unreadable` are the tables (`schema.table`) that could not be read."""

    why: str
    unreadable: tuple[str, ...] = ()
    ends: bool = False


@dataclass(frozen=True, kw_only=True)
class ReportLook:
    """What a look at the source found while the gate that freezes waits."""

    frozen: bool
    database_time: datetime


@dataclass(frozen=True, kw_only=True)
class MissLook:
    """A look failed while the gate that freezes waits: nobody knows whether the freeze was in place all the time."""


@dataclass(frozen=True, kw_only=True)
class ReportDrift:
    """`changes` is what moved since the freeze record or the last drift; `moved_to` what the source is now, where the
    look knows it.
    """

    changes: tuple[str, ...]
    moved_to: e.MovedTo | None = None


@dataclass(frozen=True, kw_only=True)
class ReportGuard:
    """The hard guard has been set since `since`, or, with None, is off: `why` is a sentence then."""

    since: datetime | None
    tables: int = 0
    unguarded: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportBlindness:
    """`why` is "" when the watch sees again."""

    why: str


@dataclass(frozen=True, kw_only=True)
class ReportSecondInstance:
    """How many connections of our app the channel's service counts: more than can be ours, or 1 when all are."""

    connections: int


@dataclass(frozen=True, kw_only=True)
class Remind:
    """`after` is how long a gate waits, or its checklist, before it is reminded of for the first time."""

    after: timedelta


@dataclass(frozen=True, kw_only=True)
class TellWindow:
    """Some of the window has passed."""


@dataclass(frozen=True, kw_only=True)
class EndFreeze:
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class FailFreeze:
    why: str


@dataclass(frozen=True, kw_only=True)
class ReportThaw:
    """A thaw that was not this bot's, at `thawed_at` by the clock of its machine; `restored_at` is when it began to
    restore, by the database's, None where that is not known.
    """

    thawed_at: datetime
    findings: tuple[Finding, ...]
    restored_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Abort:
    """Confirmed at the terminal, beside the channel; an abort whose thaw has failed is taken up again."""


@dataclass(frozen=True, kw_only=True)
class EndThaw:
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class FailThaw:
    why: str


@dataclass(frozen=True, kw_only=True)
class IntendPost:
    key: str


@dataclass(frozen=True, kw_only=True)
class ConfirmPost:
    key: str
    ts: str
    displayed_state: str


@dataclass(frozen=True, kw_only=True)
class ConfirmEdit:
    """The message at `ts` shows it."""

    key: str
    ts: str
    displayed_state: str


@dataclass(frozen=True, kw_only=True)
class LosePost:
    """The message at `ts` that carried the post is gone."""

    key: str
    ts: str


@dataclass(frozen=True, kw_only=True)
class ReportDeletion:
    """Somebody deleted the message at `ts`, ours or not."""

    ts: str


@dataclass(frozen=True, kw_only=True)
class ConfirmPin:
    pass


@dataclass(frozen=True, kw_only=True)
class GiveUpPin:
    """The header cannot be pinned, as the finding says."""

    finding: Finding


@dataclass(frozen=True, kw_only=True)
class IntendReminder:
    """A message is about to be left that the channel's service posts when the retention ends."""


@dataclass(frozen=True, kw_only=True)
class ConfirmReminder:
    """The service holds it under `id`; "" when it was found posted already."""

    id: str


@dataclass(frozen=True, kw_only=True)
class GiveUpReminder:
    """The service does not take it, as the finding says."""

    finding: Finding


@dataclass(frozen=True, kw_only=True)
class ReportPurge:
    """The data of people was removed from the run's directory; see `bot.plan.events.Purged`. A run in the archive is
    not open, whatever it was when it was moved there.
    """

    began_at: datetime
    by: str
    why: str
    files: int
    bytes: int
    digest: str
    archived: bool = False


Command = (
    TakeUp
    | Leave
    | Hear
    | Judge
    | BeginVerification
    | TellFinding
    | EndVerification
    | JudgeApprovals
    | BeginStep
    | EndStep
    | FailStep
    | ReportLook
    | MissLook
    | ReportDrift
    | ReportGuard
    | ReportBlindness
    | ReportSecondInstance
    | Remind
    | TellWindow
    | EndFreeze
    | FailFreeze
    | ReportThaw
    | Abort
    | EndThaw
    | FailThaw
    | IntendPost
    | ConfirmPost
    | ConfirmEdit
    | LosePost
    | ReportDeletion
    | ConfirmPin
    | GiveUpPin
    | IntendReminder
    | ConfirmReminder
    | GiveUpReminder
    | ReportPurge
)
