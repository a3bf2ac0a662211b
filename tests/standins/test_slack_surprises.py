"""What the real Slack does though nobody would expect it, and the stand-in with it."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.rehearsal.standins.slack import Person, SlackStandin
from bot.rehearsal.standins.slack.reading import blocks_of_code, seen
from tests.standins.test_slack import ADA, CHANNEL, client_of, raw_socket, refusal, texts

_MANY = 30
"""Each of three more tries takes either connection by chance, so that one word may find the silent one every time."""


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandin]:
    standin = SlackStandin(
        people=[Person(ADA, "Ada")], posts_per_second=1000.0, post_burst=1000, ack_seconds=0.2, ghost_seconds=0.5
    )
    await standin.start()
    yield standin
    await standin.stop()


@pytest.fixture
def client(slack: SlackStandin) -> AsyncWebClient:
    return client_of(slack)


def told(slack: SlackStandin) -> list[dict[str, Any]]:
    return [delivery.payload["event"] for delivery in slack.deliveries]


async def test_with_oldest_alone_the_pages_begin_at_the_oldest(slack: SlackStandin, client: AsyncWebClient) -> None:
    """Each page is newest first, and the newest message is on the last one. With `latest`, or neither, it is not so."""
    for number in range(5):
        slack.say(ADA, str(number))
    pages = [texts(p) async for p in await client.conversations_history(channel=CHANNEL, oldest="0", limit=2)]
    assert pages == [["1", "0"], ["3", "2"], ["4"]]
    window = {"channel": CHANNEL, "oldest": "0", "latest": "9999999999", "limit": 2}
    assert texts(await client.conversations_history(**window)) == ["4", "3"]  # type: ignore[arg-type]
    assert texts(await client.conversations_history(channel=CHANNEL, limit=2)) == ["4", "3"]


async def test_only_the_lists_say_that_a_parent_has_replies(slack: SlackStandin, client: AsyncWebClient) -> None:
    """Neither the answer to an edit nor an event tells it, and no reply does."""
    async with raw_socket(slack):
        parent = str((await client.chat_postMessage(channel=CHANNEL, text="gate"))["ts"])
        for word in ("one", "two"):
            reply = slack.say(ADA, word, parent)
        edited = await client.chat_update(channel=CHANNEL, ts=parent, text="gate, edited")
        [listed] = (await client.conversations_history(channel=CHANNEL))["messages"]
        first, *rest = (await client.conversations_replies(channel=CHANNEL, ts=parent))["messages"]
    assert (listed["reply_count"], listed["latest_reply"], listed["thread_ts"]) == (2, reply, parent)
    assert (first["reply_count"], first["latest_reply"]) == (2, reply)
    others = [edited["message"], *rest, *told(slack), *(e["message"] for e in told(slack) if "message" in e)]
    assert not any("reply_count" in shown or "latest_reply" in shown for shown in others)


async def test_a_reply_to_a_deleted_parent_is_put_into_the_channel(slack: SlackStandin, client: AsyncWebClient) -> None:
    """It is `ok`, and only the thread that is missing in the answer tells."""
    parent = slack.say(ADA, "question")
    answered = await client.chat_postMessage(channel=CHANNEL, text="a", thread_ts=parent)
    assert answered["message"]["thread_ts"] == parent
    slack.delete(parent)
    stray = await client.chat_postMessage(channel=CHANNEL, text="b", thread_ts=parent)
    assert stray["ok"] is True and "thread_ts" not in stray["message"]
    assert slack.message(stray["ts"]).thread_ts is None
    unknown = client.chat_postMessage(channel=CHANNEL, text="c", thread_ts="1700000000.000001")
    assert await refusal(unknown) == "thread_not_found"


async def test_a_deleted_parent_with_replies_is_a_tombstone(slack: SlackStandin, client: AsyncWebClient) -> None:
    """Slack tells of an edit; the history shows it, and its replies can be read. Without replies nothing is left."""
    async with raw_socket(slack):
        alone, parent = slack.say(ADA, "alone"), slack.say(ADA, "parent")
        slack.say(ADA, "reply", parent)
        slack.delete(alone)
        slack.delete(parent)
    gone, edit = told(slack)[-2:]
    assert (gone["subtype"], gone["deleted_ts"]) == ("message_deleted", alone)
    assert (edit["subtype"], edit["message"]["subtype"], edit["message"]["ts"]) == (
        "message_changed",
        "tombstone",
        parent,
    )
    [left] = (await client.conversations_history(channel=CHANNEL))["messages"]
    assert (left["subtype"], left["user"], left["hidden"], left["reply_count"]) == ("tombstone", "USLACKBOT", True, 1)
    assert texts(await client.conversations_replies(channel=CHANNEL, ts=parent))[1:] == ["reply"]
    assert await refusal(client.chat_update(channel=CHANNEL, ts=parent, text="x")) == "message_not_found"


async def test_pins_are_full_after_a_hundred(slack: SlackStandin, client: AsyncWebClient) -> None:
    """The next is refused until a pinned one is gone."""
    stamps = [slack.say(ADA, str(number)) for number in range(101)]
    for ts in stamps[:100]:
        await client.pins_add(channel=CHANNEL, timestamp=ts)
    assert await refusal(client.pins_add(channel=CHANNEL, timestamp=stamps[100])) == "too_many_pins"
    assert (await client.conversations_history(channel=CHANNEL, limit=1))["pin_count"] == 100
    slack.delete(stamps[0])
    await client.pins_add(channel=CHANNEL, timestamp=stamps[100])


async def test_an_edit_makes_links_unless_it_is_told_not_to(slack: SlackStandin, client: AsyncWebClient) -> None:
    """A post does not by itself; mrkdwn in blocks does in both, but for what is verbatim or code."""
    said = "see https://a.example/b, #cutover or #elsewhere @here `https://c.example`"
    linked = "see <https://a.example/b,> <#C0CUTOVER> or #elsewhere <!here> `https://c.example`"
    ts = (await client.chat_postMessage(channel=CHANNEL, text=said))["ts"]
    assert slack.message(ts).text == said
    await client.chat_update(channel=CHANNEL, ts=ts, text=said)
    assert slack.message(ts).text == linked
    await client.chat_update(channel=CHANNEL, ts=ts, text=said, parse="none")
    assert slack.message(ts).text == said
    section = {"type": "section", "text": {"type": "mrkdwn", "text": said}}
    verbatim = {"type": "section", "text": {"type": "mrkdwn", "text": said, "verbatim": True}}
    ts = (await client.chat_postMessage(channel=CHANNEL, text="x", blocks=[section, verbatim]))["ts"]
    assert [block["text"]["text"] for block in slack.message(ts).blocks] == [linked, said]


async def test_a_connection_that_ends_without_a_farewell_is_counted_for_a_while(slack: SlackStandin) -> None:
    """One that was closed in order is not, nor one that Slack itself broke."""
    async with raw_socket(slack):
        pass
    await slack.wait_until(lambda: slack.connections == 0, 180)
    assert slack.ghosts == 0
    async with raw_socket(slack):
        slack.kill_sockets()
        await slack.wait_until(lambda: slack.connections == 0, 180)
    assert slack.ghosts == 0
    async with raw_socket(slack) as socket:
        socket._response.connection.transport.abort()
        await slack.wait_until(lambda: slack.connections == 0, 180)
    assert slack.ghosts == 1
    opened = await client_of(slack).apps_connections_open(app_token=slack.app_token)
    async with aiohttp.ClientSession() as session, session.ws_connect(str(opened["url"])) as other:
        assert (await other.receive_json(timeout=180))["num_connections"] == 2


async def test_a_silent_connection_is_well_and_brings_nothing(slack: SlackStandin) -> None:
    """It answers pings; of what is said, whatever is sent again over the next one comes by that."""
    async with raw_socket(slack) as silent:
        slack.silence_sockets()
        said = [slack.say(ADA, f"word {number}") for number in range(_MANY)]
        await silent.ping(b"there?")
        async with raw_socket(slack) as other:
            frame = await other.receive_json(timeout=180)
            assert frame["payload"]["event"]["ts"] in said
            assert frame["retry_attempt"] >= 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a *bold* word, _slanted_ and ~gone~", "a bold word, slanted and gone"),
        ("count(*) FILTER (WHERE x ~* 'y')", "count() FILTER (WHERE x ~ 'y')"),
        ("snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"),
        ("`count(*) ~* x`", "count(*) ~* x"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("<https://a.example|here> <@U0ADA>", "here @U0ADA"),
        ("a <b> c", "a b c"),
    ],
)
def test_what_a_reader_sees_and_copies(text: str, shown: str) -> None:
    """Marks format, brackets name, entities are characters."""
    assert seen(text) == shown


def test_a_fence_is_copied_as_it_is() -> None:
    """Nothing in it is formatted, and the line ends at its edges are not part of it."""
    text = "*Copy:*\n```\nSELECT count(*), '&lt;*a*&gt;';\n  x ~* y\n```\nand\n```\nEND\n```"
    assert blocks_of_code(text) == ["SELECT count(*), '<*a*>';\n  x ~* y", "END"]
