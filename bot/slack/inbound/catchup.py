"""What was said while we were not listening: read again from the channel's history and from this run's threads.

Slack replays nothing to a bot that was away, and an acknowledged event can die with the process. So the history is
read at the start, after each reconnect and twice a minute; everything goes through the same parser as what was heard,
and what had been heard already is recognised by its ts. Replies are not in the history (but for those that were
broadcast). Their parents are, and say how many replies they have and when the last one came: only a thread that has
moved since it was last read is asked for, so that a sweep at rest is one call, however many threads there are.

A thread counts as read once all of it was handed over. What cannot be read keeps nobody from hearing the rest.

With `oldest` alone, Slack's pages begin at the one closest to it: the newest message is on the last page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import ServiceError
from bot.plan.inputs import Hear
from bot.plan.posts import header_key
from bot.plan.run import Run
from bot.slack.calls import Refused, asked, understood
from bot.slack.payloads import Page, Thread, plain_human_message, thread_below

_PAGE = 999


class Sweep:
    """The sweeps of one process over one channel."""

    def __init__(self, client: AsyncWebClient, channel: str, *, bot_user: str) -> None:
        self._client = client
        self._channel = channel
        self._bot_user = bot_user
        self._read: dict[str, Thread] = {}
        """By parent, how its thread was when all of it had been handed over."""

    async def missed(self, run: Run) -> AsyncIterator[Hear]:
        """Plain human messages since the header, oldest first, each once, but for threads that have not moved since
        the last time; none while the header is not posted. Raises ServiceError at the end when not all could be read.
        """
        since = min(run.deliveries[header_key(run.run_id)].every_ts, default="")
        if not since:
            return
        parents = {ts for d in run.deliveries.values() if d.post.thread is None for ts in d.every_ts}
        said: dict[str, Hear] = {}
        moved: dict[str, Thread] = {}
        trouble: list[ServiceError] = []

        def heard(message: Mapping[str, Any]) -> None:
            hear = plain_human_message(
                {**message, "channel": self._channel}, channel=self._channel, bot_user=self._bot_user
            )
            if hear is not None and hear.ts > since:
                said[hear.ts] = hear

        try:
            async for message in history(self._client, self._channel, since):
                heard(message)
                ts, thread = str(message.get("ts")), thread_below(message)
                if ts in parents and thread is not None and thread != self._read.get(ts):
                    moved[ts] = thread
        except ServiceError as error:
            trouble.append(error)
        for parent in list(moved):
            try:
                async for message in replies(self._client, self._channel, parent):
                    heard(message)
            except ServiceError as error:
                del moved[parent]
                if not (isinstance(error, Refused) and error.code == "thread_not_found"):  # deleted since
                    trouble.append(error)
        for ts in sorted(said):
            yield said[ts]
        self._read |= {parent: thread for parent, thread in moved.items() if thread.known}
        if trouble:
            raise trouble[0]


def history(
    client: AsyncWebClient, channel: str, since: str, *, metadata: bool = False
) -> AsyncIterator[Mapping[str, Any]]:
    """Top-level and broadcast messages at or after `since`, in no order to rely on."""

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
