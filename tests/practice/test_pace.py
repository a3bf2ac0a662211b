"""Speed and time left: true to what happened, silent where nothing can be known."""

import asyncio
import io
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bot.commands.show import Ticker
from bot.plan.results import StepResult
from bot.plan.text import plain
from bot.plan.texts.amounts import duration, number, size, speed
from bot.ports import Headway, Progress, Report
from bot.progress import WINDOW_SECONDS, Gauge, in_words
from tests.conducting.worlds import World, turning, until
from tests.plan.histories import BOT, result_of

SPEEDS = st.integers(1, 10**7)
STEPS = st.floats(0.05, 5)


def at(done: int, total: int = 0, step: str = "export", unit: str = "rows", note: str = "") -> Progress:
    return Progress(step=step, done=done, total=total, unit=unit, note=note)


def steady(gauge: Gauge, per_second: int, *, since: float, until: float, every: float = 0.5, done: int = 0) -> int:
    """Reports of a work that goes at one speed; how much it has done by then."""
    now, total = since, done + round(per_second * (until - since)) * 2
    while now <= until:
        gauge.hear(at(done + round(per_second * (now - since)), total), now)
        now += every
    return done + round(per_second * (now - every - since))


def seen(gauge: Gauge, now: float) -> Headway:
    headway = gauge.headway(now)
    assert headway is not None
    return headway


@given(per_second=SPEEDS, every=STEPS, lasting=st.floats(20, 400), begins=st.floats(-1e6, 1e6))
def test_the_speed_and_the_end_of_a_steady_work_are_shown(
    per_second: int, every: float, lasting: float, begins: float
) -> None:
    """Whatever the speed, however often it reports, and however long it has lasted."""
    gauge = Gauge()
    total = round(per_second * lasting * 2)
    steps = int(lasting / every)
    for n in range(steps + 1):
        gauge.hear(at(round(per_second * n * every), total), begins + n * every)
    headway = seen(gauge, begins + steps * every)
    assert headway.per_second == pytest.approx(per_second, rel=0.15, abs=1)
    left = (total - round(per_second * steps * every)) / per_second
    assert headway.seconds_left == pytest.approx(left, rel=0.25, abs=1)


@given(gains=st.lists(st.tuples(st.floats(0, 90), st.integers(0, 10**6)), max_size=60), total=st.integers(0, 10**8))
def test_nothing_impossible_is_ever_shown(gains: list[tuple[float, int]], total: int) -> None:
    """No negative speed, none above what was ever done at once in a second, and an end only where there is one."""
    gauge, now, done = Gauge(), 0.0, 0
    gauge.hear(at(0, total), now)
    for wait, gained in gains:
        now, done = now + wait, done + gained
        gauge.hear(at(done, total), now)
        headway = seen(gauge, now)
        assert headway.per_second is None or 0 <= headway.per_second <= done / min(now, 2.0)
        assert (headway.seconds_left is not None) == bool(headway.per_second and total > done)
        assert headway.seconds_left is None or headway.seconds_left > 0
        assert in_words(headway)


@given(leap=st.integers(10**3, 10**7), per_second=st.integers(1, 200))
def test_who_was_done_already_does_not_count_as_speed(leap: int, per_second: int) -> None:
    """After a restart many are passed by within a second; a few seconds later the time left is that of the others."""
    gauge = Gauge()
    gauge.hear(at(0), 0.0)
    gauge.hear(at(leap), 0.5)
    done = steady(gauge, per_second, since=1.0, until=21.0, every=0.25, done=leap)
    headway = seen(gauge, 21.0)
    assert done - leap == 20 * per_second
    assert headway.per_second is not None and headway.per_second <= 1.5 * per_second + 1


def test_no_speed_is_shown_before_a_few_seconds_have_passed() -> None:
    """The first moments say nothing about the rest."""
    gauge = Gauge()
    gauge.hear(at(0, 1000), 0.0)
    gauge.hear(at(10, 1000), 0.1)
    assert seen(gauge, 1.9) == Headway(progress=at(10, 1000))
    assert seen(gauge, 2.0) == Headway(progress=at(10, 1000), per_second=5.0, seconds_left=198.0)


