"""All that happened, in order, a sentence each. Pure.

What only says how a message came into the channel is left out; a message that somebody deleted is not. Most of the rest
belongs on the timeline, under a word that says what kind of thing it is; what people typed, what they were answered and
each single finding do not, and are shown elsewhere on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.plan import events as e
from bot.plan.findings import Finding
from bot.plan.results import ExportResult, HandoverResult, StepResult, UsersResult
from bot.plan.text import Foreign, Person, Text, joined, say
from bot.plan.texts.amounts import counted, duration, number
from bot.plan.texts.foreign import marked


@dataclass(frozen=True, kw_only=True)
class Moment:
    """`n` is the line of the journal. `who` is a Slack id, "" where no person acted. `kind` is its word on the timeline,
    "" for what is not on it.
    """

    n: int
    at: datetime
    who: str
    kind: str
    text: Text


DELIVERY = (e.PostIntended, e.Posted, e.PostEdited, e.HeaderPinned)
ELSEWHERE = (
    e.MessageHeard, e.Answered, e.VerificationBegan, e.FindingMade, e.ChecksPassed, e.WatchRebased, e.PinGivenUp,
    e.RetentionReminderIntended, e.RetentionReminderGivenUp,
)  # fmt: skip
"""Shown, and not on the timeline: the page has them beside their checkpoint, or in the list of every line."""


def moment(n: int, event: e.Event) -> Moment | None:
    """None for what is not shown."""
    if isinstance(event, DELIVERY):
        return None
    who = getattr(event, "user", "") or ""
    return Moment(n=n, at=event.at, who=who, kind=_kind(event), text=TOLD[type(event)](event))


def _kind(event: e.Event) -> str:
    return "" if isinstance(event, ELSEWHERE) else KINDS.get(type(event), event.type.replace("-", " "))


KINDS: Mapping[type[e.Event], str] = {
    e.RunOpened: "opened",
    e.StartAsked: "start",
    e.BotStarted: "restart",
    e.BotLeft: "bot ended",
    e.ChecklistOpened: "checklist",
    e.ItemTicked: "tick",
    e.ItemUnticked: "untick",
    e.ItemAccepted: "accepted open",
    e.CheckpointOffered: "checkpoint",
    e.SignalAccepted: "approval",
    e.ApprovalLapsed: "approval void",
    e.CheckpointPassed: "passed",
    e.CheckpointRefused: "refused",
    e.CheckpointVoided: "void",
    e.CheckWaived: "waiver",
    e.ReasonAccepted: "accepted",
    e.UnreadableAccepted: "accepted",
    e.UserDecided: "decision",
    e.StepBegan: "step",
    e.StepEnded: "step",
    e.StepFailed: "step stopped",
    e.StepReopened: "step",
    e.HoldAsked: "hold",
    e.RetryAsked: "retry",
    e.FreezeAsked: "freeze",
    e.FreezeApplied: "freeze",
    e.FreezeSeen: "freeze",
    e.FreezeGone: "freeze gone",
    e.FreezeFailed: "freeze failed",
    e.GuardTaken: "guard",
    e.GuardLost: "guard lost",
    e.DriftSeen: "drift",
    e.WatchBlinded: "watch",
    e.WatchSawAgain: "watch",
    e.ThawAsked: "thaw",
    e.ThawConfirmed: "thaw",
    e.Thawed: "thaw",
    e.ThawFailed: "thaw failed",
    e.Unfrozen: "thaw",
    e.AbortAsked: "abort",
    e.AbortConfirmed: "abort",
    e.RunAborted: "abort",
    e.Released: "release",
    e.WindowTold: "window",
    e.WindowLengthened: "window",
    e.ReminderDue: "reminder",
    e.ChecklistReminderDue: "reminder",
    e.PostLost: "message lost",
    e.SecondInstanceSeen: "second bot",
    e.SecondInstanceGone: "second bot",
    e.RetentionReminderLeft: "reminder",
    e.Purged: "purge",
}
"""By kind of event its word on the timeline. One that is not here gets the name that it has in the journal."""


def _said(event: e.MessageHeard) -> Text:
    by_message = "Said to the bot" if event.addressed else "Said"
    how = {"message": by_message, "button": "Pressed", "command": "Sent as a command"}[event.via]
    return say("{how}: {text}", how=how, text=Foreign(event.text))


def _reason_accepted(event: e.ReasonAccepted) -> Text:
    why = joined([": ", Foreign(event.why)], by="") if event.why else "."
    return say(
        "The reason {reason} was accepted for the set {set}{why}",
        reason=event.reason,
        set=event.set_digest[:12],
        why=why,
    )


def _taken_up(event: e.BotStarted) -> Text:
    away = duration((event.at - event.away_since).total_seconds())
    changed = (
        say(" The run keeps its own settings for {names}.", names=_names(event.otherwise)) if event.otherwise else ""
    )
    return say("The bot was started again, {away} after the last entry.{changed}", away=away, changed=changed)


def _left(result: StepResult) -> Text:
    match result:
        case ExportResult(tables=tables, rows=rows):
            return say(": {tables}, {rows}.", tables=counted(tables, "table"), rows=counted(rows, "row"))
        case UsersResult() as users:
            return say(
                "{dry}: {users} users, {created} created, {matched} matched, {updated} updated, {unmapped} not mapped.",
                dry=" as a dry run" if users.dry_run else "",
                users=number(users.users),
                created=number(users.created),
                matched=number(users.matched),
                updated=number(users.updated),
                unmapped=number(users.unmapped),
            )
        case HandoverResult(digest=digest, files=files):
            return say(": {files}, digest {digest}.", files=counted(files, "file"), digest=digest)
        case _:
            return say(": {says}", says=marked(result.says))


def _guarded(event: e.GuardTaken) -> Text:
    return say(
        "The hard guard was set over {tables}, since {since}.{rest}",
        tables=counted(event.tables, "table"),
        since=_by_database(event.since),
        rest=say(" Not locked: {tables}.", tables=_names(event.unguarded)) if event.unguarded else "",
    )


def _by_database(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S} UTC (database clock)"


def _thawed(event: e.Thawed) -> Text:
    return joined(
        [
            say("Supabase was thawed {by}.", by=_by_command(event.elsewhere) if event.elsewhere else "by the bot"),
            _found(event.findings),
            "It was frozen again after that, so nothing becomes void." if event.overtaken else "",
        ]
    )


def _by_command(at: datetime) -> Text:
    when = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return say("by `cutover thaw` at {when} (clock of the machine that ran it)", when=when)


def _found(findings: tuple[Finding, ...]) -> Text:
    return joined(map(_finding, findings))


def _finding(finding: Finding) -> Text:
    return say(
        "{check}: {verdict}. {evidence}",
        check=Foreign(finding.check),
        verdict=finding.verdict.value,
        evidence=marked(finding.evidence),
    )


def _names(names: Iterable[str]) -> Text:
    return joined(map(Foreign, names), by=", ")


def _of(template: str) -> Callable[[Any], Text]:
    """The event's own fields fill it in."""
    return lambda event: say(template, **_fields(event))


