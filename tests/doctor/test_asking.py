"""How services are asked: side by side, each in its time, and each fault told once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from bot.doctor import Ended, Heard, Limits, Line, Question, Service, ask, exit_code
from bot.errors import CutoverError, ServiceRefused, ServiceUnreachable, UsageError
from bot.obstacles import PAGE_AWAY
from bot.plan.findings import Finding, passed, warned

SHORT = Limits(answer_seconds=0.2, whole_seconds=30)
AWAY = ServiceUnreachable("the thing could not be reached", unchanged="nothing was changed", do="switch it on")
REFUSED = ServiceRefused("the thing said no", unchanged="nothing was changed", do="ask nicely")
WRONG = UsageError("the setting is wrong", unchanged="nothing was changed", do="correct it")


def question(check: str, *answers: Finding | CutoverError | float, needs: tuple[str, ...] = ()) -> Question:
    """Gives these answers; a number is so many seconds of silence, an error is raised."""

    async def asked(heard: Heard) -> AsyncIterator[Finding]:
        for answer in answers:
            if isinstance(answer, CutoverError):
                raise answer
            if isinstance(answer, Finding):
                yield answer
            else:
                await asyncio.sleep(answer)

    return Question(check=check, ask=asked, needs=needs)


def service(name: str, *questions: Question, hang_up: Callable[[], object] | None = None) -> Service:
    return Service(name=name, title=name.title(), questions=questions, if_silent="look there", hang_up=hang_up)


def well(check: str) -> Finding:
    return passed(check, "All is well.")


async def told(*services: Service, limits: Limits = SHORT) -> list[tuple[str, str, str]]:
    """Service, check and verdict, in the order in which they came."""
    lines = [one async for one in ask(services, limits) if isinstance(one, Line)]
    return [(line.service.name, line.finding.check, str(line.finding.verdict)) for line in lines]


async def test_a_service_that_says_nothing_delays_no_other() -> None:
    """Its one line comes when its time is over; all others were there before."""
    silent = service("silent", question("one", 60.0), question("two", well("two")))
    lively = service("lively", question("three", well("three")), question("four", 0.1, well("four"), well("five")))
    async with asyncio.timeout(50):
        assert await told(silent, lively) == [
            ("lively", "three", "pass"),
            ("lively", "four", "pass"),
            ("lively", "five", "pass"),
            ("silent", "one", "fail"),
        ]


async def test_what_is_said_of_silence() -> None:
    """One sentence, and what to do."""
    [line, ended] = [one async for one in ask([service("silent", question("one", 60.0))], SHORT)]
    assert isinstance(line, Line) and isinstance(ended, Ended)
    assert (line.finding.evidence, line.finding.fix) == ("Silent did not answer within 0.2 s.", "Look there.")
    assert exit_code([line]) == 5


async def test_a_fault_is_reported_once_and_what_it_keeps_from_others_by_name() -> None:
    """The same service is asked nothing more; of another one the question says which answer it lacks."""
    dead = service("dead", question("door", AWAY), question("window", well("window")))
    other = service("other", question("own", well("own")), question("both", well("both"), needs=("window",)))
    lines = [one async for one in ask([dead, other], SHORT) if isinstance(one, Line)]
    assert {(line.finding.check, line.finding.verdict, line.finding.evidence) for line in lines} == {
        ("door", "fail", "The thing could not be reached."),
        ("own", "pass", "All is well."),
        ("both", "warn", "Not asked: it needs `window`, which has no answer."),
    }


@pytest.mark.parametrize(
    ("error", "seen"),
    [(REFUSED, ["door", "second", "third"]), (WRONG, ["door", "second", "third"]), (AWAY, ["door", "second"])],
)
async def test_only_a_service_that_is_gone_is_asked_no_more(error: CutoverError, seen: list[str]) -> None:
    """A refusal of one question says nothing about the next; a door that stays shut does."""
    rest = (question("second", error), question("third", well("third")))
    assert [check for _, check, _ in await told(service("one", question("door", well("door")), *rest))] == seen
    assert [check for _, check, _ in await told(service("one", question("door", error), *rest))] == ["door"]


async def test_a_question_waits_for_the_answer_it_needs_however_long_that_takes() -> None:
    """Waiting for another service is not this one's silence."""
    slow = service("slow", question("first", *[0.15, well("first")] * 3))
    other = service("other", question("own", well("own")), question("then", well("then"), needs=("first",)))
    assert [check for _, check, _ in await told(slow, other)] == ["own", "first", "first", "first", "then"]


