"""The ear: over a real socket and over signed HTTP, people are heard, nothing else is, and all is acknowledged."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from bot.errors import ServiceRefused, UsageError
from bot.plan.inputs import Hear
from bot.rehearsal.standins.slack import DEFAULT_SCOPES, Channel, Delivery
from bot.slack.calls import LIBRARY_LOG, Identity, identify
from bot.slack.client import connect
from bot.slack.inbound.http_mode import HttpListener
from bot.slack.inbound.listener import SocketListener

ADA, BOB, EVE = "U0ADA", "U0BOB", "U0EVE"
RUN = "20241124-ab12"
SECRET = "signing-secret-of-a-test"
Open = Callable[..., Awaitable[Any]]


class Ear:
    """What came in, and a way to wait for it."""

    def __init__(self) -> None:
        self.heard: list[Hear] = []
        self.deleted: list[str] = []
        self.connections = 0
        self.second_instances: list[int] = []
        self.failures: list[BaseException] = []
        self.deaf = 0
        """How many messages are refused before one is kept."""
        self._stirred = asyncio.Event()

    def hear(self, hear: Hear) -> None:
        if self.deaf:
            self.deaf -= 1
            raise OSError("the disk is full")
        self.heard.append(hear)
        self._stirred.set()

    def lose(self, ts: str) -> None:
        self.deleted.append(ts)
        self._stirred.set()

    def connected(self) -> None:
        self.connections += 1
        self._stirred.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(180):
            while not condition():
                self._stirred.clear()
                await self._stirred.wait()


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
async def listen(ear: Ear) -> AsyncIterator[Open]:
    """Opens listeners over the socket and closes them when the test is over."""
    opened: list[SocketListener] = []

    async def begin(slack: Any, **options: Any) -> SocketListener:
        client = connect(slack.bot_token, slack.api_url)
        identity = await identify(client, channel=slack.channel.id, app_token=None)
        values = {"app_token": slack.app_token, "ping_seconds": 0.1, **options}
        listener = SocketListener(
            identity,
            client=client,
            channel=slack.channel.id,
            run_id=RUN,
            api_url=slack.api_url,
            heard=ear.hear,
            deleted=ear.lose,
            reconnected=ear.connected,
            second_instance=ear.second_instances.append,
            failed=ear.failures.append,
            **values,
        )
        opened.append(listener)
        await listener.start()
        return listener

    yield begin
    for listener in opened:
        await listener.stop()


async def test_a_person_is_heard_and_the_event_acknowledged(slack: Any, ear: Ear, listen: Open) -> None:
    """A message at top level and one in a thread, as they were said."""
    await listen(slack)
    parent = slack.say(ADA, "frozen")
    reply = slack.say(EVE, "really?", parent)
    await ear.until(lambda: len(ear.heard) == 2)
    assert ear.heard == [
        Hear(ts=parent, user=ADA, team="T0REHEARSAL", text="frozen", thread_ts=None),
        Hear(ts=reply, user=EVE, team="T0OTHER", text="really?", thread_ts=parent),
    ]
    await slack.wait_until(lambda: all(delivery.acked for delivery in slack.deliveries), 180)


async def test_the_sockets_greeting_tells_which_app_we_are(slack: Any, ear: Ear, listen: Open) -> None:
    """When Slack did not tell at the start: what was sent to another app is then acknowledged, and not heard."""
    slack.fail_next("bots.info", "missing_scope")
    await listen(slack)
    first = slack.say(ADA, "good morning")
    await ear.until(lambda: len(ear.heard) == 1)
    (payload,) = [delivery.payload for delivery in slack.deliveries]
    event = payload["event"] | {"ts": "1700000000.000100"}
    foreign = slack.send_envelope(Delivery(payload | {"api_app_id": "A0OTHER", "event": event}))
    await slack.wait_until(lambda: foreign.acked, 180)
    last = slack.say(ADA, "and good night")
    await ear.until(lambda: len(ear.heard) == 2)
    assert [hear.ts for hear in ear.heard] == [first, last]


async def test_what_is_no_person_is_acknowledged_and_not_heard(start: Any, ear: Ear, listen: Open) -> None:
    """Bots, apps, edits, deletions, mentions' second events, other channels: none of them reaches the run."""
    slack = await start(ack_seconds=0.5)
    await listen(slack)
    slack.add_channel(Channel("C0OTHER", "other"))
    slack.say_as_bot("B0OTHER", "frozen")
    slack.say_as_bot("B0OTHER", "frozen", user=BOB)
    slack.say(ADA, "frozen", workflow_id="W1")
    slack.say(ADA, "frozen", channel="C0OTHER")
    first = slack.say(ADA, "<@U0BOT> status")
    slack.edit(first, "frozen")
    slack.delete(first)
    last = slack.say(ADA, "frozen")
    await slack.wait_until(lambda: all(delivery.acked for delivery in slack.deliveries), 180)
    await ear.until(lambda: len(ear.heard) == 2)
    assert [hear.ts for hear in ear.heard] == [first, last]
    assert [delivery.attempts for delivery in slack.deliveries] == [1] * 9


