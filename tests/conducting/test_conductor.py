"""The loop in a world of small fakes: what fails, what dies, and what the disk and the channel say afterwards."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import pytest

from bot.conductor import interrupted
from bot.errors import CutoverError, Interrupted, ServiceUnreachable, UsageError
from bot.obstacles import DATABASE_AWAY, UNFORESEEN
from bot.plan import inputs as say
from bot.plan.findings import Finding, Verdict, failed, passed, warned
from bot.plan.fold import fold
from bot.plan.hold import StepStopped
from bot.plan.results import StepResult
from bot.plan.run import Phase, Run
from bot.ports import Look, Progress, Report
from tests.conducting.worlds import AWAY, Trouble, World, turning, until
from tests.plan.histories import BOT, EVE, START, result_of

_EFFECTS = ("post", "redraw", "pin", "permission", "examine", "step", "leave_reminder")
_WAY_OUT = 30
"""Lines, after which a night is as any other."""
_PLACES = ("held", "drifted", "aborting", "thaw failed")
_EACH = pytest.mark.parametrize(
    "each", [False, pytest.param(True, marks=pytest.mark.all)], ids=["of each sort", "each"]
)


def _some(sorts: Sequence[str], *, each: bool, turn: int) -> list[int]:
    """Those to try, counted from 1: each, or of each sort the first or the last, by turns; with the next `turn` it is
    the other one.
    """
    numbers = range(1, len(sorts) + 1)
    if each:
        return list(numbers)
    first = {sort: n for n, sort in zip(reversed(numbers), reversed(sorts), strict=True)}
    last = dict(zip(sorts, numbers, strict=True))
    return [(first, last)[(place + turn) % 2][sort] for place, sort in enumerate(last)]


def _clean_night() -> World:
    world = World()
    code, run = turning(world.play())
    assert code == 0
    world.check(run)
    return world


def test_a_night_without_trouble_goes_through(clean: World) -> None:
    """Every gate passed once and every step done once; the table of troubles below names every effect of it."""
    assert clean.log == ["export done", "users done", "handover done"]
    assert set(clean.effects) == {*_EFFECTS, "append"}


@_EACH
@pytest.mark.parametrize("deadly", [False, True], ids=["an error", "a death"])
@pytest.mark.parametrize("happens", [False, True], ids=["did not happen", "happened"])
@pytest.mark.parametrize("effect", _EFFECTS)
def test_every_effect_may_fail_at_any_time(clean: World, effect: str, happens: bool, deadly: bool, each: bool) -> None:
    """Failed and did not happen, failed and happened all the same; with an answer lost or with the process killed: the
    night ends as well as without, each key was posted once, and the channel shows what the disk says.
    """
    for nth in _some(clean.sorts[effect], each=each, turn=happens + deadly):
        _goes_through(Trouble(effect, nth, happens, deadly))


@_EACH
def test_the_process_may_die_before_any_append_to_the_journal(clean: World, each: bool) -> None:
    """Between an effect and the append of what it came to: nothing is asked or done again that the journal knows of."""
    for nth in _some(clean.sorts["append"], each=each, turn=0):
        _goes_through(Trouble("append", nth, happens=False, deadly=True))


def _goes_through(trouble: Trouble) -> None:
    world = World(trouble=trouble)
    code, run = turning(world.play())
    assert (code, run.phase) == (0, Phase.DONE), trouble
    world.check(run)
    assert [offer.status for offer in run.offers.values()] == ["passed"] * 3, trouble
    happened = Counter(event.type for event in world.disk)
    assert (happened["checkpoint-passed"], happened["step-ended"], happened["run-aborted"]) == (3, 3, 0), trouble


@_EACH
@pytest.mark.parametrize("place", _PLACES)
def test_the_process_may_die_at_any_line_of_the_way_out_of_trouble(place: str, each: bool) -> None:
    """Whatever was decided and not yet written is decided anew by the next process."""
    aborts = place in {"aborting", "thaw failed"}
    undisturbed = World(place)
    assert turning(undisturbed.play())[0] == (3 if aborts else 0)
    for nth in _some(undisturbed.sorts["append"][:_WAY_OUT], each=each, turn=_PLACES.index(place)):
        world = World(place, Trouble("append", nth, happens=False, deadly=True))
        code, run = turning(world.play())
        assert (code, run.phase) == ((3, Phase.ABORTED) if aborts else (0, Phase.DONE)), nth
        world.check(run)


@pytest.fixture(scope="module")
def clean() -> World:
    return _clean_night()


def test_an_examiner_that_cannot_ask_is_a_failing_finding(clean: World) -> None:
    """The others are asked all the same, the gate is refused, and the finding bears a check's name and a next step."""
    world = World("freeze waits", Trouble("examine", 1, happens=False, deadly=False))

    async def play() -> World:
        conductor = world.conductor()
        conducting = asyncio.create_task(conductor.conduct())
        world.hears(conductor, "frozen")
        await until(lambda: conductor.run.offer is not None and conductor.run.offer.status == "refused")
        await _ended(conducting)
        assert [(f.check, f.verdict) for f in conductor.run.findings] == [("freeze-layers", "fail"), ("notice", "warn")]
        assert conductor.run.findings[0].evidence == "This could not be checked: it could not be reached."
        assert conductor.run.findings[0].fix == f"{DATABASE_AWAY.next_step} Then say the word again."
        assert conductor.run.freeze is None
        return world

    turning(play())


