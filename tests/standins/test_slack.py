"""The Slack stand-in, driven by Slack's own clients and by its documented refusals."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler as AiohttpHandler
from slack_bolt.adapter.socket_mode.websockets import AsyncSocketModeHandler as WebsocketsHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.rehearsal.standins.slack import Channel, Message, Person, SlackStandin

ADA, BOB, EVE = "U0ADA", "U0BOB", "U0EVE"
CHANNEL = "C0CUTOVER"
PEOPLE = [
    Person(ADA, "Ada Byron"),
    Person(BOB, "Bob Guest", is_restricted=True),
    Person(EVE, "Eve Elsewhere", team_id="T0OTHER", is_stranger=True),
]
Start = Callable[..., Awaitable[SlackStandin]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts stand-ins of any kind and stops them when the test is over."""
    started: list[SlackStandin] = []

    async def begin(**options: Any) -> SlackStandin:
        standin = SlackStandin(**{"people": PEOPLE, "posts_per_second": 1000.0, "post_burst": 1000, **options})
        await standin.start()
        started.append(standin)
        return standin

    yield begin
    for standin in started:
        await standin.stop()


@pytest.fixture
async def slack(start: Start) -> SlackStandin:
    return await start()


def client_of(slack: SlackStandin, token: str | None = None, retry_handlers: Any = ()) -> AsyncWebClient:
    token = slack.bot_token if token is None else token
    return AsyncWebClient(token=token, base_url=slack.api_url, retry_handlers=list(retry_handlers))


@pytest.fixture
def client(slack: SlackStandin) -> AsyncWebClient:
    return client_of(slack)


async def refusal(call: Awaitable[Any]) -> str:
    """The name of the error with which Slack refuses."""
    with pytest.raises(SlackApiError) as refused:
        await call
    return str(refused.value.response["error"])


async def complaints(call: Awaitable[Any]) -> tuple[str, list[str]]:
    with pytest.raises(SlackApiError) as refused:
        await call
    return refused.value.response["error"], refused.value.response["response_metadata"]["messages"]


def texts(answer: Any) -> list[str]:
    return [message["text"] for message in answer["messages"]]


@asynccontextmanager
async def bolt(
    slack: SlackStandin, handler_class: Any = WebsocketsHandler, ping_interval: float = 0.05
) -> AsyncIterator[asyncio.Queue[Any]]:
    """A real Bolt app, connected; the queue gets (body, headers) of all that its listeners hear."""
    heard: asyncio.Queue[Any] = asyncio.Queue()
    app = AsyncApp(client=client_of(slack))

    async def listener(body: dict[str, Any], request: Any) -> None:
        heard.put_nowait((body, request.headers))

    app.event("message")(listener)
    app.event("app_mention")(listener)
    handler = handler_class(app, slack.app_token, ping_interval=ping_interval)
    await handler.connect_async()
    await slack.wait_until(lambda: slack.connections > 0, 180)
    try:
        yield heard
    finally:
        await handler.close_async()


async def next_event(heard: asyncio.Queue[Any]) -> dict[str, Any]:
    body, _ = await asyncio.wait_for(heard.get(), 180)
    return dict(body["event"])


