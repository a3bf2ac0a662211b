"""The channel as the conductor needs it: post once, find what may have been posted, edit, pin, ask who, catch up.

A post is sent exactly once by `post`; whether it is sent again is for the caller to decide, after `find`. `find`
trusts its own eyes only: a message is ours when our bot wrote it and its metadata carries run and key; any app of
the workspace may post under the same event type. Should Slack refuse the look of a message (its blocks), or fail over
it again and again without a name for why, the words go out alone: a night must not end over a picture. Nor over a pin.

Slack posts a reply whose parent was deleted into the channel, and says so by what it leaves out of its answer: then the
parent is lost, and the reply is found where it is.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import CutoverError, MessageLost, OutcomeUnknown, ServiceUnintelligible, ServiceUnreachable
from bot.plan.findings import Finding, warned
from bot.plan.inputs import Hear, Permission
from bot.plan.posts import Attached, Post, Prose, header_key
from bot.plan.run import Run
from bot.plan.texts.attention import not_attached
from bot.ports import Attachment, Headway
from bot.slack import authority, reminder, uploads
from bot.slack.calls import Identity, Refused, Troubled, done, understood
from bot.slack.inbound import catchup
from bot.slack.payloads import Posted, own_key
from bot.slack.render import escape
from bot.slack.render.messages import render

log = structlog.get_logger("cutover.slack")

_CLOCKS_MAY_DIFFER = timedelta(days=30)
"""Ours and Slack's. A header is recognised by its run and key, so looking too far back finds no wrong one."""
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
_TRIES_OF_A_FILE = 3
_SHARED_WITHIN_SECONDS = 30
"""Slack says that it will share a file, and does so a little later."""
_AS_WRITTEN = {"parse": "none"}
"""Left to itself, an edit makes links of what looks like an address, a channel or a name."""


class SlackChannel:
    """The port `Channel`, kept by Slack."""

    def __init__(
        self, client: AsyncWebClient, *, channel: str, identity: Identity, attachment: Attachment | None = None
    ) -> None:
        """`attachment` makes the file of users to fix; without it the words about it are posted alone."""
        self._client = client
        self._attachment = attachment
        self._channel = channel
        self._identity = identity
        self._sweep = catchup.Sweep(client, channel, bot_user=identity.bot_user)
        self._in_doubt: set[str] = set()
        """Keys of posts that Slack answered with trouble of its own, and that nobody has looked for since."""
        self._fruitless: Counter[str] = Counter()
        """By key, how often Slack was in trouble over a message with blocks, and had not taken it."""
        self._not_taken: Counter[str] = Counter()
        """By key of a file, how often nobody was reached who would take its bytes."""
        self._may_be_shared: dict[str, float] = {}
        """By key of an attached file, until when Slack may still be about to share it."""

    async def post(self, run: Run, post: Post, headway: Headway | None, head: tuple[int, str]) -> str:
        parent = run.deliveries[post.thread] if post.thread is not None else None
        place = {"thread_ts": parent.ts} if parent is not None and parent.visible else {}
        if isinstance(post.body, Attached):
            shared = await self._attach(run, post.key, post.body, place.get("thread_ts"))
            if isinstance(shared, str):
                return shared
            post = replace(post, body=shared)
        message = render(run, post, headway, head)
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
                unchanged="the reply is there",
                do="leave the bot's messages where they are; `cutover status` shows the run",
            )
        return posted.ts

    async def _attach(self, run: Run, key: str, body: Attached, thread_ts: str | None) -> str | Prose:
        """The file's id; or, where it cannot be attached, the words in its place, which say so. Raises OutcomeUnknown
        when it may have been shared.
        """
        if body.code:
            content = body.code.encode()
        elif self._attachment is None:
            return Prose(body.says)
        else:
            try:
                content = await self._attachment(run)
            except CutoverError as error:
                log.error("the list of users to fix could not be read", why=str(error))
                return Prose(not_attached(body.says, "file-unreadable"))
        try:
            return await uploads.share(
                self._client,
                channel=self._channel,
                thread_ts=thread_ts,
                name=body.name,
                content=content,
                comment=escape.mrkdwn(body.says),
            )
        except Refused as refused:
            if refused.code in _LOST:
                raise _lost(refused) from refused
            log.error("slack did not take a file", name=body.name, code=refused.code)
            return Prose(not_attached(body.says, refused.code))
        except ServiceUnreachable:
            self._not_taken[key] += 1
            if self._not_taken[key] < _TRIES_OF_A_FILE:
                raise
            return Prose(not_attached(body.says, "unreachable"))
        except OutcomeUnknown:
            self._may_be_shared[key] = asyncio.get_running_loop().time() + _SHARED_WITHIN_SECONDS
            raise

    async def find(self, run: Run, key: str) -> str | None:
        found = await self._find(run, key)
        if found is None and asyncio.get_running_loop().time() < self._may_be_shared.get(key, 0):
            raise OutcomeUnknown(
                "Slack may still be about to share a file", unchanged="it is not there yet", do="look again"
            )
        self._may_be_shared.pop(key, None)
        return found

    async def _find(self, run: Run, key: str) -> str | None:
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
        post, lost = run.deliveries[key].post, run.deliveries[key].lost
        ours: list[str] = []
        async for message in messages:
            if own_key(message, run_id=run.run_id, bot_id=self._identity.bot_id) == key:
                ours.append(str(message["ts"]))
            elif isinstance(post.body, Attached):
                ours += filter(None, [uploads.shared(message, post.body.name, self._identity)])
        return min((ts for ts in ours if ts not in lost), default=None)

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

    async def leave_reminder(self, run: Run) -> str | Finding:
        return await reminder.leave(self._client, self._channel, run)

    async def find_reminder(self, run: Run) -> str | Finding | None:
        return await reminder.find(self._client, self._channel, run)

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