def test_a_freeze_that_nobody_has_seen_is_looked_at_before_it_is_proven() -> None:
    """It counts from that look, our sessions begin anew, and the proof waits for both; nobody has to say it twice."""
    world = World("freeze waits")
    world.looks = [Look(frozen=True, database_time=START)]
    seen: list[tuple[datetime | None, list[str]]] = []

    async def proof(run: Run, report: Report) -> AsyncIterator[Finding]:
        seen.append((run.frozen_since, list(world.log)))
        yield failed("freeze-layers", "Not yet.", "freeze")

    world.examiners["freeze-proof"] = proof

    async def play() -> None:
        conductor = world.conductor()
        assert conductor.run.frozen_since is None
        conducting = asyncio.create_task(conductor.conduct())
        for refused in (1, 2):
            world.hears(conductor, "frozen")
            await until(lambda n=refused: len(seen) == n)  # type: ignore[misc]
            await until(lambda: conductor.run.offer is not None and conductor.run.offer.status == "refused")
        await _ended(conducting)

    turning(play())
    assert seen == [(START, ["sessions renewed"])] * 2


def test_an_examiner_that_says_nothing_passes_no_gate() -> None:
    """Silence is a finding under a check's name that is never waived, and the words that stop a run still work."""
    world = World("freeze waits")

    async def silent(run: Run, report: Report) -> AsyncIterator[Finding]:
        for finding in ():
            yield finding

    world.examiners["freeze-proof"] = silent

    async def play() -> None:
        conductor = world.conductor()
        conducting = asyncio.create_task(conductor.conduct())
        world.hears(conductor, "frozen")
        await until(lambda: conductor.run.offer is not None and conductor.run.offer.status == "refused")
        [silence, _] = conductor.run.findings
        assert (silence.check, silence.verdict, silence.waivable) == ("freeze-layers", Verdict.FAIL, False)
        assert silence.evidence == "This could not be checked: the examiner freeze-proof gave no answer at all."
        assert silence.fix == f"{UNFORESEEN.next_step} Then say the word again."
        world.hears(conductor, f"<@{BOT}> hold we look into the log")
        await until(lambda: conductor.run.phase is Phase.HELD)
        await _ended(conducting)

    turning(play())


def test_a_bug_in_an_examiner_passes_no_gate() -> None:
    """It ends the process, and the gate is as it was: being checked."""

    def broken() -> Finding:
        raise ZeroDivisionError

    world = World("freeze waits")
    world.findings["notice"] = broken

    async def play() -> None:
        conductor = world.conductor()
        world.hears(conductor, "frozen")
        with pytest.raises(ZeroDivisionError):
            await conductor.conduct()
        assert conductor.run.phase is Phase.VERIFYING
        assert fold(world.disk) == conductor.run

    turning(play())