@pytest.mark.parametrize(
    "other", [at(5, 9, step="users"), at(5, 9, unit="bytes"), at(5, 9)], ids=["step", "unit", "begun again"]
)
def test_another_work_is_measured_anew(other: Progress) -> None:
    """What the one did says nothing about the other."""
    gauge = Gauge()
    done = steady(gauge, 1000, since=0, until=30)
    assert seen(gauge, 30).per_second == pytest.approx(1000, rel=0.05)
    assert done > other.done
    gauge.hear(other, 31)
    assert seen(gauge, 60) == Headway(progress=other)
    gauge.hear(replace(other, done=7), 61)
    assert seen(gauge, 61).per_second == pytest.approx(2 / 30)


def test_a_pause_is_felt_and_forgotten() -> None:
    """While nothing comes the time left grows, then no time is shown; going on after a long pause begins anew."""
    gauge = Gauge()
    done = steady(gauge, 100, since=0, until=60)
    left = [seen(gauge, now).seconds_left for now in (60, 75, 90, 105)]
    assert all(earlier < later for earlier, later in pairwise(left))
    stalled = seen(gauge, 60 + WINDOW_SECONDS + 1)
    assert (stalled.per_second, stalled.seconds_left) == (0.0, None)
    assert "nothing new for 60 s" in in_words(stalled)
    assert seen(gauge, 700).per_second == 0.0
    steady(gauge, 100, since=700, until=710, done=done)
    assert seen(gauge, 710).per_second == pytest.approx(100, rel=0.15)


def test_an_estimate_that_was_too_low_promises_no_end() -> None:
    """A total that grows with what is done is none; one that grows ahead of it is taken as it is."""
    gauge = Gauge()
    for now in range(30):
        gauge.hear(at(now * 10, max(100, now * 10)), now)
    headway = seen(gauge, 29)
    assert headway.per_second == pytest.approx(10, rel=0.05) and headway.seconds_left is None
    gauge.hear(at(300, 600), 30)
    assert seen(gauge, 30).seconds_left == pytest.approx(30, rel=0.05)


def test_nothing_is_shown_of_a_work_that_has_ended() -> None:
    """Until the next one reports."""
    gauge = Gauge()
    assert gauge.headway(0) is None
    gauge.hear(at(1), 0)
    gauge.clear()
    assert gauge.headway(1) is None
    gauge.hear(at(9, 10), 2)
    assert seen(gauge, 3) == Headway(progress=at(9, 10))


@pytest.mark.parametrize(
    ("headway", "words"),
    [
        (
            Headway(
                progress=at(1_234_000, 4_000_000, note="reading public.orders"), per_second=312_345.6, seconds_left=8.86
            ),
            "1,234,000 of 4,000,000 rows, 312,000/s, about 9 s left (reading public.orders)",
        ),
        (Headway(progress=at(3, 5, unit="users")), "3 of 5 users"),
        (Headway(progress=at(1_500), per_second=20.2), "1,500 rows so far, 20/s"),
        (
            Headway(progress=at(2_500_000, 10**10, unit="bytes"), per_second=1e6, seconds_left=9997.5),
            "2.5 MB of 10.0 GB, 1.0 MB/s, about 2 h 47 min left",
        ),
        (Headway(progress=at(0, 0, unit="checks", note="holding still")), "holding still"),
        (Headway(progress=at(0, 0)), "no rows so far"),
        (
            Headway(progress=at(7, 9, unit="users"), per_second=0.25, seconds_left=8.0),
            "7 of 9 users, 15/min, about 8 s left",
        ),
    ],
)
def test_progress_in_words(headway: Headway, words: str) -> None:
    """How far, how fast, how long, and at what; each only where it is known."""
    assert in_words(headway) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "less than 1 s"), (0.6, "1 s"), (9.5, "10 s"), (99.4, "99 s"), (99.6, "2 min"), (125, "2 min"),
        (2_820, "47 min"), (5_999, "1 h 40 min"), (7_200, "2 h"), (172_799, "2 days"), (777_600, "9 days"),
    ],
)  # fmt: skip
def test_lengths_of_time(seconds: float, words: str) -> None:
    """In the unit that a person would take."""
    assert duration(seconds) == words


