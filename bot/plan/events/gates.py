"""The gates, the checking of them, and the steps behind them."""

from __future__ import annotations

from typing import Any, Literal

from bot.plan.events.fact import Event, PersonalEvent
from bot.plan.findings import Finding
from bot.plan.results import StepResult


class CheckpointOffered(Event):
    """A gate and the evidence that approvals will be bound to; `offer` counts from 1 for each gate."""

    type: Literal["checkpoint-offered"] = "checkpoint-offered"
    checkpoint: str
    offer: int
    evidence: dict[str, Any]
    digest: str


class ChecklistOpened(Event):
    """The gate is at hand, and offered when its list is complete; `number` counts from 1 for each gate."""

    type: Literal["checklist-opened"] = "checklist-opened"
    checkpoint: str
    number: int


class CheckpointVoided(Event):
    type: Literal["checkpoint-voided"] = "checkpoint-voided"
    checkpoint: str
    offer: int
    why: str


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


class ChecksPassed(Event):
    """Nothing that was found stops the gate. Before it passes, Slack is asked anew of everybody who approved."""

    type: Literal["checks-passed"] = "checks-passed"
    checkpoint: str
    attempt: int


class ApprovalLapsed(PersonalEvent):
    """The approval that `user` gave with message `ts` counts no longer, as Slack or the settings say who may give one
    now; `why` is a clause. The gate waits again, and keeps what others approved.
    """

    type: Literal["approval-lapsed"] = "approval-lapsed"
    checkpoint: str
    ts: str
    why: str


class CheckpointRefused(Event):
    type: Literal["checkpoint-refused"] = "checkpoint-refused"
    checkpoint: str
    attempt: int


class CheckpointPassed(Event):
    """`facts` are those of the attempt's findings, merged; those of the gate that freezes are the freeze record."""

    type: Literal["checkpoint-passed"] = "checkpoint-passed"
    checkpoint: str
    attempt: int
    by: tuple[str, ...]
    facts: dict[str, Any]


class ReminderDue(Event):
    """Gate `checkpoint` has waited; `nth` counts from 1 for each offer."""

    type: Literal["reminder-due"] = "reminder-due"
    checkpoint: str
    offer: int
    nth: int


class ChecklistReminderDue(Event):
    """The checklist of gate `checkpoint` has been open; `nth` counts from 1 for each list."""

    type: Literal["checklist-reminder-due"] = "checklist-reminder-due"
    checkpoint: str
    number: int
    nth: int


class WindowTold(Event):
    """So many per cent of the window have passed since the freeze record."""

    type: Literal["window-told"] = "window-told"
    percent: int


class WindowLengthened(PersonalEvent):
    """An approver gave the window so many minutes from the freeze record on: no fewer than when the run was opened."""

    type: Literal["window-lengthened"] = "window-lengthened"
    minutes: int
    ts: str


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


class StepReopened(Event):
    """A step whose result waits at a gate is taken up again, for what is still open in it; the gate is void."""

    type: Literal["step-reopened"] = "step-reopened"
    step: str