def test_a_step_that_fails_is_held_until_an_approver_says_retry() -> None:
    """The hold says the sentence; a member's retry changes nothing; an approver's begins the next attempt."""
    world = World("freeze is checked")
    failures = 0

    async def export(report: Report) -> StepResult:
        nonlocal failures
        if failures < 2:
            failures += 1
            raise ServiceUnreachable("the source went away", unchanged="no file was made", do="look at its status")
        return result_of("export")

    world.steps["export"] = export

    async def play() -> None:
        conductor = world.conductor()
        conducting = asyncio.create_task(conductor.conduct())
        for attempt in (1, 2):
            await until(lambda: conductor.run.phase is Phase.HELD and not conductor.run.unanswered)
            assert conductor.run.hold == StepStopped(
                step="export", why="The source went away; no file was made; look at its status."
            )
            assert failures == attempt
            world.hears(conductor, f"<@{BOT}> retry", EVE)
            await asyncio.sleep(30)
            assert (conductor.run.phase, failures) == (Phase.HELD, attempt)
            world.hears(conductor, f"<@{BOT}> retry")
            await asyncio.sleep(0.2)
        await until(lambda: conductor.run.gate.name == "export")
        await asyncio.sleep(30)
        world.check(conductor.run)
        assert [e.attempt for e in world.disk if e.type == "step-began"] == [1, 2, 3]
        await _ended(conducting)

    turning(play())


def test_an_abort_waits_for_the_step_to_stop_and_then_thaws() -> None:
    """The step is cancelled, reaches its safe point, and only then is the way back gone; the exit code is 3."""
    world = World("export waits")

    async def users(report: Report) -> StepResult:
        world.log.append("users began")
        try:
            await asyncio.sleep(10_000)
        finally:
            await asyncio.sleep(7)
            world.log.append("users stopped")
        raise AssertionError

    world.steps["users"] = users

    async def play() -> None:
        conductor = world.conductor()
        conducting = asyncio.create_task(conductor.conduct())
        world.hears(conductor, "exported")
        await until(lambda: "users began" in world.log)
        world.hears(conductor, f"<@{BOT}> abort")
        await asyncio.sleep(5)
        assert world.log == ["users began"]
        world.hears(conductor, f"<@{BOT}> abort yes")
        assert await conducting == 3
        assert world.log == ["users began", "users stopped", "thawed"]
        assert conductor.run.phase is Phase.ABORTED
        world.check(conductor.run)

    turning(play())


@pytest.mark.parametrize("happens", [False, True])
def test_a_thaw_that_fails_is_held_and_tried_again(happens: bool) -> None:
    """Whether it had its effect or not: on retry it is done again, and the run is aborted."""
    world = World("aborting", Trouble("thaw", 1, happens, deadly=False))

    async def play() -> None:
        conductor = world.with_people(world.conductor())
        assert await conductor.conduct() == 3
        assert world.effects["thaw"] == 2
        assert conductor.run.phase is Phase.ABORTED
        world.check(conductor.run)

    turning(play())


def test_progress_is_shown_by_the_newest_edit_alone() -> None:
    """While an edit is on its way, whatever else is asked for becomes one edit, with what is known by then."""
    world = World("freeze is checked")

    async def export(report: Report) -> StepResult:
        await asyncio.sleep(60)  # all posts are out
        world.progress.clear()
        for done in range(1, 8):
            report(Progress(step="export", done=done, total=8, unit="tables"))
            conductor.redraw_header()
            await asyncio.sleep(0.05)  # an edit takes twice as long
        await asyncio.sleep(5)
        return result_of("export")

    async def play() -> list[int]:
        conducting = asyncio.create_task(conductor.conduct())
        await until(lambda: conductor.run.gate.name == "export")
        await _ended(conducting)
        return [shown.progress.done for shown in world.progress if shown is not None]

    world.steps["export"] = export
    conductor = world.conductor()
    shown = turning(play())
    assert shown == sorted(set(shown))
    assert shown[0] == 1
    assert shown[-1] == 7
    assert len(shown) < 7


