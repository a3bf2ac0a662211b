"""The Slack stand-in's buttons, slash commands, user groups and HTTP mode, before a real Bolt app on either transport;
and sockets that die without a word.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from slack_bolt.adapter.socket_mode.websockets import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.port import Port
from bot.rehearsal.standins.slack import DEFAULT_SCOPES, Channel, Person, SlackStandin

ADA, EVE = "U0ADA", "U0EVE"
SECRET = "a-signing-secret"
TRANSPORTS = ["socket", "http"]
BUTTON = {"type": "button", "action_id": "go", "value": "v1", "text": {"type": "plain_text", "text": "Go"}}
BLOCKS = [{"type": "actions", "elements": [BUTTON]}]
Start = Callable[..., Awaitable[SlackStandin]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    started: list[SlackStandin] = []

    async def begin(**options: Any) -> SlackStandin:
        people = [Person(ADA, "Ada Byron"), Person(EVE, "Eve", team_id="T0OTHER", is_stranger=True)]
        standin = SlackStandin(**{"people": people, "posts_per_second": 1000.0, "post_burst": 1000, **options})
        await standin.start()
        started.append(standin)
        return standin

    yield begin
    for standin in started:
        await standin.stop()


def client_of(slack: SlackStandin) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[])


async def asked_by(slack: SlackStandin) -> str:
    """The bot posts a message with a button: its ts."""
    posted = await client_of(slack).chat_postMessage(channel=slack.channel.id, text="go?", blocks=BLOCKS)
    return str(posted["ts"])


@asynccontextmanager
async def bolt(slack: SlackStandin, transport: str) -> AsyncIterator[list[dict[str, Any]]]:
    """A real Bolt app that answers a press with nothing and a command with a word; the list gets what it heard."""
    heard: list[dict[str, Any]] = []
    app = AsyncApp(client=client_of(slack), signing_secret=SECRET)

    async def message(body: dict[str, Any]) -> None:
        heard.append(body)

    async def press(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        heard.append(body)

    async def command(ack: Any, body: dict[str, Any]) -> None:
        await ack(f"heard {body['text']}")
        heard.append(body)

    app.event("message")(message)
    app.action("go")(press)
    app.command("/cutover")(command)
    if transport == "socket":
        handler = AsyncSocketModeHandler(app, slack.app_token)
        await handler.connect_async()
        await slack.wait_until(lambda: slack.connections > 0, 180)
        try:
            yield heard
        finally:
            await handler.close_async()
        return
    runner = web.AppRunner(app.web_app(path="/slack/events"), access_log=None)
    async with Port(runner) as port:
        await slack.set_request_url(f"{port.url}/slack/events", SECRET)
        yield heard


@pytest.mark.parametrize("transport", TRANSPORTS)
class TestWhatPeopleDo:
    async def test_a_press_reaches_a_real_bolt_app(self, start: Start, transport: str) -> None:
        """With who pressed what on which message, and the workspace they belong to."""
        slack = await start()
        async with bolt(slack, transport) as heard:
            ts = await asked_by(slack)
            press = slack.press(EVE, ts, "go")
            await slack.wait_until(lambda: press.acked, 180)
        body = next(body for body in heard if body["type"] == "block_actions")
        assert body["user"] == {"id": EVE, "username": "eve", "name": "eve", "team_id": "T0OTHER"}
        assert body["team"]["id"] == "T0REHEARSAL"
        assert (body["container"]["message_ts"], body["channel"]["id"]) == (ts, slack.channel.id)
        assert body["message"]["ts"] == ts
        (action,) = body["actions"]
        assert (action["action_id"], action["value"], action["type"]) == ("go", "v1", "button")
        assert action["block_id"] == slack.message(ts).blocks[0]["block_id"]
        assert press.response is None

    async def test_a_command_is_answered_to_its_author_alone(self, start: Start, transport: str) -> None:
        """Nothing is in the channel."""
        slack = await start()
        async with bolt(slack, transport) as heard:
            command = slack.command(ADA, "status now")
            await slack.wait_until(lambda: command.acked, 180)
        (body,) = heard
        fields = ("command", "text", "user_id", "team_id", "channel_id", "channel_name")
        assert [body[name] for name in fields] == [
            "/cutover",
            "status now",
            ADA,
            "T0REHEARSAL",
            slack.channel.id,
            "cutover",
        ]
        assert body["trigger_id"]
        assert command.response is not None
        assert command.response["text"] == "heard status now"
        assert slack.messages == []

    async def test_a_command_works_where_the_bot_is_not(self, start: Start, transport: str) -> None:
        """Slack lets it be sent anywhere, and does not tell a private channel's name."""
        slack = await start()
        slack.add_channel(Channel("C0PRIVATE", "secret", is_private=True, is_member=False))
        async with bolt(slack, transport) as heard:
            command = slack.command(ADA, "status", channel="C0PRIVATE")
            await slack.wait_until(lambda: command.acked, 180)
        assert (heard[0]["channel_id"], heard[0]["channel_name"]) == ("C0PRIVATE", "privategroup")

    async def test_each_has_a_trigger_of_its_own_and_keeps_it(self, start: Start, transport: str) -> None:
        """Told again, it is the same press."""
        slack = await start()
        async with bolt(slack, transport) as heard:
            ts = await asked_by(slack)
            press = slack.press(ADA, ts, "go")
            await slack.wait_until(lambda: press.acked, 180)
            presses = [slack.redeliver(press), slack.press(ADA, ts, "go")]
            await slack.wait_until(lambda: all(one.acked for one in presses), 180)
        triggers = [body["trigger_id"] for body in heard if body["type"] == "block_actions"]
        assert len(triggers) == 3
        assert len(set(triggers)) == 2

    async def test_what_nobody_acknowledges_fails_before_its_author(self, start: Start, transport: str) -> None:
        """A button without a listener is not tried again."""
        slack = await start(ack_seconds=0.1)
        async with bolt(slack, transport):
            other = [{"type": "actions", "elements": [BUTTON | {"action_id": "nobody's"}]}]
            posted = await client_of(slack).chat_postMessage(channel=slack.channel.id, text="go?", blocks=other)
            press = slack.press(ADA, str(posted["ts"]), "nobody's")
            await slack.wait_until(lambda: press.given_up, 180)
        assert (press.acked, press.attempts) == (False, 1)

    async def test_a_message_reaches_a_real_bolt_app(self, start: Start, transport: str) -> None:
        """The same event on either transport."""
        slack = await start()
        async with bolt(slack, transport) as heard:
            ts = slack.say(ADA, "frozen")
            await slack.wait_until(lambda: slack.deliveries[0].acked, 180)
        assert (heard[0]["event"]["ts"], heard[0]["event"]["text"]) == (ts, "frozen")


