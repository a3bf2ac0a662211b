"""From one run to the next, whatever the bot died of in between: no circle, and no run that ended unheard."""

import shutil
from pathlib import Path

import pytest

from bot.errors import CheckFailed
from bot.rehearsal.night import Night
from bot.succession import must_be_ours
from tests import clusters
from tests.night.playing import (
    ended,
    fast_night,
    journal,
    journal_tells,
    pass_gate,
    posts,
    shows,
    told,
)
from tests.plan.histories import Night as PlanNight


def _last_line(night: Night) -> str:
    return night.log_file.read_text(encoding="utf-8").splitlines()[-1]


def _kinds(night: Night) -> list[str]:
    there = (night.directory / "journal.jsonl").exists()
    return [event["type"] for event in journal(night)] if there else []


async def test_a_run_that_gave_up_another_goes_on_before_its_own_header_is_posted(tmp_path: Path) -> None:
    """The channel still shows the one that was given up, and the journal knows by whom."""
    async with fast_night(tmp_path / "night", **clusters.SMALL_NIGHT) as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.kill_bot()
        lost = posts(night, "cutover_run")[0]["run_id"]
        shutil.rmtree(night.directory)

        night.slack.fail_next("chat.postMessage", "hang", 20)
        await night.start_bot("--once", "--new", "--abandon", lost)
        await journal_tells(night.directory, lambda: "post-intended" in _kinds(night))
        await night.kill_bot()
        night.slack.heal("chat.postMessage")
        opened = journal(night)[0]
        assert opened["abandons"] == lost
        assert [post["run_id"] for post in posts(night, "cutover_run")] == [lost]

        await night.start_bot()
        await night.slack.wait_until(lambda: len(posts(night, "cutover_checkpoint")) == 2, 180)
        assert [post["run_id"] for post in posts(night, "cutover_run")] == [lost, opened["run_id"]]


@pytest.mark.all
async def test_a_run_that_is_handed_over_is_reported_before_it_moves_to_the_archive(tmp_path: Path) -> None:
    """The bot died before its closing was posted: `--new` posts it first, and moves nothing while Slack refuses."""
    async with fast_night(tmp_path / "night", **clusters.SMALL_NIGHT) as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await pass_gate(night, "export")
        await shows(night, "users", "waiting")
        for reason in (await night.status())["openReasons"]:
            await told(night, "grace", f"@cutover accept {reason}")
        night.slack.fail_next("chat.postMessage", "hang", 100)
        night.says("ada", "users-mapped")
        await journal_tells(night.directory, lambda: _kinds(night).count("step-ended") == 3)
        await night.kill_bot()
        old = journal(night)[0]["run_id"]
        there = {path.name: path.read_bytes() for path in night.directory.iterdir() if path.suffix == ".json"}

        night.slack.heal("chat.postMessage")
        night.slack.fail_next("chat.postMessage", "restricted_action_read_only_channel", 100)
        await night.start_bot("--new", "--once")
        assert await ended(night) == 5
        assert (
            "cutover: The workspace forbids the bot to post a message (restricted_action_read_only_channel), and the "
            f"channel does not have all of run {old}, which has ended; nothing was moved or started; run `cutover "
            "run --new` again when Slack answers; where that channel is gone for good, give the next run another "
            "MIGRATION_DATA_DIR."
        ) in night.log_file.read_text().splitlines()
        assert {path.name: path.read_bytes() for path in night.directory.iterdir() if path.suffix == ".json"} == there
        assert journal(night)[0]["run_id"] == old
        assert not (night.directory / "archive").exists()

        night.slack.heal("chat.postMessage")
        await night.start_bot("--new", "--once")
        await night.slack.wait_until(lambda: len({p["run_id"] for p in posts(night, "cutover_run")}) == 2, 180)
        closing = [post for post in posts(night, "cutover_summary") if not post["checkpoint"]]
        assert [post["run_id"] for post in closing] == [old]
        assert next(post["status"] for post in posts(night, "cutover_run")) == "done"
        assert (night.directory / "archive" / old / "SHA256SUMS").exists()
        assert [old in message.text for message in night.slack.scheduled] == [True], "the reminder stays, and is one"
        keys = [m.payload["key"] for m in night.slack.messages if m.payload]
        assert len(keys) == len(set(keys))


async def test_groups_with_too_few_people_for_the_gates_open_no_run(tmp_path: Path) -> None:
    """By today's members, before anything begins, with the number that it takes; nothing is said in the channel."""
    rules = {
        "CUTOVER__APPROVERS__USERS": "[]",
        "CUTOVER__APPROVERS__GROUPS": '["S0OPS"]',
        "CUTOVER__APPROVERS__DENY_SAME_PERSON": "true",
        "CUTOVER__CHECKPOINTS__FREEZE__APPROVALS": "2",
        "CUTOVER__CHECKPOINTS__EXPORT__APPROVALS": "2",
    }
    too_few = (
        "The night takes 3 different approvers, and of the 2 in approvers.users and the user groups only 2 could open "
        "a gate"
    )
    async with fast_night(tmp_path / "night", settings=rules, **clusters.SMALL_NIGHT) as night:
        night.slack.groups["S0OPS"] = ["U0ADA", "U0GRACE"]
        await night.start_bot()
        assert await ended(night) == 3
        assert _last_line(night) == (
            f"cutover: {too_few}; nothing was started; put more full members of this workspace into the user groups, "
            "or ask for fewer approvals."
        )
        assert _kinds(night) == []
        assert not night.slack.messages
        code, out, _ = await night.command("doctor")
        assert (code, f"{too_few}." in out) == (3, True)
        assert "canary-signs-in  The canary signs in at Supabase with its password." in out

        night.slack.groups["S0OPS"] = ["U0ADA", "U0GRACE", "U0LINUS"]
        await night.start_bot()
        await shows(night, "freeze", "waiting")


def test_a_run_that_moved_to_the_archive_is_known(tmp_path: Path) -> None:
    """Its header may show for ever that it has not ended, where Slack let it be edited no more."""
    run = PlanNight().run
    with pytest.raises(CheckFailed, match=r"^The channel shows run 20260101-beef, which has not ended, and this data"):
        must_be_ours("20260101-beef", run, "", tmp_path)
    (tmp_path / "archive" / "20260101-beef").mkdir(parents=True)
    (tmp_path / "archive" / "20260101-beef" / "journal.jsonl").touch()
    must_be_ours("20260101-beef", run, "", tmp_path)
