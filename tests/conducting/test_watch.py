"""The timers: what they see goes to the conductor, and a watch that cannot see says so."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from bot.conductor import Conductor
from bot.errors import LockHeld
from bot.plan.actions import settled
from bot.plan.events import MovedTo
from bot.plan.findings import MOVED, failed, passed
from bot.plan.inputs import Hear, Judge, ReportDrift
from bot.plan.posts import AlarmKey
from bot.plan.run import Phase, Run
from bot.plan.timetable import LOOK_EVERY, WATCH_EVERY, Chore, Timer
from bot.ports import Look, ThawRecord
from tests.conducting.worlds import AWAY, World, turning, until
from tests.plan.histories import ANN, BOT, START, permission_of

_LOOK = Timer(name="look", chore="look", every=LOOK_EVERY)
_WATCH = Timer(name="watch", chore="watch", every=WATCH_EVERY)
_THAWED = Look(frozen=False, database_time=START)
_FROZEN = Look(frozen=True, database_time=START + timedelta(minutes=3))
_MOVED = ("public.orders took 2 writes",)


def _types(world: World, of: str) -> int:
    return sum(event.type == of for event in world.disk)


def test_three_blind_looks_running_are_reported_once_and_seeing_ends_it() -> None:
    """Two are nothing; from the third on there is one alarm, until a look succeeds; the count then begins anew."""
    world = World("freeze waits")
    world.looks = [AWAY, AWAY, _THAWED, AWAY, AWAY, AWAY, AWAY, _THAWED, AWAY, AWAY, _THAWED]
    conductor = world.conductor()
    watch = world.watch(conductor)
    blind = []

    async def play() -> None:
        for _ in range(len(world.looks)):
            await watch.fire(_LOOK)
            blind.append(conductor.run.blind)

    turning(play())
    assert blind == [False] * 5 + [True, True] + [False] * 4
    assert (_types(world, "watch-blinded"), _types(world, "watch-saw-again")) == (1, 1)
    (told,) = [event for event in world.disk if event.type == "watch-blinded"]
    assert told.why == "It could not be reached; nothing was changed; fix the network."
    assert not conductor.run.alarms


@pytest.mark.parametrize(("timer", "place"), [(_LOOK, "freeze waits"), (_WATCH, "export waits")])
def test_both_watches_may_go_blind(timer: Timer, place: str) -> None:
    """The look before the freeze and the watch after it."""
    world = World(place)
    world.looks = [AWAY]
    world.changes = _unreachable
    conductor = world.conductor()
    watch = world.watch(conductor)

    async def play() -> None:
        for _ in range(5):
            await watch.fire(timer)

    turning(play())
    assert conductor.run.blind
    assert conductor.run.alarms == {AlarmKey("blind", (1,))}


def test_the_first_look_that_finds_the_freeze_is_its_time_and_renews_our_sessions() -> None:
    """By the database's clock; the looks after it renew nothing."""
    world = World("freeze waits")
    world.looks = [_THAWED, _FROZEN]
    conductor = world.conductor()
    watch = world.watch(conductor)

    async def play() -> None:
        for _ in range(4):
            await watch.fire(_LOOK)

    turning(play())
    assert conductor.run.frozen_since == _FROZEN.database_time
    assert world.log == ["sessions renewed"]


def test_a_source_that_moved_holds_the_run() -> None:
    """The drift is reported once, with what moved; the next look compares with what the source was then."""
    world = World("export waits")
    compared_with = []

    async def changes(run: Run) -> Sequence[str]:
        compared_with.append(run.moved_to)
        return _MOVED if run.moved_to is None else ()

    world.changes = changes
    world.moved_to = MovedTo(baseline={"public.orders": [2, 0, 0, 1]})
    conductor = world.conductor()
    watch = world.watch(conductor)

    async def play() -> None:
        await watch.fire(_WATCH)
        await watch.fire(_WATCH)

    turning(play())
    assert (conductor.run.drift, conductor.run.drifts) == (_MOVED, 1)
    assert compared_with == [None, world.moved_to]


def test_a_failed_renewal_is_made_up_for_by_the_next_look() -> None:
    """Our own sessions from before the freeze would count as old, and nobody but us can open them anew."""
    world = World("freeze waits")
    world.looks = [_THAWED, _FROZEN]
    world.renewing = AWAY
    conductor = world.conductor()
    watch = world.watch(conductor)

    async def play() -> None:
        for _ in range(3):
            await watch.fire(_LOOK)
        world.renewing = None
        for _ in range(2):
            await watch.fire(_LOOK)

    turning(play())
    assert _types(world, "freeze-seen") == 1
    assert world.log == ["sessions renewed"]


