"""When requests may begin: waits, and the rate that is found without being told one."""

import asyncio
import heapq
import random
from collections import Counter, deque
from collections.abc import Callable
from itertools import pairwise
from statistics import mean

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.errors import RequestRefused
from bot.stackauth.client.rate import RateLimiter
from bot.stackauth.client.retry import RetryingClient

Service = Callable[[float], tuple[bool, float | None]]
"""At a time: whether it serves, and if not, its Retry-After."""
TIMERS = 0.001
"""As fine as a loop's timers are."""


class Window:
    """A service that takes so many requests in any `period` seconds, and says so or not by a pattern."""

    def __init__(self, limit: int, told: tuple[float | None, ...] = (1.0, None), period: float = 1.0) -> None:
        self.limit = limit
        self._told = told
        self._period = period
        self._taken: deque[float] = deque()
        self._refused = 0

    def __call__(self, now: float) -> tuple[bool, float | None]:
        while self._taken and self._taken[0] <= now - self._period:
            self._taken.popleft()
        if len(self._taken) < self.limit:
            self._taken.append(now)
            return True, None
        self._refused += 1
        return False, self._told[(self._refused - 1) % len(self._told)]


def free(now: float) -> tuple[bool, float | None]:
    return True, None


def moody(share: float, seed: int) -> Service:
    """Refuses a share of all requests, however many they are, and does not say why."""
    chance = random.Random(seed)
    return lambda now: (chance.random() >= share, None)


class Simulation:
    """Workers that do nothing but ask a service through one limiter, in a time as fast as it is computed."""

    def __init__(self, service: Service, *, latency: float = 0.02) -> None:
        self.limiter = RateLimiter()
        self.now = 0.0
        self.served: list[float] = []
        self.refused: list[float] = []
        self._service = service
        self._latency = latency
        self._under_way: list[tuple[float, float]] = []

    def run(self, seconds: float, *, workers: int) -> None:
        ends = self.now + seconds
        while self.now < ends:
            wait = 0.0
            while len(self._under_way) < workers and (wait := self.limiter.turn(self.now)) == 0:
                heapq.heappush(self._under_way, (self.now + self._latency, self.now))
            due = [self._under_way[0][0]] if self._under_way else []
            self.now = min(*due, *([self.now + max(wait, TIMERS)] if wait else []), ends)
            while self._under_way and self._under_way[0][0] <= self.now:
                self._answer(heapq.heappop(self._under_way)[1])

    def _answer(self, began: float) -> None:
        serves, retry_after = self._service(self.now)
        if serves:
            self.served.append(self.now)
            self.limiter.succeeded(self.now)
        else:
            self.refused.append(self.now)
            self.limiter.limited(self.now, began=began, retry_after=retry_after)

    def served_between(self, since: float, until: float) -> float:
        """Requests a second."""
        return sum(since < at <= until for at in self.served) / (until - since)


# -- waits ------------------------------------------------------------------------------------------------------------


def test_nothing_waits_before_anything_failed():
    """A fresh pace lets the first request go at once."""
    limiter = RateLimiter()
    assert limiter.delay(now=1000.0) == 0.0
    assert limiter.turn(now=1000.0) == 0.0


def test_what_the_service_asks_for_is_obeyed():
    """Retry-After is waited out to the second, and no longer."""
    limiter = RateLimiter()
    limiter.limited(now=100.0, began=99.0, retry_after=7.0)
    assert limiter.delay(now=100.0) == limiter.turn(now=100.0) == 7.0
    assert limiter.turn(now=106.5) == pytest.approx(0.5)
    assert limiter.turn(now=107.0) == 0.0


def test_zero_seconds_is_an_answer_too():
    """Retry-After: 0 means now, not that nothing was said."""
    limiter = RateLimiter()
    for now in (100.0, 101.0):
        limiter.limited(now, began=now, retry_after=0.0)
        assert limiter.turn(now) == 0.0


def test_an_outage_is_waited_out_ever_longer_up_to_a_limit():
    """One failure makes nobody wait; each round after it without an answer waits twice as long, up to the limit."""
    limiter = RateLimiter(first_seconds=0.5, longest_seconds=3.0)
    now, waits = 100.0, []
    for _ in range(6):
        limiter.failed(now, began=now)
        waits.append(limiter.delay(now))
        now += limiter.delay(now)
    assert waits == [0.0, 0.5, 1.0, 2.0, 3.0, 3.0]


def test_refusals_without_a_word_and_nothing_else_are_waited_out_too():
    """One alone makes nobody wait; when nothing succeeds after it, everybody does, twice as long each time."""
    limiter = RateLimiter(first_seconds=0.5, longest_seconds=3.0)
    limiter.succeeded(now=99.0)
    now, waits = 100.0, []
    for _ in range(5):
        limiter.limited(now, began=now, retry_after=None)
        waits.append(limiter.delay(now))
        now += limiter.delay(now) or 0.1
    assert waits == [0.0, 0.5, 1.0, 2.0, 3.0]


