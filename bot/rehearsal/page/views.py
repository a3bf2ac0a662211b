"""Messages, people and users as JSON for the page. Pure: nothing is asked here, and nothing is decided.

Blocks go to the page as the bot sent them and Slack keeps them: the page draws what a reader of Slack would see.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bot.rehearsal.standins.slack import Message, Person
from bot.rehearsal.standins.stackauth import StoredUser, supabase_id_in

Json = dict[str, Any]


def message(shown: Message, *, bot_user: str, pins: Collection[str]) -> Json:
    """`since` is when it began to say what it says, in seconds of the wall clock."""
    return {
        "ts": shown.ts,
        "thread": shown.thread_ts,
        "user": shown.user,
        "bot": shown.user == bot_user,
        "text": shown.text,
        "blocks": list(shown.blocks),
        "files": [
            {"id": file["id"], "title": file["title"], "size": file["size"]} for file in shown.extra.get("files", ())
        ],
        "type": shown.event_type,
        "checkpoint": shown.payload.get("checkpoint", ""),
        "status": shown.payload.get("status", ""),
        "edited": shown.edited is not None,
        "edits": len(shown.past),
        "since": shown.since,
        "deleted": shown.deleted,
        "pinned": shown.ts in pins,
    }


def people(known: Mapping[str, Person], *, bot_user: str, approvers: Collection[str]) -> list[Json]:
    """The people first, in the order in which they were given; the bot last."""
    return [
        {
            "id": person.id,
            "name": person.name,
            "bot": person.id == bot_user,
            "role": "app"
            if person.id == bot_user
            else "approver"
            if person.id in approvers
            else "guest"
            if person.is_restricted
            else "colleague",
        }
        for person in known.values()
    ]


def user(stored: StoredUser) -> Json:
    """What Stack Auth's dashboard shows of a user, and the id in the source that the bot noted."""
    return {
        "id": stored.id,
        "name": stored.display_name or "",
        "email": stored.primary.value if stored.primary else "",
        "verified": bool(stored.primary and stored.primary.verified),
        "password": stored.password_hash is not None,
        "providers": sorted({identity.provider for identity in stored.oauth_identities}),
        "source": supabase_id_in(stored.server_metadata) or "",
        "active": stored.last_active_at_millis,
    }
