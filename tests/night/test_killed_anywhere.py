"""SIGKILL at any instant: the restarted bot ends with the same export, the same mapping, and nothing done twice. Two
kills are in `test_night.py`.
"""

import asyncio
import random
from pathlib import Path

import pytest

from tests.night.killing import play_with_kills
from tests.night.playing import fast_night, play

KILLS_A_NIGHT = 3
SECONDS_OF_A_NIGHT = 9.0
pytestmark = pytest.mark.all


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a night in which nobody is killed."""
    directory = tmp_path_factory.mktemp("undisturbed") / "night"

    async def one() -> None:
        async with fast_night(directory) as night:
            await night.start_bot()
            assert await play(night) == 0

    asyncio.run(one())
    return directory


@pytest.mark.parametrize("seed", range(30 // KILLS_A_NIGHT))
async def test_thirty_random_instants(undisturbed: Path, tmp_path: Path, seed: int) -> None:
    """Thirty SIGKILLs at random instants of ten nights; the seed tells which."""
    chance = random.Random(seed)
    cuts = sorted(chance.uniform(0.3, SECONDS_OF_A_NIGHT) for _ in range(KILLS_A_NIGHT))
    instants = [b - a for a, b in zip([0.0, *cuts], cuts, strict=False)]
    await play_with_kills(tmp_path / "night", instants, undisturbed)