def _why(template: str) -> Callable[[Any], Text]:
    """As `_of`, where `why` is a sentence of our own, which quotes names between backticks."""
    return lambda event: say(template, **_fields(event) | {"why": marked(event.why)})


def _fields(event: e.Event) -> dict[str, Any]:
    return {name: Foreign(value) if isinstance(value, str) else value for name, value in event}


TOLD: Mapping[type[e.Event], Callable[[Any], Text]] = {
    e.MessageHeard: _said,
    e.Answered: lambda event: say("Answered ({status}): {text}", status=event.status, text=event.text),
    e.SignalAccepted: _of("The {checkpoint} checkpoint was approved, on evidence {digest}."),
    e.ReasonAccepted: _reason_accepted,
    e.ChecklistOpened: _of("The checklist of the {checkpoint} checkpoint was posted."),
    e.ItemTicked: _of("The item {item} of the {checkpoint} checkpoint was ticked."),
    e.ItemUnticked: _of("The tick of the item {item} of the {checkpoint} checkpoint was taken back."),
    e.ItemAccepted: _of("The item {item} of the {checkpoint} checkpoint was accepted open: {why}"),
    e.UnreadableAccepted: _of("The table {table} may be left out: {why}"),
    e.CheckWaived: _of("The finding of {check} at the {checkpoint} checkpoint was accepted: {why}"),
    e.UserDecided: lambda event: say(
        "User {id}: {choice}.", id=event.id, choice=f"{event.choice} {event.stack_id}".rstrip()
    ),
    e.HoldAsked: _of("Held: {why}"),
    e.RetryAsked: _of("The run continues."),
    e.StartAsked: _of("The run starts."),
    e.FreezeAsked: _of("The bot is to freeze Supabase."),
    e.ThawAsked: _of("A thaw was asked for; a second yes is needed."),
    e.ThawConfirmed: _of("The thaw was confirmed."),
    e.AbortAsked: _of("An abort was asked for; a second yes is needed."),
    e.AbortConfirmed: lambda event: say(
        "The abort was confirmed." if event.user else "The abort was confirmed at the bot's terminal."
    ),
    e.Released: _of("The new system is live; the watch ends."),
    e.RunOpened: lambda event: say(
        "The run {run} was opened{instead}.",
        run=event.run_id,
        instead=f"; it takes the place of {event.abandons}" if event.abandons else "",
    ),
    e.BotStarted: _taken_up,
    e.ChecksPassed: _of("The checks of the {checkpoint} checkpoint passed; every approver was verified again."),
    e.ApprovalLapsed: _of("An approval of the {checkpoint} checkpoint no longer counted: {why}."),
    e.CheckpointOffered: _of("The {checkpoint} checkpoint was posted, with evidence {digest}."),
    e.CheckpointVoided: _why("The {checkpoint} checkpoint became void: {why}."),
    e.VerificationBegan: _of("The checks of the {checkpoint} checkpoint started (attempt {attempt})."),
    e.FindingMade: lambda event: say("Found, {finding}", finding=_finding(event.finding)),
    e.CheckpointRefused: _of("The {checkpoint} checkpoint was refused by the checks."),
    e.CheckpointPassed: lambda event: say(
        "The {checkpoint} checkpoint passed, approved by {by}.",
        checkpoint=event.checkpoint,
        by=joined(map(Person, event.by), by=" and "),
    ),
    e.StepBegan: _of("The step {step} started (attempt {attempt})."),
    e.StepEnded: lambda event: say("The step {step} ended{left}", step=event.step, left=_left(event.result)),
    e.StepFailed: _why("The step {step} stopped at a safe point: {why}"),
    e.StepReopened: _of("The step {step} started again for what was open in it."),
    e.ReminderDue: _of("The {checkpoint} checkpoint waited; people were reminded ({nth})."),
    e.ChecklistReminderDue: _of("The checklist of the {checkpoint} checkpoint was open; people were reminded ({nth})."),
    e.WindowLengthened: _of("The window was set to {minutes} minutes from the freeze on."),
    e.WindowTold: _of("{percent} % of the window had passed."),
    e.PinGivenUp: lambda event: marked(event.finding.evidence),
    e.PostLost: _of("The bot's message {key} was deleted, or could no longer be edited."),
    e.SecondInstanceSeen: _of("Slack counted {connections} connections of the app: another process was one."),
    e.SecondInstanceGone: _of("No other process was connected as the app any more."),
    e.BotLeft: lambda event: joined([say("The bot ended while Supabase was frozen."), marked(event.why)]),
    e.FreezeSeen: lambda event: say(
        "All layers of the freeze were set, at {at}.", at=_by_database(event.database_time)
    ),
    e.FreezeGone: lambda event: say(
        "The layers of the freeze were no longer set."
        if event.database_time is not None
        else "A look failed, so nobody knows whether the freeze was in place all the time: it is looked for again."
    ),
    e.FreezeApplied: lambda event: joined([say("The bot froze Supabase."), _found(event.findings)]),
    e.FreezeFailed: _why("The bot could not freeze Supabase: {why}"),
    e.DriftSeen: lambda event: say(
        "The source moved under the freeze: {changes}.", changes=joined(map(marked, event.changes), by="; ")
    ),
    e.GuardTaken: _guarded,
    e.GuardLost: _why("The hard guard was lost: {why}"),
    e.WatchBlinded: _why("The source could not be watched: {why}"),
    e.WatchRebased: _of("Something that lasted when the source moved has ended; nothing else has moved."),
    e.WatchSawAgain: _of("The source was watched again."),
    e.Thawed: _thawed,
    e.ThawFailed: _why("The thaw failed: {why}"),
    e.Unfrozen: _of("What rested on the freeze is void."),
    e.RunAborted: _of("The run is aborted."),
    e.RetentionReminderIntended: lambda event: say(
        "A reminder was to be left in Slack, for {at}.", at=f"{event.post_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    ),
    e.RetentionReminderLeft: _of("Slack keeps the reminder for the end of the retention."),
    e.RetentionReminderGivenUp: lambda event: marked(event.finding.evidence),
    e.Purged: lambda event: say(
        "The data of people was purged by {by}: {files} files, the list of which has the digest {digest}. Reason: {why}",
        by=Foreign(event.by),
        files=number(event.files),
        digest=event.digest[:12],
        why=Foreign(event.why),
    ),
}
"""A sentence for each kind of event, or more."""
