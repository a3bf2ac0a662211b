"""What can happen to a word on its way, before the whole bot: sockets that break or die, a second instance, an absence;
forged, stale and repeated requests.
"""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from bot.plan.actions import next_actions
from bot.plan.timetable import SWEEP_EVERY, Timer
from bot.rehearsal.standins.slack import SlackStandin
from bot.slack.client import connect
from bot.slack.inbound.http_mode import HttpListener
from bot.slack.render import buttons
from tests.chat.stage import ADA, BOB, GRACE, RUN, SECRET, TRANSPORTS, Stage, staged

# -- sockets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["broken", "asked to leave", "one handshake refused"])
async def test_what_is_said_while_the_socket_is_gone_is_heard_when_it_is_back(how: str, tmp_path: Path) -> None:
    """A signal in a thread of the run, and a word at top level, said before the bot is connected again."""
    async with staged("Socket Mode", tmp_path) as stage:
        opened = stage.slack.connections_opened
        if how == "asked to leave":
            stage.slack.lose_next_events(2)
            stage.slack.send_disconnect("warning")
        else:
            stage.slack.refuse_next_handshakes(1 if how == "one handshake refused" else 0)
            stage.slack.kill_sockets()
            await stage.slack.wait_until(lambda: stage.slack.connections == 0, 180)
        stage.says(ADA, "frozen", stage.gate_ts)
        stage.says(BOB, "<@U0BOT> who")
        await stage.until(lambda: stage.slack.connections_opened > opened)
        await stage.until(lambda: len(stage.answers) == 2)
        assert stage.approvals == [ADA]


async def test_a_socket_whose_other_end_is_gone_without_a_word_is_replaced(tmp_path: Path) -> None:
    """It looks open, and answers no ping: nothing would ever be heard on it again. Slack sends what was said meanwhile
    again on the next one, or it is found in the history.
    """
    async with staged("Socket Mode", tmp_path, ear={"ping_seconds": 0.1, "stuck_after_seconds": 0.5}) as stage:
        opened = stage.slack.connections_opened
        stage.slack.deaden_sockets()
        stage.says(ADA, "frozen")
        await stage.until(lambda: stage.slack.connections_opened > opened)
        await stage.until(lambda: stage.approvals == [ADA])


async def test_a_word_that_a_silent_socket_did_not_bring_is_found_and_the_socket_replaced(tmp_path: Path) -> None:
    """The sweep that a timer makes hears it, and knows that somebody else should have."""
    async with staged("Socket Mode", tmp_path, ear={"ping_seconds": 0.1, "late_after_seconds": 0.2}) as stage:
        opened = stage.slack.connections_opened
        stage.slack.silence_sockets()
        stage.says(ADA, "frozen")
        await stage.watch.fire(Timer(name="sweep", chore="sweep", every=SWEEP_EVERY))
        await stage.until(lambda: stage.approvals == [ADA])
        await stage.until(lambda: stage.slack.connections_opened == opened + 1)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_checkpoint_that_somebody_deletes_is_there_again_at_once(transport: str, tmp_path: Path) -> None:
    """Not only when it would have been edited next: people look for it. The word counts as before."""
    async with staged(transport, tmp_path) as stage:
        gate, header = stage.gate_ts, stage.header_ts
        stage.slack.delete(gate)
        stage.slack.delete(header)
        await stage.until(lambda: stage.gate_ts not in {"", gate} and stage.header_ts not in {"", header})
        await stage.until(lambda: stage.run.pinned)
        assert stage.slack.pins == [stage.header_ts]
        stage.says(ADA, "frozen", stage.gate_ts)
        await stage.until(lambda: stage.approvals == [ADA])


async def test_a_gate_that_has_passed_is_shown_as_passed_though_slack_fails_to_edit_it(tmp_path: Path) -> None:
    """`update_failed` passes, and the edit is made again: nobody waits for what is over."""
    async with staged("Socket Mode", tmp_path) as stage:
        gate = stage.gate_ts
        stage.says(ADA, "frozen")
        await stage.slack.wait_for(lambda m: m.ts == gate and m.payload["status"] == "verifying", 180)
        stage.slack.fail_next("chat.update", "update_failed", 2)
        stage.checks_end.set()
        await stage.slack.wait_for(lambda m: m.ts == gate and m.payload["status"] == "passed", 180)
        failed = [call.answer for call in stage.slack.calls if call.method == "chat.update"]
        assert failed.count("update_failed") == 2