async def test_our_own_posts_are_not_heard(channel: Any, slack: Any, ear: Ear, listen: Open, story: Any) -> None:
    """The bot does not talk to itself."""
    await listen(slack)
    run = story.begun()
    await channel.post(run, run.deliveries["20241124-ab12/header"].post, None, (1, "a"))
    ts = slack.say(ADA, "hello")
    await ear.until(lambda: bool(ear.heard))
    await slack.wait_until(lambda: all(delivery.acked for delivery in slack.deliveries), 180)
    assert [hear.ts for hear in ear.heard] == [ts]


async def test_a_repeated_event_is_passed_on_twice(slack: Any, ear: Ear, listen: Open) -> None:
    """To notice a repetition is the run's business, which remembers what it heard; the ear remembers nothing."""
    await listen(slack)
    ts = slack.say(ADA, "frozen")
    slack.redeliver(ts)
    await ear.until(lambda: len(ear.heard) == 2)
    assert [hear.ts for hear in ear.heard] == [ts, ts]


async def test_a_message_that_could_not_be_kept_is_delivered_again(start: Any, ear: Ear, listen: Open) -> None:
    """It is acknowledged only after it was kept."""
    slack = await start(ack_seconds=0.2)
    await listen(slack)
    ear.deaf = 1
    ts = slack.say(ADA, "frozen")
    await ear.until(lambda: bool(ear.heard))
    assert [hear.ts for hear in ear.heard] == [ts]
    await slack.wait_until(lambda: slack.deliveries[0].acked, 180)
    assert slack.deliveries[0].attempts == 2


async def test_slack_not_answering_at_the_first_event_loses_nothing(slack: Any, ear: Ear, listen: Open) -> None:
    """Who the bot is was settled before: no event waits for another answer to that."""
    await listen(slack)
    slack.fail_next("auth.test", "internal_error", times=3)
    slack.say(ADA, "frozen")
    await ear.until(lambda: bool(ear.heard))
    assert [call.method for call in slack.calls].count("auth.test") == 1


@pytest.mark.parametrize("how", ["goodbye", "broken", "refused once"])
async def test_it_comes_back_and_says_so(slack: Any, ear: Ear, listen: Open, how: str) -> None:
    """After every connection the gap is to be swept; then people are heard as before."""
    await listen(slack)
    await ear.until(lambda: ear.connections == 1)
    if how == "goodbye":
        slack.send_disconnect("warning")
    else:
        slack.refuse_next_handshakes(1 if how == "refused once" else 0)
        slack.kill_sockets()
    await ear.until(lambda: ear.connections == 2)
    await slack.wait_until(lambda: slack.connections == 1, 180)
    ts = slack.say(ADA, "frozen")
    await ear.until(lambda: bool(ear.heard))
    assert [hear.ts for hear in ear.heard] == [ts]
    assert set(ear.second_instances) <= {1}