def test_a_header_and_a_checkpoint_that_somebody_deletes_are_posted_anew() -> None:
    """Each once, the header pinned again; the findings of the gate are below the new one, and the night goes on."""
    world = World()
    conductor = world.with_people(world.conductor())
    goes_on = conductor.on_change
    header = next(iter(conductor.run.deliveries))

    def delete(run: Run) -> None:
        if run.gate.name == "export" and run.deliveries[run.gate_key].ts and not world.deleted:
            world.delete(header)
            world.delete(run.gate_key)
        goes_on(run)

    conductor.on_change = delete
    assert turning(conductor.conduct()) == 0
    assert len(world.deleted) == 2
    world.check(conductor.run)


def test_whoever_deletes_every_header_has_the_last_word() -> None:
    """The bot does not quarrel for ever, and the night goes on."""
    world = World()
    conductor = world.with_people(world.conductor())
    goes_on = conductor.on_change
    header = next(iter(conductor.run.deliveries))

    def delete(run: Run) -> None:
        ts = run.deliveries[header].ts
        if ts and world.shows(header, ts):
            world.delete(header)
        goes_on(run)

    conductor.on_change = delete
    assert turning(conductor.conduct()) == 0
    assert Counter(world.posted)[header] == 4
    assert Counter(world.posted) == Counter([*conductor.run.deliveries, *[header] * 3])


def test_an_append_that_fails_changes_nothing() -> None:
    """Whoever brought the message gets the error, so that Slack delivers it again; the run is as it was."""
    world = World("freeze waits")
    conductor = world.conductor()
    before, on_disk = conductor.run, list(world.disk)
    world.full = True
    with pytest.raises(UsageError, match=r"^the disk is full; nothing was added to it; make room\.$"):
        world.hears(conductor, "frozen")
    assert conductor.run is before
    assert world.disk == on_disk
    world.full = False
    world.hears(conductor, "frozen")
    assert len(conductor.run.unanswered) == 1


def test_a_full_disk_ends_the_process_with_its_sentence() -> None:
    """Slack gets nothing that the disk does not know; once there is room, the night goes on."""
    world = World("freeze waits")

    async def play() -> None:
        conductor = world.conductor()
        world.hears(conductor, "frozen")
        posted = list(world.posted)
        world.full = True
        with pytest.raises(UsageError):
            await conductor.conduct()
        assert world.posted == posted
        assert fold(world.disk) == conductor.run
        world.full = False
        code, run = await world.play()
        assert code == 0
        world.check(run)

    turning(play())


def test_a_refusal_of_the_channel_ends_the_process() -> None:
    """A revoked token is for a person to fix: nothing is repeated, and what was owed is still owed."""
    world = World("freeze waits")
    refusal = CutoverError("Slack does not accept it", unchanged="nothing was changed", do="fix the token")

    async def play() -> None:
        conductor = world.conductor()
        conductor.fail(refusal)
        with pytest.raises(CutoverError) as ended:
            await conductor.conduct()
        assert ended.value is refusal

    turning(play())


@pytest.mark.parametrize(("winds_down", "took"), [(4, 4), (1000, 10)])
def test_an_interruption_lets_the_work_reach_a_safe_point(winds_down: float, took: float) -> None:
    """Within 10 seconds at most; the step has then not ended, and the next process begins it again."""
    world = World("freeze is checked")

    async def export(report: Report) -> StepResult:
        world.log.append("export began")
        try:
            await asyncio.sleep(10_000)
        finally:
            await asyncio.sleep(winds_down)
            world.log.append("export is safe")
        raise AssertionError

    world.steps["export"] = export

    async def play() -> None:
        conductor = world.conductor()
        conducting = asyncio.create_task(conductor.conduct())
        await until(lambda: "export began" in world.log)
        clock = asyncio.get_running_loop().time
        began = clock()
        conductor.fail(interrupted())
        with pytest.raises(Interrupted) as ended:
            await conducting
        assert clock() - began == pytest.approx(took)
        assert str(ended.value) == (
            "The bot was told to stop and stopped at a safe point; the run is as its journal says; "
            "`cutover run` continues."
        )
        assert ("export is safe" in world.log) == (winds_down < 10)
        assert conductor.run.phase is Phase.RUNNING
        assert fold(world.disk) == conductor.run

    turning(play())


