"""users.jsonl: what was intended and what became of it."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from bot.artifacts.userlog import Intent, Settled, UserLog, UserState, read_state

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_an_intent_without_outcome_is_unknown(tmp_path: Path) -> None:
    """After a crash between request and answer, the user is neither created nor not created."""
    path = tmp_path / "users.jsonl"
    with UserLog.open(path) as log:
        log.intend([Intent("u1", "d1", AT), Intent("u2", "d2", AT)])
        log.settle([Settled("u1", "created", "s1", "d1", "", AT)])
    assert read_state(path) == {
        "u1": UserState("created", "s1", "d1", "", AT),
        "u2": UserState("unknown", None, "d2", "", AT),
    }
    with UserLog.open(path) as log:
        assert log.state() == read_state(path)


def test_the_last_outcome_counts(tmp_path: Path) -> None:
    """A user settled twice is what the later outcome says, and an intent after it makes it unknown again."""
    with UserLog.open(tmp_path / "users.jsonl") as log:
        log.settle([Settled("u1", "refused", None, "d1", "email-refused", AT)])
        log.settle([Settled("u1", "updated", "s1", "d2", "", AT)])
        assert log.state()["u1"].outcome == "updated"
        log.intend([Intent("u1", "d3", AT)])
        assert log.state()["u1"] == UserState("unknown", None, "d3", "", AT)


def test_lines_are_the_journals(tmp_path: Path) -> None:
    """The lines are readable, chained, in UTC."""
    there = AT.astimezone(timezone(timedelta(hours=5)))
    with UserLog.open(tmp_path / "users.jsonl") as log:
        log.settle([Settled("u1", "unmapped", None, "d1", "anonymous", there)])
    line = (tmp_path / "users.jsonl").read_text()
    assert line.startswith(
        '{"n":1,"type":"outcome","id":"u1","outcome":"unmapped","stackId":null,"digest":"d1","reason":"anonymous",'
        '"at":"2026-01-02T03:04:05Z","hash":"'
    )


def test_a_torn_line_is_an_effect_nobody_believed(tmp_path: Path) -> None:
    """A torn outcome leaves the user unknown, to be looked for."""
    path = tmp_path / "users.jsonl"
    with UserLog.open(path) as log:
        log.intend([Intent("u1", "d1", AT)])
        log.settle([Settled("u1", "created", "s1", "d1", "", AT)])
    path.write_bytes(path.read_bytes()[:-1])
    with UserLog.open(path) as log:
        assert log.state()["u1"].outcome == "unknown"
        assert log.torn_note
