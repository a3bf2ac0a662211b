"""How long the data of people in a run's directory is kept, when the reminder comes, and when it may be purged. Pure.

The date of a directory is the run's opening plus `users.retain_days` until a mapping exists, and the mapping's
`retainUntil` from then on. Slack takes a message at most 120 days ahead (chat.scheduleMessage, `time_too_far`), so for
a later date the reminder comes on day 119 and names it.

A run is open until it has been aborted, or has come to its end and nobody watches the freeze any more: the new system
is live (`release`), or the source was thawed. One that was handed over and is never released is open until its date:
then there may be neither a source nor a channel left in which anybody could release it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bot.plan import events as e
from bot.plan.inputs import Refusal
from bot.plan.text import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.plan.inputs import ConfirmReminder, GiveUpReminder, IntendReminder, ReportPurge
    from bot.plan.run import Run

LONGEST_AHEAD = timedelta(days=120)
_ON_DAY = timedelta(days=119)
_CLOCKS_MAY_DIFFER = timedelta(hours=1)
_SOONEST = timedelta(minutes=5)
"""A date that has passed cannot be scheduled; its reminder comes so soon."""


def end_of(opened: e.RunOpened) -> datetime:
    """As long as no mapping exists."""
    return opened.at + timedelta(days=opened.retain_days)


def kept_until(run: Run) -> datetime:
    """As the journal tells it."""
    return end_of(run.opened) if run.users is None or run.users.dry_run else run.users.retain_until


def reminder_at(until: datetime, now: datetime) -> datetime:
    """When the reminder of `until` is to come, if it is left `now`."""
    if until > now + LONGEST_AHEAD - _CLOCKS_MAY_DIFFER:
        return now + _ON_DAY
    return max(until, now + _SOONEST)


def owes_reminder(run: Run) -> bool:
    """The bundle is handed over, and nobody has seen to it that its end is remembered."""
    return run.handover is not None and not run.reminder.settled and run.purged_at is None


def is_open(run: Run, now: datetime) -> bool:
    """Somebody may still need what is in the directory, and nothing of it may be removed."""
    if run.abort == "done" or (run.is_closed and not run.watched):
        return False
    return not (run.has_ended and run.is_closed and kept_until(run) <= now)


# -- moves ------------------------------------------------------------------------------------------------------------


def intend_reminder(run: Run, command: IntendReminder, now: datetime) -> Sequence[e.Event] | Refusal:
    """One that was intended remains so until its time has passed."""
    if not owes_reminder(run):
        return Refusal(sentence=say("No reminder is owed"))
    if run.reminder.post_at is not None and run.reminder.post_at > now:
        return []
    return [e.RetentionReminderIntended(at=now, post_at=reminder_at(kept_until(run), now))]


def confirm_reminder(run: Run, command: ConfirmReminder, now: datetime) -> Sequence[e.Event] | Refusal:
    if not owes_reminder(run) or run.reminder.post_at is None:
        return Refusal(sentence=say("No reminder is owed"))
    return [e.RetentionReminderLeft(at=now, id=command.id)]


def give_up_reminder(run: Run, command: GiveUpReminder, now: datetime) -> Sequence[e.Event] | Refusal:
    if not owes_reminder(run):
        return Refusal(sentence=say("No reminder is owed"))
    return [e.RetentionReminderGivenUp(at=now, finding=command.finding)]


def report_purge(run: Run, command: ReportPurge, now: datetime) -> Sequence[e.Event] | Refusal:
    if not command.archived and is_open(run, now):
        return Refusal(sentence=say("Run {run} is open", run=run.run_id))
    return [
        e.Purged(
            at=now,
            began_at=command.began_at,
            by=command.by,
            why=command.why,
            files=command.files,
            bytes=command.bytes,
            digest=command.digest,
        )
    ]


def uploads(run: Run) -> tuple[str, ...]:
    """The ids of the files about users that were put into the channel."""
    return tuple(d.ts for d in run.deliveries.values() if d.file is not None and not d.file.code)