def test_requests_that_fail_together_are_one_round():
    """Sixteen failures of one burst do not wait sixteen doublings."""
    limiter = RateLimiter(first_seconds=0.5)
    for n in range(16):
        limiter.failed(now=100.0 + n / 1000, began=99.0)
    assert limiter.delay(now=100.0) == 0.0
    for n in range(16):
        limiter.failed(now=101.0 + n / 1000, began=100.5)
    assert limiter.delay(now=101.0) == 0.5
    limiter.failed(now=101.5, began=101.5)
    assert limiter.delay(now=101.5) == 1.0


def test_the_longest_wait_asked_for_wins():
    """Two answers of one burst that ask for different waits are both obeyed."""
    limiter = RateLimiter()
    limiter.limited(now=100.0, began=99.9, retry_after=2.0)
    limiter.limited(now=100.1, began=99.9, retry_after=5.0)
    limiter.limited(now=100.2, began=99.9, retry_after=1.0)
    assert limiter.delay(now=100.2) == pytest.approx(4.9)


def test_an_hour_is_asked_again_after_a_quarter():
    """A Retry-After of any size keeps nobody waiting without a new look."""
    limiter = RateLimiter(longest_obeyed_seconds=900.0)
    limiter.limited(now=0.0, began=0.0, retry_after=1e9)
    assert limiter.delay(now=0.0) == 900.0


def test_success_forgets_the_trouble():
    """After an answer the next failure starts from the first wait again."""
    limiter = RateLimiter(first_seconds=0.5)
    for now in (100.0, 100.1, 100.6):
        limiter.failed(now, began=now)
    assert limiter.failing_for(now=103.0) == 3.0
    limiter.succeeded(now=103.0)
    assert limiter.failing_for(now=103.0) == 0.0
    for now in (110.0, 110.1):
        limiter.failed(now, began=now)
    assert limiter.delay(now=110.1) == 0.5


def test_a_thousand_failures_wait_no_longer_than_the_limit():
    """The doubling does not overflow."""
    limiter = RateLimiter(longest_seconds=30.0)
    now = 0.0
    for _ in range(2000):
        limiter.failed(now, began=now)
        now += limiter.delay(now)
    limiter.failed(now, began=now)
    assert limiter.delay(now) == 30.0


# -- slow start -------------------------------------------------------------------------------------------------------


def test_it_begins_gently_and_doubles_every_quarter_of_a_second():
    """Sixty-four a second at first, and a fast service is asked at full speed within two seconds."""
    simulation = Simulation(free)
    simulation.run(3.0, workers=64)
    quarters = Counter(int((at - 0.02) / 0.25) for at in simulation.served)
    assert quarters[0] <= 17
    for n in range(4):
        assert quarters[n + 1] == pytest.approx(2 * quarters[n], rel=0.4)
    assert simulation.served_between(2.0, 3.0) >= 0.95 * 64 / 0.02
    assert simulation.limiter.rate is None


@settings(max_examples=30, deadline=None)
@given(workers=st.integers(1, 64), latency=st.floats(0.02, 0.5))
def test_no_limit_costs_nothing(workers, latency):
    """However many are under way and however long they take, the pace is soon no longer what holds them back."""
    simulation = Simulation(free, latency=latency)
    simulation.run(6.0, workers=workers)
    ideal = workers / latency
    assert simulation.served_between(3.0, 6.0) >= 0.95 * ideal - workers / 3.0


def test_the_rate_grows_only_when_it_holds_requests_back():
    """Long after one slow reader, many workers still begin gently."""
    simulation = Simulation(Window(50), latency=0.1)
    simulation.run(60.0, workers=1)
    simulation.run(2.0, workers=64)
    assert 1 <= len(simulation.refused) <= 30


# -- a limit ----------------------------------------------------------------------------------------------------------


def test_it_falls_to_a_little_below_what_was_really_served():
    """By two in a hundred, and once for all requests that were under way."""
    simulation = Simulation(Window(50, told=(1.0,)), latency=0.1)
    simulation.run(1.3, workers=64)
    assert len(simulation.refused) > 5
    assert simulation.limiter.rate == pytest.approx(0.98 * 50)


def test_it_is_halved_when_refusals_go_on():
    """When more than one in ten of the requests that began since are refused."""
    simulation = Simulation(Window(50, told=(1.0,)))
    simulation.run(1.3, workers=16)
    limiter, now = simulation.limiter, simulation.now
    before = limiter.rate
    for n in range(20):
        limiter.succeeded(now + n / 100)
    for n in range(5):
        assert limiter.rate == before
        limiter.limited(now + 0.2 + n / 100, began=now, retry_after=None)
    assert limiter.rate == before / 2


def test_after_an_outage_it_goes_on_at_half_the_rate():
    """Halved once, however many rounds the outage lasts, and found again within seconds."""
    simulation = Simulation(Window(50))
    simulation.run(10.0, workers=16)
    before = simulation.limiter.rate
    for n in range(5):
        simulation.limiter.failed(simulation.now + 30.0 * n, began=simulation.now + 30.0 * n)
    assert simulation.limiter.rate == pytest.approx(before / 2)
    simulation.run(160.0, workers=16)
    assert simulation.limiter.rate == pytest.approx(before, rel=0.02)


