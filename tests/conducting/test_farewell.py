"""What a bot that ends says, where a freeze is in place."""

import asyncio

import pytest

from bot.conductor import interrupted
from bot.errors import CutoverError, UsageError
from bot.plan.events import BotLeft, Event
from bot.plan.posts import AlarmKey
from bot.plan.run import Run
from tests.conducting.worlds import AWAY, World, turning, until
from tests.plan.histories import RUN_ID

_LEFT = f"{RUN_ID}/alarm/left/1"


def _left(world: World) -> list[str]:
    return [event.why for event in world.disk if isinstance(event, BotLeft)]


def _ends_with(world: World, error: BaseException) -> Run:
    async def play() -> Run:
        conductor = world.conductor(once=False)
        conducting = asyncio.create_task(conductor.conduct())
        await asyncio.sleep(1)
        conductor.fail(error)
        with pytest.raises(type(error)) as ended:
            await conducting
        assert ended.value is error
        return conductor.run

    return turning(play())


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (interrupted(), "It was told to stop."),
        (AWAY, "It could not be reached."),
        (ZeroDivisionError("x"), "A bug in it ended it (ZeroDivisionError)."),
    ],
    ids=["told to stop", "an error", "a bug"],
)
def test_a_bot_that_ends_under_a_freeze_says_so_in_the_channel(error: BaseException, why: str) -> None:
    """Whatever ended it, before it ends: an alarm that stays until a bot is there again."""
    world = World("export waits")
    run = _ends_with(world, error)
    assert _left(world) == [why]
    assert run.deliveries[_LEFT].ts
    assert AlarmKey("left", (1,)) in run.alarms
    again = _ends_with(world, interrupted())
    assert AlarmKey("left", (1,)) not in again.alarms
    assert world.shown[_LEFT] == "done"


@pytest.mark.parametrize("place", ["freeze waits", "aborted"])
def test_a_bot_that_ends_where_no_freeze_is_in_place_says_nothing(place: str) -> None:
    """There is nothing that anybody had to watch."""
    world = World(place)
    before = list(world.posted)

    async def play() -> None:
        conductor = world.conductor(once=False)
        conducting = asyncio.create_task(conductor.conduct())
        conductor.fail(interrupted())
        with pytest.raises(CutoverError):
            await conducting

    turning(play())
    assert _left(world) == []
    assert [key for key in world.posted if "/left/" in key] == [key for key in before if "/left/" in key]


def test_a_channel_that_does_not_answer_keeps_no_bot_from_ending() -> None:
    """A few seconds, and it is in the journal all the same; the next bot posts it."""
    world = World("export waits")
    answered = world.effect

    async def silent(*_: object) -> None:
        await asyncio.sleep(3600)

    async def play() -> float:
        conductor = world.conductor(once=False)
        conducting = asyncio.create_task(conductor.conduct())
        await until(lambda: f"{RUN_ID}/alarm/back/1" in world.posted)
        world.effect = silent  # type: ignore[assignment,method-assign]
        began = asyncio.get_running_loop().time()
        conductor.fail(interrupted())
        with pytest.raises(CutoverError):
            await conducting
        return asyncio.get_running_loop().time() - began

    assert turning(play()) <= 10
    assert _left(world) == ["It was told to stop."]
    assert _LEFT not in world.posted
    world.effect = answered  # type: ignore[method-assign]
    _ends_with(world, interrupted())
    assert _LEFT in world.posted


def test_a_journal_that_cannot_be_written_keeps_no_bot_from_ending() -> None:
    """What ended it is what is raised."""
    world = World("export waits")
    full = UsageError("the disk is full", unchanged="nothing was added to it", do="make room")

    async def play() -> list[Event]:
        conductor = world.conductor(once=False)
        conducting = asyncio.create_task(conductor.conduct())
        await asyncio.sleep(1)
        world.full = True
        conductor.fail(full)
        with pytest.raises(UsageError) as ended:
            await conducting
        assert ended.value is full
        return world.disk

    assert not any(isinstance(event, BotLeft) for event in turning(play()))
