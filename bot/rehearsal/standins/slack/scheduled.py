"""Messages that Slack keeps and posts later (chat.scheduleMessage and its like), and the files that an app uploaded.

`post_what_is_due` is given the time: nobody waits for months. As in Slack, a message that carries metadata is
taken, and never posted.
"""

import time

from bot.rehearsal.standins.slack import limits, shapes
from bot.rehearsal.standins.slack.call import Call
from bot.rehearsal.standins.slack.limits import Refused
from bot.rehearsal.standins.slack.methods import _content, _method
from bot.rehearsal.standins.slack.workspace import File, Json, Message, Scheduled, Workspace

_FIVE_MINUTES = 5 * 60
_MOST_FILES = 100


@_method(
    "chat.scheduleMessage",
    "channel post_at",
    "text blocks markdown_text thread_ts reply_broadcast metadata mrkdwn parse link_names unfurl_links unfurl_media",
    scope="chat:write",
)
def _schedule(call: Call) -> Json:
    channel, post_at = call.open_channel(), call.number("post_at", 0)
    text, blocks = _content(call)
    now = int(time.time())
    if post_at <= now:
        raise Refused("time_in_past")
    if post_at > now + limits.SCHEDULED_SECONDS_AHEAD:
        raise Refused("time_too_far")
    kept = call.workspace.scheduled
    near = [m for m in kept.values() if m.channel == channel.id and abs(m.post_at - post_at) < _FIVE_MINUTES]
    if len(near) >= limits.SCHEDULED_WITHIN_FIVE_MINUTES:
        raise Refused("restricted_too_many")
    metadata = call.structure("metadata")
    message = Scheduled(
        id=f"Q{call.workspace.new_ts().replace('.', '')}",
        channel=channel.id,
        post_at=post_at,
        text=call.as_written(text[: limits.POSTED_TEXT], channel, default="none"),
        blocks=shapes.linked_blocks(blocks or [], call.channels()),
        created=now,
        has_metadata=bool(metadata) and limits.checked_metadata(metadata) is not None,
    )
    kept[message.id] = message
    return {
        "channel": channel.id,
        "scheduled_message_id": message.id,
        "post_at": post_at,
        "message": {"text": message.text},
    }


@_method("chat.scheduledMessages.list", "", "channel latest oldest limit cursor")
def _list(call: Call) -> Json:
    """Those that are still to come, the next one first."""
    channel = call.text("channel") and call.channel().id
    shown = sorted(
        (m for m in call.workspace.scheduled.values() if channel in ("", m.channel)), key=lambda m: (m.post_at, m.id)
    )
    after = call.text("cursor")
    rest = [m for m in shown if (f"{m.post_at:012}", m.id) > tuple(after.split(":", 1))] if after else shown
    page = rest[: min(call.number("limit", 100), call.largest_page)]
    more = f"{page[-1].post_at:012}:{page[-1].id}" if len(page) < len(rest) else ""
    return {
        "scheduled_messages": [
            {"id": m.id, "channel_id": m.channel, "post_at": m.post_at, "date_created": m.created, "text": m.text}
            for m in page
        ],
        "response_metadata": {"next_cursor": more},
    }


@_method("chat.deleteScheduledMessage", "channel scheduled_message_id", "as_user", scope="chat:write")
def _unschedule(call: Call) -> Json:
    message = call.workspace.scheduled.get(call.text("scheduled_message_id"))
    late = message is not None and message.post_at - time.time() < limits.SCHEDULED_LOCKED_SECONDS
    if message is None or late or message.channel != call.channel().id:
        raise Refused("invalid_scheduled_message_id")
    del call.workspace.scheduled[message.id]
    return {}


def post_what_is_due(workspace: Workspace, now: float) -> None:
    """As Slack does when it is `now`, in seconds since 1970."""
    for message in sorted(workspace.scheduled.values(), key=lambda m: m.post_at):
        channel = workspace.channels[message.channel]
        if message.post_at > now:
            continue
        del workspace.scheduled[message.id]
        if message.has_metadata or channel.is_archived or not channel.is_member:
            continue
        workspace.post(
            Message(
                channel=channel.id,
                ts=workspace.new_ts(),
                user=workspace.bot.user_id,
                bot_id=workspace.bot.bot_id,
                text=message.text,
                blocks=message.blocks,
            )
        )


@_method("files.list", "", "channel user types ts_from ts_to count page show_files_hidden_by_limit", scope="files:read")
def _files(call: Call) -> Json:
    """Newest first, in numbered pages."""
    channel, user = call.text("channel"), call.text("user")
    shown = [
        file
        for file in sorted(call.workspace.files.values(), key=lambda f: (f.created, f.id), reverse=True)
        if (not channel or channel in file.channels)
        and (not user or file.user == user)
        and call.number("ts_from", 0) <= file.created <= call.number("ts_to", 2**40)
    ]
    count = min(call.number("count", _MOST_FILES), _MOST_FILES, call.largest_page)
    page, pages = call.number("page", 1), max(1, -(-len(shown) // count))
    return {
        "files": [_file_json(file) for file in shown[(page - 1) * count : page * count]],
        "paging": {"count": count, "total": len(shown), "page": page, "pages": pages},
    }


def _file_json(file: File) -> Json:
    return {
        "id": file.id,
        "name": file.name,
        "title": file.name,
        "user": file.user,
        "created": file.created,
        "size": file.size,
        "channels": list(file.channels),
    }


@_method("files.delete", "file", scope="files:write")
def _delete_file(call: Call) -> Json:
    """Only whoever uploaded a file may delete it."""
    name = call.text("file")
    if name in call.workspace.deleted_files:
        raise Refused("file_deleted")
    file = call.workspace.files.get(name)
    if file is None:
        raise Refused("file_not_found")
    if file.user != call.workspace.bot.user_id:
        raise Refused("cant_delete_file")
    del call.workspace.files[name]
    call.workspace.deleted_files.add(name)
    return {}
