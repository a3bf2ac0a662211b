"""What people do besides writing, as Slack tells the app: a button pressed, a slash command sent."""

import secrets
import time
from collections.abc import Iterator, Sequence

from bot.rehearsal.standins.slack import shapes
from bot.rehearsal.standins.slack.workspace import Channel, Json, Message, Person, Workspace

_HOOKS = "https://hooks.slack.com"


def buttons(blocks: Sequence[Json]) -> Iterator[Json]:
    """Every button in the blocks of a message, with the id of its block."""
    for block in blocks:
        elements = [*block.get("elements", ()), *([block["accessory"]] if "accessory" in block else ())]
        for element in elements:
            if element.get("type") == "button":
                yield {"block_id": block["block_id"], **element}


def pressed(workspace: Workspace, channel: Channel, person: Person, message: Message, button: Json) -> Json:
    """A block_actions payload."""
    team = (workspace.enterprise_id if person.teams is not None else person.team_id) or workspace.team_id
    kept = {key: value for key, value in button.items() if key != "accessibility_label"}
    return {
        "type": "block_actions",
        "user": {
            "id": person.id,
            "username": person.name.lower().replace(" ", "."),
            "name": person.name.lower().replace(" ", "."),
            "team_id": team,
        },
        "api_app_id": workspace.bot.app_id,
        "token": "not-for-verification",
        "container": {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": channel.id,
            "is_ephemeral": False,
            **({"thread_ts": message.thread_ts} if message.thread_ts else {}),
        },
        "trigger_id": _trigger_id(),
        "team": {"id": workspace.team_id, "domain": "rehearsal"},
        "enterprise": {"id": workspace.enterprise_id, "name": "Rehearsal"} if workspace.enterprise_id else None,
        "is_enterprise_install": False,
        "channel": {"id": channel.id, "name": channel.name},
        "message": shapes.message_json(workspace, message, metadata=False),
        "state": {"values": {}},
        "response_url": f"{_HOOKS}/actions/{workspace.team_id}/1/{secrets.token_hex(12)}",
        "actions": [{**kept, "type": "button", "action_ts": workspace.new_ts()}],
    }


def commanded(workspace: Workspace, channel: Channel, person: Person, command: str, text: str) -> Json:
    """A slash command; over HTTP these are the fields of a form. A private channel's name is not in it."""
    return {
        "token": "not-for-verification",
        "team_id": (person.team_id if person.teams is None else "") or workspace.team_id,
        "team_domain": "rehearsal",
        "channel_id": channel.id,
        "channel_name": "privategroup" if channel.is_private else channel.name,
        "user_id": person.id,
        "user_name": person.name.lower().replace(" ", "."),
        "command": command,
        "text": text,
        "api_app_id": workspace.bot.app_id,
        "is_enterprise_install": "false",
        "response_url": f"{_HOOKS}/commands/{workspace.team_id}/1/{secrets.token_hex(12)}",
        "trigger_id": _trigger_id(),
    }


def _trigger_id() -> str:
    return f"{time.time_ns() // 1_000_000}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
