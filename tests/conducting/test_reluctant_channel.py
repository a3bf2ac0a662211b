"""A channel that does not take all that is to be told: what it refuses holds back nothing else."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from bot.conductor import Conductor
from bot.errors import CutoverError, ServiceRefused
from bot.plan import display
from bot.plan import inputs as say
from bot.plan.findings import Finding, passed
from bot.plan.results import StepResult
from bot.plan.run import Run
from bot.ports import Report
from tests.conducting.worlds import AWAY, LOST, World, turning, until
from tests.plan.histories import ANN, BOT, EVE, RUN_ID, result_of

REFUSED = ServiceRefused("Slack refused to edit a message", unchanged="nothing was changed in Slack", do="look it up")
TROUBLES = pytest.mark.parametrize(
    ("seconds", "error"),
    [(0.1, LOST), (0.1, AWAY), (0.1, REFUSED), (20, LOST)],
    ids=["no answer", "no connection", "a refusal", "a time-out"],
)


async def _conducted(conductor: Conductor) -> None:
    async with asyncio.timeout(3600):
        await conductor.conduct()


@TROUBLES
def test_a_channel_that_takes_no_edits_gets_every_post(seconds: float, error: CutoverError) -> None:
    """Through a whole gate: its findings, an alarm raised meanwhile and the next gate are there at once."""
    world = World("freeze waits")
    world.always["redraw"] = (seconds, error)

    async def play() -> None:
        conductor = world.conductor()
        clock = asyncio.get_running_loop().time
        raised = 0.0

        async def examine(run: Run, report: Report) -> AsyncIterator[Finding]:
            nonlocal raised
            await asyncio.sleep(5)
            raised = clock()
            conductor.dispatch(say.ReportBlindness(why="No answer."))
            yield passed("notice", "It answers.")

        world.examiners["notice"] = examine
        conducting = asyncio.create_task(_conducted(conductor))
        world.hears(conductor, "frozen")
        await until(lambda: f"{RUN_ID}/checkpoint/export/1" in world.times)
        assert world.times[f"{RUN_ID}/alarm/blind/1"] - raised < 1
        await until(lambda: all(d.ts for d in conductor.run.deliveries.values()))
        assert clock() - raised < 5
        del world.always["redraw"]
        await asyncio.sleep(120)
        assert world.shown[f"{RUN_ID}/checkpoint/freeze/1"] == "passed 1"
        conducting.cancel()
        await asyncio.wait([conducting])

    turning(play())


@TROUBLES
def test_an_edit_that_fails_holds_back_no_other(seconds: float, error: CutoverError) -> None:
    """The header is not to be edited; the gates show where they have come to all the same."""
    world = World("freeze waits")
    header = f"{RUN_ID}/header"
    world.always[f"redraw {header}"] = (seconds, error)

    async def play() -> None:
        conductor = world.conductor()
        conducting = asyncio.create_task(_conducted(conductor))
        world.hears(conductor, "frozen")
        await until(lambda: world.shown.get(f"{RUN_ID}/checkpoint/freeze/1") == "passed 1")
        await asyncio.sleep(200)
        del world.always[f"redraw {header}"]
        begun = [at for key, at in world.edited if key == header]
        assert all(later - earlier >= 1.9 for earlier, later in itertools.pairwise(begun))
        if error is not REFUSED:
            await until(
                lambda: (
                    world.shown[header] == display.displayed_state(conductor.run, conductor.run.deliveries[header].post)
                )
            )
        conducting.cancel()
        await asyncio.wait([conducting])

    turning(play())


@pytest.mark.parametrize("seconds", [0.1, 20])
def test_a_post_that_fails_holds_back_no_other(seconds: float) -> None:
    """A finding that Slack does not take is tried again, the later the more often, and looked for each time; what
    comes behind it is posted meanwhile. In the end it is there once.
    """
    world = World("freeze is checked")
    finding = f"{RUN_ID}/finding/freeze/2/1"
    world.always[f"post {finding}"] = (seconds, LOST)

    async def play() -> None:
        conductor = world.conductor()
        conducting = asyncio.create_task(_conducted(conductor))
        await until(lambda: f"{RUN_ID}/checkpoint/export/1" in world.times)
        assert finding not in world.posted
        tries = world.effects["find"]
        await asyncio.sleep(600)
        assert 10 < world.effects["find"] - tries < 25
        del world.always[f"post {finding}"]
        await asyncio.sleep(120)
        world.check(conductor.run)
        conducting.cancel()
        await asyncio.wait([conducting])

    turning(play())


def test_a_flood_of_words_delays_no_gate_and_no_alarm() -> None:
    """Three hundred in a minute, no two alike, of several people: the word that counts is taken at once, the gate is
    checked, an alarm and the next gate are in the channel, and the answers come behind, each once.
    """
    world = World("freeze waits")

    async def users(report: Report) -> StepResult:
        return result_of("users")

    world.steps["users"] = users

    async def play() -> None:
        conductor = world.conductor()
        clock = asyncio.get_running_loop().time
        conducting = asyncio.create_task(_conducted(conductor))
        for n in range(100):
            world.hears(conductor, f"<@{BOT}> coffee{n}", EVE)
            world.hears(conductor, f"<@{BOT}> status", EVE)
            world.hears(conductor, f"froze {n}", ANN)
        began = clock()
        world.hears(conductor, "frozen")
        conductor.dispatch(say.ReportBlindness(why="No answer."))
        await until(lambda: f"{RUN_ID}/alarm/blind/1" in world.times)
        assert clock() - began < 1
        await until(lambda: f"{RUN_ID}/checkpoint/export/1" in world.times)
        assert clock() - began < 5
        owed = [d for d in conductor.run.deliveries.values() if not d.ts] + list(conductor.run.unanswered)
        assert len(owed) > 100
        await asyncio.sleep(300)
        world.check(conductor.run)
        assert not conductor.run.unanswered
        answers = [key for key in world.posted if "/answer/" in key]
        assert 100 < len(answers) < 210, "what says the same to the same person was joined"
        conducting.cancel()
        await asyncio.wait([conducting])

    turning(play())


def test_a_person_whom_slack_does_not_tell_of_holds_back_nobody_who_counts() -> None:
    """While the question who somebody is waits for its answer, no gate and no alarm does."""
    world = World("freeze is checked")
    world.always["permission"] = (10, AWAY)

    async def play() -> None:
        conductor = world.conductor()
        conducting = asyncio.create_task(_conducted(conductor))
        world.hears(conductor, f"<@{BOT}> status", EVE)
        conductor.dispatch(say.ReportBlindness(why="No answer."))
        await until(lambda: f"{RUN_ID}/alarm/blind/1" in world.times)
        assert asyncio.get_running_loop().time() < 2
        conducting.cancel()
        await asyncio.wait([conducting])

    turning(play())
