"""The stand-in's scheduled messages and files: Slack's limits, by Slack's names for them."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.rehearsal.standins.slack import Channel, File, SlackStandin

_DAY = 24 * 60 * 60


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandin]:
    standin = SlackStandin(largest_page=7)
    await standin.start()
    yield standin
    await standin.stop()


@pytest.fixture
def client(slack: SlackStandin) -> AsyncWebClient:
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
    client.proxy = None
    return client


async def _refused(call: Any) -> str:
    with pytest.raises(SlackApiError) as refused:
        await call
    return str(refused.value.response["error"])


async def _kept(client: AsyncWebClient, channel: str, after: float, **changes: Any) -> str:
    answer = await client.chat_scheduleMessage(
        **{"channel": channel, "post_at": int(time.time() + after), "text": "Delete the files.", **changes}
    )
    return str(answer["scheduled_message_id"])


async def test_it_keeps_a_message_for_a_hundred_and_twenty_days_and_no_longer(
    slack: SlackStandin, client: AsyncWebClient
) -> None:
    """Nor for the past, nor more than thirty for five minutes of a channel, nor where it is not."""
    there = slack.channel.id
    assert await _refused(_kept(client, there, 120 * _DAY + 60)) == "time_too_far"
    assert await _refused(_kept(client, there, -1)) == "time_in_past"
    for _ in range(30):
        await _kept(client, there, 120 * _DAY - 60)
    assert await _refused(_kept(client, there, 120 * _DAY - 90)) == "restricted_too_many"
    await _kept(client, there, 120 * _DAY - 600)
    slack.add_channel(Channel("C0AWAY", "away", is_member=False))
    assert await _refused(_kept(client, "C0AWAY", 60)) == "not_in_channel"


async def test_what_is_to_come_is_listed_in_its_order_and_by_channel(
    slack: SlackStandin, client: AsyncWebClient
) -> None:
    """In pages; what was posted or deleted is in it no more."""
    slack.add_channel(Channel("C0OTHER", "other"))
    wanted = [await _kept(client, slack.channel.id, 5000 - 200 * n) for n in range(20)][::-1]
    await _kept(client, "C0OTHER", 300)
    found: list[str] = []
    cursor = None
    while cursor != "":
        page = await client.chat_scheduledMessages_list(channel=slack.channel.id, cursor=cursor)
        found += [message["id"] for message in page["scheduled_messages"]]
        cursor = page["response_metadata"]["next_cursor"]
    assert found == wanted


async def test_a_message_is_deleted_until_a_minute_before_it_comes(slack: SlackStandin, client: AsyncWebClient) -> None:
    """Then, and once it was deleted or posted, Slack knows no such message."""
    there = slack.channel.id
    id_, late = await _kept(client, there, 300), await _kept(client, there, 59)
    await client.chat_deleteScheduledMessage(channel=there, scheduled_message_id=id_)
    for gone in (id_, late, "Q1"):
        deleting = client.chat_deleteScheduledMessage(channel=there, scheduled_message_id=gone)
        assert await _refused(deleting) == "invalid_scheduled_message_id"


async def test_a_message_with_metadata_is_taken_and_never_posted(slack: SlackStandin, client: AsyncWebClient) -> None:
    """A known fault of Slack, which its documentation warns of."""
    await _kept(client, slack.channel.id, 60, metadata={"event_type": "x", "event_payload": {}})
    await _kept(client, slack.channel.id, 60)
    slack.pass_time(time.time() + 61)
    assert [message.text for message in slack.messages] == ["Delete the files."]
    assert slack.scheduled == []


async def test_only_whoever_uploaded_a_file_may_delete_it(slack: SlackStandin, client: AsyncWebClient) -> None:
    """Files are listed by channel, uploader and time, in numbered pages."""
    now = int(time.time())
    for n in range(9):
        slack.add_file(File(id=f"F{n}", name=f"{n}.csv", user="U0BOT", channels=("C0CUTOVER",), created=now - n))
    slack.add_file(File(id="FADA", name="a.csv", user="U0ADA", channels=("C0CUTOVER",), created=now))
    first = await client.files_list(channel="C0CUTOVER", user="U0BOT")
    second = await client.files_list(channel="C0CUTOVER", user="U0BOT", page=2)
    assert [f["id"] for f in (*first["files"], *second["files"])] == [f"F{n}" for n in range(9)]
    assert first["paging"]["pages"] == 2
    assert (await client.files_list(ts_from=str(now), user="U0BOT"))["paging"]["total"] == 1
    assert await _refused(client.files_delete(file="FADA")) == "cant_delete_file"
    await client.files_delete(file="F3")
    assert await _refused(client.files_delete(file="F3")) == "file_deleted"
    assert await _refused(client.files_delete(file="F99")) == "file_not_found"


async def test_each_needs_its_scope() -> None:
    """chat:write for what is posted later, files:read and files:write for files; the list of what is to come none."""
    standin = SlackStandin(scopes={"channels:read"})
    await standin.start()
    try:
        client = AsyncWebClient(token=standin.bot_token, base_url=standin.api_url)
        client.proxy = None
        assert await _refused(_kept(client, standin.channel.id, 60)) == "missing_scope"
        assert await _refused(client.files_list()) == "missing_scope"
        assert await _refused(client.files_delete(file="F1")) == "missing_scope"
        assert (await client.chat_scheduledMessages_list())["scheduled_messages"] == []
    finally:
        await standin.stop()