async def test_a_rival_on_our_token_is_reported_in_the_channel_and_so_is_its_end(tmp_path: Path) -> None:
    """Somebody's forgotten bot takes events away; what was typed is found all the same."""
    async with staged("Socket Mode", tmp_path, ear={"ping_seconds": 0.1}) as stage:
        async with _second_instance(stage.slack), _second_instance(stage.slack):
            stage.slack.send_disconnect()
            alarm = await stage.slack.wait_for(lambda m: m.event_type == "cutover_alarm", 180)
        assert alarm.text.startswith("🔔 *Another process is connected to Slack as this bot. Stop it:* ")
        assert alarm.payload["status"] == "waiting"
        await stage.slack.wait_until(lambda: stage.slack.connections == 1, 180)
        stage.slack.kill_sockets()
        await stage.slack.wait_for(lambda m: m.ts == alarm.ts and m.payload["status"] == "done", 180)
        await stage.until(
            lambda: not stage.run.second_instance and not next_actions(stage.run).keys() & {"post", "edit"}
        )


@asynccontextmanager
async def _second_instance(slack: SlackStandin) -> AsyncIterator[None]:
    """Another process on the same app token, which takes what it gets and never leaves."""
    opened = await connect(None, slack.api_url).apps_connections_open(app_token=slack.app_token)
    async with aiohttp.ClientSession() as session, session.ws_connect(str(opened["url"])) as socket:
        await socket.receive_json(timeout=180)
        yield


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_bot_that_was_away_hears_what_was_said_meanwhile(transport: str, tmp_path: Path) -> None:
    """At top level and in the threads of header and checkpoint, in the order in which it was said, each once."""
    async with staged(transport, tmp_path) as stage:
        await stage.listener.stop()
        stage.slack.lose_next_events(100)
        stage.says(BOB, "frozen", stage.header_ts)
        stage.says(ADA, "<@U0BOT> hold let us wait")
        stage.says(ADA, "<@U0BOT> retry", stage.gate_ts)
        stage.says(GRACE, "frozen", stage.gate_ts)
        edited = stage.says(ADA, "not now")
        stage.slack.edit(edited, "frozen")
        await stage.sweep()
        await stage.settles()
        assert stage.approvals == [GRACE]
        assert len(stage.answers) == 4
        await stage.sweep()
        await stage.settles()
        assert len(stage.answers) == 4


# -- HTTP -------------------------------------------------------------------------------------------------------------


def _event() -> tuple[bytes, str]:
    message = {"type": "message", "channel": "C0CUTOVER", "user": ADA, "text": "frozen", "ts": f"{time.time():.6f}"}
    body = {
        "type": "event_callback",
        "team_id": "T0REHEARSAL",
        "api_app_id": "A0CUTOVER",
        "authorizations": [{"team_id": "T0REHEARSAL", "user_id": "U0BOT", "is_bot": True}],
        "event_id": "Ev1",
        "event": message,
    }
    return json.dumps(body).encode(), "application/json"


def _press(stage: Stage) -> tuple[bytes, str]:
    assert stage.run.offer is not None
    value = buttons.Value(run=RUN, word="frozen", digest=stage.run.offer.digest).model_dump_json()
    body = {
        "type": "block_actions",
        "user": {"id": ADA, "team_id": "T0REHEARSAL"},
        "team": {"id": "T0REHEARSAL"},
        "api_app_id": "A0CUTOVER",
        "channel": {"id": "C0CUTOVER"},
        "trigger_id": "1.2.3",
        "actions": [{"type": "button", "action_id": "cutover_signal", "block_id": "b", "value": value}],
    }
    return urlencode({"payload": json.dumps(body)}).encode(), "application/x-www-form-urlencoded"


def _command() -> tuple[bytes, str]:
    body = {
        "command": "/cutover",
        "api_app_id": "A0CUTOVER",
        "text": "frozen",
        "user_id": ADA,
        "team_id": "T0REHEARSAL",
        "channel_id": "C0CUTOVER",
        "trigger_id": "1.2.3",
    }
    return urlencode(body).encode(), "application/x-www-form-urlencoded"


def _signed(body: bytes, content_type: str, secret: str, at: float) -> dict[str, str]:
    stamp = str(int(at))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": content_type,
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={digest}",
    }