def test_a_thaw_beside_the_bot_is_reported_while_slack_and_the_source_hang() -> None:
    """`thaw.json` has a timer of its own: it asks nobody but the disk."""
    world = World("export waits")
    world.always["missed"] = (10_000, AWAY)

    async def hangs(run: Run) -> Sequence[str]:
        await asyncio.sleep(10_000)
        return ()

    world.changes = hangs

    async def play() -> float:
        conductor = world.conductor()
        watch = world.watch(conductor)
        watch.start()
        await asyncio.sleep(100)  # sweep and watch are under way, and stuck
        world.thaw_record = ThawRecord(thawed_at=world.clock(), findings=(passed("thaw-writes", "It writes."),))
        left = asyncio.get_running_loop().time()
        await until(lambda: conductor.run.phase is Phase.HELD)
        watch.stop()
        return asyncio.get_running_loop().time() - left

    assert turning(play()) < 6
    assert _types(world, "thawed") == 1


def test_drift_from_a_freeze_that_is_no_more_is_dropped() -> None:
    """While the watch asked, the gate was offered anew: what it found belongs to the freeze before."""
    world = World("export waits")
    conductor = world.conductor()

    async def overtaken(run: Run) -> Sequence[str]:
        conductor.dispatch(ReportDrift(changes=("public.customers took a write",)))
        ts = world.hears(conductor, f"<@{BOT}> retry")
        conductor.dispatch(Judge(ts=ts, permission=permission_of(ANN)))
        return _MOVED

    world.changes = overtaken
    turning(world.watch(conductor).fire(_WATCH))
    assert conductor.run.gate.name == "freeze"
    assert conductor.run.drifts == 1
    assert not conductor.run.drift


@pytest.mark.parametrize("at", ["the watch", "the look"])
def test_a_lost_lock_ends_the_bot(at: str) -> None:
    """Another bot may be at work on the source: this is no miss, it ends the process with the holder's name."""
    held = LockHeld("cutover/x/lock (pid 7) holds it", unchanged="nothing was changed", do="end it")

    async def refuse(run: Run) -> Sequence[str]:
        raise held

    world = World("export waits" if at == "the watch" else "freeze waits")
    world.changes = refuse
    world.looks = [_FROZEN]
    world.renewing = held
    conductor = world.conductor()
    watch = world.watch(conductor)

    async def play() -> None:
        await watch.fire(_WATCH if at == "the watch" else _LOOK)
        with pytest.raises(LockHeld) as ended:
            await conductor.conduct()
        assert ended.value is held

    turning(play())
    assert not conductor.run.blind


@pytest.mark.parametrize("chore", ["look", "watch"])
def test_a_bug_in_a_chore_ends_the_bot(chore: Chore) -> None:
    """A watch that dies silently is worse than a bot that stops."""

    async def broken(run: Run) -> Sequence[str]:
        raise ZeroDivisionError

    world = World("export waits")
    world.changes = broken
    world.looks = []
    conductor = world.conductor()

    async def play() -> None:
        await world.watch(conductor).fire(Timer(name=chore, chore=chore, every=WATCH_EVERY))
        with pytest.raises((ZeroDivisionError, IndexError)):
            await conductor.conduct()

    turning(play())


def test_no_flood_of_words_keeps_the_watch_from_looking() -> None:
    """A word every few seconds, each of which has the gate checked and refused: the looks come every half minute, as
    they do in silence, and what a look sees is reported at once.
    """
    world = World("export waits")
    world.findings["files"] = lambda: failed("files", "A file is damaged.", "Export again.")
    looked: list[float] = []

    async def looks(run: Run) -> Sequence[str]:
        looked.append(asyncio.get_running_loop().time())
        return _MOVED if len(looked) > 5 else ()

    world.changes = looks

    async def play() -> Run:
        conductor = world.conductor(once=False)
        watch = world.watch(conductor)
        watch.start()
        conducting = asyncio.create_task(conductor.conduct())

        async def speak() -> None:
            while True:
                world.hears(conductor, "exported")
                await until(lambda: not conductor.run.unanswered)
                world.hears(conductor, f"<@{BOT}> status")
                await asyncio.sleep(4)

        speaking = asyncio.create_task(speak())
        await until(lambda: bool(conductor.run.drift))
        speaking.cancel()
        conducting.cancel()
        await asyncio.gather(speaking, conducting, return_exceptions=True)
        watch.stop()
        return conductor.run

    run = turning(play())
    assert run.attempts["export"] > 15
    assert run.phase is Phase.HELD
    apart = [later - earlier for earlier, later in itertools.pairwise(looked)]
    assert len(apart) == 5
    assert all(29.9 < seconds < 30.5 for seconds in apart), apart