@pytest.mark.parametrize(("place", "phase"), [("freeze is checked", Phase.RUNNING), ("freeze waits", Phase.VERIFYING)])
def test_an_error_of_work_that_was_cut_off_is_not_believed(place: str, phase: Phase) -> None:
    """A client that is cut off in the middle of a question may say that its connection is lost. The run is not held and
    the gate not refused over it: the next process begins the work again.
    """
    world = World(place)

    async def cut_off() -> None:
        world.log.append("it began")
        try:
            await asyncio.sleep(10_000)
        except asyncio.CancelledError:
            raise AWAY from None

    async def export(report: Report) -> StepResult:
        await cut_off()
        raise AssertionError

    async def examine(run: Run, report: Report) -> AsyncIterator[Finding]:
        await cut_off()
        yield passed("freeze-proof", "It is so.")

    world.steps["export"] = export
    if phase is Phase.VERIFYING:
        world.examiners["freeze-proof"] = examine

    async def play() -> None:
        conductor = world.with_people(world.conductor())
        conducting = asyncio.create_task(conductor.conduct())
        await until(lambda: "it began" in world.log)
        conductor.fail(interrupted())
        with pytest.raises(Interrupted):
            await conducting
        assert conductor.run.phase is phase
        found = {finding.check for finding in conductor.run.findings if finding.verdict is Verdict.FAIL}
        assert (found, conductor.run.hold) == (set(), None)

    turning(play())


async def _takes_a_cancellation_of_its_own() -> None:
    """As a task group does whose member fails: the task's count of cancellations may stay."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(1)


def test_work_that_cancels_within_itself_was_not_cut_off() -> None:
    """Its failure holds the run, as any other."""
    world = World("freeze is checked")

    async def export(report: Report) -> StepResult:
        await _takes_a_cancellation_of_its_own()
        raise AWAY

    world.steps["export"] = export

    async def play() -> None:
        conductor = world.conductor()
        conducting = asyncio.create_task(conductor.conduct())
        await until(lambda: conductor.run.phase is Phase.HELD)
        assert isinstance(conductor.run.hold, StepStopped)
        assert conductor.run.hold.why.startswith("It could not be reached; ")
        conductor.fail(interrupted())
        with pytest.raises(Interrupted):
            await conducting

    turning(play())


def test_work_that_cancels_within_itself_can_still_be_cut_off() -> None:
    """An interruption reaches it all the same, long before it would have ended."""
    world = World("freeze is checked")

    async def export(report: Report) -> StepResult:
        await _takes_a_cancellation_of_its_own()
        world.log.append("it began")
        try:
            await asyncio.sleep(10_000)
        finally:
            world.log.append("it was cut off")
        raise AssertionError

    world.steps["export"] = export

    async def play() -> None:
        conductor = world.conductor()
        conducting = asyncio.create_task(conductor.conduct())
        await until(lambda: "it began" in world.log)
        conductor.fail(interrupted())
        with pytest.raises(Interrupted):
            await conducting
        assert "it was cut off" in world.log
        assert conductor.run.phase is Phase.RUNNING

    turning(play())


def test_a_refused_command_changes_nothing() -> None:
    """Nor is anybody told of a change."""
    world = World("freeze waits")
    conductor = world.conductor()
    before, on_disk, told = conductor.run, list(world.disk), []
    conductor.on_change = told.append
    assert conductor.dispatch(say.EndVerification()) is False
    assert conductor.dispatch(say.ConfirmPin()) is True
    assert len(told) == 1
    assert conductor.run is not before
    assert len(world.disk) == len(on_disk) + 1


async def _ended(conducting: "asyncio.Task[int]") -> None:
    conducting.cancel()
    await asyncio.wait([conducting])


def test_a_header_that_cannot_be_pinned_stops_nothing_and_is_reported_once() -> None:
    """Its finding is posted in the gate's thread, and no later start tries again."""
    world = World()
    world.pin_refused = warned("slack-pins", "The header of this run is not pinned.", "Pin it yourself.")
    code, run = turning(world.play())
    assert (code, run.phase, run.pinned) == (0, Phase.DONE, True)
    assert [event.type for event in world.disk].count("pin-given-up") == 1
    [told] = [key for key in world.posted if "/finding/pin/" in key]
    post = run.deliveries[told].post
    assert (post.kind, post.status, post.body) == ("cutover_finding", "warned", world.pin_refused)
    assert world.effects["pin"] == 0
