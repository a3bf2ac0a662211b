"""Where a message is in Slack, as an address that opens it for whoever may read the channel. Pure.

`https://slack.com/archives/CHANNEL/pTS` leads to the reader's own workspace; a message of a thread is named together
with its parent. A bundle may come from anybody, so an address is made only of what has the form of Slack's ids.
"""

from __future__ import annotations

import re

from bot.plan.posts import answer_key
from bot.plan.run import Run

_CHANNEL = re.compile(r"[A-Z0-9]{1,32}")
_TS = re.compile(r"[0-9]{1,20}\.[0-9]{6}")


class Channel:
    """The run's channel, as the whole journal tells of it. Each address is "" where no message is known to be."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def said(self, ts: str) -> str:
        """The message in which a person said it; the bot's answer to a button or a command, which leave none."""
        heard = self._run.heard.get(ts)
        if heard is None:
            return ""
        if heard.via == "message":
            return self._address(ts, heard.thread_ts or "")
        key = answer_key(self._run.run_id, self._run.joined.get(ts, ts))
        return self.post(key)

    def post(self, key: str) -> str:
        delivery = self._run.deliveries.get(key)
        if delivery is None or not delivery.visible:
            return ""
        parent = self._run.deliveries.get(delivery.post.thread or "")
        # A parent that was deleted and posted anew has two threads; Slack finds a message of either by itself.
        thread = parent.every_ts[0] if parent is not None and len(parent.every_ts) == 1 else ""
        return self._address(delivery.ts, thread)

    def _address(self, ts: str, thread: str) -> str:
        channel = self._run.opened.channel
        if not _CHANNEL.fullmatch(channel) or not _TS.fullmatch(ts):
            return ""
        address = f"https://slack.com/archives/{channel}/p{ts.replace('.', '')}"
        if thread == ts or not _TS.fullmatch(thread):
            return address
        return f"{address}?thread_ts={thread}&cid={channel}"
