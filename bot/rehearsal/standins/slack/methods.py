"""The Web API's methods: what each asks for, what it needs, what it does to the workspace.

A method is a function registered with its arguments; the door (`web`) has already checked token, scope and argument
names when it runs. It answers with fields (the door adds `ok`) or raises Refused.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from bot.rehearsal.standins.slack import limits, shapes
from bot.rehearsal.standins.slack.call import Call
from bot.rehearsal.standins.slack.limits import Refused
from bot.rehearsal.standins.slack.workspace import Json, Message

DEFAULT_SCOPES = frozenset(
    {
        "app_mentions:read",
        "channels:history",
        "channels:read",
        "chat:write",
        "commands",
        "files:read",
        "files:write",
        "groups:history",
        "groups:read",
        "pins:write",
        "usergroups:read",
        "users:read",
    }
)
_TS = re.compile(r"\d{1,12}(\.\d{1,6})?")


@dataclass(frozen=True)
class Method:
    run: Callable[[Call], Json]
    required: frozenset[str]
    known: frozenset[str]
    scope: str
    app_level: bool


METHODS: dict[str, Method] = {}


def _method(
    name: str, required: str = "", optional: str = "", *, scope: str = "", app_level: bool = False
) -> Callable[[Callable[[Call], Json]], Callable[[Call], Json]]:
    def register(run: Callable[[Call], Json]) -> Callable[[Call], Json]:
        needs = frozenset(required.split())
        METHODS[name] = Method(run, needs, needs | set(optional.split()), scope, app_level)
        return run

    return register


# Who and where


@_method("apps.connections.open", app_level=True)
def _open_connection(call: Call) -> Json:
    address = call.api_url.replace("http://", "ws://", 1).removesuffix("api/")
    return {"url": f"{address}link/?ticket={call.new_ticket()}&app_id={call.workspace.bot.app_id}"}


@_method("auth.test")
def _auth_test(call: Call) -> Json:
    bot = call.workspace.bot
    return {
        "url": "https://rehearsal.slack.com/",
        "team": "Rehearsal",
        "team_id": call.workspace.team_id,
        "user": bot.name,
        "user_id": bot.user_id,
        "bot_id": bot.bot_id,
        **({"enterprise_id": call.workspace.enterprise_id} if call.workspace.enterprise_id else {}),
        "is_enterprise_install": False,
    }


@_method("bots.info", "bot", scope="users:read")
def _bot(call: Call) -> Json:
    bot = call.workspace.bot
    if call.text("bot") != bot.bot_id:
        raise Refused("bot_not_found")
    return {"bot": {"id": bot.bot_id, "deleted": False, "name": bot.name, "app_id": bot.app_id, "user_id": bot.user_id}}


@_method("users.info", "user", "include_locale", scope="users:read")
def _user(call: Call) -> Json:
    person = call.workspace.people.get(call.text("user"))
    if person is None:
        raise Refused("user_not_found")
    return {"user": shapes.person_json(call.workspace, person)}


@_method("usergroups.list", "", "include_disabled include_count include_users", scope="usergroups:read")
def _groups(call: Call) -> Json:
    workspace, users = call.workspace, call.flag("include_users")
    listed = [
        group for group in workspace.groups if call.flag("include_disabled") or group not in workspace.disabled_groups
    ]
    return {"usergroups": [shapes.group_json(workspace, group, users=users) for group in listed]}


@_method("usergroups.users.list", "usergroup", "include_disabled", scope="usergroups:read")
def _group_members(call: Call) -> Json:
    """What Slack says of a disabled group is not documented: its members are given, to catch who relies on less."""
    members = call.workspace.groups.get(call.text("usergroup"))
    if members is None:
        raise Refused("no_such_subteam")
    return {"users": list(members)}


@_method("conversations.info", "channel", "include_locale include_num_members")
def _conversation(call: Call) -> Json:
    channel = call.channel()
    call.need(f"{channel.scope}:read")
    return {"channel": shapes.channel_json(call.workspace, channel)}


# Reading what was said


@_method("conversations.history", "channel", "oldest latest inclusive limit cursor include_all_metadata")
def _history(call: Call) -> Json:
    """Newest first within a page. Pages go from the newest back, but with `oldest` alone: then the first page holds
    what is closest to it, and the next ones what is newer.
    """
    channel, within = call.read_channel(), _window(call)
    shown = [
        message
        for message in call.workspace.messages
        if message.channel == channel.id
        and (not message.deleted or call.workspace.tombstone(message.ts, channel.id))
        and (message.thread_ts is None or message.subtype == "thread_broadcast")
        and within(message)
    ]
    cursor, upwards = _cursor(call), bool(call.arguments.get("oldest")) and not call.arguments.get("latest")
    if upwards:
        page, rest = _page(call, [m for m in shown if m.ts > cursor], default=100)
    else:
        page, rest = _page(call, [m for m in reversed(shown) if not cursor or m.ts < cursor], default=100)
    answer = _messages(call, sorted(page, key=lambda m: m.ts, reverse=True), page[-1].ts if rest else "")
    return answer | {"pin_count": len(call.workspace.pins)}


@_method("conversations.replies", "channel ts", "oldest latest inclusive limit cursor include_all_metadata")
def _replies(call: Call) -> Json:
    """Oldest first. The parent opens the first page whatever the bounds, and is not counted against the limit."""
    channel, within, ts = call.read_channel(), _window(call), call.text("ts")
    parent = call.workspace.find(ts, channel.id) or call.workspace.tombstone(ts, channel.id)
    if parent is None or parent.thread_ts is not None:
        raise Refused("thread_not_found")
    cursor = _cursor(call)
    replies = [m for m in call.workspace.replies(parent) if within(m) and m.ts > cursor]
    page, rest = _page(call, replies, default=999)
    return _messages(call, page if cursor else [parent, *page], page[-1].ts if rest else "")


def _window(call: Call) -> Callable[[Message], bool]:
    """Whether a message lies between oldest and latest; the bounds themselves only when `inclusive`."""
    inclusive, oldest, latest = call.flag("inclusive"), _bound(call, "oldest"), _bound(call, "latest")

    def within(message: Message) -> bool:
        at = Decimal(message.ts)
        after = oldest is None or at > oldest or (inclusive and at == oldest)
        before = latest is None or at < latest or (inclusive and at == latest)
        return after and before

    return within


def _bound(call: Call, name: str) -> Decimal | None:
    value = call.arguments.get(name)
    if value in (None, ""):
        return None
    if not _TS.fullmatch(str(value)):
        raise Refused(f"invalid_ts_{name}")
    return Decimal(str(value))


def _page(call: Call, messages: list[Message], default: int) -> tuple[list[Message], bool]:
    limit = call.number("limit", default)
    if not 1 <= limit <= 999:
        raise Refused("invalid_limit")
    most = min(limit, call.largest_page)  # Slack may give fewer than were asked for, and says that there are more
    return messages[:most], len(messages) > most


def _cursor(call: Call) -> str:
    """The ts of the last message of the page before; "" on the first page."""
    given = call.text("cursor")
    if not given:
        return ""
    try:
        name, _, ts = base64.b64decode(given, validate=True).decode().partition(":")
    except ValueError:
        raise Refused("invalid_cursor") from None
    if name != "next_ts" or not _TS.fullmatch(ts):
        raise Refused("invalid_cursor")
    return ts


def _messages(call: Call, page: list[Message], rest_after: str) -> Json:
    """`rest_after` is the ts at which the next page goes on, "" on the last one."""
    metadata = call.flag("include_all_metadata")
    answer: Json = {
        "messages": [shapes.listed_json(call.workspace, message, metadata=metadata) for message in page],
        "has_more": bool(rest_after),
    }
    if rest_after:
        cursor = base64.b64encode(f"next_ts:{rest_after}".encode()).decode()
        answer["response_metadata"] = {"next_cursor": cursor}
    return answer


# Speaking


@_method(
    "chat.postMessage",
    "channel",
    "text blocks markdown_text thread_ts reply_broadcast metadata mrkdwn parse link_names unfurl_links unfurl_media "
    "username icon_emoji icon_url",
    scope="chat:write",
)
def _post(call: Call) -> Json:
    if call.arguments.keys() & {"username", "icon_emoji", "icon_url"}:
        call.need("chat:write.customize")
    channel = call.open_channel()
    text, blocks = _content(call)
    thread_ts = call.thread(channel)
    metadata = call.structure("metadata")
    broadcast = thread_ts is not None and call.flag("reply_broadcast")
    message = call.workspace.post(
        Message(
            channel=channel.id,
            ts=call.workspace.new_ts(),
            user=call.workspace.bot.user_id,
            bot_id=call.workspace.bot.bot_id,
            text=call.as_written(text[: limits.POSTED_TEXT], channel, default="none"),
            blocks=shapes.linked_blocks(blocks or [], call.channels()),
            metadata=None if metadata is None else limits.checked_metadata(metadata),
            thread_ts=thread_ts,
            subtype="thread_broadcast" if broadcast else None,
        )
    )
    answer = {"channel": channel.id, "ts": message.ts, "message": _shown(call, message)}
    if len(text) > limits.POSTED_TEXT:
        cut = f"[WARN] `text` was cut after {limits.POSTED_TEXT} characters and posted"
        answer["response_metadata"] = {"messages": [cut], "warnings": ["message_truncated"]}
    return answer


@_method(
    "chat.update",
    "channel ts",
    "text blocks metadata reply_broadcast as_user parse link_names",
    scope="chat:write",
)
def _update(call: Call) -> Json:
    """Text without blocks takes the blocks away; metadata stays unless given; an edit by blocks leaves no mark."""
    channel = call.channel()
    message = call.message(channel, "ts")
    bot = call.workspace.bot
    if message.bot_id != bot.bot_id:
        raise Refused("cant_update_message")
    if channel.is_archived or not channel.is_member:
        raise Refused("is_inactive")
    text, blocks = _content(call)
    if len(text) > limits.UPDATED_TEXT:
        raise Refused("msg_too_long")
    if call.flag("reply_broadcast"):
        raise Refused("no_dual_broadcast_content_update")
    metadata = call.structure("metadata")
    after = call.workspace.edit(
        message,
        text=call.as_written(text, channel, default="client") if "text" in call.arguments else message.text,
        blocks=shapes.linked_blocks(blocks or [], call.channels()),
        metadata=message.metadata if metadata is None else limits.checked_metadata(metadata),
        edited=None if blocks else {"user": bot.user_id, "ts": call.workspace.new_ts()},
    )
    return {"channel": channel.id, "ts": after.ts, "text": after.text, "message": _shown(call, after)}


def _content(call: Call) -> tuple[str, list[Json] | None]:
    """Text and blocks of a message, one of them at least."""
    text, markdown, blocks = call.text("text"), call.text("markdown_text"), call.structure("blocks")
    if markdown:
        if text or blocks:
            raise Refused("markdown_text_conflict")
        if len(markdown) > limits.CHARACTERS_IN_MARKDOWN:
            raise Refused("msg_too_long")
    if not (text or markdown or blocks):
        raise Refused("no_text")
    if blocks is None:
        return text or markdown, None
    return text, shapes.with_block_ids(limits.checked_blocks(blocks))


def _shown(call: Call, message: Message) -> Json:
    return shapes.message_json(call.workspace, message, metadata=True)


@_method("pins.add", "channel timestamp", scope="pins:write")
def _pin(call: Call) -> Json:
    message = call.message(call.open_channel(), "timestamp")
    if message.ts in call.workspace.pins:
        raise Refused("already_pinned")
    if len(call.workspace.pins) >= limits.PINS_PER_CHANNEL:
        raise Refused("too_many_pins")
    call.workspace.pin(message)
    return {}
