"""users.jsonl: what was intended and what became of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from bot.artifacts.scratch import Scratch
from bot.artifacts.user_log import Intent, Settled, UserLog, UserState

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], UserLog]]:
    """Opens users.jsonl, each time as a new process would."""
    with ExitStack() as stack:

        def open_() -> UserLog:
            return stack.enter_context(UserLog.open(tmp_path / "users.jsonl", stack.enter_context(Scratch(tmp_path))))

        yield open_


def test_an_intent_without_outcome_is_unknown(opened: Callable[[], UserLog]) -> None:
    """After a crash between request and answer, the user is neither created nor not created."""
    log = opened()
    log.intend([Intent("u1", "d1", AT), Intent("u2", "d2", AT)])
    log.settle([Settled("u1", "created", "s1", "d1", "", AT)])
    expected = {"u1": UserState("created", "s1", "d1", "", AT), "u2": UserState("unknown", None, "d2", "", AT)}
    assert log.states == expected
    log.close()
    assert opened().states == expected


def test_the_last_outcome_counts(opened: Callable[[], UserLog]) -> None:
    """A user settled twice is what the later outcome says, and an intent after it makes it unknown again."""
    log = opened()
    log.settle([Settled("u1", "refused", None, "d1", "email-refused", AT)])
    log.settle([Settled("u1", "updated", "s1", "d2", "", AT)])
    assert log.states["u1"].outcome == "updated"
    log.intend([Intent("u1", "d3", AT)])
    assert log.states["u1"] == UserState("unknown", None, "d3", "", AT)
    assert log.states.get("u2") is None


def test_lines_are_the_journals(opened: Callable[[], UserLog], tmp_path: Path) -> None:
    """The lines are readable, chained, in UTC."""
    opened().settle([Settled("u1", "unmapped", None, "d1", "anonymous", AT.astimezone(timezone(timedelta(hours=5))))])
    line = (tmp_path / "users.jsonl").read_text()
    assert line.startswith(
        '{"n":1,"type":"outcome","id":"u1","outcome":"unmapped","stackId":null,"digest":"d1","reason":"anonymous",'
        '"at":"2026-01-02T03:04:05Z","hash":"'
    )


def test_a_torn_line_is_an_effect_nobody_believed(opened: Callable[[], UserLog], tmp_path: Path) -> None:
    """A torn outcome leaves the user unknown, to be looked for."""
    log, path = opened(), tmp_path / "users.jsonl"
    log.intend([Intent("u1", "d1", AT)])
    log.settle([Settled("u1", "created", "s1", "d1", "", AT)])
    log.close()
    path.write_bytes(path.read_bytes()[:-1])
    log = opened()
    assert log.states["u1"].outcome == "unknown"
    assert log.torn_note
