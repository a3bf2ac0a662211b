"""The app manifest: Slack's own schema takes it, and it asks for exactly the scopes that the bot uses."""

import ast
import json
import re
from pathlib import Path

import jsonschema
import pytest

from bot import slack
from bot.rehearsal.standins.slack import methods
from bot.slack.calls import Refused, identify
from bot.slack.client import connect
from bot.slack.manifest import SCOPES, WITHOUT_SCOPE, lacking, manifest
from tests.chat.conftest import Start

_SCHEMA = json.loads((Path(__file__).parent / "data" / "manifest.schema.2.0.0.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("url", [None, "https://cutover.example"])
def test_slacks_own_schema_takes_it(url: str | None) -> None:
    """For Socket Mode, and with the addresses of HTTP mode."""
    made = manifest("Cutover", url)
    jsonschema.validate(made, _SCHEMA, cls=jsonschema.Draft7Validator)
    assert made["settings"]["socket_mode_enabled"] == (url is None)
    addresses = re.findall(r"https://[^\"]+", json.dumps(made))
    assert set(addresses) == ({f"{url}/slack/events"} if url else set())


def test_the_schema_refuses_what_slack_would() -> None:
    """A key that it does not know: the check can fail."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest("Cutover", None) | {"scopes": []}, _SCHEMA, cls=jsonschema.Draft7Validator)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest("x" * 36, None), _SCHEMA, cls=jsonschema.Draft7Validator)


def _called() -> set[str]:
    """The methods of Slack's client that our code calls, as Slack writes them."""
    found = set()
    for path in Path(slack.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if name in {"client", "_client"} and "_" in node.func.attr and node.func.attr != "is_connected":
                    found.add(node.func.attr)
    return found


def test_every_method_that_is_called_has_its_scope_and_no_scope_is_for_nothing() -> None:
    """Whoever adds a call adds its scope; whoever takes one away takes it away."""
    named = {method for scope in SCOPES for method in scope.methods} | set(WITHOUT_SCOPE)
    spelled = {re.sub(r"[._]", "", method).lower(): method for method in named}
    assert {spelled.get(name.replace("_", "").lower(), name) for name in _called()} == named


def test_the_stand_in_asks_for_the_same_scopes() -> None:
    """It was made after Slack's documentation, by itself."""
    assert {scope.name for scope in SCOPES if scope.methods} <= methods.DEFAULT_SCOPES


def test_what_a_token_lacks_is_reported() -> None:
    """For this kind of channel only, and for groups only where there are any."""
    have = {"chat:write", "channels:history", "channels:read", "users:read", "pins:write", "files:write", "files:read"}
    assert [scope.name for scope in lacking(have, private=False, groups=False)] == ["commands"]
    assert [scope.name for scope in lacking(have, private=False, groups=True)] == ["usergroups:read", "commands"]
    assert [scope.name for scope in lacking(have, private=True, groups=False)] == [
        "groups:history",
        "groups:read",
        "commands",
    ]


async def test_a_night_goes_on_without_the_scopes_of_a_purge(start: Start) -> None:
    """`doctor` names what is lost; only what a night needs refuses it."""
    slack = await start(scopes=methods.DEFAULT_SCOPES - {"files:read", "files:write"})
    found = await identify(connect(slack.bot_token, slack.api_url), channel=slack.channel.id, app_token=slack.app_token)
    assert len(found.lacks) == 2
    slack = await start(scopes=methods.DEFAULT_SCOPES - {"pins:write"})
    with pytest.raises(Refused):
        await identify(connect(slack.bot_token, slack.api_url), channel=slack.channel.id, app_token=slack.app_token)
