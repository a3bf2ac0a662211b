"""Commands that tests fork from a loaded process are processes like any other."""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from bot.rehearsal.night import BotEnded
from tests import preloaded
from tests.house.children import silent_server
from tests.night.playing import fast_night, shows


async def test_a_forked_command_has_its_own_directory_environment_and_streams(tmp_path: Path) -> None:
    """What it says and its exit code are its own, and nothing of the tests' environment reaches it."""
    os.environ["SLACK_BOT_TOKEN"] = "of the tests"
    try:
        process = await preloaded.start("run", cwd=tmp_path, env={"SUPABASE_DB_URL": "x"}, stdout=PIPE, stderr=PIPE)
    finally:
        del os.environ["SLACK_BOT_TOKEN"]
    out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert b"SLACK_BOT_TOKEN is missing" in err
    assert b"SUPABASE_DB_URL is missing" not in err
    (tmp_path / "cutover.toml").write_text("[slack]\nchanel = 'C0'\n")
    process = await preloaded.start("run", cwd=tmp_path, env={}, stdout=PIPE, stderr=STDOUT)
    assert b"slack.chanel" in (await process.communicate())[0]
    process = await preloaded.start("freeze-sql", cwd=tmp_path, env={}, stdout=PIPE)
    assert b"default_transaction_read_only" in (await process.communicate())[0]
    assert process.returncode == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 130)])
async def test_a_forked_command_can_be_killed_and_stopped(tmp_path: Path, number: int, code: int) -> None:
    """By its process id; two of them do not disturb each other."""
    with silent_server() as server:
        env = {"SUPABASE_DB_URL": f"postgresql://postgres:x@127.0.0.1:{server.port}/postgres"}
        first, second = [await preloaded.start("thaw", cwd=tmp_path, env=env) for _ in range(2)]
        await asyncio.to_thread(server.connected.wait)
        first.send_signal(number)
        assert await first.wait() == code
        assert second.returncode is None
        os.kill(second.pid, signal.SIGKILL)
        assert await second.wait() == -9


async def test_the_commands_of_a_worker_end_with_it(tmp_path: Path) -> None:
    """They share the process that is forked, but nothing of another worker goes on when that has gone, or stops."""
    with silent_server() as server, Path(os.devnull).open("r+b") as nothing:  # noqa: ASYNC230
        env = {"SUPABASE_DB_URL": f"postgresql://postgres:x@127.0.0.1:{server.port}/postgres"}
        ours = await preloaded.start("thaw", cwd=tmp_path, env=env)
        another = preloaded._Stock()
        _, end = another.fork(["bot", "thaw"], tmp_path, env, [nothing.fileno()] * 3)
        another._end()
        assert preloaded._exit_code(end) == -9
        assert ours.returncode is None
        ours.kill()
        assert await ours.wait() == -9


async def test_who_waits_for_a_bot_that_has_ended_waits_no_longer(tmp_path: Path) -> None:
    """The failure has the exit code, and what the bot said last."""
    with pytest.raises(BotEnded, match="the bot ended early with 2") as failed:
        async with fast_night(tmp_path / "night") as night:
            await night.start_bot("--config", "nowhere.toml")
            await shows(night, "freeze", "waiting")
    assert "--config names nowhere.toml, and there is no such file" in failed.value.__notes__[0]