def test_a_check_that_sees_the_source_moved_is_reported_as_drift_at_once() -> None:
    """By the finding itself, in the middle of the checks: those that were still to come are not asked any more."""
    world = World("export waits")
    moved = {MOVED: list(_MOVED)}
    world.findings["files"] = lambda: failed("no-drift", "The source has moved.", "Find out who writes.", **moved)

    async def play() -> Run:
        conductor = world.conductor(once=False)
        conducting = asyncio.create_task(conductor.conduct())
        world.hears(conductor, "exported")
        await until(lambda: conductor.run.phase is Phase.HELD and settled(conductor.run))
        run = conductor.run
        conducting.cancel()
        await asyncio.gather(conducting, return_exceptions=True)
        return run

    run = turning(play())
    assert run.drift == _MOVED
    assert run.alarms == {AlarmKey("drift", (1,))}
    assert [finding.check for finding in run.findings] == ["no-drift"]
    assert {offer.status for offer in run.offers.values() if offer.checkpoint == "export"} == {"void"}


def test_a_look_that_fails_takes_the_freeze_time_back() -> None:
    """Nobody knows what happened meanwhile: the next look that finds the freeze is its time, and ours are renewed."""
    world = World("freeze waits")
    later = Look(frozen=True, database_time=START + timedelta(minutes=9))
    world.looks = [_FROZEN, AWAY, later]
    conductor = world.conductor()
    watch = world.watch(conductor)
    since = []

    async def play() -> None:
        for _ in range(4):
            await watch.fire(_LOOK)
            since.append(conductor.run.frozen_since)

    turning(play())
    assert since == [_FROZEN.database_time, None, later.database_time, later.database_time]
    assert world.log == ["sessions renewed", "sessions renewed"]


def test_the_sweep_hears_what_was_missed_and_nothing_twice() -> None:
    """What the history holds is heard as if it had come by itself; a sweep that fails changes nothing."""
    world = World("freeze waits")
    conductor = world.conductor()
    watch = world.watch(conductor)
    ts = world.new_ts()
    world.said = [Hear(ts=ts, user=ANN, team="T0", text="frozen", thread_ts=None)]

    async def play() -> None:
        for _ in range(3):
            await watch.sweep()

    turning(play())
    assert conductor.run.unanswered == {ts}
    assert _types(world, "message-heard") == 1 + _types(World("freeze waits"), "message-heard")


def test_a_gate_that_waits_is_reminded_of_once_a_timer() -> None:
    """And a reminder that comes too late, when the gate has passed, reminds of nothing."""
    world = World("freeze waits")
    conductor = world.conductor()
    watch = world.watch(conductor)
    world.now += timedelta(minutes=15)
    turning(watch.fire(Timer(name="remind/freeze/1/1", chore="remind", at=START)))
    assert conductor.run.offer is not None
    assert conductor.run.offer.reminders == 1
    late = World("export runs").conductor()
    before = late.run
    turning(world.watch(late).fire(Timer(name="remind/freeze/1/1", chore="remind", at=START)))
    assert late.run is before


async def test_started_it_looks_at_once_and_arms_what_the_run_needs() -> None:
    """On the real clock: the freeze is seen without waiting for an interval; what is not due any more is disarmed."""
    world = World("freeze waits")
    world.looks = [_FROZEN]
    world.changes = _moved
    async with _started(world) as conductor:
        await _in_real_time(lambda: conductor.run.frozen_since is not None)
    restarted = World("export waits")
    restarted.changes = _moved
    async with _started(restarted) as conductor:
        await _in_real_time(lambda: bool(conductor.run.drift))


@asynccontextmanager
async def _started(world: World) -> AsyncIterator[Conductor]:
    """A watch with its real scheduler, and the conductor at whose door it knocks."""
    conductor = world.conductor()
    watch = world.watch(conductor)
    watch.start()
    try:
        yield conductor
    finally:
        watch.stop()


async def _in_real_time(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(180):
        await until(condition)


async def _unreachable(run: Run) -> Sequence[str]:
    raise AWAY


async def _moved(run: Run) -> Sequence[str]:
    return _MOVED
