"""One call of the Web API: its arguments, read in the form they should have, and the things they name.

Each reader refuses, by Slack's name for it, what is malformed, unknown, out of bounds or not permitted.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.rehearsal.standins.slack.limits import Refused
from bot.rehearsal.standins.slack.reading import linked
from bot.rehearsal.standins.slack.workspace import Channel, Json, Message, Workspace


@dataclass(frozen=True)
class Call:
    """Where, with what rights, with what arguments."""

    workspace: Workspace
    api_url: str
    scopes: frozenset[str]
    new_ticket: Callable[[], str]
    largest_page: int
    arguments: Json

    def text(self, name: str, default: str = "") -> str:
        value = self.arguments.get(name, default)
        if not isinstance(value, str):
            raise Refused("invalid_arguments", f"[ERROR] must be a string [json-pointer:/{name}]")
        return value

    def flag(self, name: str) -> bool:
        return self.arguments.get(name) in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.arguments.get(name, default))
        except (TypeError, ValueError):
            raise Refused("invalid_arguments", f"[ERROR] must be a number [json-pointer:/{name}]") from None

    def structure(self, name: str) -> Any:
        """A JSON value, given as such or as JSON text; None when absent."""
        value = self.arguments.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise Refused("invalid_arguments", f"[ERROR] must be JSON [json-pointer:/{name}]") from None

    def need(self, scope: str) -> None:
        if scope not in self.scopes:
            raise Refused("missing_scope", needed=scope, provided=",".join(sorted(self.scopes)))

    def channel(self) -> Channel:
        channel = self.workspace.channels.get(self.text("channel"))
        if channel is None or (channel.kind != "channel" and not channel.is_member):
            raise Refused("channel_not_found")
        return channel

    def open_channel(self) -> Channel:
        """A channel that the bot is in and may change."""
        channel = self.channel()
        if channel.is_archived:
            raise Refused("is_archived")
        if not channel.is_member:
            raise Refused("not_in_channel")
        return channel

    def read_channel(self) -> Channel:
        """A channel whose history the bot may read."""
        channel = self.channel()
        self.need(f"{channel.scope}:history")
        if not channel.is_member:
            raise Refused("not_in_channel")
        return channel

    def message(self, channel: Channel, name: str) -> Message:
        message = self.workspace.find(self.text(name), channel.id)
        if message is None:
            raise Refused("message_not_found")
        return message

    def thread(self, channel: Channel) -> str | None:
        """The parent's ts, None at top level. A reply is nobody's parent. A reply to a parent that was deleted is not
        refused: Slack puts it into the channel without a word.
        """
        ts = self.text("thread_ts") if self.arguments.get("thread_ts") else ""
        if not ts or self.workspace.was_deleted(ts, channel.id):
            return None
        parent = self.workspace.find(ts, channel.id)
        if parent is None or parent.thread_ts is not None:
            raise Refused("thread_not_found")
        return parent.ts

    def as_written(self, text: str, channel: Channel, *, default: str) -> str:
        """The text as Slack keeps it: `parse` none leaves it alone, and anything else makes links of what looks like
        one. `default` is what the method takes for `parse` when it is not given.
        """
        parse = self.text("parse", default)
        if parse not in ("none", "client", "full"):
            raise Refused("invalid_arguments", "[ERROR] must be none, client or full [json-pointer:/parse]")
        return text if parse == "none" else linked(text, self.channels())

    def channels(self) -> list[tuple[str, str]]:
        return [(channel.id, channel.name) for channel in self.workspace.channels.values()]
