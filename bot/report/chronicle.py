"""All that happened, in order, a sentence each. Pure.

What only says how a message came into the channel is left out; a message that somebody deleted is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.plan import events as e
from bot.plan.findings import Finding
from bot.plan.texts.amounts import duration, number


@dataclass(frozen=True, kw_only=True)
class Moment:
    """`n` is the line of the journal. `who` is a Slack id, "" where no person acted. `text` may hold foreign text."""

    n: int
    at: datetime
    who: str
    text: str


DELIVERY = (e.PostIntended, e.Posted, e.PostEdited, e.HeaderPinned)


def moment(n: int, event: e.Event) -> Moment | None:
    """None for what is not told."""
    if isinstance(event, DELIVERY):
        return None
    return Moment(n=n, at=event.at, who=getattr(event, "user", "") or "", text=TOLD[type(event)](event))


def _said(event: e.MessageHeard) -> str:
    how = {"message": "Said", "button": "Pressed", "command": "Sent as a command"}[event.via]
    return f"{how}: {event.text}"


def _taken_up(event: e.BotStarted) -> str:
    away = (event.at - event.away_since).total_seconds()
    return f"A process of the bot took the run up, {duration(away)} after the last entry."


def _guarded(event: e.GuardTaken) -> str:
    rest = f" Not locked: {', '.join(event.unguarded)}." if event.unguarded else ""
    return f"The hard guard stood over {number(event.tables)} tables, since {_by_database(event.since)}.{rest}"


def _by_database(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S} UTC by the database's clock"


def _thawed(event: e.Thawed) -> str:
    where = "by `cutover thaw`, without the bot" if event.elsewhere else "by the bot"
    then = " It was frozen again after that, so that nothing is void by it." if event.overtaken else ""
    return f"Supabase was thawed {where}. {_found(event.findings)}{then}"


def _found(findings: tuple[Finding, ...]) -> str:
    return " ".join(f"{finding.check}: {finding.verdict.value}. {finding.evidence}" for finding in findings)


TOLD: Mapping[type[e.Event], Callable[[Any], str]] = {
    e.MessageHeard: _said,
    e.Answered: lambda event: f"Answered ({event.status}): {event.text}",
    e.SignalAccepted: lambda event: (
        f"The word of checkpoint `{event.checkpoint}` was taken, for evidence {event.digest}."
    ),
    e.ReasonAccepted: lambda event: (
        f"The reason {event.reason} was accepted for the set {event.set_digest[:12]}{f': {event.why}' if event.why else '.'}"
    ),
    e.UnreadableAccepted: lambda event: f"The table {event.table} may be left out: {event.why}",
    e.CheckWaived: lambda event: (
        f"What the check {event.check} of checkpoint `{event.checkpoint}` found was accepted: {event.why}"
    ),
    e.UserDecided: lambda event: f"User {event.id}: {event.choice}{f' {event.stack_id}' if event.stack_id else ''}.",
    e.HoldAsked: lambda event: f"Held: {event.why}",
    e.RetryAsked: lambda event: "The run goes on.",
    e.StartAsked: lambda event: "The run begins.",
    e.FreezeAsked: lambda event: "The bot is to freeze Supabase.",
    e.ThawAsked: lambda event: "A thaw was asked for; a second yes is wanted.",
    e.ThawConfirmed: lambda event: "The thaw was confirmed.",
    e.AbortAsked: lambda event: "An abort was asked for; a second yes is wanted.",
    e.AbortConfirmed: lambda event: (
        "The abort was confirmed." if event.user else "The abort was confirmed at the bot's terminal."
    ),
    e.Released: lambda event: "The new system is live; the watch ends.",
    e.RunOpened: lambda event: (
        f"The run {event.run_id} was opened{f'; it takes the place of {event.abandons}' if event.abandons else ''}."
    ),
    e.BotStarted: _taken_up,
    e.ChecksPassed: lambda event: (
        f"The checks of checkpoint `{event.checkpoint}` passed; everybody who approved was judged again."
    ),
    e.ApprovalLapsed: lambda event: f"The approval for checkpoint `{event.checkpoint}` no longer counted: {event.why}.",
    e.CheckpointOffered: lambda event: (
        f"Checkpoint `{event.checkpoint}` was put before people, with evidence {event.digest}."
    ),
    e.CheckpointVoided: lambda event: f"Checkpoint `{event.checkpoint}` became void: {event.why}",
    e.VerificationBegan: lambda event: (
        f"The checking of checkpoint `{event.checkpoint}` began (attempt {event.attempt})."
    ),
    e.FindingMade: lambda event: (
        f"Found, {event.finding.check}: {event.finding.verdict.value}. {event.finding.evidence}"
    ),
    e.CheckpointRefused: lambda event: f"Checkpoint `{event.checkpoint}` was refused on what was found.",
    e.CheckpointPassed: lambda event: (
        f"Checkpoint `{event.checkpoint}` passed, on the word of {' and '.join(event.by)}."
    ),
    e.StepBegan: lambda event: f"The step {event.step} began (attempt {event.attempt}).",
    e.StepEnded: lambda event: f"The step {event.step} ended.",
    e.StepFailed: lambda event: f"The step {event.step} stopped at a safe point: {event.why}",
    e.StepReopened: lambda event: f"The step {event.step} was taken up again for what was open in it.",
    e.ReminderDue: lambda event: f"Checkpoint `{event.checkpoint}` waited; people were reminded ({event.nth}).",
    e.WindowTold: lambda event: f"{event.percent} % of the window had passed.",
    e.PinGivenUp: lambda event: event.finding.evidence,
    e.PostLost: lambda event: f"The message {event.key} was deleted, or could no longer be edited.",
    e.SecondInstanceSeen: lambda event: (
        f"Slack counted {number(event.connections)} connections of the app: another process was one."
    ),
    e.SecondInstanceGone: lambda event: "No other process was connected as the app any more.",
    e.BotLeft: lambda event: f"The bot ended while Supabase was frozen. {event.why}".rstrip(),
    e.FreezeSeen: lambda event: f"All layers of the freeze stood, at {_by_database(event.database_time)}.",
    e.FreezeGone: lambda event: (
        "The layers of the freeze stood no longer."
        if event.database_time is not None
        else "A look failed, so that nobody knows whether the freeze was in place all the time: it is looked for anew."
    ),
    e.FreezeApplied: lambda event: f"The bot froze Supabase. {_found(event.findings)}",
    e.FreezeFailed: lambda event: f"The bot could not freeze Supabase: {event.why}",
    e.DriftSeen: lambda event: f"The source moved under the freeze: {'; '.join(event.changes)}",
    e.GuardTaken: _guarded,
    e.GuardLost: lambda event: f"The hard guard was lost: {event.why}",
    e.WatchBlinded: lambda event: f"The source could not be watched: {event.why}",
    e.WatchRebased: lambda event: "Something that lasted when the source moved has ended; nothing else has moved.",
    e.WatchSawAgain: lambda event: "The source was watched again.",
    e.Thawed: _thawed,
    e.ThawFailed: lambda event: f"The thaw did not succeed: {event.why}",
    e.Unfrozen: lambda event: "What stood on the freeze is void.",
    e.RunAborted: lambda event: "The run is aborted.",
}
"""A sentence for each kind of event, or more."""