@asynccontextmanager
async def raw_socket(slack: SlackStandin) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A client that acknowledges nothing by itself; the hello has been read."""
    opened = await client_of(slack, slack.app_token).apps_connections_open(app_token=slack.app_token)
    async with aiohttp.ClientSession() as session, session.ws_connect(opened["url"]) as socket:
        assert (await socket.receive_json(timeout=180))["type"] == "hello"
        yield socket


both_clients = pytest.mark.parametrize("handler_class", [WebsocketsHandler, AiohttpHandler])


class TestSocketMode:
    @both_clients
    async def test_what_a_person_says_reaches_a_real_bolt_app(self, slack: SlackStandin, handler_class: Any) -> None:
        """A message arrives whole, in Slack's envelope, and is acknowledged."""
        async with bolt(slack, handler_class) as heard:
            ts = slack.say(ADA, "frozen")
            body, headers = await asyncio.wait_for(heard.get(), 180)
            await slack.wait_until(lambda: all(delivery.acked for delivery in slack.deliveries), 180)
        event = body["event"]
        assert (event["type"], event["user"], event["text"], event["ts"]) == ("message", ADA, "frozen", ts)
        assert (event["channel"], event["channel_type"], event["team"]) == (CHANNEL, "channel", slack.team_id)
        assert event["client_msg_id"]
        assert event["blocks"][0]["elements"][0]["elements"] == [{"type": "text", "text": "frozen"}]
        assert not event.keys() & {"subtype", "bot_id", "app_id", "thread_ts"}
        assert body["authorizations"][0]["user_id"] == slack.bot_user_id
        assert body["is_ext_shared_channel"] is False
        assert [str(value) for value in headers.get("x-slack-retry-num", [])] in ([], ["0"])

    @both_clients
    async def test_a_redelivered_event_keeps_its_id_and_says_that_it_is_a_retry(
        self, slack: SlackStandin, handler_class: Any
    ) -> None:
        """The same event id comes again under retry 1, because Slack thought the first one lost."""
        async with bolt(slack, handler_class) as heard:
            ts = slack.say(ADA, "frozen")
            first, _ = await asyncio.wait_for(heard.get(), 180)
            slack.redeliver(ts)
            again, headers = await asyncio.wait_for(heard.get(), 180)
        assert again["event_id"] == first["event_id"]
        assert again["event"] == first["event"]
        assert [str(value) for value in headers["x-slack-retry-num"]] == ["1"]
        assert headers["x-slack-retry-reason"] == ["timeout"]

    @both_clients
    async def test_a_bolt_app_comes_back_when_asked_to_leave(self, slack: SlackStandin, handler_class: Any) -> None:
        """A disconnect frame makes the client open a new connection, on which it hears again."""
        async with bolt(slack, handler_class) as heard:
            slack.send_disconnect("warning")
            await slack.wait_until(lambda: slack.connections_opened == 2 and slack.connections == 1, 180)
            slack.say(ADA, "still there?")
            assert (await next_event(heard))["text"] == "still there?"

    @both_clients
    async def test_a_bolt_app_comes_back_after_its_connection_broke(
        self, slack: SlackStandin, handler_class: Any
    ) -> None:
        """A TCP connection cut without a word is replaced."""
        async with bolt(slack, handler_class) as heard:
            slack.kill_sockets()
            await slack.wait_until(lambda: slack.connections_opened == 2 and slack.connections == 1, 180)
            slack.say(ADA, "still there?")
            assert (await next_event(heard))["text"] == "still there?"

    async def test_a_refused_handshake_costs_a_ticket(self, slack: SlackStandin) -> None:
        """After a refusal the client asks for a new address and gets in."""
        async with bolt(slack) as heard:
            slack.refuse_next_handshakes()
            slack.kill_sockets()
            await slack.wait_until(lambda: slack.connections_opened == 2 and slack.connections == 1, 180)
            assert [call.method for call in slack.calls].count("apps.connections.open") == 3
            slack.say(ADA, "still there?")
            assert (await next_event(heard))["text"] == "still there?"

    async def test_what_is_said_while_nobody_listens_is_only_in_the_history(
        self, slack: SlackStandin, client: AsyncWebClient
    ) -> None:
        """No connection, no event, not even later; unless somebody delivers it late on purpose."""
        missed = slack.say(ADA, "frozen")
        async with bolt(slack) as heard:
            slack.say(ADA, "hello?")
            assert (await next_event(heard))["text"] == "hello?"
            assert texts(await client.conversations_history(channel=CHANNEL)) == ["hello?", "frozen"]
            slack.redeliver(missed)
            assert (await next_event(heard))["ts"] == missed

    async def test_a_lost_event_is_in_the_history_all_the_same(
        self, slack: SlackStandin, client: AsyncWebClient
    ) -> None:
        """The switch loses as many events as it was told, and no message."""
        async with bolt(slack) as heard:
            slack.lose_next_events()
            slack.say(ADA, "frozen")
            slack.say(ADA, "hello?")
            assert (await next_event(heard))["text"] == "hello?"
        assert texts(await client.conversations_history(channel=CHANNEL)) == ["hello?", "frozen"]

    async def test_other_bots_are_heard_in_both_shapes_and_our_own_posts_by_no_listener(
        self, slack: SlackStandin, client: AsyncWebClient
    ) -> None:
        """Old bots carry a subtype and no user, new ones a user and no subtype; Bolt drops what is from itself."""
        async with bolt(slack) as heard:
            await client.chat_postMessage(channel=CHANNEL, text="from ourselves")
            slack.say_as_bot("B0OLD", "frozen")
            slack.say_as_bot("B0NEW", "frozen", user="U0NEWBOT")
            old, new = await next_event(heard), await next_event(heard)
            await slack.wait_until(lambda: all(delivery.acked for delivery in slack.deliveries), 180)
        assert (old["subtype"], old["bot_id"], "user" in old) == ("bot_message", "B0OLD", False)
        assert ("subtype" in new, new["bot_id"], new["user"]) == (False, "B0NEW", "U0NEWBOT")
        assert slack.deliveries[0].payload["event"]["bot_id"] == slack.bot_id

    async def test_edits_and_deletions_are_hidden_events_without_a_speaker(
        self, slack: SlackStandin, client: AsyncWebClient
    ) -> None:
        """Both name the message inside and nobody at the top; the history shows the edit and not the deleted."""
        async with bolt(slack) as heard:
            ts = slack.say(ADA, "ok")
            assert (await next_event(heard))["text"] == "ok"
            slack.edit(ts, "frozen")
            changed = await next_event(heard)
            edited = (await client.conversations_history(channel=CHANNEL))["messages"]
            slack.delete(ts)
            deleted = await next_event(heard)
        assert (changed["subtype"], changed["hidden"], "user" in changed) == ("message_changed", True, False)
        assert (changed["message"]["text"], changed["previous_message"]["text"]) == ("frozen", "ok")
        assert changed["message"]["edited"]["user"] == ADA
        assert (changed["message"]["ts"], changed["ts"] > ts) == (ts, True)
        assert (edited[0]["text"], edited[0]["edited"]["user"]) == ("frozen", ADA)
        assert (deleted["subtype"], deleted["deleted_ts"], "user" in deleted) == ("message_deleted", ts, False)
        assert texts(await client.conversations_history(channel=CHANNEL)) == []
        assert [(message.deleted, message.past[0].text) for message in slack.messages] == [(True, "ok")]

    async def test_a_mention_is_reported_twice(self, slack: SlackStandin) -> None:
        """Once as a message and once as app_mention: two event ids, one ts."""
        async with bolt(slack) as heard:
            ts = slack.say(ADA, f"<@{slack.bot_user_id}> status")
            bodies = [(await asyncio.wait_for(heard.get(), 180))[0] for _ in range(2)]
        assert {body["event"]["type"] for body in bodies} == {"message", "app_mention"}
        assert {body["event"]["ts"] for body in bodies} == {ts}
        assert len({body["event_id"] for body in bodies}) == 2

    async def test_shapes_that_are_no_plain_human_message_can_be_played(self, slack: SlackStandin) -> None:
        """Broadcast replies, workflows, other apps and people of elsewhere look as they do in Slack."""
        async with bolt(slack) as heard:
            parent = slack.say(ADA, "a question")
            slack.say(ADA, "frozen", thread_ts=parent, broadcast=True)
            slack.say(ADA, "frozen", workflow_id="Wf0", app_id="A0OTHER")
            slack.say(EVE, "frozen")
            _, broadcast, workflow = [await next_event(heard) for _ in range(3)]
            foreign, _ = await asyncio.wait_for(heard.get(), 180)
        assert (broadcast["subtype"], broadcast["thread_ts"]) == ("thread_broadcast", parent)
        assert (broadcast["root"]["ts"], broadcast["parent_user_id"]) == (parent, ADA)
        assert (workflow["workflow_id"], workflow["app_id"]) == ("Wf0", "A0OTHER")
        assert foreign["is_ext_shared_channel"] is True
        assert foreign["event"]["team"] == foreign["event"]["user_team"] == "T0OTHER"

    async def test_bolt_loses_an_event_when_its_first_auth_test_fails(self, slack: SlackStandin) -> None:
        """The blip that the bot must guard against: acknowledged, and no listener was called."""
        slack.fail_next("auth.test")
        async with bolt(slack) as heard:
            slack.say(ADA, "lost")
            await slack.wait_until(lambda: len(slack.deliveries) == 1 and slack.deliveries[0].acked, 180)
            slack.say(ADA, "heard")
            assert (await next_event(heard))["text"] == "heard"

    async def test_what_is_not_acknowledged_comes_again_three_times(self, start: Start) -> None:
        """The same event, a new envelope each time, counted from 0; then Slack gives up."""
        slack = await start(ack_seconds=0.05)
        async with raw_socket(slack) as socket:
            slack.say(ADA, "frozen")
            envelopes = [await socket.receive_json(timeout=180) for _ in range(4)]
            await slack.wait_until(lambda: slack.deliveries[0].given_up, 180)
        assert [(e["retry_attempt"], e["retry_reason"]) for e in envelopes] == [
            (0, ""),
            (1, "timeout"),
            (2, "timeout"),
            (3, "timeout"),
        ]
        assert len({e["envelope_id"] for e in envelopes}) == 4
        assert len({e["payload"]["event_id"] for e in envelopes}) == 1

    async def test_an_event_unacknowledged_on_a_broken_connection_comes_again_on_the_next(self, start: Start) -> None:
        """A retry goes to whichever connection is alive then."""
        slack = await start(ack_seconds=0.4)
        async with raw_socket(slack) as socket:
            slack.say(ADA, "frozen")
            first = await socket.receive_json(timeout=180)
        async with raw_socket(slack) as socket:
            second = await socket.receive_json(timeout=180)
            await socket.send_json({"envelope_id": second["envelope_id"]})
            await slack.wait_until(lambda: slack.deliveries[0].acked, 180)
        assert second["payload"] == first["payload"]
        assert second["retry_attempt"] >= 1

    async def test_each_event_goes_to_one_connection_only(self, slack: SlackStandin) -> None:
        """Two connections share the events; the second one gets the message that it is not alone."""
        said = [f"message {number}" for number in range(20)]
        heard: list[str] = []
        async with raw_socket(slack) as one, raw_socket(slack) as two:
            assert slack.connections == 2
            for text in said:
                slack.say(ADA, text)

            async def listen(socket: aiohttp.ClientWebSocketResponse) -> None:
                async for frame in socket:
                    envelope = frame.json()
                    heard.append(envelope["payload"]["event"]["text"])
                    await socket.send_json({"envelope_id": envelope["envelope_id"]})

            listeners = [asyncio.create_task(listen(socket)) for socket in (one, two)]
            await slack.wait_until(lambda: all(delivery.acked for delivery in slack.deliveries), 180)
            for listener in listeners:
                listener.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)
        assert sorted(heard) == sorted(said)

    async def test_the_hello_counts_the_connections(self, slack: SlackStandin) -> None:
        """The first frame tells how many share the app's events, and how long the connection will live."""
        async with raw_socket(slack):
            opened = await client_of(slack).apps_connections_open(app_token=slack.app_token)
            async with aiohttp.ClientSession() as session, session.ws_connect(opened["url"]) as socket:
                hello = await socket.receive_json(timeout=180)
        assert (hello["type"], hello["num_connections"]) == ("hello", 2)
        assert hello["debug_info"]["approximate_connection_time"] > 0

    async def test_a_ticket_opens_one_connection(self, slack: SlackStandin) -> None:
        """Used or made up, it is refused."""
        opened = await client_of(slack).apps_connections_open(app_token=slack.app_token)
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(opened["url"]):
                pass
            for address in (opened["url"], slack.api_url.replace("/api/", "/link/?ticket=guessed")):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await session.ws_connect(address)
                assert refused.value.status == 403
        assert slack.connections_opened == 1


