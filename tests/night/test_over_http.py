"""A night without a socket and without a typed word: signed requests, buttons and slash commands alone."""

from pathlib import Path

import pytest

from bot.record import read_run
from bot.rehearsal.night import PEOPLE
from bot.rehearsal.standins.slack import Message
from tests import clusters
from tests.night.playing import (
    ForkedNight,
    assert_handed_over,
    fast_night,
    free_port,
    heard_over_http,
    journal,
    journal_tells,
    passed,
    post_of,
    posts,
    shows,
)

_SECRET = "a-signing-secret-of-no-value-elsewhere"


class _OverHttp(ForkedNight):
    port = 0

    @property
    def environment(self) -> dict[str, str]:
        told = super().environment
        del told["SLACK_APP_TOKEN"]
        return {**told, "SLACK_SIGNING_SECRET": _SECRET, "PORT": str(self.port)}

    def presses(self, who: str, action: str = "cutover_signal") -> None:
        post = next(m for m in reversed(self.slack.messages) if m.event_type == "cutover_checkpoint")
        self.slack.press(PEOPLE[who].id, post.ts, action)

    async def sends(self, who: str, text: str) -> Message:
        """A slash command, to its answer in the channel."""
        before = len(self.slack.messages)
        sent = self.slack.command(PEOPLE[who].id, text)
        await self.slack.wait_until(lambda: sent.acked, 180)
        assert sent.response is not None
        assert sent.response["text"] == f"I heard `{text}`. My answer appears in this channel, in the run's thread."

        def answers() -> list[Message]:
            since, about = self.slack.messages[before:], PEOPLE[who].id
            return [m for m in since if m.event_type == "cutover_answer" and about in m.text.partition("\n")[0]]

        await self.slack.wait_until(lambda: bool(answers()), 180)
        return answers()[0]


@pytest.mark.all
async def test_a_night_by_buttons_and_slash_commands_over_http(tmp_path: Path) -> None:
    """The bot freezes on its button; a member's press is refused; it is handed over as any other night, and a bot that
    was killed in between goes on where it was.
    """
    freezes = {"CUTOVER__FREEZE__MODE": "bot"}
    night = fast_night(tmp_path / "night", _OverHttp, settings=freezes, **clusters.SMALL_NIGHT)
    night.port = free_port()
    async with night:
        await night.start_bot()
        await heard_over_http(night, night.port, _SECRET)
        await shows(night, "freeze", "waiting")
        night.presses("linus", "cutover_freeze")
        await night.slack.wait_for(
            lambda m: m.event_type == "cutover_answer" and m.text.startswith("<@U0LINUS> pressed `freeze`. Nothing"), 30
        )
        night.presses("ada", "cutover_freeze")
        await night.slack.wait_until(
            lambda: any(post["check"] == "freeze-applied" for post in posts(night, "cutover_finding")), 60
        )
        night.notice.maintenance = True
        await journal_tells(night.directory, lambda: bool((run := read_run(night.directory)) and run.frozen_since))
        night.presses("ada")
        await shows(night, "export", "waiting")
        assert passed(night, "freeze")
        gate = post_of(night, "freeze")
        assert gate is not None
        assert "actions" not in [block["type"] for block in gate.blocks], "a passed gate has no buttons"

        await night.kill_bot()
        await night.start_bot()
        await heard_over_http(night, night.port, _SECRET)
        assert "Nothing" in (await night.sends("linus", "exported")).text
        await night.sends("grace", "exported")
        await shows(night, "users", "waiting")
        run = read_run(night.directory)
        assert run is not None
        await night.sends("grace", f"accept {' '.join(run.open_reasons)}")
        night.presses("ada")
        await night.slack.wait_for(lambda m: m.event_type == "cutover_summary" and not m.payload["checkpoint"], 180)
        code = await night.bot_ends(60)
        await assert_handed_over(night, code, users=night.users)
        heard = [event for event in journal(night) if event["type"] == "message-heard"]
        assert {event["via"] for event in heard} == {"button", "command"}
        assert len({event["request"] for event in heard}) == len(heard)
        assert night.slack.connections_opened == 0
