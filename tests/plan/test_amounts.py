"""Numbers as people read them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.plan.texts.amounts import counted, done_of, rate, speed
from bot.plan.texts.foreign import capitalized


@given(st.integers(0, 10**12), st.sampled_from(["user", "row", "mapped user", "byte"]))
def test_one_is_not_several(value: int, one: str) -> None:
    """One of anything is named as one, and everything else as several, none too."""
    shown = counted(value, one)
    assert shown == f"{value:,} {one}" + ("" if value == 1 else "s")
    assert done_of(value, "users") == counted(value, "user")
    assert counted(value, "query", "queries").endswith("query" if value == 1 else "queries")


@given(st.floats(0.0001, 10**7))
def test_a_rate_has_few_digits(per_second: float) -> None:
    """Three figures are all that it is worth, and no more of it is shown; nor is it written as a power of ten."""
    for shown in (rate(per_second), speed(per_second, "users").partition("/")[0]):
        digits = re.sub(r"[,.]", "", shown).strip("0")
        assert len(digits) <= 3
        assert re.fullmatch(r"[0-9,]+(\.[0-9]+)?", shown)
    assert float(rate(per_second).replace(",", "")) == pytest.approx(per_second, rel=0.06)


@pytest.mark.parametrize(
    ("clause", "sentence"),
    [
        ("the role lacks a right", "The role lacks a right"),
        ("public.orders took 2 writes", "public.orders took 2 writes"),
        ("orders.json is damaged", "orders.json is damaged"),
        ("user_roles cannot be read", "user_roles cannot be read"),
        ("`orders` cannot be read", "`orders` cannot be read"),
        ("slack.channel is not set", "slack.channel is not set"),
        ("read-only transactions are the default", "Read-only transactions are the default"),
        ("", ""),
    ],
)
def test_a_sentence_begins_with_a_capital_and_a_name_stays_as_it_is(clause: str, sentence: str) -> None:
    """A table in other letters is another table."""
    assert capitalized(clause) == sentence
