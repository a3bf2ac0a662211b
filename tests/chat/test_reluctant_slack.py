"""A Slack that takes no edits, or is talked to all the time: what people need is in the channel all the same."""

from pathlib import Path

import pytest

from bot.plan import inputs as say

from .stage import ADA, BOB, GRACE, RUN, Stage, staged

PASSING = ("internal_error", "update_failed", "ratelimited", "html_500", "text_503", "drop")
"""After these the edit is made once Slack takes it again."""
LASTING = ("edit_window_closed", "cant_update_message", "message_not_found", "is_inactive", "no_such_error", "hang")
LIKE_ANOTHER_HERE = ("internal_error", "update_failed", "text_503", "cant_update_message", "is_inactive")
"""Met by the same code as another of them; played where everything is."""


async def _stands(stage: Stage, key: str) -> None:
    await stage.slack.wait_for(lambda m: m.payload.get("key") == f"{RUN}/{key}", 180)


@pytest.mark.parametrize(
    "fault",
    [pytest.param(fault, marks=[pytest.mark.all] * (fault in LIKE_ANOTHER_HERE)) for fault in (*PASSING, *LASTING)],
)
async def test_a_whole_gate_goes_through_a_slack_that_takes_no_edits(tmp_path: Path, fault: str) -> None:
    """Whatever it calls the trouble, or when it answers nothing at all: the alarm, the findings and the next gate
    are in the channel within seconds, and each post is there once.
    """
    async with staged("Socket Mode", tmp_path) as stage:
        stage.slack.fail_next("chat.update", fault, times=10_000)
        await _stands(stage, f"answer/{stage.says(ADA, 'frozen')}")
        stage.conductor.dispatch(say.ReportBlindness(why="No answer."))
        await _stands(stage, "alarm/blind/1")
        stage.checks_end.set()
        stage.steps_end.set()
        for key in ("finding/freeze/1/1", "finding/freeze/1/2", "checkpoint/export/1"):
            await _stands(stage, key)
        stage.slack.heal("chat.update")
        if fault in PASSING:
            await stage.slack.wait_for(
                lambda m: m.payload.get("key") == f"{RUN}/checkpoint/freeze/1" and m.payload["status"] == "passed", 180
            )
        keys = [m.payload["key"] for m in stage.slack.messages if m.payload]
        anew = {f"{RUN}/header", f"{RUN}/checkpoint/freeze/1", f"{RUN}/checkpoint/export/1"}
        twice = {key for key in keys if keys.count(key) > 1}
        assert twice <= (anew if fault in LASTING[:3] else set())


async def test_a_flood_delays_no_gate_and_no_alarm(tmp_path: Path) -> None:
    """While Slack takes a few posts a second, and dozens of answers are owed to whoever keeps on asking."""
    async with staged("Socket Mode", tmp_path, posts_per_second=20.0, post_burst=4) as stage:
        for n in range(30):
            for user in (BOB, GRACE):
                stage.says(user, f"<@U0BOT> coffee{n}")
                stage.says(user, "<@U0BOT> status")
        stage.says(ADA, "frozen")
        await stage.until(lambda: stage.approvals == [ADA])
        stage.conductor.dispatch(say.ReportBlindness(why="No answer."))
        await _stands(stage, "alarm/blind/1")
        stage.checks_end.set()
        stage.steps_end.set()
        await _stands(stage, "checkpoint/export/1")
        asked = [call.arguments["user"] for call in stage.slack.calls if call.method == "users.info"]
        assert asked.index(ADA) < 5, "who counts is asked about before who does not"
        owed = [key for key, delivery in stage.run.deliveries.items() if not delivery.ts]
        assert len(owed) + len(stage.run.unanswered) > 40, "the answers are still to come"
