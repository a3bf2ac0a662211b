"""Files that the app uploads: a place for the bytes, the bytes themselves, and their sharing in a channel.

Stricter than Slack where nobody knows: bytes that come with a token, that are not as many as were announced, or that
come twice are refused, and so is the sharing of a file whose bytes never came or that was shared before.
"""

import time
import uuid
from dataclasses import dataclass

from aiohttp import web

from bot.rehearsal.standins.slack import shapes
from bot.rehearsal.standins.slack.call import Call
from bot.rehearsal.standins.slack.limits import Refused
from bot.rehearsal.standins.slack.methods import _method
from bot.rehearsal.standins.slack.workspace import File, Json, Message, Workspace

PATH = "/upload/v1/{ticket}"


@dataclass
class Upload:
    """`content` is None until the bytes have come."""

    file_id: str
    name: str
    length: int
    content: bytes | None = None


@_method("files.getUploadURLExternal", "filename length", "alt_txt snippet_type", scope="files:write")
def _place(call: Call) -> Json:
    length = call.number("length", 0)
    if length <= 0:
        raise Refused("invalid_arguments", "[ERROR] must be greater than 0 [json-pointer:/length]")
    ticket, upload = uuid.uuid4().hex, Upload(f"F{shapes.new_id()}", call.text("filename"), length)
    call.workspace.uploads[ticket] = upload
    address = call.api_url.removesuffix("/api/")
    return {"upload_url": f"{address}{PATH.format(ticket=ticket)}", "file_id": upload.file_id}


async def receive(workspace: Workspace, request: web.Request) -> web.Response:
    """The bytes, at the address that was given for them."""
    upload = workspace.uploads.get(request.match_info["ticket"])
    body = await request.read()
    wrong = (
        upload is None
        or upload.content is not None
        or "Authorization" in request.headers
        or request.content_type != "application/octet-stream"
        or len(body) != upload.length
    )
    if wrong or upload is None:
        return web.Response(status=400, text="Bad Request")
    upload.content = body
    return web.Response(text=f"OK - {len(body)}")


@_method(
    "files.completeUploadExternal",
    "files",
    "channel_id channels thread_ts initial_comment blocks",
    scope="files:write",
)
def _share(call: Call) -> Json:
    """Shared in the channel at once; real Slack takes its time, and names no message either."""
    listed = call.structure("files")
    if not isinstance(listed, list) or not all(isinstance(one, dict) and "id" in one for one in listed):
        raise Refused("invalid_arguments", "[ERROR] must be a list of files [json-pointer:/files]")
    workspace = call.workspace
    channel = workspace.channels.get(call.text("channel_id"))
    if channel is None or (channel.kind != "channel" and not channel.is_member):
        raise Refused("channel_not_found")
    if channel.is_archived or not channel.is_member:
        raise Refused("is_archived" if channel.is_archived else "not_in_channel")
    ready = {upload.file_id: upload for upload in workspace.uploads.values() if upload.content is not None}
    if missing := [one["id"] for one in listed if one["id"] not in ready or one["id"] in workspace.files]:
        raise Refused("file_not_found", f"[ERROR] {missing[0]}")
    thread_ts = call.thread(channel)
    shown: list[Json] = []
    for one in listed:
        upload = ready[one["id"]]
        file = File(
            upload.file_id,
            upload.name,
            workspace.bot.user_id,
            (channel.id,),
            int(time.time()),
            upload.length,
            upload.content or b"",
        )
        workspace.files[file.id] = file
        shown.append({"id": file.id, "name": file.name, "title": one.get("title", file.name), "size": file.size})
    workspace.post(
        Message(
            channel=channel.id,
            ts=workspace.new_ts(),
            user=workspace.bot.user_id,
            bot_id=workspace.bot.bot_id,
            text=call.text("initial_comment"),
            thread_ts=thread_ts,
            extra={"files": shown, "upload": False},
        )
    )
    return {"files": [{"id": file["id"], "title": file["title"]} for file in shown]}
