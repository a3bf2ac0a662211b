"""How many people a night takes, so that the last gate never waits for somebody whom nobody can be."""

from collections.abc import Iterable, Iterator
from itertools import combinations, product

import pytest

from bot.plan.quorum import people_needed
from tests.plan.histories import ANN, BEN, PLAN, Night, e

_GATES = ("freeze", "export", "users")
_MOST = 3


def _left(people: Iterable[str], earlier: Iterable[tuple[str, ...]]) -> int:
    """How many may open the last gate, when these have opened the others."""
    opened = [set(by) for by in earlier]
    return sum(not all(person in by for by in opened) for person in people)


def _nights(people: int, approvals: tuple[int, ...]) -> Iterator[bool]:
    """Of every way to open the earlier gates, whether the last could be opened after it."""
    there = [f"U{n}" for n in range(people)]
    for earlier in product(*(list(combinations(there, needed)) for needed in approvals[:-1])):
        yield _left(there, earlier) >= approvals[-1]


@pytest.mark.parametrize("approvals", list(product(range(1, _MOST + 1), repeat=3)))
def test_so_many_are_enough_whoever_opens_which_gate_and_one_fewer_is_not(approvals: tuple[int, ...]) -> None:
    """Against every way in which people can open the earlier gates."""
    needed = people_needed(PLAN, dict(zip(_GATES, approvals, strict=True)), deny_same_person=True)
    assert needed >= max(approvals)
    assert all(_nights(needed, approvals))
    if needed > max(approvals):
        assert not all(_nights(needed - 1, approvals))


def test_without_the_rule_the_gate_that_takes_the_most_counts() -> None:
    """The same people may open all of them."""
    assert people_needed(PLAN, {"freeze": 2, "users": 3}, deny_same_person=False) == 3
    assert people_needed(PLAN, {}, deny_same_person=False) == 1
    assert people_needed(PLAN, {}, deny_same_person=True) == 2


def test_two_who_opened_both_gates_before_can_open_the_last_by_nothing() -> None:
    """What the number is for: both are refused there, in the frozen window."""
    rules = e.Rules(approvals={"freeze": 2, "export": 2, "users": 1}, deny_same_person=True)
    night = Night(rules=rules)
    for _ in range(2):
        night.give_signal(ANN)
        night.pass_gate(BEN)
        night.end_step()
    night.talk()
    for user in (ANN, BEN):
        for reason in night.run.open_reasons:
            night.ask(f"accept {reason}", user)
        *happened, answer = night.say("users-mapped", user)
        assert (happened, answer.status) == ([], "refused")
    assert people_needed(PLAN, rules.approvals, deny_same_person=True) == 3
