"""The reminder that Slack posts by itself when the retention ends (chat.scheduleMessage).

What Slack documents of it: at most 120 days ahead (`time_too_far`), never in the past (`time_in_past`), at most 30
messages of a channel within 5 minutes (`restricted_too_many`), and none is posted that carries `metadata`. So the
reminder carries none, and is known by what it is: a message of ours, for this time, that names the run.
chat.scheduledMessages.list takes no scope and tells those of our app alone, as long as they are not posted;
chat.deleteScheduledMessage refuses one that was posted, was deleted, or comes within a minute
(`invalid_scheduled_message_id`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import OutcomeUnknown, ServiceUnintelligible
from bot.plan.findings import Finding, warned
from bot.plan.retention import kept_until
from bot.plan.run import Run
from bot.plan.texts.retention import reminder
from bot.slack.calls import Refused, asked, done, understood
from bot.slack.inbound.catchup import history
from bot.slack.payloads import Scheduled, ScheduledMessages
from bot.slack.render.escape import mrkdwn

_POSTED_WITHIN = timedelta(hours=1)
"""Slack posts what was scheduled about when it was to come, by its own clock."""
_NO_MORE = "invalid_scheduled_message_id"


async def leave(client: AsyncWebClient, channel: str, run: Run) -> str | Finding:
    """As `bot.ports.Channel.leave_reminder`."""
    words: dict[str, Any] = {"parse": "none", "unfurl_links": False, "unfurl_media": False}
    scheduling = client.chat_scheduleMessage(
        channel=channel, post_at=_seconds(run), text=mrkdwn(reminder(run)), **words
    )
    try:
        answer = await done(scheduling, "keep a reminder")
        return understood(Scheduled, answer, "how it keeps a reminder").scheduled_message_id
    except Refused as refused:
        return _not_left(run, f"Slack does not take it (`{refused.code}`)")
    except ServiceUnintelligible as error:
        raise OutcomeUnknown(
            error.happened, unchanged="it may have been left all the same", do="look before it is repeated"
        ) from error


async def find(client: AsyncWebClient, channel: str, run: Run) -> str | Finding | None:
    """As `bot.ports.Channel.find_reminder`."""
    try:
        if (id_ := await _still_to_come(client, channel, run)) is not None:
            return id_
        return await _posted(client, channel, run)
    except (Refused, ServiceUnintelligible):
        return _not_left(run, "Slack does not tell whether it has it")


def _not_left(run: Run, why: str) -> Finding:
    return warned(
        "retention-reminder",
        f"No reminder is left in Slack for the end of the retention: {why}.",
        f"Put it into your own calendar: on {kept_until(run):%Y-%m-%d}, run `cutover purge`.",
    )


async def _still_to_come(client: AsyncWebClient, channel: str, run: Run) -> str | None:
    cursor: str | None = None
    while True:
        listing = client.chat_scheduledMessages_list(channel=channel, cursor=cursor)
        found = understood(ScheduledMessages, await asked(listing, "list its reminders"), "which reminders it has")
        for message in found.scheduled_messages:
            if message.post_at == _seconds(run) and run.run_id in message.text:
                return message.id
        if not (cursor := found.cursor):
            return None


async def _posted(client: AsyncWebClient, channel: str, run: Run) -> str | None:
    """It may have come already, when the bot was away for so long."""
    at = run.reminder.post_at
    assert at is not None
    if at > run.last_at:
        return None
    since = (at - _POSTED_WITHIN).timestamp()
    said = mrkdwn(reminder(run)).split("\n")[0]
    async for message in history(client, channel, f"{since:.6f}"):
        if message.get("bot_id") and str(message.get("text", "")).startswith(said):
            return ""
    return None


async def take_back(client: AsyncWebClient, channel: str, id_: str) -> bool:
    """False when it had been posted or deleted before. Raises ServiceError."""
    try:
        await done(client.chat_deleteScheduledMessage(channel=channel, scheduled_message_id=id_), "drop a reminder")
    except Refused as refused:
        if refused.code == _NO_MORE:
            return False
        raise
    return True


def _seconds(run: Run) -> int:
    at = run.reminder.post_at
    assert at is not None
    return int(at.timestamp())