class TestAccess:
    async def test_tokens_are_distinguished(self, slack: SlackStandin) -> None:
        """No token, a wrong one, and each token where the other belongs, are refused by name."""
        assert await refusal(client_of(slack, "").auth_test()) == "not_authed"
        assert await refusal(client_of(slack, "xoxb-wrong").auth_test()) == "invalid_auth"
        assert await refusal(client_of(slack, slack.app_token).auth_test()) == "not_allowed_token_type"
        wrong_kind = client_of(slack).apps_connections_open(app_token=slack.bot_token)
        assert await refusal(wrong_kind) == "not_allowed_token_type"
        assert await refusal(client_of(slack).apps_connections_open(app_token="xapp-wrong")) == "invalid_auth"

    async def test_who_we_are_and_what_we_may(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """auth.test names team, user and bot, and the header lists the scopes."""
        answer = await client.auth_test()
        assert (answer["team_id"], answer["user_id"], answer["bot_id"]) == (slack.team_id, "U0BOT", "B0BOT")
        assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")

    async def test_a_scope_that_is_not_granted_is_named(self, start: Start) -> None:
        """The refusal carries what is needed and what there is, and nothing is posted."""
        slack = await start(scopes=["users:read", "channels:read"])
        client = client_of(slack)
        with pytest.raises(SlackApiError) as refused:
            await client.chat_postMessage(channel=CHANNEL, text="hello")
        answer = refused.value.response
        assert (answer["error"], answer["needed"]) == ("missing_scope", "chat:write")
        assert answer["provided"] == "channels:read,users:read"
        assert await refusal(client.conversations_history(channel=CHANNEL)) == "missing_scope"
        assert slack.messages == []

    async def test_a_scope_that_is_not_granted_brings_no_events(self, start: Start) -> None:
        """Without channels:history nothing said in the channel is delivered."""
        slack = await start(scopes=["app_mentions:read"])
        async with raw_socket(slack) as socket:
            slack.say(ADA, "frozen")
            slack.say(ADA, f"<@{slack.bot_user_id}> status")
            envelope = await socket.receive_json(timeout=180)
            assert envelope["payload"]["event"]["type"] == "app_mention"

    async def test_methods_and_arguments_that_do_not_exist_are_refused(
        self, slack: SlackStandin, client: AsyncWebClient
    ) -> None:
        """The argument is named; team_id, which Bolt adds, is allowed everywhere."""
        assert await refusal(client.api_call("chat.shout", params={"channel": CHANNEL})) == "unknown_method"
        assert await complaints(client.chat_postMessage(channel=CHANNEL, text="x", nonce="1")) == (
            "invalid_arguments",
            ["[ERROR] unknown argument: nonce"],
        )
        assert await complaints(client.api_call("pins.add", params={"channel": CHANNEL})) == (
            "invalid_arguments",
            ["[ERROR] missing required field: timestamp"],
        )
        assert slack.messages == []
        assert (await client.chat_postMessage(channel=CHANNEL, text="x", team_id=slack.team_id))["ok"]

    async def test_arguments_are_read_from_query_form_and_json(self, slack: SlackStandin) -> None:
        """The same call in three dresses has the same effect."""
        arguments = {"channel": CHANNEL, "text": "hello", "metadata": '{"event_type": "e", "event_payload": {"k": 1}}'}
        address, headers = f"{slack.api_url}chat.postMessage", {"Authorization": f"Bearer {slack.bot_token}"}
        as_json = {**arguments, "metadata": json.loads(arguments["metadata"])}
        async with aiohttp.ClientSession(headers=headers) as session:
            for dress in ({"params": arguments}, {"data": arguments}, {"json": as_json}):
                async with session.post(address, **dress) as answer:
                    assert (await answer.json())["ok"], dress
            async with session.post(address, data="{", headers={"Content-Type": "application/json"}) as answer:
                assert (await answer.json())["error"] == "invalid_json"
        assert [(message.text, message.payload) for message in slack.messages] == [("hello", {"k": 1})] * 3

    async def test_channels_that_are_not_ours_are_refused(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """Unknown, not joined, private and unseen, archived: each by its name."""
        slack.add_channel(Channel("C0OPEN", "open", is_member=False))
        slack.add_channel(Channel("C0HIDDEN", "hidden", is_private=True, is_member=False))
        slack.add_channel(Channel("C0OLD", "old", is_archived=True))
        for channel, error in (
            ("C0NOWHERE", "channel_not_found"),
            ("#cutover", "channel_not_found"),
            ("C0OPEN", "not_in_channel"),
            ("C0HIDDEN", "channel_not_found"),
            ("C0OLD", "is_archived"),
        ):
            assert await refusal(client.chat_postMessage(channel=channel, text="x")) == error
        assert await refusal(client.conversations_history(channel="C0OPEN")) == "not_in_channel"
        assert await refusal(client.conversations_info(channel="C0HIDDEN")) == "channel_not_found"
        assert (await client.conversations_info(channel="C0OPEN"))["channel"]["is_member"] is False
        assert slack.messages == []


class TestPosting:
    async def test_a_post_is_answered_with_its_place(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """ts, channel and the message as stored, ours by its bot id."""
        answer = await client.chat_postMessage(
            channel=CHANNEL,
            text="hello",
            blocks=[{"type": "divider"}],
            metadata={"event_type": "cutover_run", "event_payload": {"key": "header"}},
        )
        message = slack.message(answer["ts"])
        assert (answer["channel"], answer["message"]["bot_id"]) == (CHANNEL, slack.bot_id)
        assert answer["message"]["blocks"][0].keys() == {"type", "block_id"}
        assert (message.event_type, message.payload) == ("cutover_run", {"key": "header"})

    async def test_time_stamps_are_unique_and_in_order(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """People and bot share one clock of equal width."""
        stamps = [slack.say(ADA, "x") for _ in range(50)]
        stamps.append((await client.chat_postMessage(channel=CHANNEL, text="x"))["ts"])
        assert stamps == sorted(set(stamps))
        assert {len(ts) for ts in stamps} == {17}

    async def test_an_empty_message_is_refused(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """Text or blocks, one of them; an empty list of blocks is none."""
        for content in ({}, {"text": ""}, {"text": "", "blocks": []}):
            posting = client.api_call("chat.postMessage", json={"channel": CHANNEL, **content})
            assert await refusal(posting) == "no_text"
        assert slack.messages == []

    async def test_a_very_long_text_is_cut_when_posted_and_refused_when_updated(
        self, slack: SlackStandin, client: AsyncWebClient
    ) -> None:
        """40,000 characters are kept with a warning; an update of 4,001 changes nothing."""
        answer = await client.chat_postMessage(channel=CHANNEL, text="x" * 40_001)
        assert answer["response_metadata"]["warnings"] == ["message_truncated"]
        assert len(slack.message(answer["ts"]).text) == 40_000
        assert await refusal(client.chat_update(channel=CHANNEL, ts=answer["ts"], text="x" * 4001)) == "msg_too_long"
        assert slack.message(answer["ts"]).past == ()

    async def test_a_thread_hangs_on_its_parent_only(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """A reply's ts, a made-up one, or one of another channel is no thread."""
        slack.add_channel(Channel("C0ELSE", "else"))
        parent = slack.say(ADA, "question")
        reply = (await client.chat_postMessage(channel=CHANNEL, text="answer", thread_ts=parent))["ts"]
        for channel, ts in ((CHANNEL, reply), (CHANNEL, "1700000000.000001"), ("C0ELSE", parent)):
            posting = client.chat_postMessage(channel=channel, text="x", thread_ts=ts)
            assert await refusal(posting) == "thread_not_found"
        assert [message.thread_ts for message in slack.messages] == [None, parent]

    async def test_posting_faster_than_once_a_second_is_held_up_after_a_burst(self, start: Start) -> None:
        """429 with Retry-After, nothing stored; other channels have their own measure."""
        slack = await start(posts_per_second=0.01, post_burst=3)
        slack.add_channel(Channel("C0ELSE", "else"))
        client = client_of(slack)
        for _ in range(3):
            await client.chat_postMessage(channel=CHANNEL, text="x")
        with pytest.raises(SlackApiError) as refused:
            await client.chat_postMessage(channel=CHANNEL, text="x")
        assert (refused.value.response.status_code, refused.value.response["error"]) == (429, "ratelimited")
        assert 1 <= int(refused.value.response.headers["Retry-After"]) <= 100
        await client.chat_postMessage(channel="C0ELSE", text="x")
        assert len(slack.messages) == 4

    async def test_a_client_that_obeys_the_limit_gets_through(self, slack: SlackStandin) -> None:
        """Slack's own rate-limit handler waits as told and posts once."""
        patient = client_of(slack, retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=1)])
        slack.fail_next("chat.postMessage", "ratelimited")
        await patient.chat_postMessage(channel=CHANNEL, text="x")
        assert [call.answer for call in slack.calls] == ["ratelimited", "ok"]
        assert len(slack.messages) == 1

    async def test_an_update_follows_slacks_rules(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """Blocks go when only text is given, metadata stays unless given, and every version is kept."""
        metadata = {"event_type": "cutover_run", "event_payload": {"status": "waiting"}}
        posted = await client.chat_postMessage(
            channel=CHANNEL, text="one", blocks=[{"type": "divider"}], metadata=metadata
        )
        ts = posted["ts"]
        running = {"event_type": "cutover_run", "event_payload": {"status": "running"}}
        await client.chat_update(channel=CHANNEL, ts=ts, text="two", blocks=[{"type": "divider"}], metadata=running)
        assert (slack.message(ts).payload, slack.message(ts).edited) == ({"status": "running"}, None)
        await client.chat_update(channel=CHANNEL, ts=ts, text="three")
        message = slack.message(ts)
        assert (message.text, message.blocks, message.payload) == ("three", [], {"status": "running"})
        assert message.edited is not None
        assert [version.text for version in message.past] == ["one", "two"]
        assert message.past[0].metadata == metadata
        assert message.past[0].since <= message.past[1].since <= message.since

    async def test_only_our_own_messages_can_be_updated(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """A person's message, a missing one and one in an archived channel stay as they are."""
        theirs = slack.say(ADA, "mine")
        ours = (await client.chat_postMessage(channel=CHANNEL, text="ours"))["ts"]
        assert await refusal(client.chat_update(channel=CHANNEL, ts=theirs, text="x")) == "cant_update_message"
        assert await refusal(client.chat_update(channel=CHANNEL, ts="1.000001", text="x")) == "message_not_found"
        slack.channel.is_archived = True
        assert await refusal(client.chat_update(channel=CHANNEL, ts=ours, text="x")) == "is_inactive"
        assert [message.text for message in slack.messages] == ["mine", "ours"]

    async def test_a_message_is_pinned_once(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """The second time, the answer says that it was."""
        ts = (await client.chat_postMessage(channel=CHANNEL, text="header"))["ts"]
        await client.pins_add(channel=CHANNEL, timestamp=ts)
        assert await refusal(client.pins_add(channel=CHANNEL, timestamp=ts)) == "already_pinned"
        assert slack.pins == [ts]
        assert await refusal(client.pins_add(channel=CHANNEL, timestamp="1.000001")) == "message_not_found"


TABLE_ROW = [{"type": "raw_text", "text": "orders"}, {"type": "raw_number", "value": 12, "text": "12"}]
PLAIN = {"type": "plain_text", "text": "Go"}
CONFIRM = {"title": PLAIN, "text": PLAIN, "confirm": PLAIN, "deny": PLAIN}
BUTTON = {"type": "button", "text": PLAIN, "action_id": "go", "value": "v", "style": "danger", "confirm": CONFIRM}


def mrkdwn(length: int) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": "x" * length}


class TestLimits:
    async def test_every_kind_of_block_is_accepted_at_its_limits(
        self, slack: SlackStandin, client: AsyncWebClient
    ) -> None:
        """What Slack's documentation allows is posted."""
        rich = {"type": "rich_text_section", "elements": [{"type": "text", "text": "x", "style": {"bold": True}}]}
        await client.chat_postMessage(
            channel=CHANNEL,
            text="all",
            blocks=[
                {"type": "header", "text": {"type": "plain_text", "text": "x" * 150, "emoji": True}},
                {"type": "section", "text": mrkdwn(3000), "block_id": "b1", "accessory": BUTTON},
                {"type": "section", "fields": [mrkdwn(100)] * 10},
                {"type": "context", "elements": [mrkdwn(10)] * 10},
                {"type": "divider"},
                {"type": "actions", "elements": [{**BUTTON, "action_id": f"go-{n}"} for n in range(25)]},
                {"type": "image", "image_url": "https://example.com/x.png", "alt_text": "x"},
                {"type": "markdown", "text": "# x"},
                {
                    "type": "rich_text",
                    "elements": [rich, {"type": "rich_text_list", "style": "bullet", "elements": [rich]}],
                },
                {"type": "table", "rows": [TABLE_ROW] * 100, "column_settings": [{"align": "right"}]},
            ],
        )
        await client.chat_postMessage(channel=CHANNEL, text="fifty", blocks=[{"type": "divider"}] * 50)
        assert [len(message.blocks) for message in slack.messages] == [10, 50]

    @pytest.mark.parametrize(
        ("block", "complaint", "place"),
        [
            (
                {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}},
                "must be less than 151 characters",
                "/text/text",
            ),
            ({"type": "header", "text": mrkdwn(1)}, "must be one of: plain_text", "/text/type"),
            ({"type": "section", "text": mrkdwn(3001)}, "must be less than 3001 characters", "/text/text"),
            ({"type": "section", "text": mrkdwn(0)}, "must be more than 0 characters", "/text/text"),
            ({"type": "section"}, "missing required field: text or fields", ""),
            ({"type": "section", "fields": [mrkdwn(1)] * 11}, "no more than 10 items allowed", "/fields"),
            ({"type": "section", "fields": [mrkdwn(2001)]}, "must be less than 2001 characters", "/fields/0/text"),
            ({"type": "context", "elements": [mrkdwn(1)] * 11}, "no more than 10 items allowed", "/elements"),
            ({"type": "context", "elements": []}, "no fewer than 1 items allowed", "/elements"),
            ({"type": "divider", "text": "x"}, "invalid additional property: text", ""),
            ({"type": "divider", "block_id": "x" * 256}, "must be less than 256 characters", "/block_id"),
            ({"type": "marquee"}, "unsupported type: marquee", "/type"),
            (
                {"type": "actions", "elements": [{"type": "button", "text": PLAIN}] * 26},
                "no more than 25 items allowed",
                "/elements",
            ),
            ({"type": "actions", "elements": [BUTTON, BUTTON]}, "action_id already exists", "/elements/1/action_id"),
            (
                {"type": "actions", "elements": [{**BUTTON, "text": {"type": "plain_text", "text": "x" * 76}}]},
                "must be less than 76 characters",
                "/elements/0/text/text",
            ),
            (
                {"type": "actions", "elements": [{**BUTTON, "value": "x" * 2001}]},
                "must be less than 2001 characters",
                "/elements/0/value",
            ),
            (
                {"type": "actions", "elements": [{**BUTTON, "confirm": {**CONFIRM, "text": mrkdwn(301)}}]},
                "must be less than 301 characters",
                "/elements/0/confirm/text/text",
            ),
            ({"type": "markdown", "text": "x" * 12_001}, "must be less than 12001 characters", "/text"),
            ({"type": "table", "rows": [TABLE_ROW] * 101}, "no more than 100 items allowed", "/rows"),
            ({"type": "table", "rows": [TABLE_ROW * 11]}, "no more than 20 items allowed", "/rows/0"),
            ({"type": "table", "rows": [[mrkdwn(1)]]}, "failed to match any allowed schemas", "/rows/0/0"),
            (
                {"type": "table", "rows": [[{"type": "raw_text", "text": ""}]]},
                "must be more than 0 characters",
                "/rows/0/0/text",
            ),
            (
                {"type": "table", "rows": [[{"type": "raw_number", "value": "12", "text": "12"}]]},
                "must be a number",
                "/rows/0/0/value",
            ),
            (
                {"type": "table", "rows": [[{"type": "raw_text", "text": "x" * 501}] * 20]},
                "all cells must be less than 10001 characters",
                "/rows",
            ),
            ({"type": "rich_text", "elements": [{"type": "section"}]}, "unsupported type: section", "/elements/0/type"),
        ],
    )
    async def test_a_block_beyond_its_limit_is_refused_with_its_place(
        self, slack: SlackStandin, client: AsyncWebClient, block: dict[str, Any], complaint: str, place: str
    ) -> None:
        """invalid_blocks, one complaint with a pointer, nothing posted."""
        call = client.chat_postMessage(channel=CHANNEL, text="x", blocks=[block])
        assert await complaints(call) == ("invalid_blocks", [f"[ERROR] {complaint} [json-pointer:/blocks/0{place}]"])
        assert slack.messages == []

    async def test_a_message_of_blocks_has_limits_of_its_own(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """51 blocks, two tables, the same id twice, or 13,201 characters are too much together."""

        async def posted(blocks: Any) -> str:
            return await refusal(client.chat_postMessage(channel=CHANNEL, text="x", blocks=blocks))

        assert await posted([{"type": "divider"}] * 51) == "invalid_blocks"
        assert await posted([{"type": "table", "rows": [TABLE_ROW]}] * 2) == "invalid_attachments"
        assert await posted([{"type": "divider", "block_id": "b"}] * 2) == "invalid_blocks"
        assert await posted([{"type": "markdown", "text": "x" * 6001}] * 2) == "invalid_blocks"
        assert await posted([{"type": "section", "text": mrkdwn(2641)}] * 5) == "msg_blocks_too_long"
        assert await posted({"type": "divider"}) == "invalid_blocks_format"
        assert slack.messages == []

    @pytest.mark.parametrize(
        ("metadata", "error"),
        [
            ({"event_type": "cutover-run", "event_payload": {}}, "invalid_metadata_format"),
            ({"event_type": "cutover_run"}, "invalid_metadata_format"),
            ({"event_type": "cutover_run", "event_payload": [], "extra": 1}, "invalid_metadata_format"),
            ({"event_type": "cutover_run", "event_payload": {"digest": None}}, "invalid_metadata_format"),
            ({"event_type": "cutover_run", "event_payload": {"tables": ["a"]}}, "invalid_metadata_format"),
            ({"event_type": "cutover_run", "event_payload": {"a": {"b": {"c": 1}}}}, "invalid_metadata_format"),
            ({"event_type": "cutover_run", "event_payload": {"a": "x" * 8000}}, "metadata_too_large"),
        ],
    )
    async def test_metadata_that_slack_would_not_keep_is_refused(
        self, slack: SlackStandin, client: AsyncWebClient, metadata: dict[str, Any], error: str
    ) -> None:
        """Its type is letters, digits and underscores, its values are flat or one level deep, its size is bounded."""
        assert await refusal(client.chat_postMessage(channel=CHANNEL, text="x", metadata=metadata)) == error
        assert slack.messages == []


class TestReading:
    async def test_the_history_is_newest_first_and_without_replies(
        self, slack: SlackStandin, client: AsyncWebClient
    ) -> None:
        """Of the replies only those also sent to the channel are in it."""
        parent = slack.say(ADA, "parent")
        slack.say(ADA, "reply", thread_ts=parent)
        await client.chat_postMessage(channel=CHANNEL, text="shown too", thread_ts=parent, reply_broadcast=True)
        slack.say(BOB, "last")
        answer = await client.conversations_history(channel=CHANNEL)
        assert texts(answer) == ["last", "shown too", "parent"]
        assert (answer["messages"][2]["reply_count"], answer["messages"][2]["thread_ts"]) == (2, parent)
        assert answer["has_more"] is False
        thread = await client.conversations_replies(channel=CHANNEL, ts=parent)
        assert texts(thread) == ["parent", "reply", "shown too"]

    async def test_bounds_are_exclusive_unless_asked(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """oldest and latest themselves belong only to an inclusive window."""
        stamps = [slack.say(ADA, str(number)) for number in range(5)]
        window = {"channel": CHANNEL, "oldest": stamps[1], "latest": stamps[3]}
        assert texts(await client.conversations_history(**window)) == ["2"]  # type: ignore[arg-type]
        assert texts(await client.conversations_history(**window, inclusive=True)) == ["3", "2", "1"]  # type: ignore[arg-type]
        assert await refusal(client.conversations_history(channel=CHANNEL, oldest="now")) == "invalid_ts_oldest"
        assert await refusal(client.conversations_history(channel=CHANNEL, limit=1000)) == "invalid_limit"

    async def test_pages_are_followed_by_cursor(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """The SDK's own iteration sees everything once, in history and in a thread."""
        parent = slack.say(ADA, "parent")
        for number in range(5):
            slack.say(ADA, f"reply {number}", thread_ts=parent)
        for number in range(5):
            slack.say(ADA, f"top {number}")
        history = [texts(page) async for page in await client.conversations_history(channel=CHANNEL, limit=4)]
        assert history == [["top 4", "top 3", "top 2", "top 1"], ["top 0", "parent"]]
        thread = [texts(p) async for p in await client.conversations_replies(channel=CHANNEL, ts=parent, limit=3)]
        assert thread == [["parent", "reply 0", "reply 1", "reply 2"], ["reply 3", "reply 4"]]
        assert await refusal(client.conversations_history(channel=CHANNEL, cursor="guess")) == "invalid_cursor"

    async def test_metadata_is_shown_to_those_who_ask(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """Only include_all_metadata brings it."""
        metadata = {"event_type": "cutover_run", "event_payload": {"key": "k"}}
        await client.chat_postMessage(channel=CHANNEL, text="x", metadata=metadata)
        plain = await client.conversations_history(channel=CHANNEL)
        full = await client.conversations_history(channel=CHANNEL, include_all_metadata=True)
        assert "metadata" not in plain["messages"][0]
        assert full["messages"][0]["metadata"] == metadata

    async def test_a_thread_is_asked_for_by_its_parent(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """A message without replies is a thread of one; a reply is none."""
        parent = slack.say(ADA, "alone")
        assert texts(await client.conversations_replies(channel=CHANNEL, ts=parent)) == ["alone"]
        reply = slack.say(ADA, "reply", thread_ts=parent)
        assert await refusal(client.conversations_replies(channel=CHANNEL, ts=reply)) == "thread_not_found"

    async def test_people_and_groups_are_shown_as_they_are(self, start: Start) -> None:
        """Flags, teams and members; unknown ones are refused."""
        slack = await start(groups={"S0LEADS": [ADA, BOB]})
        client = client_of(slack)
        assert (await client.users_info(user=ADA))["user"]["team_id"] == slack.team_id
        assert (await client.users_info(user=BOB))["user"]["is_restricted"] is True
        assert (await client.users_info(user=EVE))["user"]["team_id"] == "T0OTHER"
        assert (await client.users_info(user=slack.bot_user_id))["user"]["is_bot"] is True
        assert await refusal(client.users_info(user="U0NOBODY")) == "user_not_found"
        assert (await client.usergroups_users_list(usergroup="S0LEADS"))["users"] == [ADA, BOB]
        assert await refusal(client.usergroups_users_list(usergroup="S0NONE")) == "no_such_subteam"


class TestBadNights:
    async def test_a_stored_post_whose_answer_is_lost_is_posted_twice_by_a_client_that_repeats(
        self, slack: SlackStandin
    ) -> None:
        """The SDK's default handler repeats after a broken connection: the trap the bot must avoid."""
        slack.drop_after_next_post()
        repeating = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
        await repeating.chat_postMessage(channel=CHANNEL, text="x")
        assert [message.text for message in slack.messages] == ["x", "x"]

    async def test_the_answer_to_a_chosen_post_can_be_lost(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """Only the post that matches is stored without an answer, once."""
        slack.drop_after_next_post(lambda message: message.payload.get("key") == "second")
        for key in ("first", "second", "second"):
            metadata = {"event_type": "cutover_run", "event_payload": {"key": key}}
            posting = client.chat_postMessage(channel=CHANNEL, text=key, metadata=metadata)
            if len(slack.messages) == 1:
                with pytest.raises(aiohttp.ClientError):
                    await posting
            else:
                await posting
        assert [message.text for message in slack.messages] == ["first", "second", "second"]
        assert [call.answer for call in slack.calls] == ["ok", "dropped after it was stored", "ok"]

    async def test_slacks_own_trouble_leaves_nothing_behind(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """Pages of HTML, plain text, errors by name and broken connections, each for as many calls as switched on."""
        for fault in ("html_500", "text_503", "fatal_error"):
            slack.fail_next("chat.postMessage", fault)
        slack.fail_next("chat.postMessage", "drop")
        outcomes: list[Any] = []
        for _ in range(3):
            with pytest.raises(SlackApiError) as refused:
                await client.chat_postMessage(channel=CHANNEL, text="x")
            outcomes.append((refused.value.response.status_code, refused.value.response.data))
        assert outcomes == [
            (500, {}),
            (503, "upstream connect error"),
            (200, {"ok": False, "error": "fatal_error"}),
        ]
        with pytest.raises(aiohttp.ClientError):
            await client.chat_postMessage(channel=CHANNEL, text="x")
        assert slack.messages == []
        await client.chat_postMessage(channel=CHANNEL, text="x")
        assert len(slack.messages) == 1

    async def test_a_blip_is_for_one_method(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """users.info fails once; everything else goes on."""
        slack.fail_next("users.info")
        assert (await client.auth_test())["ok"]
        assert await refusal(client.users_info(user=ADA)) == "internal_error"
        assert (await client.users_info(user=ADA))["ok"]


class TestSteering:
    async def test_waiting_catches_a_state_that_lasts_an_instant(
        self, slack: SlackStandin, client: AsyncWebClient
    ) -> None:
        """The waiter gets the message as it was when it matched, whatever became of it since."""
        ts = (await client.chat_postMessage(channel=CHANNEL, text="waiting"))["ts"]
        waiting = asyncio.create_task(slack.wait_for(lambda message: message.text == "verifying", 180))
        await asyncio.sleep(0)
        await client.chat_update(channel=CHANNEL, ts=ts, text="verifying")
        await client.chat_update(channel=CHANNEL, ts=ts, text="passed")
        assert (await waiting).text == "verifying"
        assert (await slack.wait_for(lambda message: message.text == "passed", 180)).ts == ts

    async def test_waiting_in_vain_shows_what_was_said_instead(self, slack: SlackStandin) -> None:
        """The time-out quotes the channel's last words."""
        slack.say(ADA, "good night")
        with pytest.raises(TimeoutError) as timeout:
            await slack.wait_for(lambda message: message.text == "frozen", 0.01)
        assert str(timeout.value) == "no such message within 0.01 s; the last ones: good night"

    async def test_a_wrong_question_fails_its_asker_and_nobody_else(
        self, slack: SlackStandin, client: AsyncWebClient
    ) -> None:
        """A predicate that raises ends its own wait; the post that met it succeeds."""

        def wrong(message: Message) -> bool:
            return bool(message.payload["key"])

        waiting = asyncio.create_task(slack.wait_for(wrong, 180))
        await asyncio.sleep(0)
        assert (await client.chat_postMessage(channel=CHANNEL, text="x"))["ok"]
        with pytest.raises(KeyError):
            await waiting

    async def test_the_channel_can_be_followed_live(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """A listener gets everything in order, with what was there before."""
        seen: list[tuple[str, str, str]] = []
        slack.on_change(
            lambda change: seen.append((change.kind, change.before.text if change.before else "", change.message.text))
        )
        ts = (await client.chat_postMessage(channel=CHANNEL, text="one"))["ts"]
        await client.chat_update(channel=CHANNEL, ts=ts, text="two")
        await client.pins_add(channel=CHANNEL, timestamp=ts)
        slack.delete(slack.say(ADA, "oops"))
        assert seen == [
            ("posted", "", "one"),
            ("edited", "one", "two"),
            ("pinned", "two", "two"),
            ("posted", "", "oops"),
            ("deleted", "oops", "oops"),
        ]

    async def test_calls_are_recorded_without_tokens(self, slack: SlackStandin, client: AsyncWebClient) -> None:
        """Method, arguments and how it was answered."""
        await client.chat_postMessage(channel=CHANNEL, text="x")
        await refusal(client.users_info(user="U0NOBODY"))
        assert [(call.method, call.arguments, call.answer) for call in slack.calls] == [
            ("chat.postMessage", {"channel": CHANNEL, "text": "x"}, "ok"),
            ("users.info", {"user": "U0NOBODY"}, "user_not_found"),
        ]

    async def test_nobody_unknown_speaks_and_nothing_unknown_is_answered(self, slack: SlackStandin) -> None:
        """A script's own mistakes are reported to the script."""
        with pytest.raises(ValueError, match="nobody has the id U0NOBODY"):
            slack.say("U0NOBODY", "frozen")
        with pytest.raises(ValueError, match=r"1\.000001 is no parent of a thread"):
            slack.say(ADA, "frozen", thread_ts="1.000001")
        with pytest.raises(ValueError, match=r"there is no method chat\.shout"):
            slack.fail_next("chat.shout")
        assert slack.messages == []
