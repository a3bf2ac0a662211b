"""How long everybody waits."""

import pytest

from bot.stackauth.pace import Pace


def test_nothing_waits_before_anything_failed():
    """A fresh pace lets the first request go at once."""
    assert Pace().delay(now=1000.0) == 0.0


def test_what_the_service_asks_for_is_obeyed():
    """Retry-After is waited out to the second, and no longer."""
    pace = Pace()
    pace.failed(now=100.0, retry_after=7.0)
    assert pace.delay(now=100.0) == 7.0
    assert pace.delay(now=106.5) == pytest.approx(0.5)
    assert pace.delay(now=107.0) == 0.0


def test_zero_seconds_is_an_answer_too():
    """Retry-After: 0 means now, not that nothing was said."""
    pace = Pace()
    pace.failed(now=100.0, retry_after=0.0)
    assert pace.delay(now=100.0) == 0.0


def test_without_a_word_the_wait_doubles_up_to_a_limit():
    """Each round without Retry-After waits twice as long, and never longer than the limit."""
    pace = Pace(first_seconds=0.5, longest_seconds=3.0)
    now, waits = 100.0, []
    for _ in range(5):
        pace.failed(now, retry_after=None)
        waits.append(pace.delay(now))
        now += pace.delay(now)
    assert waits == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_requests_that_fail_together_are_one_round():
    """Sixteen answers to one burst do not wait sixteen doublings."""
    pace = Pace(first_seconds=0.5)
    for n in range(16):
        pace.failed(now=100.0 + n / 1000, retry_after=None)
    assert pace.delay(now=100.0) == 0.5
    pace.failed(now=100.5, retry_after=None)
    assert pace.delay(now=100.5) == 1.0


def test_the_longest_wait_asked_for_wins():
    """Two answers of one burst that ask for different waits are both obeyed."""
    pace = Pace()
    pace.failed(now=100.0, retry_after=2.0)
    pace.failed(now=100.1, retry_after=5.0)
    pace.failed(now=100.2, retry_after=1.0)
    assert pace.delay(now=100.2) == pytest.approx(4.9)


def test_an_hour_is_asked_again_after_a_quarter():
    """A Retry-After of any size keeps nobody waiting without a new look."""
    pace = Pace(longest_obeyed_seconds=900.0)
    pace.failed(now=0.0, retry_after=1e9)
    assert pace.delay(now=0.0) == 900.0


def test_success_forgets_the_trouble():
    """After an answer the next failure starts from the first wait again."""
    pace = Pace(first_seconds=0.5)
    pace.failed(now=100.0, retry_after=None)
    pace.failed(now=100.5, retry_after=None)
    assert pace.trouble(now=103.0) == 3.0
    pace.succeeded()
    assert pace.trouble(now=103.0) == 0.0
    pace.failed(now=110.0, retry_after=None)
    assert pace.delay(now=110.0) == 0.5


def test_a_thousand_failures_wait_no_longer_than_the_limit():
    """The doubling does not overflow."""
    pace = Pace(longest_seconds=30.0)
    now = 0.0
    for _ in range(2000):
        pace.failed(now, retry_after=None)
        now += pace.delay(now)
    pace.failed(now, retry_after=None)
    assert pace.delay(now) == 30.0
