"""The Slack app as a manifest, with exactly the scopes that the bot uses; and which of them a token lacks. Pure.

One table says which method needs which scope, and what for: the manifest is made of it, and the doctor reads it.
The app-level token of Socket Mode (`connections:write`) is in no manifest; it is made by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

COMMAND = "/cutover"
EVENTS_PATH = "/slack/events"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """`methods` of the Web API that need it; none for what Slack sends by itself. A night can do without one that is
    `spare`: `doctor` names what is lost.
    """

    name: str
    methods: tuple[str, ...]
    what_for: str
    spare: bool = False


SCOPES = (
    Scope(
        name="chat:write",
        methods=("chat.postMessage", "chat.update", "chat.scheduleMessage", "chat.deleteScheduledMessage"),
        what_for="post checkpoints and findings, and leave a reminder for the end of the retention",
    ),
    Scope(
        name="channels:history",
        methods=("conversations.history", "conversations.replies"),
        what_for="hear signals in a public channel, and what was said while the bot was away",
    ),
    Scope(
        name="groups:history",
        methods=("conversations.history", "conversations.replies"),
        what_for="the same in a private channel",
    ),
    Scope(name="channels:read", methods=("conversations.info",), what_for="see that a public channel is fit for a run"),
    Scope(name="groups:read", methods=("conversations.info",), what_for="the same for a private channel"),
    Scope(name="users:read", methods=("users.info", "bots.info"), what_for="ask who spoke, and which app the bot is"),
    Scope(
        name="usergroups:read",
        methods=("usergroups.list", "usergroups.users.list"),
        what_for="ask who is in a user group of approvers",
    ),
    Scope(name="pins:write", methods=("pins.add",), what_for="pin the header"),
    Scope(
        name="files:write",
        methods=("files.getUploadURLExternal", "files.completeUploadExternal", "files.delete"),
        what_for="attach the list of users to fix, without addresses, in the thread of the Users checkpoint, and "
        "delete it when the run is purged",
        spare=True,
    ),
    Scope(
        name="files:read",
        methods=("files.list",),
        what_for="find the files that the bot attached, so that `cutover purge` can delete them",
        spare=True,
    ),
    Scope(name="commands", methods=(), what_for=f"the slash command {COMMAND}"),
)
WITHOUT_SCOPE = ("auth.test", "apps.connections.open", "chat.scheduledMessages.list")
"""Methods that every token of their kind may call."""


def manifest(name: str, url: str | None) -> dict[str, Any]:
    """JSON values. `url` is the public address of HTTP mode, None for Socket Mode."""
    address = {} if url is None else {"request_url": f"{url.rstrip('/')}{EVENTS_PATH}"}
    slash = {} if url is None else {"url": address["request_url"]}
    return {
        "display_information": {
            "name": name,
            "description": "Takes the team through the night its production data leaves Supabase",
        },
        "features": {
            "bot_user": {"display_name": name.lower(), "always_online": True},
            "slash_commands": [
                {
                    "command": COMMAND,
                    "description": "A word to the bot, or a checkpoint's signal",
                    "usage_hint": "status | who | help | report | hold REASON | frozen",
                    "should_escape": False,
                    **slash,
                }
            ],
        },
        "oauth_config": {"scopes": {"bot": [scope.name for scope in SCOPES]}},
        "settings": {
            "event_subscriptions": {"bot_events": ["message.channels", "message.groups"], **address},
            "interactivity": {"is_enabled": True, **address},
            "org_deploy_enabled": False,
            "socket_mode_enabled": url is None,
            "token_rotation_enabled": False,
        },
    }


def lacking(granted: Iterable[str], *, private: bool, groups: bool) -> Sequence[Scope]:
    """The scopes that a night in this channel needs and the token has not."""
    have = set(granted)
    other = "channels:" if private else "groups:"
    unneeded = {"usergroups:read"} if not groups else set[str]()
    return [scope for scope in SCOPES if scope.name not in have | unneeded and not scope.name.startswith(other)]