async def test_what_ends_the_guard_of_the_socket_is_reported(
    slack: Any, ear: Ear, listen: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in it must not leave a bot behind that nobody can reach and that does not know it."""
    listener = await listen(slack)
    bug = ZeroDivisionError()

    async def broken() -> bool:
        raise bug

    monkeypatch.setattr(listener, "_answers", broken)
    async with asyncio.timeout(180):
        while not ear.failures:  # noqa: ASYNC110  # the guard tells nobody else
            await asyncio.sleep(0.01)
    assert ear.failures == [bug]


async def test_a_socket_that_is_stuck_is_replaced(slack: Any, ear: Ear, listen: Open) -> None:
    """When the library does not come back by itself (here: it looks once an hour), the guard builds a new socket."""
    await listen(slack, ping_seconds=3600, stuck_after_seconds=0.3)
    await ear.until(lambda: ear.connections == 1)
    slack.kill_sockets()
    await ear.until(lambda: ear.connections == 2)
    slack.say(ADA, "frozen")
    await ear.until(lambda: bool(ear.heard))


async def test_a_start_without_a_socket_goes_on_trying(slack: Any, ear: Ear, listen: Open) -> None:
    """One refused handshake at the start ends nothing."""
    slack.refuse_next_handshakes(1)
    await listen(slack, stuck_after_seconds=0.3)
    await ear.until(lambda: ear.connections == 1)


async def test_another_process_on_the_same_token_is_noticed(slack: Any, ear: Ear, listen: Open) -> None:
    """Slack gives each event to one connection only: a forgotten bot would take ours away."""
    await listen(slack)
    await ear.until(lambda: ear.connections == 1)
    await listen(slack)
    await ear.until(lambda: ear.connections == 2)
    assert ear.second_instances == [1, 2]


async def test_a_message_that_somebody_deletes_is_reported(slack: Any, client: Any, ear: Ear, listen: Open) -> None:
    """One of ours too, whether it has replies and leaves a tombstone or not; and an edit is no deletion."""
    await listen(slack)
    alone, parent = [(await client.chat_postMessage(channel=slack.channel.id, text=text))["ts"] for text in "ab"]
    slack.say(ADA, "why?", parent)
    edited = slack.say(ADA, "hello")
    slack.edit(edited, "bye")
    slack.delete(alone)
    slack.delete(parent)
    await ear.until(lambda: len(ear.deleted) == 2)
    assert ear.deleted == [alone, parent]
    await slack.wait_until(lambda: all(delivery.acked for delivery in slack.deliveries), 180)


async def test_a_socket_that_brings_nothing_is_replaced(slack: Any, ear: Ear, listen: Open) -> None:
    """It answers pings, so only a sweep that finds what it should have brought can tell. What it brings late is no
    reason, nor is what was said before it was there.
    """
    listener = await listen(slack, late_after_seconds=0.3)
    await ear.until(lambda: ear.connections == 1)
    in_time = slack.say(ADA, "in time")
    listener.expected(in_time)
    await ear.until(lambda: [hear.ts for hear in ear.heard] == [in_time])
    slack.silence_sockets()
    listener.expected(slack.say(ADA, "frozen"))
    await ear.until(lambda: ear.connections == 2)
    ts = slack.say(ADA, "are you there?")
    await ear.until(lambda: ts in [hear.ts for hear in ear.heard])
    assert (slack.connections_opened, slack.ghosts, ear.second_instances) == (2, 0, [1, 1])


async def test_slack_is_asked_who_we_are_now_and_then(slack: Any, ear: Ear, listen: Open) -> None:
    """It keeps a socket from falling silent; whatever Slack answers ends nothing."""
    await listen(slack, ask_seconds=0.05)
    slack.fail_next("auth.test", "internal_error")
    slack.fail_next("auth.test", "token_revoked")
    before = len(slack.calls)
    await slack.wait_until(lambda: [c.method for c in slack.calls[before:]].count("auth.test") >= 4, 180)
    ts = slack.say(ADA, "frozen")
    await ear.until(lambda: [hear.ts for hear in ear.heard] == [ts])


async def test_a_listener_that_stops_says_farewell(slack: Any, ear: Ear, listen: Open) -> None:
    """Slack would count its connection for a while, and the next bot would be told of another process."""
    listener = await listen(slack)
    await ear.until(lambda: ear.connections == 1)
    await listener.stop()
    await slack.wait_until(lambda: slack.connections == 0, 180)
    assert slack.ghosts == 0
    await listen(slack)
    await ear.until(lambda: ear.connections == 2)
    assert ear.second_instances == [1, 1]


# -- HTTP -------------------------------------------------------------------------------------------------------------


def signed(body: bytes, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={digest}",
        "Content-Type": "application/json",
    }


MESSAGE = {
    "type": "event_callback",
    "team_id": "T0REHEARSAL",
    "api_app_id": "A0CUTOVER",
    "authorizations": [{"team_id": "T0REHEARSAL", "user_id": "U0BOT", "is_bot": True}],
    "event_id": "Ev1",
    "event": {
        "type": "message",
        "channel": "C0CUTOVER",
        "user": ADA,
        "team": "T0REHEARSAL",
        "text": "frozen",
        "ts": "1700000002.000001",
    },
}


@pytest.fixture
async def http(ear: Ear) -> AsyncIterator[HttpListener]:
    listener = HttpListener(
        Identity(team="T0REHEARSAL", bot_user="U0BOT", bot_id="B0BOT", scopes=frozenset(), app_id="A0CUTOVER"),
        channel="C0CUTOVER",
        run_id=RUN,
        signing_secret=SECRET,
        port=0,
        api_url="http://127.0.0.1:9/api/",
        heard=ear.hear,
        deleted=ear.lose,
        reconnected=ear.connected,
    )
    await listener.start()
    yield listener
    await listener.stop()


async def sent(listener: HttpListener, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    url = f"http://127.0.0.1:{listener.port}/slack/events"
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status, await answer.text()


async def test_a_truly_signed_message_is_heard(http: HttpListener, ear: Ear) -> None:
    """HTTP mode hears what Socket Mode hears."""
    body = json.dumps(MESSAGE).encode()
    assert (await sent(http, body, signed(body)))[0] == 200
    assert ear.heard == [Hear(ts="1700000002.000001", user=ADA, team="T0REHEARSAL", text="frozen", thread_ts=None)]
    assert ear.connections == 1


@pytest.mark.parametrize("wrong", ["secret", "body", "old", "missing"])
async def test_a_forged_message_is_refused(http: HttpListener, ear: Ear, wrong: str) -> None:
    """Another secret, a changed body, a request of five minutes ago, no signature: 401, and nobody is heard."""
    body = json.dumps(MESSAGE).encode()
    headers = {
        "secret": signed(body, secret="another"),
        "body": signed(body.replace(b"frozen", b"thawed")),
        "old": signed(body, at=time.time() - 301),
        "missing": {"Content-Type": "application/json"},
    }[wrong]
    assert (await sent(http, body, headers))[0] == 401
    assert ear.heard == []


async def test_slacks_question_for_the_address_is_answered(http: HttpListener) -> None:
    """Slack proves the address before it sends anything there."""
    body = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()
    status, text = await sent(http, body, signed(body))
    assert (status, json.loads(text)) == (200, {"challenge": "abc"})


async def test_other_requests_are_acknowledged(http: HttpListener, ear: Ear) -> None:
    """A button or an event that means nothing here gets its 200, or Slack would send it again."""
    for other in (
        {**MESSAGE, "event": {"type": "app_home_opened", "user": ADA, "channel": "D1", "event_ts": "1.1"}},
        {"type": "block_actions", "user": {"id": ADA}, "team": {"id": "T1"}, "actions": [{"action_id": "x"}]},
    ):
        body = json.dumps(other).encode()
        assert (await sent(http, body, signed(body)))[0] == 200
    assert ear.heard == []


async def test_a_message_that_could_not_be_kept_is_not_acknowledged_over_http(http: HttpListener, ear: Ear) -> None:
    """Slack gets an error and sends it again."""
    ear.deaf = 1
    body = json.dumps(MESSAGE).encode()
    assert (await sent(http, body, signed(body)))[0] == 500


async def test_a_port_that_is_taken_is_reported(http: HttpListener) -> None:
    """The sentence names the setting."""
    second = HttpListener(
        Identity(team="T1", bot_user="U1", bot_id="B1", scopes=frozenset()),
        channel="C1",
        run_id=RUN,
        signing_secret=SECRET,
        port=http.port,
        api_url="http://127.0.0.1:9/api/",
        heard=lambda hear: None,
        deleted=lambda ts: None,
        reconnected=lambda: None,
    )
    with pytest.raises(UsageError) as refused:
        await second.start()
    assert str(refused.value) == (
        f"Port {http.port} cannot be listened on; nothing was heard or said; set PORT to a free one."
    )


# -- before anything is heard -----------------------------------------------------------------------------------------


async def test_who_the_bot_is(slack: Any, client: Any) -> None:
    """Team, user, bot and scopes, with both tokens and the channel proven."""
    identity = await identify(client, channel="C0CUTOVER", app_token=slack.app_token)
    assert (identity.team, identity.bot_user, identity.bot_id) == ("T0REHEARSAL", "U0BOT", "B0BOT")
    assert "chat:write" in identity.scopes


BOT_TOKEN = "the Bot User OAuth Token of the app (xoxb-…, under OAuth & Permissions)"
APP_TOKEN = "an app-level token with the scope connections:write (xapp-…, under Basic Information, App-Level Tokens)"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            {"bot_token": "xoxb-wrong"},
            f"Slack does not accept SLACK_BOT_TOKEN (invalid_auth); {{}}set SLACK_BOT_TOKEN to {BOT_TOKEN}.",
        ),
        (
            {"bot_token": "xapp-rehearsal"},
            f"Slack does not accept SLACK_BOT_TOKEN (not_allowed_token_type); {{}}set SLACK_BOT_TOKEN to {BOT_TOKEN}.",
        ),
        (
            {"app_token": "xapp-wrong"},
            f"Slack does not accept SLACK_APP_TOKEN (invalid_auth); {{}}set SLACK_APP_TOKEN to {APP_TOKEN}.",
        ),
        (
            {"channel": "C0NOWHERE"},
            "The channel in slack.channel does not exist for the bot (channel_not_found); {}"
            "set slack.channel to the id of the run's channel, and type /invite @cutover in it if it is private.",
        ),
        (
            {"flag": "is_member", "value": False},
            "The bot is not in the channel of the run (not_in_channel); {}type /invite @cutover in the channel.",
        ),
        (
            {"flag": "is_archived"},
            "The channel of the run is archived (is_archived); {}"
            "unarchive it, or set slack.channel to the id of another channel.",
        ),
        (
            {"flag": "is_ext_shared"},
            "Channel C0CUTOVER is shared with another workspace, whose people must have no say in a run; {}"
            "set slack.channel to a channel of this workspace alone.",
        ),
        (
            {"without": "pins:write"},
            "SLACK_BOT_TOKEN lacks a permission: pins:write; {}"
            "add pins:write to the app's bot scopes (OAuth & Permissions) and install the app again.",
        ),
        (
            {"without": "channels:read"},
            "SLACK_BOT_TOKEN lacks a permission: channels:read; {}"
            "add channels:read to the app's bot scopes (OAuth & Permissions) and install the app again.",
        ),
    ],
)
async def test_what_is_wrong_is_reported_with_its_fix(start: Any, wrong: dict[str, Any], sentence: str) -> None:
    """One sentence each, before anything was heard or said."""

    slack = await start(scopes=DEFAULT_SCOPES - {wrong.get("without", "")})
    if flag := wrong.get("flag"):
        setattr(slack.channel, flag, wrong.get("value", True))
    client = connect(wrong.get("bot_token", slack.bot_token), slack.api_url)
    with pytest.raises(ServiceRefused) as refused:
        await identify(
            client, channel=wrong.get("channel", "C0CUTOVER"), app_token=wrong.get("app_token", slack.app_token)
        )
    assert str(refused.value) == sentence.format("nothing was changed in Slack; ")
    assert slack.messages == []


def test_the_libraries_log_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Tokens, tickets and signatures are removed, traces are reduced to a name, and noise is dropped."""
    with caplog.at_level(logging.WARNING):
        LIBRARY_LOG.info("frame %s", "xoxb-1-secret")
        LIBRARY_LOG.error("lost wss://x/link/?ticket=abc-def&app_id=A1 with %s", "xapp-1-secret")
        LIBRARY_LOG.error("Failed to receive or enqueue a message: ConnectionClosedOK")
        try:
            raise ValueError("xoxb-1-secret")
        except ValueError:
            LIBRARY_LOG.exception("broken")
    assert [record.getMessage() for record in caplog.records] == [
        "lost wss://x/link/?[removed]&app_id=A1 with [removed]",
        "broken [ValueError]",
    ]
    assert all(record.exc_info is None for record in caplog.records)
