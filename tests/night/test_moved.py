"""A disk that is too small in the middle of a night: the run moves to another, and nothing of it is lost."""

import asyncio
import shutil
from pathlib import Path

import pytest

from bot.supabase.export.space import Room
from tests.night.playing import assert_handed_over, ended, exported, fast_night, pass_gate, play_on, posts, shows


@pytest.mark.all
async def test_an_open_run_goes_on_where_its_directory_was_moved(tmp_path: Path) -> None:
    """By the very command that the finding gives, under the freeze: the files are kept and no gate opens twice."""
    async with fast_night(tmp_path / "night") as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await night.freeze()
        await pass_gate(night, "freeze")
        await shows(night, "export", "waiting")
        assert night.bot is not None
        night.bot.terminate()
        assert await ended(night) == 130
        before, old, new = exported(night.directory), night.directory, tmp_path / "larger" / "data"

        command = Room(old, needed=2, free=1).way_out.split("`")[1].replace("NEW", str(new))
        moving = await asyncio.create_subprocess_shell(command)
        assert await moving.wait() == 0
        shutil.rmtree(old)
        night.directory = new
        await night.start_bot("--once")
        code = await play_on(night)

        assert exported(new) == before
        assert [post["checkpoint"] for post in posts(night, "cutover_checkpoint")] == ["freeze", "export", "users"]
        await assert_handed_over(night, code, users=120)
        assert new.stat().st_mode & 0o077 == 0
