"""How Slack writes things down: messages, people, channels and events as JSON. No rules and no state of its own.

Metadata is shown by the Web API when asked for, and never in an event: whether real events carry it is not sure enough
to lean on.
"""

import re
import uuid
from collections.abc import Collection, Sequence
from typing import Any

from bot.rehearsal.standins.slack.reading import linked
from bot.rehearsal.standins.slack.workspace import Channel, Json, Message, Person, Workspace

_MENTION = re.compile(r"<@(\w+)>")


def typed_blocks(text: str) -> list[Json]:
    """The rich text that Slack makes of what a person types: plain stretches and mentions."""
    elements: list[Json] = []
    for position, part in enumerate(_MENTION.split(text)):
        if part:
            elements.append({"type": "user", "user_id": part} if position % 2 else {"type": "text", "text": part})
    return [
        {"type": "rich_text", "block_id": new_id(), "elements": [{"type": "rich_text_section", "elements": elements}]}
    ]


def new_id() -> str:
    return uuid.uuid4().hex[:10].upper()


def with_block_ids(blocks: Sequence[Json]) -> list[Json]:
    """Slack gives an id to every block that came without."""
    return [{"block_id": new_id(), **block} for block in blocks]


def message_json(workspace: Workspace, message: Message, *, metadata: bool) -> Json:
    """A message as answers and events show it, and the lists with more; its metadata only where it was asked for.

    A parent does not say here that it has replies: only the lists tell that.
    """
    shown: Json = {"type": "message", "ts": message.ts, "text": message.text, "team": workspace.team_id}
    if message.subtype:
        shown["subtype"] = message.subtype
    if message.user:
        shown |= {"user": message.user, **_from_elsewhere(workspace, message.user)}
    if message.client_msg_id:
        shown["client_msg_id"] = message.client_msg_id
    if message.bot_id:
        shown["bot_id"] = message.bot_id
        if message.bot_id == workspace.bot.bot_id:
            shown["app_id"] = workspace.bot.app_id
            shown["bot_profile"] = {
                "id": message.bot_id,
                "app_id": workspace.bot.app_id,
                "name": workspace.bot.name,
                "team_id": workspace.team_id,
                "deleted": False,
            }
    if message.blocks:
        shown["blocks"] = list(message.blocks)
    if message.edited:
        shown["edited"] = message.edited
    if metadata and message.metadata:
        shown["metadata"] = message.metadata
    if message.thread_ts is not None:
        shown |= _reply_fields(workspace, message, message.thread_ts)
    return shown | dict(message.extra)


def _from_elsewhere(workspace: Workspace, user: str) -> Json:
    """What a message tells of an author who is of an organisation, or of another workspace."""
    person = workspace.people.get(user)
    if person and person.teams is not None:
        return {"user_team": workspace.enterprise_id, "source_team": workspace.enterprise_id}
    if person and person.team_id not in ("", workspace.team_id):
        return {"team": person.team_id, "user_team": person.team_id, "source_team": person.team_id}
    return {}


def listed_json(workspace: Workspace, message: Message, *, metadata: bool) -> Json:
    """A message as history and replies show it: a parent tells of its thread, and a deleted one is a tombstone."""
    shown = _tombstone(message) if message.deleted else message_json(workspace, message, metadata=metadata)
    if message.thread_ts is not None or not (replies := workspace.replies(message)):
        return shown
    who = list(dict.fromkeys(reply.user or reply.bot_id for reply in replies))
    return shown | {
        "thread_ts": message.ts,
        "reply_count": len(replies),
        "reply_users_count": len(who),
        "reply_users": who,
        "latest_reply": replies[-1].ts,
        "is_locked": False,
        "subscribed": False,
    }


def _tombstone(message: Message) -> Json:
    return {
        "type": "message",
        "subtype": "tombstone",
        "text": "This message was deleted.",
        "user": "USLACKBOT",
        "hidden": True,
        "ts": message.ts,
    }


def _reply_fields(workspace: Workspace, message: Message, thread_ts: str) -> Json:
    parent = workspace.find(thread_ts)
    fields: Json = {"thread_ts": thread_ts}
    if parent and parent.user:
        fields["parent_user_id"] = parent.user
    if parent and message.subtype == "thread_broadcast":
        fields["root"] = {"type": "message", "ts": parent.ts, "thread_ts": parent.ts, "text": parent.text}
    return fields


def linked_blocks(blocks: Sequence[Json], channels: Collection[tuple[str, str]]) -> list[Json]:
    """Blocks as Slack keeps them: mrkdwn that is not verbatim has become links where it looked like one."""
    return [_linked(block, channels) for block in blocks]


