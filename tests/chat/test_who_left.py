"""Somebody who approved a gate leaves while it is checked, as Slack tells it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot import permissions
from bot.plan.run import Phase

from .stage import ADA, GRACE, OPS, Stage, staged

TWO = {"approvals": {"freeze": 2}}


def _changed(**flags: object) -> Callable[[Stage], None]:
    def leave(stage: Stage) -> None:
        stage.slack.people[GRACE] = replace(stage.slack.people[GRACE], **flags)  # type: ignore[arg-type]

    return leave


def _taken_out(stage: Stage) -> None:
    stage.slack.groups[OPS] = [user for user in stage.slack.groups[OPS] if user != GRACE]


def _disabled(stage: Stage) -> None:
    stage.slack.disabled_groups.add(OPS)


@pytest.mark.parametrize(
    ("leaves", "reason"),
    [
        pytest.param(_changed(deleted=True), "the account is deactivated", id="deactivated"),
        pytest.param(
            _changed(is_restricted=True), "they are a guest in this workspace", id="a guest", marks=pytest.mark.all
        ),
        pytest.param(
            _changed(team_id="T0OTHER"), "they belong to another workspace", id="moved", marks=pytest.mark.all
        ),
        pytest.param(_taken_out, "they are no longer among the approvers", id="out of the group"),
        pytest.param(_disabled, f"the user group `{OPS}` is unknown, disabled or deleted", id="the group is disabled"),
    ],
)
async def test_an_approval_of_somebody_who_left_meanwhile_opens_nothing(
    leaves: Callable[[Stage], None], reason: str, tmp_path: Path
) -> None:
    """The gate waits again, its thread says whose approval lapsed and why without calling anybody, and the other one is
    kept: when she is back and says the word again, the gate passes on both.
    """
    async with staged("Socket Mode", tmp_path, **TWO) as stage:
        for user in (ADA, GRACE):
            stage.says(user, "frozen")
            await stage.settles()
        assert stage.run.phase is Phase.VERIFYING
        there = stage.slack.people[GRACE], list(stage.slack.groups[OPS])
        leaves(stage)
        stage.checks_end.set()
        told = await stage.slack.wait_for(lambda m: m.payload.get("check") == "approvers-entitled", 180)
        assert (
            f"Every check passed, but the approval of Grace (`U0GRACE`) no longer counts: {reason}. "
            "The approval of Ada (`U0ADA`) is kept." in told.text
        )
        assert "<@" not in told.text
        await stage.slack.wait_for(lambda m: m.ts == stage.gate_ts and m.payload["status"] == "waiting", 180)
        assert (stage.run.phase, stage.run.freeze, stage.run.offer.by) == (Phase.WAITING, None, (ADA,))  # type: ignore[union-attr]
        stage.slack.people[GRACE], stage.slack.groups[OPS] = there
        stage.slack.disabled_groups.clear()
        stage.says(GRACE, "frozen")
        await stage.until(lambda: stage.run.opened_by("freeze") == (ADA, GRACE))


@pytest.mark.parametrize(
    "method",
    [
        "users.info",
        "usergroups.users.list",
        *(pytest.param(method, marks=pytest.mark.all) for method in ("usergroups.list", "conversations.info")),
    ],
)
async def test_a_gate_stays_shut_while_slack_does_not_say_who_may(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked some times more, then says so and how to go on; said again when Slack answers, it passes."""
    monkeypatch.setattr(permissions, "_ASKED_AGAIN_AFTER_SECONDS", (0.1, 0.1))
    async with staged("Socket Mode", tmp_path) as stage:
        stage.says(GRACE, "frozen")
        await stage.settles()
        stage.slack.fail_next(method, "internal_error", times=3)
        stage.checks_end.set()
        told = await stage.slack.wait_for(lambda m: m.payload.get("check") == "approvers-entitled", 180)
        assert (
            "Slack did not say whether Grace (`U0GRACE`) may still open this checkpoint, so it stays closed."
            in told.text
        )
        assert (
            "Wait until Slack answers again (https://slack-status.com). Then say `frozen` again; everything is checked "
            "again." in told.text
        )
        await stage.slack.wait_for(lambda m: m.ts == stage.gate_ts and m.payload["status"] == "refused", 180)
        assert stage.run.freeze is None
        stage.slack.heal(method)
        stage.says(GRACE, "frozen")
        await stage.until(lambda: stage.run.opened_by("freeze") == (GRACE,))


async def test_a_hiccup_of_slack_costs_no_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One question that failed is asked again, and the gate passes."""
    monkeypatch.setattr(permissions, "_ASKED_AGAIN_AFTER_SECONDS", (0.1, 0.1))
    async with staged("Socket Mode", tmp_path) as stage:
        stage.says(GRACE, "frozen")
        await stage.settles()
        stage.slack.fail_next("users.info", "internal_error", times=2)
        stage.checks_end.set()
        await stage.until(lambda: stage.run.opened_by("freeze") == (GRACE,))


async def test_a_hold_while_slack_is_asked_keeps_the_gate_shut(tmp_path: Path) -> None:
    """The question hangs, somebody says `hold`, and what Slack says afterwards opens nothing."""
    async with staged("Socket Mode", tmp_path) as stage:
        stage.says(GRACE, "frozen")
        await stage.settles()
        stage.slack.fail_next("users.info", "hang")
        stage.checks_end.set()
        await stage.until(lambda: stage.run.checked)
        await stage.slack.wait_until(lambda: any(call.answer == "hang" for call in stage.slack.calls), 180)
        stage.says(ADA, "<@U0BOT> hold let me look")
        await stage.until(lambda: stage.run.phase is Phase.HELD)
        await stage.settles()
        assert (stage.run.freeze, [event.type for event in stage.events].count("checkpoint-passed")) == (None, 0)