async def test_only_a_button_that_is_there_can_be_pressed(start: Start) -> None:
    """One that an edit has removed only by somebody who has not seen the edit."""
    slack = await start()
    ts = await asked_by(slack)
    with pytest.raises(ValueError, match="no button stop"):
        slack.press(ADA, ts, "stop")
    await client_of(slack).chat_update(channel=slack.channel.id, ts=ts, text="gone")
    with pytest.raises(ValueError, match="no button go"):
        slack.press(ADA, ts, "go")
    assert slack.press(ADA, ts, "go", as_it_was=True).given_up  # nobody is connected


async def test_there_are_no_commands_without_the_scope(start: Start) -> None:
    """An app that was not granted it cannot be sent any."""
    slack = await start(scopes=DEFAULT_SCOPES - {"commands"})
    with pytest.raises(ValueError, match="scope commands"):
        slack.command(ADA, "status")


async def test_groups_are_listed_and_the_disabled_ones_to_those_who_ask(start: Start) -> None:
    """With the date at which a group was disabled; members where they are asked for."""
    slack = await start(groups={"S0OPS": [ADA], "S0OLD": [EVE]})
    slack.disabled_groups.add("S0OLD")
    client = client_of(slack)
    listed = (await client.usergroups_list())["usergroups"]
    assert [(group["id"], group["date_delete"], group["is_external"]) for group in listed] == [("S0OPS", 0, False)]
    listed = (await client.usergroups_list(include_disabled=True, include_users=True))["usergroups"]
    assert [(group["id"], group["date_delete"] > 0, group["users"]) for group in listed] == [
        ("S0OPS", False, [ADA]),
        ("S0OLD", True, [EVE]),
    ]


