"""`cutover status` in situations that are rare on a command line: a window, two approvals, a checklist, a thaw."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.commands.overview import overview
from bot.commands.status import summary
from bot.plan import events as e
from bot.plan.compose import compose
from bot.plan.retention import kept_until
from tests.plan.histories import ANN, PLACES, START, Night, ReportLook, TellWindow, night_at
from tests.terminal.conftest import masked, must_match

_GATES = ("readiness", "freeze", "export", "users", "live", "stable")
_CHECKLISTS = {"readiness": {"dns-ttl": "DNS TTL is 60 s", "backup": "A backup was taken"}}


def _one_of_two() -> Night:
    """Exported under a window of an hour; two people are needed for the next gate, and one has spoken."""
    night = Night(rules=e.Rules(groups=("S0ONCALL",), window_minutes=60, approvals={"users": 2}, deny_same_person=True))
    night.do(ReportLook(frozen=True, database_time=night.now))
    night.go_to("users")
    for reason in night.run.open_reasons:
        night.ask(f"accept {reason}")
    night.say("users-mapped", "U0BEN")
    night.talk()
    return night


def _window_over() -> Night:
    night = _one_of_two()
    night.later(hours=2)
    night.do(TellWindow())
    return night


def _checklist() -> Night:
    night = Night(plan=compose(_GATES, (), _CHECKLISTS))
    night.talk()
    night.ask("tick backup")
    return night


def _released() -> Night:
    night = night_at("done")
    night.ask("release")
    night.ask("release yes")
    return night


NIGHTS: dict[str, Callable[[], Night]] = {
    "one_of_two": _one_of_two,
    "window_over": _window_over,
    "checklist": _checklist,
    "released": _released,
    "thaw_failed": lambda: night_at("thaw failed"),
    "drifted": lambda: night_at("drifted"),
}


@pytest.mark.parametrize("name", NIGHTS)
def test_the_overview_of_a_run(name: str) -> None:
    """Whole, while a bot works on it five minutes later."""
    night = NIGHTS[name]()
    lines = overview(night.run, night.now + timedelta(minutes=5), running=True, pid=4242)
    must_match(f"overview/{name}.txt", masked("\n".join(lines)))


def test_for_programs_the_window_and_the_freeze_are_times() -> None:
    """ISO 8601 with a zone, beside the names of before."""
    told: dict[str, Any] = summary(_one_of_two().run)
    told = json.loads(json.dumps(told))
    assert told["frozenSince"] == "2026-03-01T22:00:00+00:00"
    assert told["window"]["minutes"] == 60
    assert told["window"]["endsAt"] == told["frozenAt"].replace("T22", "T23")
    assert told["mayAct"] == [ANN, "U0BEN", "S0ONCALL"]
    assert [(gate["checkpoint"], gate["needed"], bool(gate["passedAt"])) for gate in told["plan"]] == [
        ("freeze", 1, True), ("export", 1, True), ("users", 2, False),
    ]  # fmt: skip
    assert told["attention"]["sso"] == {"users": 1, "accepted": True, "todo": "Link them by hand."}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_kept_has_a_date_from_the_first_moment(place: str) -> None:
    """The run's opening and the days of the settings, until the mapping says its own."""
    assert kept_until(night_at(place).run) == START + timedelta(days=90)


@pytest.mark.parametrize("place", PLACES)
def test_every_overview_ends_with_what_to_do(place: str) -> None:
    """Whatever the run is at and whether a bot runs; under a freeze the last line is the way back."""
    run = night_at(place).run
    for running in (True, False):
        lines = list(overview(run, run.last_at, running=running, pid=None))
        following = lines[next(n for n, line in enumerate(lines) if line.startswith("  next ")) :]
        assert all(len(line) > 15 and line.endswith(".") for line in following)
        assert ("To unfreeze Supabase" in following[-1]) == run.frozen
        is_left = not running and (run.frozen or run.phase not in {"done", "aborted"})
        assert ("Start `cutover run`" in following[0]) == is_left
