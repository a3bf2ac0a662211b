"""The list of users to fix: in the thread of the gate that counts them, once, without an address; and the way from
there to the addresses.
"""

import csv
import io
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from bot import cli
from bot.artifacts import files, mapping
from bot.artifacts.attention import without_addresses
from bot.errors import OutcomeUnknown, ServiceUnreachable
from bot.plan import events as e
from bot.plan.results import Attention
from bot.plan.retention import uploads
from bot.plan.run import Run
from bot.rehearsal.standins.slack import Message, SlackStandin
from bot.slack import channel as channels
from bot.slack.calls import identify
from bot.slack.channel import SlackChannel
from bot.slack.client import connect
from tests.chat.conftest import NOW, Night, Start, Story

USERS = 30
ROOT = Path(__file__).parents[2]


@dataclass
class Listed:
    night: Night
    slack: SlackStandin
    directory: Path
    key: str

    @property
    def shared(self) -> list[Message]:
        return [message for message in self.slack.messages if "files" in message.extra]

    async def tried(self) -> None:
        """As the conductor does: it looks first, and posts when it finds nothing."""
        ts = await self.night.channel.find(self.night.run, self.key)
        if ts is None:
            await self.night.post(self.key)
        else:
            self.night.happens(e.Posted(at=NOW, key=self.key, ts=ts, displayed_state="done"))


def _written(directory: Path) -> str:
    """Its SHA-256."""
    entries = [
        mapping.Attention(
            id=f"00000000-0000-4000-8000-{n:012}",
            email=f"user{n}@example.org",
            stack_auth_user_id=f"s{n}" if n % 2 else None,
            reason="phone-only" if n else "sso-user",
            carried="All but the way to sign in.",
            todo="=Ask them for an address.",
        )
        for n in range(USERS)
    ]
    return mapping.write_attention(directory / files.ATTENTION, entries).sha256


@pytest.fixture
def listed(start: Start, story: Story, tmp_path: Path) -> Callable[..., object]:
    async def begun(**options: object) -> Listed:
        slack = await start(**options)
        client = connect(slack.bot_token, slack.api_url)
        identity = await identify(client, channel=slack.channel.id, app_token=slack.app_token)
        attachment = partial(without_addresses, tmp_path / files.ATTENTION)
        channel = SlackChannel(client, channel=slack.channel.id, identity=identity, attachment=attachment)
        sha256 = _written(tmp_path)
        attention = {"phone-only": Attention(count=USERS, digest="b" * 12, todo="Ask them for an address.")}
        result = story.users_result(attention=attention, attention_users=USERS, attention_sha256=sha256)

        def step_ends(run: Run, name: str, result: object) -> list[e.Event]:
            return [e.StepEnded.model_validate({"at": NOW, "step": name, "result": result})]

        def offered(run: Run) -> list[e.Event]:
            gate = run.plan.following(run.gate.name)
            assert gate is not None
            return [e.CheckpointOffered(at=NOW, checkpoint=gate.name, offer=1, evidence={}, digest="f" * 12)]

        run = story.moved(
            story.begun(),
            lambda run: story.gate_passes(run, story.frozen),
            lambda run: step_ends(run, "export", story.export_result()),
            offered,
            story.gate_passes,
            lambda run: step_ends(run, "users", result),
            offered,
        )
        night = Night(run=run, channel=channel)
        key = f"{run.gate_key}/attention"
        for other in list(run.deliveries):
            if other != key:
                await night.post(other)
        return Listed(night, slack, tmp_path, key)

    return begun


Begun = Callable[..., object]


async def _begun(listed: Begun, **options: object) -> Listed:
    return await listed(**options)  # type: ignore[misc, no-any-return]


async def test_the_list_is_in_the_thread_of_its_gate_without_addresses(listed: Begun) -> None:
    """A file of id, reason, what was migrated and what to do; the journal keeps its id."""
    night = await _begun(listed)
    await night.tried()
    [message], [file] = night.shared, night.slack.files
    assert message.thread_ts == night.night.run.deliveries[night.night.run.gate_key].ts
    assert file.name == "cutover-20241124-ab12-attention-1.csv"
    assert uploads(night.night.run) == (file.id,)
    rows = list(csv.reader(io.StringIO(file.content.decode(), newline="")))
    assert rows[0] == ["id", "reason", "carried", "todo"]
    assert len(rows) == 1 + USERS
    assert {row[3] for row in rows[1:]} == {"'=Ask them for an address."}, "no cell is a formula"
    said = message.text + file.content.decode() + str(night.slack.calls)
    assert "@example.org" not in said


async def test_the_thread_leads_to_the_addresses_by_one_command(
    listed: Begun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that the message names first, and that the documentation names, lists everybody's address."""
    night = await _begun(listed)
    await night.tried()
    command = re.findall("`(cutover [^`]+)`", night.shared[0].text)[0]
    assert f"`{command}`" in (ROOT / "docs" / "users.md").read_text(encoding="utf-8")
    monkeypatch.setattr(os, "environ", {"PATH": "", "MIGRATION_DATA_DIR": str(night.directory)})
    monkeypatch.chdir(night.directory)
    monkeypatch.setattr(sys, "argv", command.split())
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr().out
    assert not ended.value.code
    assert all(f"user{n}@example.org  " in told for n in range(USERS))
    assert "to do: =Ask them for an address." in told


@pytest.mark.parametrize(
    ("method", "fault", "error"),
    [
        ("files.getUploadURLExternal", "drop", ServiceUnreachable),
        ("files.completeUploadExternal", "drop", OutcomeUnknown),
        ("files.completeUploadExternal", "drop_after", OutcomeUnknown),
        ("files.completeUploadExternal", "internal_error", OutcomeUnknown),
    ],
)
async def test_the_list_is_shared_once_whatever_becomes_of_a_call(
    listed: Begun, method: str, fault: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody knows, it is looked for by its name first, and as long as Slack may still be about to share it, it
    is not shared again.
    """
    night = await _begun(listed)
    night.slack.fail_next(method, fault)
    with pytest.raises(error):
        await night.tried()
    assert len(night.shared) == (fault == "drop_after")
    if error is OutcomeUnknown and fault != "drop_after":
        with pytest.raises(OutcomeUnknown, match="about to share a file"):
            await night.tried()
        monkeypatch.setattr(channels, "_SHARED_WITHIN_SECONDS", 0)
        night.night.channel._may_be_shared.clear()
    await night.tried()
    assert len(night.shared) == 1
    assert uploads(night.night.run) == (night.slack.files[0].id,)


async def test_without_the_scope_the_words_are_alone(listed: Begun) -> None:
    """The night goes on, and the thread says why there is no file and where the list is."""
    scopes = {"channels:history", "channels:read", "chat:write", "users:read", "pins:write", "commands"}
    night = await _begun(listed, scopes=scopes)
    await night.tried()
    assert night.shared == []
    last = night.slack.messages[-1]
    assert last.text.endswith("The file could not be attached here (`missing_scope`).")
    assert "`cutover attention`" in last.text
    assert last.payload["key"] == night.key
    assert await night.night.channel.find(night.night.run, night.key) == last.ts


async def test_a_list_that_is_not_what_the_run_wrote_is_not_shown(listed: Begun) -> None:
    """Nothing of it reaches the channel."""
    night = await _begun(listed)
    path = night.directory / files.ATTENTION
    path.write_bytes(path.read_bytes().replace(b"phone-only", b"phone-onlY"))
    await night.tried()
    assert night.shared == []
    assert night.slack.messages[-1].text.endswith("The file could not be attached here (`file-unreadable`).")