# -- HTTP mode --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def endpoint(answers: list[web.Response]) -> AsyncIterator[tuple[str, list[web.Request]]]:
    """A server that proves to be the app's and then gives these answers; the last one again and again."""
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.text()
        if body.startswith("{") and "challenge" in json.loads(body):
            return web.json_response({"challenge": json.loads(body)["challenge"]})
        asked.append(request)
        given = answers.pop(0) if len(answers) > 1 else answers[0]
        return web.Response(status=given.status, headers=given.headers, text=given.text)

    app = web.Application()
    app.router.add_post("/", answer)
    async with Port(web.AppRunner(app, access_log=None)) as port:
        yield port.url, asked


def retries(asked: list[web.Request]) -> list[tuple[str, str]]:
    headers = [request.headers for request in asked]
    return [(head.get("X-Slack-Retry-Num", ""), head.get("X-Slack-Retry-Reason", "")) for head in headers]


async def test_what_gets_no_200_comes_again_three_times(start: Start) -> None:
    """With its number and reason in the headers."""
    slack = await start(ack_seconds=0.5)
    async with endpoint([web.Response(status=500)]) as (url, asked):
        await slack.set_request_url(url, SECRET)
        slack.say(ADA, "frozen")
        await slack.wait_until(lambda: slack.deliveries[0].given_up, 180)
    assert retries(asked) == [("", ""), ("1", "http_error"), ("2", "http_error"), ("3", "http_error")]
    assert slack.deliveries[0].attempts == 4


async def test_an_app_can_say_that_it_wants_no_second_try(start: Start) -> None:
    """By a header of its answer."""
    slack = await start(ack_seconds=0.5)
    async with endpoint([web.Response(status=500, headers={"X-Slack-No-Retry": "1"})]) as (url, asked):
        await slack.set_request_url(url, SECRET)
        slack.say(ADA, "frozen")
        await slack.wait_until(lambda: slack.deliveries[0].given_up, 180)
    assert len(asked) == 1


async def test_every_request_is_signed_as_slacks_own_verifier_expects(start: Start) -> None:
    """Events as JSON, presses and commands as forms; another secret does not verify."""
    slack = await start()
    async with endpoint([web.Response(text="")]) as (url, _):
        await slack.set_request_url(url, SECRET)
        slack.say(ADA, "frozen")
        slack.press(ADA, await asked_by(slack), "go")
        slack.command(ADA, "status")
        await slack.wait_until(lambda: len([d for d in slack.deliveries if d.acked]) == 4, 180)
    requests = slack.signed_requests
    assert sorted({request.headers["Content-Type"] for request in requests}) == [
        "application/json",
        "application/x-www-form-urlencoded",
    ]
    for request in requests:
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert SignatureVerifier(SECRET).is_valid_request(request.body, headers)
        assert not SignatureVerifier("another").is_valid_request(request.body, headers)


async def test_an_address_that_does_not_give_the_challenge_back_is_refused(start: Start) -> None:
    """So it is when the app verifies with another secret: it answers 401."""
    slack = await start()
    app = AsyncApp(client=client_of(slack), signing_secret="another")
    async with Port(web.AppRunner(app.web_app(path="/slack/events"), access_log=None)) as port:
        with pytest.raises(ValueError, match="did not give the challenge back"):
            await slack.set_request_url(f"{port.url}/slack/events", SECRET)
    assert slack.deliveries == []


# -- sockets ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def raw_socket(slack: SlackStandin) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    opened = await client_of(slack).apps_connections_open(app_token=slack.app_token)
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(opened["url"], autoping=False)
        assert (await socket.receive_json(timeout=180))["type"] == "hello"
        yield socket
        slack.kill_sockets()


async def test_a_quiet_socket_is_pinged(start: Start) -> None:
    """Slack's own client for Node gives up on a server that does not ping."""
    slack = await start(ping_seconds=0.05)
    async with raw_socket(slack) as socket:
        assert (await socket.receive(timeout=180)).type is WSMsgType.PING


async def test_a_dead_socket_answers_nothing_and_stays_open(start: Start) -> None:
    """As when the other end's machine is gone: no pong, no event, no close."""
    slack = await start()
    async with raw_socket(slack) as socket:
        await socket.ping(b"before")
        assert (await socket.receive(timeout=180)).type is WSMsgType.PONG
        slack.deaden_sockets()
        await socket.ping(b"after")
        slack.say(ADA, "frozen")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.receive(), 0.3)
        assert slack.connections == 1
        assert not socket.closed
