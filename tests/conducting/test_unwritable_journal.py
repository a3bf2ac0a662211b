"""A journal that cannot be written ends the bot, whoever was about to write: what cannot be kept must not be acted on,
and a bot that lives on deaf and mute is worse than none.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from bot.conductor import Conductor
from bot.errors import CutoverError, UsageError
from bot.plan.findings import Finding, passed
from bot.plan.inputs import Hear, ReportDeletion, ReportSecondInstance
from bot.plan.results import StepResult
from bot.plan.run import Run
from bot.plan.timetable import SWEEP_EVERY, Timer
from bot.ports import Report
from bot.watch import Watch
from tests.conducting.worlds import World, turning
from tests.plan.histories import ANN, result_of

_FULL = r"^the disk is full; nothing was added to it; make room\.$"
Happening = Callable[[World, Conductor, Watch], Coroutine[Any, Any, object]]


def _said(world: World) -> Hear:
    return Hear(ts=world.new_ts(), user=ANN, team="T0", text="exported", thread_ts=None)


async def _heard(world: World, conductor: Conductor, watch: Watch) -> None:
    conductor.dispatch(_said(world))


async def _swept(world: World, conductor: Conductor, watch: Watch) -> None:
    world.said = [_said(world)]
    await watch.fire(Timer(name="sweep", chore="sweep", every=SWEEP_EVERY))


async def _reconnected(world: World, conductor: Conductor, watch: Watch) -> None:
    world.said = [_said(world)]
    watch.sweep_soon()


async def _second_instance(world: World, conductor: Conductor, watch: Watch) -> None:
    conductor.dispatch(ReportSecondInstance(connections=3))


async def _deleted(world: World, conductor: Conductor, watch: Watch) -> None:
    conductor.dispatch(ReportDeletion(ts=next(iter(conductor.run.deliveries.values())).ts))


@pytest.mark.parametrize("happening", [_heard, _swept, _reconnected, _second_instance, _deleted])
def test_while_a_gate_waits(happening: Happening) -> None:
    """Those who bring something (Slack's libraries, a timer) may swallow what the journal raises: the bot ends with it
    all the same, and nothing has changed.
    """
    world = World("export waits")

    async def play() -> Run:
        conductor = world.conductor(once=False)
        watch = world.watch(conductor)
        conducting = asyncio.create_task(conductor.conduct())
        await asyncio.sleep(60)
        before, world.full = conductor.run, True
        with contextlib.suppress(CutoverError):
            await happening(world, conductor, watch)
        async with asyncio.timeout(180):
            with pytest.raises(UsageError, match=_FULL):
                await conducting
        assert conductor.run == before
        return before

    turning(play())


class _ForOnce:
    """The next append finds no room, and those behind it do."""

    asked = False

    def __bool__(self) -> bool:
        was, self.asked = self.asked, True
        return not was


def test_in_a_step_whose_result_could_not_be_kept() -> None:
    """It is no failure of the step: the run is not held for it, and the next process does the step once more."""
    world = World("export runs")

    async def ends(report: Report) -> StepResult:
        await asyncio.sleep(1)
        world.full = _ForOnce()
        return result_of("export")

    world.steps["export"] = ends
    _ends(world)
    assert world.disk[-1].type not in {"step-failed", "step-ended"}


def test_in_a_check_whose_finding_could_not_be_kept() -> None:
    """It is no failing check: the gate is not refused for it."""
    world = World("export is checked")

    async def found(run: Run, report: Report) -> AsyncIterator[Finding]:
        await asyncio.sleep(1)
        world.full = _ForOnce()
        yield passed("files-whole", "All is whole.")

    world.examiners["files"] = found
    _ends(world)
    assert {event.finding.verdict for event in world.disk if event.type == "finding-made"} <= {"pass", "warn"}


def _ends(world: World) -> None:
    async def play() -> None:
        conductor = world.conductor()
        async with asyncio.timeout(60):
            with pytest.raises(UsageError, match=_FULL):
                await conductor.conduct()

    turning(play())
