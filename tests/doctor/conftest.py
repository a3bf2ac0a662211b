"""A company's world without a bot, and the settings that lead into it."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from bot import settings
from bot.rehearsal.night import Night
from bot.settings import Settings
from tests.night.playing import fast_night

NEEDS: tuple[settings.Need, ...] = ("slack", "source", "source_api", "target")
Chosen = Callable[..., Settings]


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Night]:
    """Everything that a night needs is up; nobody has begun one."""
    async with fast_night(tmp_path_factory.mktemp("world") / "data") as night:
        night.directory.mkdir()
        yield night


@pytest.fixture
def chosen(world: Night, tmp_path: Path) -> Chosen:
    """The settings of the world, with other values for some variables of the environment."""

    def load(**others: str) -> Settings:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "environ", {**world.environment, **others})
            return settings.load(NEEDS, directory=tmp_path)

    return load