def test_fifty_a_second_are_held_from_the_first_second_on():
    """With a service that says every second time when to come again: the start is part of the minute."""
    simulation = Simulation(Window(50))
    simulation.run(60.0, workers=16)
    assert len(simulation.served) >= 0.95 * 50 * 60
    assert len(simulation.refused) <= 0.005 * len(simulation.served)


@pytest.mark.parametrize("examples", [8, pytest.param(30, marks=pytest.mark.all)])
def test_any_limit_is_found_and_kept(examples):
    """Whether or not the service says when to come again."""

    @settings(max_examples=examples)
    @given(
        limit=st.integers(5, 400),
        latency=st.floats(0.005, 0.1),
        told=st.sampled_from([(1.0,), (1.0, None), (None, 1.0), (None,)]),
    )
    def is_found_and_kept(limit, latency, told):
        simulation = Simulation(Window(limit, told), latency=latency)
        simulation.run(60.0, workers=64)
        assert len(simulation.served) >= 0.9 * limit * 60
        assert len(simulation.refused) <= 0.02 * len(simulation.served) + 8

    is_found_and_kept()


def test_a_limit_is_probed_rarely_and_ever_more_rarely():
    """After one minute, two, four, up to ten."""
    simulation = Simulation(Window(10, told=(1.0,)))
    simulation.run(4000.0, workers=4)
    rounds = [at for n, at in enumerate(simulation.refused) if n == 0 or at - simulation.refused[n - 1] > 1]
    waits = [later - earlier for earlier, later in pairwise(rounds)]
    assert waits[:4] == pytest.approx([60, 120, 240, 480], rel=0.2)
    assert waits[4:] == pytest.approx([600] * len(waits[4:]), rel=0.2)
    assert len(waits) >= 7


def test_a_limit_that_is_lifted_is_left_behind():
    """A probe that succeeds goes on, bolder each time, until there is no limit known."""
    service = Window(50)
    simulation = Simulation(service)
    simulation.run(15.0, workers=16)
    service.limit = 1_000_000
    simulation.run(65.0, workers=16)
    assert simulation.limiter.rate is None
    assert simulation.served_between(79.0, 80.0) >= 0.95 * 16 / 0.02


@pytest.mark.parametrize("told", [(1.0,), (1.0, None)])
def test_a_limit_that_is_lowered_is_found_again(told):
    """Within seconds, and held."""
    service = Window(50, told)
    simulation = Simulation(service)
    simulation.run(10.0, workers=16)
    service.limit = 20
    simulation.run(20.0, workers=16)
    assert simulation.served_between(15.0, 20.0) >= 0.95 * 20
    assert simulation.limiter.rate == pytest.approx(19.8, rel=0.03)


# -- refusals that have nothing to do with the rate -------------------------------------------------------------------


@pytest.mark.parametrize("examples", [2, pytest.param(10, marks=pytest.mark.all)])
def test_refusals_by_chance_slow_nothing_down(examples):
    """Two in a hundred, without a word: the rate neither stays low nor decays. One minute in thousands has so many of
    them at once that they look like a limit; so it is judged over some minutes.
    """

    @settings(max_examples=examples)
    @given(share=st.floats(0.0, 0.02), seed=st.integers(), workers=st.sampled_from([4, 16, 64]))
    @example(share=0.02, seed=1, workers=16)
    def slows_nothing_down(share, seed, workers):
        served = []
        for minute in range(5):
            simulation = Simulation(moody(share, seed + minute), latency=0.05)
            simulation.run(60.0, workers=workers)
            served.append(simulation.served_between(20.0, 60.0))
        assert mean(served) >= 0.9 * workers / 0.05

    slows_nothing_down()


# -- the pace applied -------------------------------------------------------------------------------------------------


async def test_first_come_first_served():
    """Requests begin in the order in which they were asked for, however many wait."""
    begun: list[int] = []

    async def request(n: int) -> None:
        begun.append(n)

    async with StackAuth("http://127.0.0.1:1", "p", "ssk_1") as service:
        client = RetryingClient(service, RateLimiter())
        await asyncio.gather(*(client.ask(lambda n=n: request(n)) for n in range(8)))
    assert begun == list(range(8))


async def test_a_refusal_of_one_request_is_an_answer():
    """The service is there, so that an outage has ended."""
    limiter = RateLimiter(first_seconds=0.001)
    now = asyncio.get_running_loop().time
    limiter.failed(now(), began=now())

    async def refused() -> None:
        raise RequestRefused("not-accepted", 400)

    async with StackAuth("http://127.0.0.1:1", "p", "ssk_1") as service:
        with pytest.raises(RequestRefused):
            await RetryingClient(service, limiter).ask(refused)
    assert limiter.failing_for(now()) == 0.0
