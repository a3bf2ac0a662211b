"""What the night takes by a practice: the sentence of checkpoint 1, kept in the journal, and true to a real night."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bot.artifacts import data_directory, files
from bot.plan import events as e
from bot.plan.decide import open_run
from bot.plan.events import from_record, to_record
from bot.plan.fold import fold
from bot.plan.inputs import Open
from bot.plan.practice import Practice
from bot.plan.run import Run
from bot.plan.text import plain
from bot.plan.texts.alarms import time_needed
from bot.practice import read_timings, write_timings
from bot.record import read_run
from bot.slack.render.messages import render
from tests.night.playing import fast_night, play
from tests.practice.conftest import cutover

NOW = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
PARTIES = e.Parties(source_ref="abc", source_database="postgres", target_project="p")


def practice(**changes: Any) -> Practice:
    values: dict[str, Any] = {
        "taken_at": NOW - timedelta(days=2),
        "source_ref": "abc",
        "source_database": "postgres",
        "tables": 43,
        "rows": 4_000_100,
        "bytes": 10**9,
        "users": 71_000,
        "estimated_rows": 4_000_000,
        "export_seconds": 720.4,
        "check_seconds": 300.0,
        "translate_seconds": 25.0,
        "users_per_second": 40.0,
    }
    return Practice(**{**values, **changes})


def opened(practice: Practice | None, estimated_rows: int | None = None) -> Run:
    """A run with its first gate on offer, as a restarted bot reads it."""
    command = Open(
        run_id="20261124-abcd",
        parties=PARTIES,
        channel="C1",
        approvers=("U1",),
        retain_days=90,
        accepted_ahead=(),
        practice=practice,
        estimated_rows=estimated_rows,
    )
    run = fold(from_record(json.loads(json.dumps(to_record(event)))) for event in open_run(command, NOW))
    assert run is not None
    return run


def told(run: Run) -> str:
    """What checkpoint 1 says of the time."""
    text = render(run, run.deliveries[run.gate_key].post, None, (1, "a" * 64)).text
    [line] = re.findall(r"^\*Time needed:\* (.*)$", text, re.MULTILINE)
    return str(line)


WHOLE = (
    "about 47 min by the practice of 2026-11-22: export 12 min, checks 5 min, "
    "users 30 min if Stack Auth takes 40 a second."
)
FOREIGN = "not known: the practice of 2026-11-22 had another source. Run `cutover practice`."


@pytest.mark.parametrize(
    ("last", "estimated_rows", "sentence"),
    [
        (None, None, "not known. Run `cutover practice` days before to measure it."),
        (practice(), None, WHOLE),
        (practice(), 4_790_000, WHOLE),
        (practice(), 3_210_000, WHOLE),
        (practice(taken_at=NOW - timedelta(days=7)), None, WHOLE.replace("11-22", "11-17")),
        (
            practice(taken_at=NOW - timedelta(days=9)),
            None,
            f"{WHOLE.replace('11-22', '11-15')} That practice is 9 days old: take another.",
        ),
        (
            practice(),
            5_000_000,
            f"{WHOLE} The source has about 5,000,000 rows now and had 4,000,000 then: take another practice.",
        ),
        (
            practice(),
            3_000_000,
            f"{WHOLE} The source has about 3,000,000 rows now and had 4,000,000 then: take another practice.",
        ),
        (practice(source_ref="other"), 4_000_000, FOREIGN),
        (practice(source_database="other"), 4_000_000, FOREIGN),
    ],
)
def test_checkpoint_1_says_how_long_the_night_takes(
    last: Practice | None, estimated_rows: int | None, sentence: str
) -> None:
    """Part by part, which of them is an assumption, and what speaks against it."""
    assert told(opened(last, estimated_rows)) == sentence


def test_the_time_is_below_what_is_to_do_which_says_to_read_it_first() -> None:
    """People read how long it takes before they freeze anything."""
    run = opened(practice())
    text = render(run, run.deliveries[run.gate_key].post, None, (1, "a" * 64)).text
    order = ["1. Read below what users will feel, and how long it takes.", "*What users will feel:*", "*Time needed:*"]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)


def test_a_journal_from_before_is_read_as_ever() -> None:
    """A run that was opened by an earlier version has no practice, and says so."""
    old = to_record(opened(practice(), 5).opened)
    del old["practice"], old["estimated_rows"]
    event = from_record(old)
    assert isinstance(event, e.RunOpened)
    assert (event.practice, event.estimated_rows) == (None, None)
    assert event.parties == PARTIES


def test_timings_are_read_as_they_were_written(tmp_path: Path) -> None:
    """By a later version with more fields too; the next practice replaces them."""
    directory = data_directory.open_directory(tmp_path / "data")
    assert read_timings(directory) is None
    for timings in (practice(), practice(users=5)):
        write_timings(directory, timings)
        assert read_timings(directory) == timings
    path = directory / "practice" / "timings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"countSeconds": 4}))
    assert read_timings(directory) == practice(users=5)


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"usersPerSecond": 0}'])
def test_timings_that_cannot_be_read_keep_no_night_waiting(tmp_path: Path, text: str) -> None:
    """They count as none, and checkpoint 1 says that the time is not known."""
    directory = data_directory.open_directory(tmp_path / "data")
    (directory / "practice").mkdir()
    (directory / "practice" / "timings.json").write_text(text)
    assert read_timings(directory) is None


@pytest.mark.parametrize(
    "changes", [{"users_per_second": 0.0}, {"export_seconds": -1.0}, {"check_seconds": float("inf")}, {"rows": -1}]
)
def test_timings_that_mean_nothing_are_none(changes: dict[str, Any]) -> None:
    """So that no checkpoint divides by them."""
    with pytest.raises(ValidationError):
        practice(**changes)


def test_timings_outlive_the_runs(tmp_path: Path) -> None:
    """`run --new` moves an ended run to the archive, an invalid export goes there too; the timings stay."""
    directory = data_directory.open_directory(tmp_path / "data")
    write_timings(directory, practice())
    for name in (files.JOURNAL, files.METADATA, "orders.json"):
        (directory / name).write_text("{}")
    data_directory.archive(directory, "20261124-abcd")
    data_directory.archive_run(directory, "20261124-abcd")
    assert read_timings(directory) == practice()
    assert {path.name for path in directory.iterdir()} == {".gitignore", "archive", "practice"}


@pytest.mark.all
async def test_a_night_after_a_practice_goes_as_that_one_said(tmp_path: Path) -> None:
    """Checkpoint 1 and `status` tell its time, the journal keeps it, and the users become what it foretold."""
    async with fast_night(tmp_path / "night") as night:
        (tmp_path / "night").mkdir(mode=0o700)
        code, out, err = await night.command("practice")
        assert (code, err.count("cutover:")) == (0, 0)
        assert night.stack.users == {}
        timings = read_timings(night.directory)
        assert timings is not None
        await night.start_bot()
        gate = await night.checkpoint("freeze", "waiting")
        _, status, _ = await night.command("status")
        assert await play(night) == 0
        run = read_run(night.directory)
        assert run is not None and run.users is not None and run.export is not None
        assert (run.opened.practice, run.opened.estimated_rows) == (timings, timings.estimated_rows)
        sentence = plain(time_needed(run.opened, run.offers["freeze", 1].at))
        assert f" by the practice of {timings.taken_at:%Y-%m-%d}: export " in sentence
        assert f"*Time needed:* {sentence} The window is 8 h from the freeze on.\n" in gate.text
        assert f"  window    8 h from the freeze on; time needed: {sentence}\n" in status
        assert (run.export.tables, run.export.rows) == (timings.tables, timings.rows)
        said = " ".join(out.split())
        foretold = {name: int(count) for count, name in re.findall(r"(\d+) × ([a-z-]+)[:,] ", said)}
        assert foretold == {reason: attention.count for reason, attention in run.users.attention.items()}
        users = run.users
        assert f"users {users.users}: {users.users - users.attention_users} will be migrated completely," in said
        verified = cutover(tmp_path, {"MIGRATION_DATA_DIR": str(night.directory)}, "verify")
        assert verified.code == 0 and "unknown-files" not in verified.out
