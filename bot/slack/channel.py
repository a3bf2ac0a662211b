"""The channel as the conductor needs it: post once, find what may have been posted, edit, pin, ask who, catch up.

A post is sent exactly once by `post`; whether it is sent again is for the caller to decide, after `find`. `find`
trusts its own eyes only: a message is ours when our bot wrote it and its metadata carries run and key; any app of
the workspace may post under the same event type. Should Slack refuse the look of a message (its blocks), or fail over
it again and again without a name for why, the words go out alone: a night must not end over a picture. Nor over a pin.

Slack posts a reply whose parent was deleted into the channel, and says so by what it leaves out of its answer: then the
parent is lost, and the reply is found where it stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import MessageLost, OutcomeUnknown, ServiceUnintelligible
from bot.plan.findings import Finding, warned
from bot.plan.inputs import Hear, Permission
from bot.plan.posts import Post, header_key
from bot.plan.run import Run
from bot.ports import Headway
from bot.slack import authority
from bot.slack.calls import Identity, Refused, Troubled, done, understood
from bot.slack.inbound import catchup
from bot.slack.payloads import Posted, own_key
from bot.slack.render.messages import render

log = structlog.get_logger("cutover.slack")

_CLOCKS_MAY_DIFFER = timedelta(days=30)
"""Ours and Slack's. A header is told by its run and key, so looking too far back finds no wrong one."""
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


_MAY_BE_THE_LOOKS = "internal_error"
_FRUITLESS_TRIES = 2
_AS_WRITTEN = {"parse": "none"}
"""Left to itself, an edit makes links of what looks like an address, a channel or a name."""


class SlackChannel:
    """The port `Channel`, kept by Slack."""

    def __init__(self, client: AsyncWebClient, *, channel: str, identity: Identity) -> None:
        self._client = client
        self._channel = channel
        self._identity = identity
        self._sweep = catchup.Sweep(client, channel, bot_user=identity.bot_user)
        self._in_doubt: set[str] = set()
        """Keys of posts that Slack answered with trouble of its own, and that nobody has looked for since."""
        self._fruitless: Counter[str] = Counter()
        """By key, how often Slack was in trouble over a message with blocks, and had not taken it."""

    async def post(self, run: Run, post: Post, headway: Headway | None, head: tuple[int, str]) -> str:
        message = render(run, post, headway, head)
        parent = run.deliveries[post.thread] if post.thread is not None else None
        place = {"thread_ts": parent.ts} if parent is not None and parent.stands else {}
        words: dict[str, Any] = {"channel": self._channel, "text": message.text, "metadata": message.metadata, **place}
        words |= {"unfurl_links": False, "unfurl_media": False, **_AS_WRITTEN}
        if self._keeps_its_looks(post):
            words["blocks"] = message.blocks
        while True:
            try:
                answer = await done(self._client.chat_postMessage(**words), "post a message")
                break
            except Troubled as trouble:
                if trouble.code == _MAY_BE_THE_LOOKS and words.get("blocks"):
                    self._in_doubt.add(post.key)
                raise
            except Refused as refused:
                if refused.code in _LOST:
                    raise _lost(refused) from refused
                if "blocks" not in words:
                    raise
                self._forgive(refused, post)
                del words["blocks"]
        self._taken(post, words)
        try:
            posted = understood(Posted, answer, "where it put a message")
        except ServiceUnintelligible as error:
            raise OutcomeUnknown(
                error.happened, unchanged="it may have been posted all the same", do="look before it is repeated"
            ) from error
        if place and posted.message is not None and posted.message.thread_ts != place["thread_ts"]:
            raise MessageLost(
                "The message below which a reply belongs was deleted, and Slack put the reply into the channel",
                unchanged="the reply stands there",
                do="leave the bot's messages where they are; `cutover status` shows the run",
            )
        return posted.ts

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
        ts = await self._first(history, run, key)
        if ts is None and key in self._in_doubt:
            self._fruitless[key] += 1
        self._in_doubt.discard(key)
        return ts

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
        words: dict[str, Any] = {"channel": self._channel, "ts": ts, "text": message.text, **_AS_WRITTEN}
        words["metadata"] = message.metadata
        if self._keeps_its_looks(post):
            words["blocks"] = message.blocks
        try:
            await done(self._client.chat_update(**words), "edit a message")
        except Troubled as trouble:
            if trouble.code == _MAY_BE_THE_LOOKS and words.get("blocks"):
                self._fruitless[post.key] += 1  # an edit may be repeated: there is nothing to look for
            raise
        except Refused as refused:
            if refused.code in _LOST:
                raise _lost(refused) from refused
            self._forgive(refused, post)
            words.pop("blocks", None)
            await done(self._client.chat_update(**words), "edit a message")
        self._taken(post, words)

    async def pin(self, ts: str) -> Finding | None:
        try:
            await done(self._client.pins_add(channel=self._channel, timestamp=ts), "pin a message")
        except Refused as refused:
            if refused.code in _LOST:
                raise _lost(refused) from refused
            if refused.code == "already_pinned":
                return None
            why = _NOT_PINNED.get(refused.code, "Slack does not pin it")
            return warned(
                "slack-pins",
                f"The header of this run is not pinned: {why} (`{refused.code}`). All else goes on as before.",
                "Pin the header yourself if you want it at hand, after unpinning another message where pins are full.",
            )
        return None

    async def permission(self, user: str, team: str, approvers: Sequence[str], groups: Sequence[str]) -> Permission:
        return await authority.standing_in(
            self._client,
            self._channel,
            user,
            team,
            approvers=approvers,
            groups=groups,
            identity=self._identity,
        )

    def missed(self, run: Run) -> AsyncIterator[Hear]:
        return self._sweep.missed(run)

    def _keeps_its_looks(self, post: Post) -> bool:
        return self._fruitless[post.key] < _FRUITLESS_TRIES

    def _taken(self, post: Post, words: Mapping[str, Any]) -> None:
        """Slack has taken it. One that went out without its looks gets one more try with them at its next edit."""
        self._in_doubt.discard(post.key)
        if words.get("blocks"):
            del self._fruitless[post.key]
        elif self._fruitless[post.key]:
            self._fruitless[post.key] = _FRUITLESS_TRIES - 1
            log.error("slack failed over how a post looks; its words went out alone", key=post.key)

    def _forgive(self, refused: Refused, post: Post) -> None:
        """Raises it again unless only the looks were refused."""
        if refused.code not in _ONLY_LOOKS:
            raise refused
        log.error("slack refused how a post looks; its words went out alone", key=post.key, code=refused.code)


_NOT_PINNED = {
    "too_many_pins": "the channel has as many pins as Slack allows",
    "restricted_action": "the workspace does not let the bot pin messages",
    "not_pinnable": "Slack says that it cannot be pinned",
}


def _lost(refused: Refused) -> MessageLost:
    return MessageLost(refused.happened, unchanged=refused.unchanged, do=refused.do)
