"""A night under strict rules: it begins on the word, the bot freezes, gates take two people, and it can be stopped."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from bot.record import read_run
from bot.rehearsal.night import Night, until
from tests import clusters
from tests.night.playing import (
    WRITES,
    alarm,
    assert_handed_over,
    fast_night,
    header_shows,
    journal,
    pass_gate,
    passed,
    posts,
    settings_of,
    shows,
    texts,
    told,
    writes,
)

_STRICT = {
    "CUTOVER__RUN__START": "on-word",
    "CUTOVER__FREEZE__MODE": "bot",
    "CUTOVER__CHECKPOINTS__FREEZE__APPROVALS": "2",
    "CUTOVER__CHECKPOINTS__USERS__APPROVALS": "2",
}


def _kinds(night: Night) -> list[str]:
    return [event["type"] for event in journal(night)]


async def _frozen_by_the_bot(night: Night) -> None:
    """On an approver's word, and not on a member's; the gate still waits for its own."""

    def told_of() -> list[str]:
        return [p["status"] for p in posts(night, "cutover_finding") if p["check"] == "freeze-applied"]

    before = len(told_of())
    assert (await told(night, "linus", "@cutover freeze"))[0] == "refused"
    assert (await told(night, "ada", "@cutover freeze"))[0] == "done"
    await until(lambda: len(told_of()) > before, 180)
    assert set(told_of()) == {"passed"}
    night.notice.maintenance = True
    await night.slack.wait_until(lambda: (run := read_run(night.directory)) is not None and run.frozen_since, 180)
    assert not passed(night, "freeze")


@pytest.mark.all
async def test_a_night_under_strict_rules(tmp_path: Path) -> None:
    """Nothing before `start`, two people at the first gate, a hold that anybody may ask for, a thaw that leads back
    to the first gate, and the watch until somebody says `release`.
    """
    async with fast_night(tmp_path / "night", settings=_STRICT, latency=0.3) as night:
        before = settings_of(night)
        (tmp_path / "empty.toml").write_text("")
        await night.start_bot("--config", str(tmp_path / "empty.toml"))  # without --once
        await header_shows(night, "waiting")
        assert (await told(night, "ada", "frozen"))[0] == "refused"
        assert posts(night, "cutover_checkpoint") == []
        assert (await told(night, "grace", "@cutover start"))[0] == "done"
        await shows(night, "freeze", "waiting")

        await _frozen_by_the_bot(night)
        assert (await told(night, "ada", "frozen"))[0] == "done"
        assert (await told(night, "ada", "frozen"))[0] == "refused", "one person is not two"
        status, said = await told(night, "linus", "@cutover status")
        assert (status, "received, another approver is needed" in said) == ("done", True)
        assert (await told(night, "grace", "frozen"))[0] == "done"
        await shows(night, "freeze", "passed")
        gate = next(event for event in journal(night) if event["type"] == "checkpoint-passed")
        assert gate["by"] == ["U0ADA", "U0GRACE"]

        await pass_gate(night, "export")
        await night.slack.wait_until(lambda: len(night.stack.users) > 5, 180)
        assert (await told(night, "linus", "@cutover hold the orders look wrong"))[0] == "done"
        await header_shows(night, "held")
        created = len(night.stack.users)
        assert created < night.users
        await asyncio.sleep(0.5)
        assert len(night.stack.users) <= created + 1, "what was under way ends, and no more begins"
        assert (await told(night, "linus", "@cutover retry"))[0] == "refused"

        assert (await told(night, "ada", "@cutover thaw"))[0] == "done"
        assert (await told(night, "ada", "@cutover thaw yes"))[0] == "done"
        await night.slack.wait_until(lambda: "unfrozen" in _kinds(night), 180)
        assert settings_of(night) == before
        assert await writes(night) == WRITES
        await header_shows(night, "held")
        assert [post["status"] for post in posts(night, "cutover_checkpoint")] == ["void", "void", "waiting"]

        assert (await told(night, "ada", "@cutover retry"))[0] == "done"
        await _frozen_by_the_bot(night)
        for who in ("grace", "ada"):
            assert (await told(night, who, "frozen"))[0] == "done"
        await shows(night, "freeze", "passed")
        await pass_gate(night, "export")
        await shows(night, "users", "waiting")
        for reason in (await night.status())["openReasons"]:
            await told(night, "grace", f"@cutover accept {reason}")
        for who in ("ada", "grace"):
            assert (await told(night, who, "users-mapped"))[0] == "done"
        await night.slack.wait_for(lambda m: m.event_type == "cutover_summary" and not m.payload["checkpoint"], 180)

        assert (await told(night, "linus", "@cutover release"))[0] == "refused"
        assert (await told(night, "grace", "@cutover release"))[0] == "done"
        assert "released" in _kinds(night)
        await header_shows(night, "done")
        assert night.bot is not None
        assert night.bot.returncode is None, "it stays for the retention"
        os.kill(night.bot.pid, signal.SIGTERM)
        assert await night.bot_ends(180) == 130
        await assert_handed_over(night, 0, users=night.users)


@pytest.mark.all
async def test_the_window_is_reported_and_a_late_night_goes_on(tmp_path: Path) -> None:
    """Half of it and all of it, once each, also over a restart; no gate opens by it."""
    async with fast_night(tmp_path / "night", settings={"CUTOVER__WINDOW__MINUTES": "1"}) as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await shows(night, "export", "waiting")
        await alarm(night, "50 % of the window")
        await night.kill_bot()
        await night.start_bot()
        await alarm(night, "The window is over")
        told_of = [text for text in texts(night, "cutover_alarm") if "window" in text]
        assert len(told_of) in {2, 3}, told_of
        assert all("not known" in text for text in told_of), "no practice was taken"
        assert not passed(night, "export")


async def test_settings_that_were_edited_meanwhile_are_reported_and_count(tmp_path: Path) -> None:
    """A bot that is started again with stricter settings says so in the channel, and holds the gate to both."""
    stricter = tmp_path / "stricter.toml"
    stricter.write_text("[checkpoints.freeze]\napprovals = 2\n")
    async with fast_night(tmp_path / "night", **clusters.SMALL_NIGHT) as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.kill_bot()
        await night.bot_ends(30)
        await night.start_bot("--once", "--config", str(stricter))
        difference = await alarm(night, "This start's settings name other approvers")
        assert "• this start: Ada (`U0ADA`), Grace (`U0GRACE`); approvals needed: 2 at `freeze`" in difference.text
        status, answer = await told(night, "ada", "frozen")
        assert (status, "Waiting for 1 more approver" in answer) == ("done", True)
        assert not passed(night, "freeze")
