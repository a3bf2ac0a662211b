"""What the channel is owed, one message each, as values.

A `Post` says where a message goes and what it is about. Its key is unique and stable over restarts, so that a post of
unknown fate can be looked for. How it looks is the business of the channel's edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.plan.findings import Finding
from bot.plan.results import ExportResult, HandoverResult, StepNote, UsersResult
from bot.plan.text import Text

PostKind = Literal[
    "cutover_run", "cutover_checkpoint", "cutover_finding", "cutover_answer", "cutover_summary", "cutover_alarm"
]


@dataclass(frozen=True)
class Header:
    """The run's board: rendered from the run itself, edited as it moves."""


@dataclass(frozen=True)
class Gate:
    checkpoint: str
    offer: int


@dataclass(frozen=True)
class Checklist:
    """The gate before it is on offer: its items, and who ticked which."""

    checkpoint: str
    number: int


@dataclass(frozen=True)
class Prose:
    """Our own sentences."""

    text: Text


@dataclass(frozen=True)
class Verbatim:
    """`code` is to be copied exactly as it is, and fits one message whole; `says` is above it."""

    says: Text
    code: str


@dataclass(frozen=True)
class Attached:
    """A file, found again by its name, which no other post of any run has. `says` is above it. `code` is what is in it,
    to be copied; without it, it is the list of users to fix, which is read when it is sent.
    """

    name: str
    says: Text
    code: str = ""


AlarmKind = Literal[
    "aborted",
    "aborted-at-the-terminal",
    "back",
    "blind",
    "checklist-waits",
    "drift",
    "entitled",
    "freeze-failed",
    "guard",
    "held",
    "kept",
    "left",
    "second-instance",
    "step-failed",
    "thaw-failed",
    "thawed",
    "waits",
    "window",
    "window-lengthened",
]


@dataclass(frozen=True)
class AlarmKey:
    """Of an alarm within its run: its kind and, where there can be several, which of them."""

    kind: AlarmKind
    which: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return "/".join(map(str, (self.kind, *self.which)))


Body = (
    Header
    | Checklist
    | Gate
    | Finding
    | Prose
    | Verbatim
    | Attached
    | ExportResult
    | UsersResult
    | HandoverResult
    | StepNote
)


@dataclass(frozen=True, kw_only=True)
class Post:
    """`thread` is the key of the post whose thread this one belongs to; None means top level.

    `status` is the one given when the post was owed; header, gates and alarms move on (`Run.status_of`). `alarm` is
    None for all but alarms.
    """

    key: str
    kind: PostKind
    checkpoint: str
    status: str
    thread: str | None
    body: Body
    alarm: AlarmKey | None = None


def header_key(run_id: str) -> str:
    return f"{run_id}/header"


def gate_key(run_id: str, checkpoint: str, offer: int) -> str:
    return f"{run_id}/checkpoint/{checkpoint}/{offer}"


def checklist_key(run_id: str, checkpoint: str, number: int) -> str:
    return f"{run_id}/checklist/{checkpoint}/{number}"


def list_name(checkpoint: str, number: int) -> str:
    """What a button on a checklist names instead of an evidence digest."""
    return f"{checkpoint}/{number}"


def attention_key(gate_key: str) -> str:
    """Of the list of users to fix, in the thread of the gate that counts them."""
    return f"{gate_key}/attention"


def answer_key(run_id: str, ts: str) -> str:
    return f"{run_id}/answer/{ts}"


def alarm_key(run_id: str, alarm: AlarmKey) -> str:
    return f"{run_id}/alarm/{alarm}"
