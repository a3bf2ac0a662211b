"""The channel as the conductor needs it: post once, find what may have been posted, edit, pin, ask who, catch up.

A post is sent exactly once by `post`; whether it is sent again is for the caller to decide, after `find`. `find`
trusts its own eyes only: a message is ours when our bot wrote it and its metadata carries run and key; any app of
the workspace may post under the same event type. Should Slack refuse the look of a message (its blocks), which
would be a mistake of ours, the words go out alone: a night must not end over a picture.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import MessageLost, OutcomeUnknown, ServiceUnintelligible
from bot.plan.commands import Hear, Standing
from bot.plan.run import Run
from bot.plan.talk.posts import Post, header_key
from bot.ports import Headway
from bot.slack import authority
from bot.slack.calls import Identity, Refused, done, understood
from bot.slack.hearing import catchup
from bot.slack.look.messages import render
from bot.slack.payloads import Posted, own_key

log = structlog.get_logger("cutover.slack")

_CLOCKS_MAY_DIFFER = timedelta(minutes=5)
_LOST = frozenset(
    {
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
        "thread_not_found",
        "cannot_reply_to_message",
        "restricted_action_thread_locked",
    }
)
"""Somebody deleted the message, or Slack lets it be neither edited nor answered any more."""
_ONLY_LOOKS = frozenset(
    {
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_attachments",
        "msg_blocks_too_long",
        "msg_too_long",
        "block_mismatch",
    }
)


class SlackChannel:
    """The port `Channel`, kept by Slack."""

    def __init__(self, client: AsyncWebClient, *, channel: str, identity: Identity) -> None:
        self._client = client
        self._channel = channel
        self._identity = identity

    async def post(self, run: Run, post: Post, headway: Headway | None, head: tuple[int, str]) -> str:
        message = render(run, post, headway, head)
        parent = run.deliveries[post.thread] if post.thread is not None else None
        place = {"thread_ts": parent.ts} if parent is not None and parent.stands else {}
        words: dict[str, Any] = {"channel": self._channel, "text": message.text, "metadata": message.metadata, **place}
        words |= {"unfurl_links": False, "unfurl_media": False, "blocks": message.blocks}
        while True:
            try:
                answer = await done(self._client.chat_postMessage(**words), "post a message")
                break
            except Refused as refused:
                if refused.code in _LOST:
                    raise _lost(refused) from refused
                if "blocks" not in words:
                    raise
                self._forgive(refused, post)
                del words["blocks"]
        try:
            return understood(Posted, answer, "where it put a message").ts
        except ServiceUnintelligible as error:
            raise OutcomeUnknown(
                error.happened, unchanged="it may have been posted all the same", do="look before it is repeated"
            ) from error

    async def find(self, run: Run, key: str) -> str | None:
        thread = run.deliveries[key].post.thread
        for parent in run.deliveries[thread].every_ts if thread is not None else ():
            replies = catchup.replies(self._client, self._channel, parent, metadata=True)
            try:
                if (ts := await self._first(replies, run, key)) is not None:
                    return ts
            except Refused as refused:
                if refused.code not in _LOST:
                    raise
        header = run.deliveries[header_key(run.run_id)]
        opened = (run.opened.at - _CLOCKS_MAY_DIFFER).timestamp()
        history = catchup.history(
            self._client, self._channel, min(header.every_ts, default=f"{opened:.6f}"), metadata=True
        )
        return await self._first(history, run, key)

    async def _first(self, messages: AsyncIterator[Mapping[str, Any]], run: Run, key: str) -> str | None:
        ours = [
            str(message["ts"])
            async for message in messages
            if own_key(message, run_id=run.run_id, bot_id=self._identity.bot_id) == key
            and str(message["ts"]) not in run.deliveries[key].lost
        ]
        return min(ours, default=None)

    async def redraw(self, run: Run, post: Post, ts: str, headway: Headway | None, head: tuple[int, str]) -> None:
        message = render(run, post, headway, head)
        words: dict[str, Any] = {
            "channel": self._channel,
            "ts": ts,
            "text": message.text,
            "metadata": message.metadata,
        }
        try:
            await done(self._client.chat_update(**words, blocks=message.blocks), "edit a message")
        except Refused as refused:
            if refused.code in _LOST:
                raise _lost(refused) from refused
            self._forgive(refused, post)
            await done(self._client.chat_update(**words), "edit a message")

    async def pin(self, ts: str) -> None:
        try:
            await done(self._client.pins_add(channel=self._channel, timestamp=ts), "pin a message")
        except Refused as refused:
            if refused.code in _LOST:
                raise _lost(refused) from refused
            if refused.code != "already_pinned":
                raise

    async def standing(self, user: str, team: str, approvers: Sequence[str], groups: Sequence[str]) -> Standing:
        return await authority.standing_in(
            self._client,
            self._channel,
            user,
            team,
            approvers=approvers,
            groups=groups,
            own_team=self._identity.team,
        )

    async def missed(self, run: Run) -> Sequence[Hear]:
        return await catchup.missed(self._client, self._channel, run, bot_user=self._identity.bot_user)

    def _forgive(self, refused: Refused, post: Post) -> None:
        """Raises it again unless only the looks were refused."""
        if refused.code not in _ONLY_LOOKS:
            raise refused
        log.error("slack refused how a post looks; its words went out alone", key=post.key, code=refused.code)


def _lost(refused: Refused) -> MessageLost:
    return MessageLost(refused.happened, unchanged=refused.unchanged, do=refused.do)
