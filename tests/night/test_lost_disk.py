"""The disk is gone in the middle of a night: no second run begins over it unless somebody gives the first one up."""

import shutil
from pathlib import Path

import pytest

from tests.night.playing import (
    assert_handed_over,
    ended,
    fast_night,
    pass_gate,
    play_on,
    posts,
    shows,
)


def _last_line(log: Path) -> str:
    return log.read_text(encoding="utf-8").splitlines()[-1]


@pytest.mark.all
async def test_a_lost_disk_opens_no_second_run_by_itself(tmp_path: Path) -> None:
    """Refused with 3 and the way on in one sentence; given up by its name, the night begins anew beside it."""
    async with fast_night(tmp_path / "night") as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await shows(night, "export", "waiting")
        await night.kill_bot()
        lost = posts(night, "cutover_run")[0]["run_id"]
        shutil.rmtree(night.directory)

        said = len(night.slack.messages)
        for arguments in ((), ("--once", "--new")):
            await night.start_bot(*arguments)
            assert await ended(night) == 3
            assert _last_line(night.log_file) == (
                f"cutover: The channel shows run {lost}, which has not ended, and this data directory has no "
                "journal of "
                "it; nothing was started; start the bot with the data directory of that run "
                "(MIGRATION_DATA_DIR); where "
                f"its disk is lost, `cutover run --new --abandon {lost}` gives it up and opens another."
            )
        await night.start_bot("--once", "--new", "--abandon", "20200101-0000")
        assert await ended(night) == 2
        assert _last_line(night.log_file) == (
            f"cutover: The channel shows run {lost} as the one that has not ended, and --abandon names 20200101-0000; "
            "nothing was started; name the run that the channel's last header shows, or leave --abandon away."
        )
        assert not (night.directory / "journal.jsonl").exists()
        assert len(night.slack.messages) == said, "nothing was said in the channel"

        await night.start_bot("--once", "--new", "--abandon", lost)
        await shows(night, "freeze", "waiting")
        await night.freeze()
        code = await play_on(night)
        assert len({post["run_id"] for post in posts(night, "cutover_run")}) == 2
        await assert_handed_over(night, code, users=120)
