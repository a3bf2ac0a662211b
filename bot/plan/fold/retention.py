"""After what became of the reminder, and of the data of people."""

from __future__ import annotations

from bot.plan import events as e
from bot.plan.changed import replace
from bot.plan.fold.effect import effect
from bot.plan.outbox import tell_findings
from bot.plan.reminder import Reminder
from bot.plan.run import Run


@effect.register
def retention_reminder_intended(event: e.RetentionReminderIntended, run: Run) -> Run:
    return replace(run, reminder=Reminder(post_at=event.post_at))


@effect.register
def retention_reminder_left(event: e.RetentionReminderLeft, run: Run) -> Run:
    return replace(run, reminder=replace(run.reminder, id=event.id, settled=True))


@effect.register
def retention_reminder_given_up(event: e.RetentionReminderGivenUp, run: Run) -> Run:
    told = tell_findings(run, "retention-reminder", [event.finding])
    return replace(told, reminder=replace(run.reminder, settled=True))


@effect.register
def purged(event: e.Purged, run: Run) -> Run:
    return replace(run, purged_at=event.began_at)
