"""A file put into a thread, once: Slack gives a place for its bytes, takes them there, and then shares it.

Of the three calls only the last is seen by anybody, so only its outcome can be unknown: then the file is looked for by
its name, among our own messages in the thread. Slack shares a file some time after it has said that it will, and its
answer does not name the message: the file's id stands for it.

    files.getUploadURLExternal, then POST of the bytes without our token, then files.completeUploadExternal
    https://docs.slack.dev/messaging/working-with-files#upload
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from pydantic import ValidationError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import ServiceUnreachable
from bot.loopback import is_this_machine
from bot.slack.calls import Identity, Refused, asked, done, understood
from bot.slack.payloads import Sharing, UploadPlace

_TIMEOUT_SECONDS = 60
_NOT_SHARED = "no file was shared"


async def share(
    client: AsyncWebClient, *, channel: str, thread_ts: str | None, name: str, content: bytes, comment: str
) -> str:
    """The file's id. Raises OutcomeUnknown when it may have been shared, Refused, and ServiceUnreachable."""
    answer = await asked(client.files_getUploadURLExternal(filename=name, length=len(content)), "take a file")
    place = understood(UploadPlace, answer, "where to put a file")
    await _send(client, place.upload_url, content)
    sharing = client.files_completeUploadExternal(
        files=[{"id": place.file_id, "title": name}], channel_id=channel, thread_ts=thread_ts, initial_comment=comment
    )
    await done(sharing, "share a file")
    return place.file_id


async def _send(client: AsyncWebClient, url: str, content: bytes) -> None:
    address = urlsplit(url)
    local = is_this_machine(address.hostname or "")
    if address.scheme != "https" and not local:
        raise Refused("upload_address", "Slack named an address without encryption for a file", do="try again later")
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    headers = {"Content-Type": "application/octet-stream"}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(
                url, data=content, headers=headers, allow_redirects=False, proxy=None if local else client.proxy
            ) as answer,
        ):
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _unreachable(type(error).__name__) from error
    if 400 <= status < 500 and status != 429:
        raise Refused(f"http_{status}", "Slack refused the bytes of a file", do="look at the bot's log")
    if status != 200:
        raise _unreachable(f"HTTP {status}")


def _unreachable(why: str) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"Slack did not take the bytes of a file ({why})", unchanged=_NOT_SHARED, do="it is tried again"
    )


def shared(message: Mapping[str, Any], name: str, identity: Identity) -> str | None:
    """The id of the file of this name that this message of ours shares."""
    try:
        found = Sharing.model_validate(message)
    except ValidationError:
        return None
    if identity.bot_id != found.bot_id and identity.bot_user != found.user:
        return None
    return next((file.id for file in found.files if file.name == name), None)
