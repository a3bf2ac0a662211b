"""`cutover purge`: what goes and what stays, what it refuses, and that it ends the same wherever it is cut off."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.artifacts import data_directory, files, kept, mapping, receipt, retention
from bot.artifacts.table_files import table_files
from bot.artifacts.verify import verify_bundle
from bot.commands.purge import purge
from bot.commands.report import report
from bot.commands.status import status
from bot.directory_lock import DataDirectoryLock
from bot.errors import CheckFailed, CutoverError, LockHeld, RecordDamaged, UsageError
from bot.journal import Journal
from bot.plan import events as e
from bot.plan.findings import blocks
from bot.record import read_events, read_run
from bot.supabase.export.draft import Leavings
from tests.evidence.conftest import AT, RUN, Bundle
from tests.evidence.planted import ARCHIVED, FOREIGN, Planted, found, plant, sums_of

WHY = "everything is moved"
STAYS = {
    ".cutover.lock", ".gitignore", "SHA256SUMS", "freeze-prior.json", "journal.jsonl", "metadata.json", "purge.json",
    "report.html", f"archive/{ARCHIVED}/journal.jsonl", f"archive/{ARCHIVED}/purge.json",
    f"archive/{RUN}-1/metadata.json", f"archive/{RUN}-1/purge.json", f"archive/{RUN}-2.partial/metadata.json",
    f"archive/{RUN}-2.partial/purge.json", "practice/timings.json", *FOREIGN,
}  # fmt: skip


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Never changed: each test works on a copy."""
    return plant(tmp_path_factory.mktemp("pristine") / "data")