async def test_reading_that_goes_on_is_no_silence() -> None:
    """Until everything has to end: that is a warning, with the command that takes its time."""

    async def reads(heard: Heard) -> AsyncIterator[Finding]:
        while True:
            await asyncio.sleep(0.05)
            heard()
        yield well("never")

    large = service("large", Question(check="rows", ask=reads))
    limits = replace(SHORT, whole_seconds=1)
    [line, _] = [one async for one in ask([large], limits)]
    assert isinstance(line, Line)
    assert (line.finding.verdict, line.finding.evidence) == (
        "warn",
        "Not finished within 1 s, and stopped: there is more to look at than fits into that time.",
    )
    assert exit_code([line]) == 0


async def test_everything_ends_although_each_answer_is_in_time() -> None:
    """However many questions a slow service has."""
    slow = service("slow", question("many", *[0.15, well("many")] * 1000))
    lines = [one async for one in ask([slow], replace(SHORT, whole_seconds=1)) if isinstance(one, Line)]
    assert lines[-1].finding.evidence == "Slow answers too slowly to be asked everything within 1 s."
    assert len(lines) < 10
    assert exit_code(lines) == 5


async def test_a_connection_that_hangs_is_cut_off_before_anything_waits_for_it() -> None:
    """And when somebody interrupts us it is closed as it should be, for then the service may be well."""
    done: list[str] = []
    cut = asyncio.Event()

    async def hangs(heard: Heard) -> AsyncIterator[Finding]:
        try:
            await cut.wait()
            done.append("ended")
        except asyncio.CancelledError:
            done.append("cancelled")
            raise
        yield well("never")

    def hang_up() -> None:
        done.append("hung up")
        cut.set()

    hanging = service("hanging", Question(check="one", ask=hangs), hang_up=hang_up)
    assert await told(hanging) == [("hanging", "one", "fail")]
    assert done == ["hung up", "ended"]
    done.clear()
    cut.clear()
    asking = asyncio.create_task(told(hanging, limits=Limits()))
    await asyncio.sleep(0.1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert done == ["cancelled"]


async def test_the_page_that_is_away_may_be_let_pass_at_a_gate() -> None:
    """As where a gate asks for it; no other service is spared."""
    page = replace(service("notice", question("notice", 60.0)), obstacle=PAGE_AWAY)
    other = service("database", question("source-connection", AWAY))
    lines = [one async for one in ask([page, other], SHORT) if isinstance(one, Line)]
    assert {line.finding.check: line.finding.waivable for line in lines} == {
        "notice": True,
        "source-connection": False,
    }


async def test_a_bug_is_no_finding() -> None:
    """It is raised, and not told as something that a person could correct."""

    async def broken(heard: Heard) -> AsyncIterator[Finding]:
        yield well("one")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await told(service("one", Question(check="one", ask=broken)))


async def test_the_exit_code_is_that_of_the_worst() -> None:
    """5 before 3 before 0."""
    one = service("one")
    fine = Line(service=one, finding=warned("a", "So so."))
    bad = Line(service=one, finding=Finding(check="b", verdict="fail", evidence="Bad.", fix="Fix."))
    gone = Line(service=one, finding=bad.finding, error=AWAY)
    mistaken = Line(service=one, finding=bad.finding, error=WRONG)
    assert [exit_code(lines) for lines in ([], [fine], [fine, bad], [mistaken], [bad, gone, fine])] == [0, 0, 3, 3, 5]