def _linked(part: Any, channels: Collection[tuple[str, str]]) -> Any:
    if isinstance(part, list):
        return [_linked(one, channels) for one in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") == "mrkdwn":
        return part if part.get("verbatim") else part | {"text": linked(part["text"], channels)}
    return {key: _linked(value, channels) for key, value in part.items()}


def person_json(workspace: Workspace, person: Person) -> Json:
    home = person.team_id or workspace.team_id
    of_grid: Json = {} if person.team_id == "-" else {"team_id": home}
    if person.teams is not None:
        of_grid["enterprise_user"] = {
            "id": f"W{person.id[1:]}",
            "enterprise_id": workspace.enterprise_id,
            "enterprise_name": "Rehearsal",
            "is_admin": False,
            "is_owner": False,
            "teams": list(person.teams),
        }
    return {
        "id": person.id,
        **of_grid,
        "name": person.name.lower().replace(" ", "."),
        "real_name": person.name,
        "deleted": person.deleted,
        "is_bot": person.is_bot,
        "is_app_user": person.is_app_user,
        "is_restricted": person.is_restricted,
        "is_ultra_restricted": person.is_ultra_restricted,
        "is_stranger": person.is_stranger,
        "is_invited_user": person.is_invited_user,
        "profile": {"real_name": person.name, "display_name": person.name, "team": home},
    }


def group_json(workspace: Workspace, group: str, *, users: bool) -> Json:
    if group in workspace.malformed_groups:
        return {"id": group, "team_id": None, "date_delete": "yesterday"}
    members = list(workspace.groups[group])
    shown: Json = {
        "id": group,
        "team_id": workspace.enterprise_id if group in workspace.organisation_groups else workspace.team_id,
        "is_usergroup": True,
        "name": group,
        "handle": group.lower(),
        "is_external": False,
        "date_create": 1446598059,
        "date_delete": 1446670362 if group in workspace.disabled_groups else 0,
        "auto_type": None,
        "user_count": str(len(members)),
    }
    return shown | ({"users": members} if users else {})


def channel_json(workspace: Workspace, channel: Channel) -> Json:
    return {
        "id": channel.id,
        "name": channel.name,
        "is_channel": channel.kind == "channel",
        "is_group": channel.kind == "group",
        "is_im": channel.kind == "im",
        "is_private": channel.is_private,
        "is_archived": channel.is_archived,
        "is_member": channel.is_member,
        "is_shared": channel.is_shared or channel.is_ext_shared,
        "is_ext_shared": channel.is_ext_shared,
        "is_org_shared": False,
        "context_team_id": workspace.team_id,
    }


def event_payload(workspace: Workspace, channel: Channel, event: Json) -> Json:
    """The outer part of every event; each call makes a new event id."""
    foreign = event.get("team") not in (None, workspace.team_id)
    return {
        "type": "event_callback",
        "token": "not-for-verification",
        "team_id": workspace.team_id,
        "context_team_id": workspace.team_id,
        **({"enterprise_id": workspace.enterprise_id} if workspace.enterprise_id else {}),
        "api_app_id": workspace.bot.app_id,
        "event_id": f"Ev{new_id()}",
        "event_time": int(float(event["event_ts"])),
        "event_context": f"4-{new_id()}",
        "is_ext_shared_channel": channel.is_ext_shared or foreign,
        "authorizations": [
            {
                "enterprise_id": workspace.enterprise_id or None,
                "team_id": workspace.team_id,
                "user_id": workspace.bot.user_id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "event": event,
    }


def posted_event(workspace: Workspace, channel: Channel, message: Message) -> Json:
    shown = message_json(workspace, message, metadata=False)
    return shown | {"channel": channel.id, "channel_type": channel.kind, "event_ts": message.ts}


def mention_event(workspace: Workspace, channel: Channel, message: Message) -> Json | None:
    """The second event for a message that mentions the bot; None when it does not, or when the bot itself wrote it."""
    if message.bot_id or f"<@{workspace.bot.user_id}>" not in message.text:
        return None
    shown = message_json(workspace, message, metadata=False)
    return shown | {"type": "app_mention", "channel": channel.id, "event_ts": message.ts}


def changed_event(workspace: Workspace, channel: Channel, before: Message, after: Message, event_ts: str) -> Json:
    """An edit. No user at the top, and hidden: whoever edits, it is not a person speaking."""
    return {
        "type": "message",
        "subtype": "message_changed",
        "hidden": True,
        "channel": channel.id,
        "channel_type": channel.kind,
        "ts": event_ts,
        "event_ts": event_ts,
        "message": message_json(workspace, after, metadata=False),
        "previous_message": message_json(workspace, before, metadata=False),
    }


def deleted_event(workspace: Workspace, channel: Channel, before: Message, after: Message, event_ts: str) -> Json:
    """A deletion; of a parent with replies it is an edit, into a tombstone."""
    told: Json = {
        "type": "message",
        "hidden": True,
        "channel": channel.id,
        "channel_type": channel.kind,
        "ts": event_ts,
        "event_ts": event_ts,
        "previous_message": message_json(workspace, before, metadata=False),
    }
    if workspace.tombstone(before.ts, channel.id):
        tombstone = listed_json(workspace, after, metadata=False)
        return told | {"subtype": "message_changed", "message": tombstone}
    return told | {"subtype": "message_deleted", "deleted_ts": before.ts}
