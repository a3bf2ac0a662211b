"""What was said while we were not listening: read again from the channel's history and from this run's threads.

Slack replays nothing to a bot that was away, and an acknowledged event can die with the process. So the history is
read at the start, after each reconnect and while a gate waits; everything goes through the same parser as what was
heard, and what had been heard already is recognised by its ts. Replies are not in the history (but for those that
were broadcast), so each of our top-level posts is asked for its thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.plan.commands import Hear
from bot.plan.run import Run
from bot.plan.talk.posts import header_key
from bot.slack.calls import Refused, asked, understood
from bot.slack.payloads import Page, plain_human_message

_PAGE = 200


async def missed(client: AsyncWebClient, channel: str, run: Run, *, bot_user: str) -> Sequence[Hear]:
    """Plain human messages since the header, oldest first, each once; none while the header is not posted."""
    since = min(run.deliveries[header_key(run.run_id)].every_ts, default="")
    if not since:
        return []
    said: dict[str, Hear] = {}

    async def collect(messages: AsyncIterator[Mapping[str, Any]]) -> None:
        async for message in messages:
            hear = plain_human_message({**message, "channel": channel}, channel=channel, bot_user=bot_user)
            if hear is not None and hear.ts > since:
                said[hear.ts] = hear

    await collect(history(client, channel, since))
    for delivery in run.deliveries.values():
        for parent in delivery.every_ts if delivery.post.thread is None else ():
            try:
                await collect(replies(client, channel, parent))
            except Refused as refused:
                if refused.code != "thread_not_found":  # somebody deleted the post: its thread is gone with it
                    raise
    return [said[ts] for ts in sorted(said)]


def history(
    client: AsyncWebClient, channel: str, since: str, *, metadata: bool = False
) -> AsyncIterator[Mapping[str, Any]]:
    """Top-level and broadcast messages at or after `since`, newest first."""

    def page(cursor: str) -> Awaitable[AsyncSlackResponse]:
        return client.conversations_history(
            channel=channel,
            oldest=since,
            inclusive=True,
            limit=_PAGE,
            include_all_metadata=metadata,
            cursor=cursor or None,
        )

    return _all(page)


def replies(
    client: AsyncWebClient, channel: str, parent: str, *, metadata: bool = False
) -> AsyncIterator[Mapping[str, Any]]:
    """The parent and its replies, oldest first."""

    def page(cursor: str) -> Awaitable[AsyncSlackResponse]:
        return client.conversations_replies(
            channel=channel, ts=parent, limit=_PAGE, include_all_metadata=metadata, cursor=cursor or None
        )

    return _all(page)


async def _all(page: Callable[[str], Awaitable[AsyncSlackResponse]]) -> AsyncIterator[Mapping[str, Any]]:
    cursor = ""
    while True:
        answer = await asked(page(cursor), "show what was said")
        found = understood(Page, answer, "what was said")
        for message in found.messages:
            yield message
        cursor = found.cursor
        if not cursor:
            return
