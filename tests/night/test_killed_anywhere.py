"""SIGKILL at any instant: the restarted bot ends with the same export, the same mapping, and nothing done twice."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from bot.rehearsal.night import Night
from tests.night.playing import exported, fast_night, mapped, play, posts

KILLS_A_NIGHT = 3
SECONDS_OF_A_NIGHT = 9.0


async def _undisturbed(directory: Path) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    async with fast_night(directory) as night:
        await night.start_bot()
        assert await play(night) == 0
    return exported(directory), mapped(directory)


async def _kill_at(night: Night, instants: list[float]) -> None:
    """SIGKILL so many seconds after the bot's start, or restart; each time it is started again at once."""
    for instant in instants:
        await asyncio.sleep(instant)
        assert night.bot is not None
        if night.bot.returncode is None:
            await night.kill_bot()
            await night.start_bot()


async def _one_night(directory: Path, instants: list[float]) -> None:
    plain = await _undisturbed(directory / "plain")
    async with fast_night(directory / "killed") as night:
        await night.start_bot()
        killer = asyncio.create_task(_kill_at(night, instants))
        code = await play(night)
        killer.cancel()
        assert code == 0
        assert (exported(night.directory), mapped(night.directory)) == plain
        assert [p["checkpoint"] for p in posts(night, "cutover_checkpoint")] == ["freeze", "export", "users"]
        assert len(posts(night, "cutover_run")) == 1
        keys = Counter(m.payload["key"] for m in night.slack.messages if m.payload)
        assert {key: n for key, n in keys.items() if n > 1} == {}
        stored = Counter(user.server_metadata["supabase"]["id"] for user in night.stack.users.values())
        assert (len(stored), set(stored.values())) == (night.users, {1})
        code, out, err = await night.command("verify")
        assert code == 0, out + err


async def test_a_night_with_kills_ends_as_if_there_were_none(tmp_path: Path) -> None:
    """Two kills, in the export's and the users' time."""
    await _one_night(tmp_path, [4.5, 2.5])


@pytest.mark.all
@pytest.mark.parametrize("seed", range(30 // KILLS_A_NIGHT))
async def test_thirty_random_instants(tmp_path: Path, seed: int) -> None:
    """Thirty SIGKILLs at random instants of ten nights; the seed tells which."""
    chance = random.Random(seed)
    cuts = sorted(chance.uniform(0.3, SECONDS_OF_A_NIGHT) for _ in range(KILLS_A_NIGHT))
    await _one_night(tmp_path, [b - a for a, b in zip([0.0, *cuts], cuts, strict=False)])