@pytest.fixture
def planted(pristine: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planted:
    return _copied(pristine, tmp_path, monkeypatch)


def _copied(pristine: Planted, to: Path, monkeypatch: pytest.MonkeyPatch) -> Planted:
    """Where the next command finds it; no `.env` or `cutover.toml` is near, and no Slack."""
    directory = to / "data"
    shutil.copytree(pristine.directory, directory)
    for name in [name for name in os.environ if name.startswith(("SLACK_", "CUTOVER__"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MIGRATION_DATA_DIR", str(directory))
    monkeypatch.chdir(to)
    return Planted(directory, pristine.values)


def _there(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir()}


def _unchanged(planted: Planted, error: type[CutoverError], now: str | None = WHY) -> str:
    """The sentence with which it refuses, nothing having been removed or written."""
    before = {path: path.read_bytes() for path in planted.directory.rglob("*") if path.is_file()}
    with pytest.raises(error) as refused:
        purge(None, now=now)
    after = {path: path.read_bytes() for path in planted.directory.rglob("*") if path.is_file()}
    after.pop(planted.directory / files.LOCK, None)
    before.pop(planted.directory / files.LOCK, None)
    assert after == before
    return str(refused.value)


def test_of_two_thousand_planted_values_none_is_left_in_any_byte(planted: Planted, capsys: Any) -> None:
    """Every kind of file that holds them is gone; the evidence, other people's files and the receipts stay."""
    assert found(planted.directory, planted.values) == set(planted.values)
    assert purge(None, now=WHY) == 0
    assert found(planted.directory, planted.values) == set()
    assert _there(planted.directory) == STAYS
    told = capsys.readouterr().out
    assert "Left alone, since it is not Cutover's: archive/README, notes.txt, own.json" in told
    assert receipt.NOT_REACHED in told


def test_the_receipt_says_what_went_and_the_journal_holds_its_digest(planted: Planted) -> None:
    """Name, size and sum of each file as it was, who, when and why; the sums are those of the handover."""
    sizes = {name: (planted.directory / name).stat().st_size for name in _there(planted.directory)}
    sums = sums_of(planted.directory)
    purge(None, now=WHY)
    [run, rest] = receipt.read(planted.directory).purges
    assert (run.run_id, run.why, rest.run_id) == (RUN, WHY, None)
    assert run.ended_at is not None
    assert run.ended_at >= run.began_at
    assert f"(uid {os.geteuid()})" in run.by or run.by == f"uid {os.geteuid()}"
    assert {it.file: it.bytes for it in run.removed} == {it.file: sizes[it.file] for it in run.removed}
    assert {it.file: it.sha256 for it in run.removed if it.file in sums} == {
        name: sum_ for name, sum_ in sums.items() if name not in {files.METADATA, files.FREEZE_PRIOR}
    }
    assert {it.file.split("/")[0] for it in rest.removed} == {".scratch-abcd_123", "practice", "rejected"}
    *_, (_, last) = read_events(planted.directory)
    assert isinstance(last, e.Purged)
    assert (last.digest, last.why, last.files) == (run.digest, WHY, len(run.removed))
    [archived] = receipt.read(planted.directory / files.ARCHIVE / ARCHIVED).purges
    assert archived.run_id == ARCHIVED
    ended = read_run(planted.directory / files.ARCHIVE / ARCHIVED)
    assert ended is not None
    assert ended.purged_at == archived.began_at


# -- cut off ----------------------------------------------------------------------------------------------------------


def _dies_at(nth: int) -> Callable[[str, tuple[Any, ...]], None]:
    """A hook that Python calls before each effect on files: the process is gone before the nth."""
    seen = 0

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal seen
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if event in {"os.remove", "os.rename", "os.rmdir", "os.truncate"} or writes:
            seen += 1
            if seen == nth:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


def _in_a_process(nth: int = 0) -> int:
    """The exit code of `cutover purge --now` in a process of its own; -9 when it died before its nth effect."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for stream in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
            if nth:
                sys.addaudithook(_dies_at(nth))
            code = purge(None, now=WHY)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _told(directory: Path) -> Any:
    """All that is there: names, bytes, receipts and events without their times."""
    kept: dict[str, Any] = {}
    for name in sorted(_there(directory)):
        path = directory / name
        if path.name == files.PURGE:
            purges = json.loads(path.read_text())["purges"]
            assert all(entry["endedAt"] for entry in purges)
            kept[name] = [{k: v for k, v in entry.items() if k not in {"beganAt", "endedAt"}} for entry in purges]
        elif path.name == files.JOURNAL:
            kept[name] = [
                event.model_copy(update={"at": AT, "began_at": AT} if isinstance(event, e.Purged) else {})
                for _, event in read_events(path.parent)
            ]
        elif path.name != files.LOCK:
            kept[name] = path.read_bytes()
    return kept


@pytest.mark.parametrize(
    "every", [pytest.param(1, marks=pytest.mark.all, id="each"), pytest.param(9, id="every ninth")]
)
def test_killed_before_an_effect_it_ends_the_same(
    pristine: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """SIGKILL before a removal, a renaming or an opening for writing; run again, it ends as if it had not been killed:
    the same files, the same receipts, one event in each journal. In between, `verify` says that it goes on.
    """
    undisturbed = _copied(pristine, tmp_path / "undisturbed", monkeypatch)
    assert _in_a_process() == 0
    wanted = _told(undisturbed.directory)
    nth, died = 1, 0
    while True:
        home = tmp_path / str(nth)
        copy = _copied(pristine, home, monkeypatch)
        code = _in_a_process(nth)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        died += 1
        judged = verify_bundle(copy.directory, None)
        begun = receipt.read(copy.directory).unfinished
        assert any("has not ended" in f.evidence for f in judged if f.check == "purge") == (begun is not None)
        assert not blocks(judged)
        assert _in_a_process() == 0, nth
        assert _told(copy.directory) == wanted, nth
        assert found(copy.directory, copy.values) == set(), nth
        shutil.rmtree(home)
        nth += every
    assert died * every > 50, "each of the files is an effect, and each line that is written about them"


# -- what it refuses --------------------------------------------------------------------------------------------------


def test_a_run_that_is_open_loses_nothing(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the handover, and after it until it is released: for no reason, and with archives that are due."""
    monkeypatch.setenv("MIGRATION_DATA_DIR", str(bundle.directory))
    planted = Planted(bundle.directory)
    assert _unchanged(planted, CheckFailed) == (
        f"Run {RUN} is open; nothing was removed; bring it to its end, or end it with `cutover abort`, then run "
        "`cutover purge` again."
    )
    _ends(bundle, until=datetime.now(UTC) + timedelta(days=9))
    assert _unchanged(planted, CheckFailed).startswith(
        f"Run {RUN} is handed over and not released: the freeze still counts"
    )


def test_a_run_that_nobody_released_can_be_purged_from_its_date_on(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then there may be neither a source nor a channel in which anybody could release it."""
    monkeypatch.setenv("MIGRATION_DATA_DIR", str(bundle.directory))
    _ends(bundle, until=datetime.now(UTC) - timedelta(days=1))
    assert purge(None, now=None) == 0
    assert not (bundle.directory / files.MAPPING).exists()
    [entry] = receipt.read(bundle.directory).purges
    assert entry.why == f"its retention ended on {datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"


def _ends(bundle: Bundle, *, until: datetime, released: bool = False) -> None:
    """The handover, in a bundle that is kept until then."""
    path = bundle.directory / files.MAPPING
    head, *entries = mapping.read(path)
    assert isinstance(head, mapping.Head)
    path.unlink()
    written = mapping.write(
        path,
        head.model_copy(update={"retain_until": until.replace(microsecond=0)}),
        [entry for entry in entries if isinstance(entry, mapping.Mapped)],
        [entry for entry in entries if isinstance(entry, mapping.Unmapped)],
    )
    assert bundle.run.users is not None
    users = bundle.run.users.model_copy(
        update={"retain_until": until.replace(microsecond=0), "mapping_sha256": written.sha256}
    )
    with Journal.open(bundle.directory / files.JOURNAL) as journal:
        journal.append(e.to_record(e.StepEnded(at=AT, step="users", result=users)))
        head_now = journal.head
    Bundle(bundle.directory, bundle.with_run(users=users), bundle.metadata, head_now).closed()
    if released:
        with Journal.open(bundle.directory / files.JOURNAL) as journal:
            journal.append(e.to_record(e.Released(at=AT, user="U1", ts="1700000000.000100")))


def test_a_damaged_journal_keeps_the_rows_until_their_date(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether the run is open cannot be read: for no reason before that, and afterwards the journal stays as it is."""
    monkeypatch.setenv("MIGRATION_DATA_DIR", str(bundle.directory))
    _ends(bundle, until=datetime.now(UTC) + timedelta(days=9), released=True)
    path = bundle.directory / files.JOURNAL
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"step-ended", b"step-faked", 1))
    assert _unchanged(Planted(bundle.directory), RecordDamaged).startswith("Line 2 of journal.jsonl is not what was")
    path.write_bytes(whole)
    (bundle.directory / files.SUMS).unlink()
    _ends(bundle, until=datetime.now(UTC) - timedelta(days=1), released=True)
    path.write_bytes(damaged := path.read_bytes().replace(b"step-ended", b"step-faked", 1))
    assert purge(None, now=None) == 0
    assert path.read_bytes() == damaged
    assert not (bundle.directory / files.MAPPING).exists()
    assert "was not added to: Line 2 of journal.jsonl is not what was" in capsys.readouterr().out


def test_before_the_date_it_takes_a_reason(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Without one it names the date; with one it purges, and the reason is kept."""
    monkeypatch.setenv("MIGRATION_DATA_DIR", str(bundle.directory))
    until = (datetime.now(UTC) + timedelta(days=9)).replace(microsecond=0)
    _ends(bundle, until=until, released=True)
    planted = Planted(bundle.directory)
    assert _unchanged(planted, CheckFailed, now=None) == (
        f"Nothing is due yet: run {RUN} is kept until {until:%Y-%m-%d %H:%M} UTC (`retainUntil` of user-mapping.json); "
        "nothing was removed; wait for that date, or give a reason: `cutover purge --now WHY`."
    )
    for reason in ("  ", "x" * 301, "asked by someone@example.org"):
        assert _unchanged(planted, UsageError, now=reason).startswith("--now takes a reason of 1 to 300 characters")
    assert purge(None, now="the client asked for it") == 0
    assert receipt.read(bundle.directory).purges[0].why == "the client asked for it"
    assert "Left in Slack: files whose names hold" in capsys.readouterr().out
    assert purge(None, now=None) == 0
    entry = receipt.read(bundle.directory).purges[0]
    said = f"No data of people is in {bundle.directory}. Run {RUN} was purged on {entry.day}.\n"
    assert capsys.readouterr().out == said


def test_what_is_not_due_stays_and_is_named(planted: Planted, capsys: Any) -> None:
    """Without a reason only that goes whose date has come."""
    recent = planted.directory / f"{files.SCRATCH}abcd_123"
    os.utime(recent)
    os.utime(planted.directory / files.REJECTED / "orders.jsonl", (0, 0))
    purge(None, now=None)
    assert recent.exists()
    assert not (planted.directory / files.REJECTED / "orders.jsonl").exists()
    assert f"Kept until {datetime.now(UTC) + timedelta(days=14):%Y-%m-%d}: what a process left behind" in (
        capsys.readouterr().out
    )


def test_another_instance_keeps_it_out(planted: Planted) -> None:
    """One that works in the data directory, and one that practises below it."""
    with DataDirectoryLock.take(planted.directory):
        assert _unchanged(planted, LockHeld).startswith(f"Another Cutover (process {os.getpid()}) works in")
    practice = planted.directory / files.PRACTICE / "20260101T000000Z"
    with DataDirectoryLock.take(practice):
        assert str(practice) in _unchanged(planted, LockHeld)


def test_a_directory_without_anything_of_ours_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No lock is made in it, and none that is not there is made."""
    (tmp_path / "notes.txt").write_text("mine")
    for directory in (tmp_path, tmp_path / "none"):
        monkeypatch.setenv("MIGRATION_DATA_DIR", str(directory))
        with pytest.raises(UsageError, match="There is nothing of Cutover in"):
            purge(None, now=WHY)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_no_link_is_followed_and_none_is_removed(planted: Planted, tmp_path: Path, capsys: Any) -> None:
    """Under a name of ours, as a folder on the way, and in the archive: what they lead to stays, and is named."""
    outside = tmp_path / "outside"
    (outside / "20260103T000000Z").mkdir(parents=True)
    for path in (outside / "rows.json", outside / "20260103T000000Z" / "orders.json"):
        path.write_text("[\n]\n")
    (planted.directory / files.ATTENTION).unlink()
    (planted.directory / files.ATTENTION).symlink_to(outside / "rows.json")
    (planted.directory / f"{files.SCRATCH}pipe0000").mkdir()
    (planted.directory / files.PRACTICE / "20260103T000000Z").symlink_to(outside / "20260103T000000Z")
    (planted.directory / files.ARCHIVE / "20260103-abcd").symlink_to(outside)
    assert purge(None, now=WHY) == 3
    assert {path.name for path in outside.rglob("*.json")} == {"rows.json", "orders.json"}
    assert (planted.directory / files.ATTENTION).is_symlink()
    assert "Not removed: user-attention.json: it is a link, a pipe, a device or a folder" in capsys.readouterr().out
    said = next(f.evidence for f in verify_bundle(planted.directory, None) if f.check == "purge")
    assert said.endswith(f"Reason: {WHY}. Not removed: .scratch-pipe0000, user-attention.json.")


@pytest.mark.parametrize(
    "name",
    ["../outside.json", "journal.jsonl", "metadata.json", "notes.txt", "archive/x/users.jsonl", "practice/../x.json"],
)
def test_a_receipt_made_by_somebody_else_removes_nothing_of_theirs(planted: Planted, name: str) -> None:
    """An entry that has not ended is gone on with only for names that a purge gives."""
    outside = planted.directory.parent / "outside.json"
    outside.write_text("mine")
    forged = receipt.Entry(
        run_id=None, retain_until=AT, began_at=AT, by="x", why="x",
        removed=(receipt.Removed(file=name, bytes=1, sha256=None),),
    )  # fmt: skip
    receipt.write(planted.directory, receipt.Receipt(purges=(forged,)))
    kept = {path: path.read_bytes() for path in (outside, planted.directory / "journal.jsonl") if path.exists()}
    assert purge(None, now=WHY) == 3
    assert outside.read_bytes() == kept[outside]
    for other in ("journal.jsonl", "metadata.json", "notes.txt"):
        assert (planted.directory / other).exists()


# -- what follows for others ------------------------------------------------------------------------------------------


def test_verify_understands_a_purged_bundle(planted: Planted) -> None:
    """It says when, by whom and why, checks what remains, and calls nothing missing that was purged."""
    purge(None, now=WHY)
    judged = {finding.check: finding for finding in verify_bundle(planted.directory, None)}
    assert not blocks(judged.values())
    entry = receipt.read(planted.directory).purges[0]
    assert judged["files-whole"].evidence.endswith(" of them were purged, and had these sums.")
    purges = [f.evidence for f in verify_bundle(planted.directory, None) if f.check == "purge"]
    assert purges[0] == (f"Purged on {entry.day} by {entry.by}: {len(entry.removed)} files are gone. Reason: {WHY}.")
    assert not blocks(verify_bundle(planted.directory / files.ARCHIVE / ARCHIVED, None))


def test_verify_finds_a_receipt_that_lies(planted: Planted) -> None:
    """A removed file that is back, one that had changed before, and a list that the journal does not know."""
    purge(None, now=WHY)
    path = planted.directory / files.PURGE
    honest = path.read_text()
    first = receipt.read(planted.directory).purges[0].removed[0]
    assert first.sha256 is not None

    path.write_text(honest.replace(first.sha256, "0" * 64))
    evidence = [f.evidence for f in verify_bundle(planted.directory, None) if f.verdict == "fail"]
    assert f"{first.file} had changed before it was purged: SHA-256 mismatch." in evidence
    assert "purge.json and journal.jsonl disagree about what was removed." in evidence

    path.write_text(honest)
    (planted.directory / first.file).write_text("[\n]\n")
    evidence = [f.evidence for f in verify_bundle(planted.directory, None) if f.verdict == "fail"]
    assert f"purge.json says that these files were removed, and they are here: {first.file}." in evidence
    (planted.directory / first.file).unlink()

    path.unlink()
    assert any("records a purge of" in f.evidence for f in verify_bundle(planted.directory, None))
    path.write_text("{")
    assert blocks(verify_bundle(planted.directory, None))


def test_what_is_put_back_is_purged_again(planted: Planted) -> None:
    """Its date has passed for good; the second purge has an entry of its own."""
    purge(None, now=WHY)
    (planted.directory / files.MAPPING).write_text("planted again")
    assert purge(None, now=WHY) == 0
    assert not (planted.directory / files.MAPPING).exists()
    assert [entry.run_id for entry in receipt.read(planted.directory).purges] == [RUN, None, RUN]
    assert [f.verdict for f in verify_bundle(planted.directory, None) if f.check == "purge"] == ["pass"] * 3


def test_the_report_of_a_purged_run_says_so(planted: Planted, capsys: Any) -> None:
    """When, by whom, and why; what the run was is reported as before."""
    purge(None, now=WHY)
    assert report(None, None) == 0
    page = (planted.directory / files.REPORT).read_text()
    assert "The data of people was removed from this directory on" in page
    assert "not known any more: undo.jsonl was purged" in page
    assert WHY in page
    assert found(planted.directory, planted.values) == set()


# -- the dates --------------------------------------------------------------------------------------------------------


def test_everything_with_rows_has_its_date(planted: Planted) -> None:
    """A run's directory that of its mapping, an invalid export that of its run, an archived run 90 days after its
    opening, everything else 14 days after it was made.
    """
    for name in (f"{files.SCRATCH}abcd_123", f"{files.REJECTED}/orders.jsonl"):
        os.utime(planted.directory / name, (AT.timestamp(), AT.timestamp()))
    held = retention.holdings(planted.directory, read_run(planted.directory))
    assert {(it.kind, it.folder): it.until for it in held} == {
        ("run", ""): AT + timedelta(days=90),
        ("archived run", f"archive/{RUN}-1"): AT + timedelta(days=90),
        ("archived run", f"archive/{RUN}-2.partial"): AT + timedelta(days=90),
        ("archived run", f"archive/{ARCHIVED}"): AT + timedelta(days=90),
        ("practice", "practice/20260101T000000Z"): datetime(2026, 1, 15, tzinfo=UTC),
        ("practice", "practice/20260102T000000Z"): datetime(2026, 1, 16, tzinfo=UTC),
        ("leavings", ""): AT + timedelta(days=14),
        ("rejected rows", "rejected"): AT + timedelta(days=14),
    }
    assert [it.until for it in held] == sorted(it.until for it in held)


def test_until_a_mapping_exists_the_date_counts_from_the_opening(bundle: Bundle) -> None:
    """From the first byte on; a mapping then says its own."""
    (bundle.directory / files.MAPPING).unlink()
    [held] = retention.holdings(bundle.directory, bundle.run)
    assert (held.until, held.because) == (AT + timedelta(days=90), "90 days after the run was opened")


def test_a_directory_that_is_a_practice_itself_can_be_purged(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was made elsewhere, named as the data directory: nothing of it stays but the receipt."""
    directory = planted.directory / files.PRACTICE / "20260101T000000Z"
    monkeypatch.setenv("MIGRATION_DATA_DIR", str(directory))
    assert purge(None, now=None) == 0
    assert _there(directory) == {files.PURGE, files.LOCK}


def test_status_shows_every_date_and_the_purge(planted: Planted, capsys: pytest.CaptureFixture[str]) -> None:
    """For people the nearest first, for programs all of them; afterwards that it was purged."""
    assert status(None, as_json=False) == 0
    assert "  to be purged since 2026-01-15: the practice in practice/20260101T000000Z\n" in capsys.readouterr().out
    assert status(None, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)["kept"]
    held = retention.holdings(planted.directory, read_run(planted.directory))
    assert [(it["kind"], it["path"], it["until"]) for it in told] == [
        (it.kind, it.folder, it.until.isoformat()) for it in held
    ]
    assert sum(it["files"] for it in told) == sum(len(it.files) for it in held)
    purge(None, now=WHY)
    capsys.readouterr()
    assert status(None, as_json=False) == 0
    said = capsys.readouterr().out
    assert f"  purged on {datetime.now(UTC):%Y-%m-%d}; purge.json says what was removed\n" in said
    assert "kept until" not in said
    assert "to be purged" not in said


def test_doctor_warns_of_what_is_past_its_date(planted: Planted) -> None:
    """And says that there is nothing where there is nothing."""
    run = read_run(planted.directory)
    assert kept.finding(planted.directory, run, AT + timedelta(days=400)).verdict == "warn"
    assert kept.finding(planted.directory, run, AT - timedelta(days=400)).verdict == "pass"
    purge(None, now=WHY)
    said = kept.finding(planted.directory, run, AT).evidence
    assert said == f"No data of people is in {planted.directory}."
    assert kept.finding(planted.directory / "none", None, AT).verdict == "pass"


def test_a_purged_run_moves_to_the_archive_with_its_receipt(
    planted: Planted, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `run --new` moves it: it is verified there as before, and nothing is left to purge."""
    purge(None, now=WHY)
    archived = data_directory.archive_run(planted.directory, RUN)
    assert not (planted.directory / files.PURGE).exists()
    judged = verify_bundle(archived, None)
    assert not blocks(judged)
    assert any(f.check == "purge" and WHY in f.evidence for f in judged)
    assert retention.holdings(planted.directory, None) == []
    capsys.readouterr()
    assert purge(None, now=WHY) == 0
    assert capsys.readouterr().out == f"No data of people is in {planted.directory}.\n"


def test_an_export_leaves_the_receipt_alone(planted: Planted) -> None:
    """A practice was purged before the run: what the run's own export throws away or archives is not its receipt."""
    purge(None, now=WHY)
    kept_as_it_is = (planted.directory / files.PURGE).read_bytes()
    Leavings(planted.directory).clear({})
    assert data_directory.archive(planted.directory, "20260202-bbbb") is not None
    assert (planted.directory / files.PURGE).read_bytes() == kept_as_it_is
    assert table_files([("public", "purge")])["public", "purge"] != files.PURGE
