"""What the channel reads when the retention ends."""

from __future__ import annotations

from datetime import UTC, timedelta

from bot.plan.retention import kept_until
from bot.plan.run import Run
from bot.plan.text import Code, Text, say, stacked

_ABOUT_NOW = timedelta(hours=1)


def reminder(run: Run) -> Text:
    """It is self-contained: months have passed, and perhaps no bot runs any more. It names the run, by which it is
    found among the messages that are still to be posted.
    """
    until, at = kept_until(run), run.reminder.post_at
    assert at is not None
    day = f"{until.astimezone(UTC):%Y-%m-%d}"
    if until > at + _ABOUT_NOW:
        first = say(
            "*The files of run {run} are to be deleted on {day}.* I cannot remind you later than today: Slack keeps a "
            "message for 120 days.",
            run=run.run_id,
            day=day,
        )
    else:
        first = say(
            "*The files of run {run} were to be kept until {day}, and are to be deleted now.*", run=run.run_id, day=day
        )
    return stacked(
        first,
        say(
            "They hold every row, e-mail addresses, password hashes and authenticator secrets. Run {purge} on the "
            "machine where the bot ran, with its `MIGRATION_DATA_DIR`, and delete the copies that you made. If that is "
            "done, nothing is left to do.",
            purge=Code("cutover purge"),
        ),
    )