@given(seconds=st.floats(0.5, 1e7))
def test_a_length_of_time_is_never_far_from_the_truth(seconds: float) -> None:
    """Read back, it is within half of its own unit."""
    per = {"s": 1, "min": 60, "h": 3_600, "days": 86_400}
    words = duration(seconds).replace("less than ", "").split()
    amounts = [(int(words[n]), per[words[n + 1]]) for n in range(0, len(words), 2)]
    assert abs(sum(count * unit for count, unit in amounts) - seconds) <= amounts[-1][1] / 2 + 30


@pytest.mark.parametrize(
    ("per_second", "words"),
    [
        (312_345, "312,000/s"), (1_234, "1,230/s"), (99.6, "100/s"), (12, "12/s"), (1.25, "1.2/s"), (0.5, "30/min"),
        (0.001, "3.6/h"),
    ],
)  # fmt: skip
def test_speeds(per_second: float, words: str) -> None:
    """Three figures at most, and never a small fraction."""
    assert speed(per_second, "rows") == words


def test_numbers_and_sizes() -> None:
    """As people read them."""
    assert (number(1_234_567), size(1_234_567), size(0)) == ("1,234,567", "1.2 MB", "0 bytes")


def test_for_a_file_progress_is_a_line_now_and_then() -> None:
    """One in ten seconds, or three when another part begins, whatever the number of reports."""
    out, now = io.StringIO(), [100.0]
    with Ticker("asking", Console(file=out, soft_wrap=True), clock=lambda: now[0]) as ticker:
        for n in range(2_001):
            now[0] = 100 + n / 100
            ticker.hear(at(n * 10, 40_000, note="reading public.orders"))
        ticker.hear(at(0, 50, step="users", unit="users"))
        now[0] += 3
        ticker.hear(at(1, 50, step="users", unit="users"))
    assert out.getvalue().splitlines() == [
        "export: 0 of 40,000 rows (reading public.orders)",
        "export: 10,000 of 40,000 rows, 1,000/s, about 30 s left (reading public.orders)",
        "export: 20,000 of 40,000 rows, 1,000/s, about 20 s left (reading public.orders)",
        "users: 1 of 50 users, 20/min, about 2 min left",
    ]


def test_whoever_asks_and_whoever_reads_the_header_sees_it() -> None:
    """In the middle of a step the answer to `status` and the header tell speed and time left."""
    world = World("export runs")

    async def export(report: Report) -> StepResult:
        for done in range(61):
            report(at(done * 1_000, 60_000, note="reading public.orders"))
            conductor.redraw_header()
            if done == 40:
                world.hears(conductor, f"<@{BOT}> status")
            await asyncio.sleep(1)
        return result_of("export")

    async def play() -> None:
        conducting = asyncio.create_task(conductor.conduct())
        await until(lambda: conductor.run.gate.name == "export")
        conducting.cancel()
        await asyncio.wait([conducting])

    world.steps["export"] = export
    conductor = world.conductor()
    turning(play())
    answers = [plain(d.post.body.text) for d in conductor.run.deliveries.values() if d.post.kind == "cutover_answer"]
    # The answer comes a moment after the report, when who asked is known.
    progress = r"Progress: 40,000 of 60,000 rows, (998|999|1,000)/s, about 20 s left \(reading public.orders\)\."
    assert [bool(re.search(progress, text)) for text in answers][-1:] == [True]
    shown = [headway for headway in world.progress if headway is not None and headway.per_second]
    assert shown[-1].per_second == pytest.approx(1_000, rel=0.02)
    left = [headway.seconds_left for headway in shown if headway.seconds_left is not None]
    assert len(left) > 10 and left == sorted(left, reverse=True)
