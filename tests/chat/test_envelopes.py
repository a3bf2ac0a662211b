"""What is not for us: another app's, another workspace's, another bot's; and names of messages that are none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.errors import ServiceRefused
from bot.plan.inputs import Hear
from bot.rehearsal.standins.slack import Delivery
from bot.slack import envelope
from bot.slack.calls import Identity, identify
from bot.slack.client import connect
from bot.slack.payloads import plain_human_message

from .stage import ADA, TRANSPORTS, Stage, staged

Body = dict[str, Any]
OURS = Identity(
    team="T0REHEARSAL", bot_user="U0BOT", bot_id="B0BOT", scopes=frozenset(), enterprise="E0ORG", app_id="A0CUTOVER"
)
EVENT: Body = {
    "type": "event_callback",
    "api_app_id": "A0CUTOVER",
    "team_id": "T0REHEARSAL",
    "authorizations": [{"enterprise_id": None, "team_id": "T0REHEARSAL", "user_id": "U0BOT", "is_bot": True}],
    "event": {"type": "message"},
}
PRESS: Body = {"type": "block_actions", "api_app_id": "A0CUTOVER", "team": {"id": "T0REHEARSAL"}, "enterprise": None}
COMMAND: Body = {"command": "/cutover", "api_app_id": "A0CUTOVER", "team_id": "T0REHEARSAL"}


@pytest.mark.parametrize(
    "body",
    [
        EVENT,
        PRESS,
        COMMAND,
        EVENT | {"enterprise_id": "E0ORG"},
        EVENT | {"team_id": "E0ORG", "enterprise_id": "E0ORG"},
        PRESS | {"enterprise": {"id": "E0ORG"}},
        PRESS | {"team": None, "enterprise": {"id": "E0ORG"}},
        COMMAND | {"enterprise_id": "E0ORG"},
    ],
)
def test_what_is_ours_is_taken(body: Body) -> None:
    """Also as a workspace of an organisation gets it."""
    assert envelope.foreign(body, OURS, "A0CUTOVER") == ""
    assert envelope.foreign(body | {"api_app_id": "A0OTHER"}, OURS, "") == "", "nobody told which app is ours"


@pytest.mark.parametrize("body", [EVENT, PRESS, COMMAND], ids=["an event", "a button", "a slash command"])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"api_app_id": "A0OTHER"}, "it was sent to another app"),
        ({"api_app_id": None}, "it was sent to another app"),
        ({"team_id": "T0OTHER", "team": {"id": "T0OTHER"}}, "it was sent from another workspace"),
        ({"team_id": None, "team": None}, "it was sent from another workspace"),
        ({"enterprise_id": "E0OTHER", "enterprise": {"id": "E0OTHER"}}, "it was sent from another organisation"),
    ],
)
def test_what_is_not_ours_is_not_taken(body: Body, change: Body, why: str) -> None:
    """Whatever is wrong, and whoever is named in it."""
    assert envelope.foreign(body | change, OURS, "A0CUTOVER") == why


@pytest.mark.parametrize("named", [None, [], [{"user_id": "U0OTHER"}], "U0BOT", ["U0BOT"]])
def test_an_event_is_for_our_bot(named: Any) -> None:
    """Of one app there may be several in an organisation."""
    assert envelope.foreign(EVENT | {"authorizations": named}, OURS, "A0CUTOVER") == "it was sent for another bot"


def _of_another_app(payload: Body) -> Body:
    return payload | {"api_app_id": "A0OTHER"}


def _of_another_workspace(payload: Body) -> Body:
    return payload | {"team_id": "T0OTHER", "team": {"id": "T0OTHER"}}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("changed", [_of_another_app, _of_another_workspace])
async def test_an_envelope_that_is_not_for_us_opens_nothing(
    transport: str, changed: Callable[[Body], Body], tmp_path: Path
) -> None:
    """A word, a button and a slash command of an approver, as they would open the gate: acknowledged, so that they do
    not come again, and not heard. The same ones, for us, are.
    """
    async with staged(transport, tmp_path) as stage:
        for make in (_word, _button, _command):
            foreign = stage.slack.send_envelope(Delivery(**changed_of(make(stage), changed)))
            await stage.until(lambda sent=foreign: sent.acked)  # type: ignore[misc]
        await stage.settles()
        assert (stage.approvals, stage.answers) == ([], [])
        stage.slack.send_envelope(Delivery(**changed_of(_button(stage), dict)))
        await stage.until(lambda: stage.approvals == [ADA])


def changed_of(made: tuple[Body, str], changed: Callable[[Body], Body]) -> Body:
    payload, kind = made
    return {"payload": changed(payload), "kind": kind}


def _word(stage: Stage) -> tuple[Body, str]:
    ts = f"{float(stage.gate_ts) + 1:.6f}"
    message = {"type": "message", "channel": "C0CUTOVER", "user": ADA, "text": "frozen", "ts": ts}
    return EVENT | {"event_id": f"Ev{ts}", "event": message}, "events_api"


def _button(stage: Stage) -> tuple[Body, str]:
    (block,) = [b for b in stage.slack.message(stage.gate_ts).blocks if b["type"] == "actions"]
    button = block["elements"][0]
    pressed = PRESS | {
        "user": {"id": ADA, "team_id": "T0REHEARSAL"},
        "channel": {"id": "C0CUTOVER"},
        "trigger_id": "1.2.3",
        "actions": [{"type": "button", "block_id": block["block_id"], **button}],
    }
    return json.loads(json.dumps(pressed)), "interactive"


def _command(stage: Stage) -> tuple[Body, str]:
    sent = COMMAND | {"text": "frozen", "user_id": ADA, "channel_id": "C0CUTOVER", "trigger_id": "1.2.4"}
    return sent, "slash_commands"


async def test_which_app_we_are_is_asked_at_the_start(slack: Any, client: Any) -> None:
    """When Slack does not tell, the socket's greeting does."""
    assert (await identify(client, channel="C0CUTOVER", app_token=slack.app_token)).app_id == "A0CUTOVER"
    slack.fail_next("bots.info", "missing_scope")
    assert (await identify(client, channel="C0CUTOVER", app_token=slack.app_token)).app_id == ""