async def _sent(stage: Stage, body: bytes, headers: dict[str, str]) -> int:
    assert isinstance(stage.listener, HttpListener)
    url = f"http://127.0.0.1:{stage.listener.port}/slack/events"
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize("kind", ["event", "press", "command"])
async def test_only_what_is_truly_and_freshly_signed_is_heard(kind: str, tmp_path: Path) -> None:
    """Another secret, another body, five minutes of age or lead, no signature: 401, and nothing is on disk. The same
    request, truly signed, opens the gate.
    """
    async with staged("HTTP", tmp_path) as stage:
        body, form = {"event": _event, "press": lambda: _press(stage), "command": _command}[kind]()
        now = time.time()
        true = _signed(body, form, SECRET, now)
        forged: dict[str, dict[str, str]] = {
            "secret": _signed(body, form, "another", now),
            "body": _signed(body.replace(b"frozen", b"thawed") + b" ", form, SECRET, now),
            "old": _signed(body, form, SECRET, now - 301),
            "early": _signed(body, form, SECRET, now + 360),
            "dated again": true | {"X-Slack-Request-Timestamp": str(int(now) + 1)},
            "unsigned": {"Content-Type": form},
        }
        head = stage.conductor.run.last_at
        for headers in forged.values():
            assert await _sent(stage, body, headers) == 401
        assert stage.run.last_at == head
        assert not stage.run.heard
        assert await _sent(stage, body, true) == 200
        await stage.settles()
        assert stage.approvals == [ADA]


async def test_a_request_that_is_sent_again_changes_nothing(tmp_path: Path) -> None:
    """Whoever could record Slack's requests, and sends them again while their signatures are fresh, reaches nothing."""
    async with staged("HTTP", tmp_path) as stage:
        stage.says(BOB, "<@U0BOT> who")
        stage.says(ADA, "<@U0BOT> hold a moment")
        await stage.settles()
        await stage.sends(ADA, "retry")
        await stage.settles()
        stage.presses(ADA)
        await stage.settles()
        assert stage.approvals == [ADA]
        before = (len(stage.events), stage.answers)
        requests = list(stage.slack.signed_requests)
        assert {request.headers["Content-Type"] for request in requests} >= {"application/json"}
        for request in [*requests, *reversed(requests)]:
            assert await _sent(stage, request.body, dict(request.headers)) == 200
        await stage.settles()
        heard_again = [event for event in stage.events[before[0] :] if event.type in {"message-heard", "answered"}]
        assert heard_again == []
        assert stage.answers == before[1]
        assert stage.approvals == [ADA]


# -- what makes no sense ----------------------------------------------------------------------------------------------


def _body(**changes: Any) -> dict[str, Any]:
    value = '{"run":"20261127-ab12","word":"frozen","digest":"aaaaaaaaaaaa"}'
    body = {
        "type": "block_actions",
        "user": {"id": ADA, "team_id": "T0REHEARSAL"},
        "channel": {"id": "C0CUTOVER"},
        "trigger_id": "1.2.3",
        "actions": [{"action_id": "cutover_signal", "value": value}],
    }
    return body | changes


def _valued(value: str) -> dict[str, Any]:
    return _body(actions=[{"action_id": "cutover_signal", "value": value}])


def _pressed(body: dict[str, Any]) -> Any:
    return buttons.pressed(body, channel="C0CUTOVER", run_id=RUN)


def test_a_press_says_what_stood_beside_it() -> None:
    """The word of its gate, the evidence's digest, and the request by which it is known again."""
    said = _pressed(_body())
    assert (said.text, said.digest, said.request, said.via) == ("frozen", "aaaaaaaaaaaa", "1.2.3", "button")
    assert (said.ts, said.thread_ts, said.user, said.team) == ("", None, ADA, "T0REHEARSAL")


@pytest.mark.parametrize(
    "body",
    [
        _valued(""),
        _valued("frozen"),
        _valued("[]"),
        _valued('{"run":"20261127-ab12","word":"frozen"}'),
        _valued('{"run":"20261127-ab12","word":"frozen","digest":"aaaaaaaaaaaa","more":1}'),
        _valued('{"run":"20240101-0000","word":"frozen","digest":"aaaaaaaaaaaa"}'),
        _body(channel={"id": "C0LOUNGE"}),
        _body(channel=None),
        _body(trigger_id=""),
        _body(actions=[]),
        _body(user={}),
    ],
)
def test_a_press_that_is_not_about_this_run_or_makes_no_sense_is_not_heard(body: dict[str, Any]) -> None:
    """Of another run or channel, or without what a press of ours has."""
    assert _pressed(body) is None
