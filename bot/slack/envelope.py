"""Whether what came is for us: sent to our app, in our workspace, for our bot. Pure.

Whoever holds the app's tokens or its signing secret can bring an envelope to us, and one app may be installed in many
workspaces. An envelope that is not ours says nothing, whoever is named in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.slack.calls import Identity


def foreign(body: Mapping[str, Any], identity: Identity, app_id: str) -> str:
    """Why it is not for us, as a clause for the log; "" when it is ours. `app_id` is "" while that is not known."""
    if app_id and body.get("api_app_id") != app_id:
        return "it was sent to another app"
    workspace, enterprise = _from(body)
    if workspace not in identity.homes:
        return "it was sent from another workspace"
    if enterprise and enterprise != identity.enterprise:
        return "it was sent from another organisation"
    if body.get("type") == "event_callback" and not _is_for(body, identity):
        return "it was sent for another bot"
    return ""


def _from(body: Mapping[str, Any]) -> tuple[str, str]:
    """Workspace and organisation, "" where none is named. A button names them as objects, and an app that a whole
    organisation has installed gets no workspace there.
    """
    if body.get("type") != "block_actions":
        return _text(body.get("team_id")), _text(body.get("enterprise_id"))
    team, enterprise = (_id(body.get(name)) for name in ("team", "enterprise"))
    return team or enterprise, enterprise


def _is_for(body: Mapping[str, Any], identity: Identity) -> bool:
    named = body.get("authorizations")
    if not isinstance(named, list):
        return False
    return any(isinstance(each, dict) and each.get("user_id") == identity.bot_user for each in named)


def _id(named: Any) -> str:
    return _text(named.get("id")) if isinstance(named, dict) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