async def test_tokens_of_two_apps_are_refused_by_their_names(start: Any) -> None:
    """The bot would hear what is said to the one and speak as the other."""
    slack = await start(app_token="xapp-1-A0OTHER-123-abc")
    with pytest.raises(ServiceRefused) as refused:
        await identify(connect(slack.bot_token, slack.api_url), channel="C0CUTOVER", app_token=slack.app_token)
    assert str(refused.value) == (
        "SLACK_APP_TOKEN is of the app A0OTHER, and SLACK_BOT_TOKEN is of A0CUTOVER; nothing was changed in Slack; set "
        "both to the tokens of one app."
    )


# -- the name of a message --------------------------------------------------------------------------------------------


MESSAGE: Body = {"type": "message", "channel": "C0CUTOVER", "user": ADA, "text": "frozen", "ts": "1700000000.000100"}


def heard(**changes: Any) -> Hear | None:
    return plain_human_message(MESSAGE | changes, channel="C0CUTOVER", bot_user="U0BOT")


@pytest.mark.parametrize("field", ["ts", "thread_ts"])
@pytest.mark.parametrize(
    "name",
    [
        "9",
        "99999999999.000100",
        "1700000000.0001000",
        "1700000000.00010",
        "1700000000",
        "1700000000.000100\n",
        " 1700000000.000100",
        "1700000000.000100".translate({ord(str(n)): 0x660 + n for n in range(10)}),
        "170000000a.000100",
        "",
        1700000000.0001,
    ],
)
def test_a_message_whose_name_has_another_form_is_not_heard(field: str, name: Any) -> None:
    """Names are compared as text: "9" would be newer than every checkpoint, for ever."""
    assert heard() is not None
    assert heard(**{field: name}) is None
