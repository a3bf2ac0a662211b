"""`verify`: everything in a bundle read again, offline; no changed byte passes."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bot.artifacts import durable, files
from bot.artifacts.verify import verify_bundle
from bot.errors import RecordDamaged, UsageError
from bot.journal import Journal, read_chain
from bot.plan import events as e
from bot.plan.findings import Finding, Verdict, blocks
from bot.ports import Progress
from tests.evidence.conftest import AT, RUN, handed_over

NAMED = [
    "auth_users.json", "empty.json", "freeze-prior.json", "metadata.json", "orders.json", "user-attention.json",
    "user-mapping.json", "users.jsonl",
]  # fmt: skip


def verdicts(found: list[Finding]) -> dict[str, Verdict]:
    assert len({finding.check for finding in found}) == len(found)
    return {finding.check: finding.verdict for finding in found}


def the(found: list[Finding], check: str) -> Finding:
    return next(finding for finding in found if finding.check == check)


def failures(found: list[Finding]) -> str:
    return "\n".join(finding.evidence for finding in found if finding.verdict is Verdict.FAIL)


def test_a_whole_bundle_passes_and_says_what_it_is_worth(bundle: Any) -> None:
    """Every check passes, and the last one says that nobody outside was asked."""
    found = verify_bundle(bundle.closed().directory, None)
    assert {finding.check: finding.evidence for finding in found if finding.verdict is Verdict.PASS} == {
        "journal-chain": f"journal.jsonl: hash chain intact (5 lines); head {last_hash(bundle)}.",
        "users-chain": "users.jsonl: hash chain intact (5 lines).",
        "sums": "SHA256SUMS matches the journal's closing event (line 4): digest "
        f"{durable.sha256_of(bundle.directory / files.SUMS)}. 1 line follows it, guarded by the hash chain alone.",
        "files-whole": "8 files match SHA256SUMS; 6 rows in the tables.",
        "anchor": "The bundle is consistent. It was not compared with Slack.",
    }
    assert len(found) == 5


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (0, "No line follows it."),
        (1, "1 line follows it, guarded by the hash chain alone."),
        (1204, "1,204 lines follow it, guarded by the hash chain alone."),
    ],
)
def test_it_says_how_many_lines_follow_the_closing(bundle: Any, lines: int, said: str) -> None:
    """The digest does not cover what happened after the handover; whoever reads it learns how much that is."""
    result = handed_over(bundle.directory, bundle.run, bundle.head)
    with Journal.open(bundle.directory / files.JOURNAL) as journal:
        journal.append(e.to_record(e.StepEnded(at=AT, step="handover", result=result)))
        journal.append_many(e.to_record(e.PostIntended(at=AT, key=f"{RUN}/header")) for _ in range(lines))
    assert the(verify_bundle(bundle.directory, None), "sums").evidence.endswith(f"digest {result.digest}. {said}")


def last_hash(bundle: Any) -> str:
    *_, line = read_chain(bundle.directory / files.JOURNAL, torn_tail_allowed=False)
    return line.hash


def test_sha256sum_agrees(bundle: Any) -> None:
    """The ordinary tool checks every file of the bundle and skips the line about the journal."""
    directory = bundle.closed().directory
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c", files.SUMS], cwd=directory, capture_output=True, text=True, check=True
    )
    assert checked.stdout.splitlines() == [f"{name}: OK" for name in NAMED]
    assert checked.stderr == ""
    first = (directory / files.SUMS).read_text().splitlines()[0]
    assert first == f"# journal.jsonl {bundle.head[0]} {bundle.head[1]}"


@pytest.mark.parametrize("name", [*NAMED, files.SUMS, files.JOURNAL])
def test_one_changed_byte_of_any_file_fails_and_names_it(bundle: Any, name: str) -> None:
    """First and last byte, newlines and a good many between: a failing finding names exactly that file."""
    directory = bundle.closed().directory
    path: Path = directory / name
    whole = path.read_bytes()
    newlines = [match.start() for match in re.finditer(b"\n", whole)]
    places = {0, len(whole) - 1, *newlines[-3:], *range(0, len(whole), max(1, len(whole) // 40))}
    for place in places:
        for flip in (0x01, 0x20):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
            found = verify_bundle(directory, None)
            assert blocks(found), (place, flip)
            assert re.search(rf"(?<![\w-]){re.escape(name)}", failures(found)), (place, flip, failures(found))
            assert not {other for other in NAMED if other in failures(found)} - {name}
            assert the(found, "anchor").verdict is Verdict.WARN
    path.write_bytes(whole)
    assert not blocks(verify_bundle(directory, None))


@pytest.mark.parametrize("name", [*NAMED, files.SUMS, files.JOURNAL])
@pytest.mark.parametrize("how", ["missing", "emptied", "cut", "grown"])
def test_a_file_that_is_not_whole_fails_and_names_it(bundle: Any, name: str, how: str) -> None:
    """Removed, emptied, shortened by a byte or a line longer: found, and named."""
    path = bundle.closed().directory / name
    whole = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes({"emptied": b"", "cut": whole[:-1], "grown": whole + b"\n"}[how])
    found = verify_bundle(bundle.directory, None)
    assert blocks(found)
    assert name in failures(found)


DAMAGE = {
    "value": (
        b'{"id":2', b'{"id":9',
        "orders.json differs from the export: row digest mismatch.",
    ),
    "no JSON": (
        b'{"id":2', b'{"id"=2',
        "orders.json differs from the export: line 3 is not a row, row digest mismatch.",
    ),
    "comma": (
        b'3"},\n', b'3"}.\n',
        "Line 3 of orders.json is not what was exported: there is no comma between it and the next row.",
    ),
    "end": (
        b"\n]\n", b"\n}\n",
        "Line 4 of orders.json is not what was exported: there is no comma between it and the next row.",
    ),
    "size": (
        b'{"id":2', b'{"id":22',
        "orders.json differs from the export: it has 159 bytes instead of 158.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_the_kind_of_damage_is_reported(bundle: Any, kind: str) -> None:
    """File, line where there is one, and what is wrong with it, in one sentence."""
    path = bundle.closed().directory / "orders.json"
    old, new, sentence = DAMAGE[kind]
    assert path.read_bytes().count(old) == 1
    path.write_bytes(path.read_bytes().replace(old, new))
    assert failures(verify_bundle(bundle.directory, None)) == sentence


def test_damage_in_the_journal_names_the_line(bundle: Any) -> None:
    """So does damage in users.jsonl."""
    directory = bundle.closed().directory
    for name in (files.JOURNAL, files.USERS):
        lines = (directory / name).read_bytes().splitlines(keepends=True)
        lines[1] = lines[1].replace(b"2026", b"2025")
        (directory / name).write_bytes(b"".join(lines))
    found = verify_bundle(directory, None)
    why = "is not what was written: its hash does not belong to its content and the line before."
    assert the(found, "journal-chain").evidence == f"Line 2 of journal.jsonl {why}"
    assert the(found, "users-chain").evidence == f"Line 2 of users.jsonl {why}"


def test_an_anchor_is_the_hash_of_some_line(bundle: Any) -> None:
    """A hash told in Slack ties the bundle to that message; another one refuses it."""
    directory = bundle.closed().directory
    found = the(verify_bundle(directory, bundle.head[1].upper()), "anchor")
    assert (found.verdict, found.evidence) == (Verdict.PASS, "The anchor matches line 3 of journal.jsonl.")
    found = the(verify_bundle(directory, "0" * 64), "anchor")
    assert (found.verdict, found.evidence) == (
        Verdict.FAIL,
        "The anchor matches no line of journal.jsonl: the message was about another journal.",
    )
    assert the(verify_bundle(directory, ""), "anchor").verdict is Verdict.FAIL


def test_a_bundle_made_anew_is_only_found_by_an_anchor(bundle: Any) -> None:
    """Whoever writes the whole chain again is consistent in himself, and contradicts what Slack was told."""
    told = bundle.closed().head[1]
    records = [line.record() for line in read_chain(bundle.directory / files.JOURNAL, torn_tail_allowed=False)]
    for name in (files.JOURNAL, files.SUMS):
        (bundle.directory / name).unlink()
    records[0]["approvers"] = ["U9"]
    with Journal.open(bundle.directory / files.JOURNAL) as journal:
        journal.append_many(records[:3])
        result = handed_over(bundle.directory, bundle.run, journal.head)
        journal.append({**records[3], "result": result.model_dump()})
    assert not blocks(verify_bundle(bundle.directory, None))
    assert blocks(verify_bundle(bundle.directory, told))


def test_lines_missing_at_the_journals_end_are_found(bundle: Any) -> None:
    """Without its closing event a journal does not vouch for the sums."""
    path = bundle.closed().directory / files.JOURNAL
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    assert failures(verify_bundle(bundle.directory, None)) == (
        "SHA256SUMS exists, but journal.jsonl has no closing event: the handover was interrupted, or the journal has "
        "lost lines at its end."
    )


def test_a_bundle_not_handed_over_is_checked_as_far_as_it_goes(bundle: Any) -> None:
    """No failure, one warning, and the files are read again."""
    found = verify_bundle(bundle.directory, None)
    assert verdicts(found) == {
        "journal-chain": Verdict.PASS,
        "users-chain": Verdict.PASS,
        "handover": Verdict.WARN,
        "files-whole": Verdict.PASS,
        "anchor": Verdict.PASS,
    }
    assert the(found, "handover").evidence == "The handover is not done yet. Everything present was checked."
    assert the(found, "files-whole").evidence == "3 exported files match metadata.json: 6 rows."


def test_a_bundle_of_an_aborted_run_says_so(bundle: Any) -> None:
    """Nobody is to finish it: a warning that names the way on, and all that is there is checked."""
    with Journal.open(bundle.directory / files.JOURNAL) as journal:
        journal.append(e.to_record(e.RunAborted(at=AT)))
    found = verify_bundle(bundle.directory, None)
    aborted = the(found, "handover")
    assert (aborted.verdict, aborted.evidence, aborted.fix) == (
        Verdict.WARN,
        "The run was aborted, so there is no handover. Everything present was checked.",
        "To open the next run: `cutover run --new`.",
    )
    assert the(found, "files-whole").verdict is Verdict.PASS
    (bundle.directory / "orders.json").unlink()
    assert blocks(verify_bundle(bundle.directory, None))


@pytest.mark.parametrize(
    "name", ["auth_users.json", "metadata.json", "orders.json", "user-mapping.json", "users.jsonl"]
)
def test_damage_is_found_before_handover_too(bundle: Any, name: str) -> None:
    """The journal knows the sums of metadata and mapping, and the metadata those of the tables."""
    path = bundle.directory / name
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    found = verify_bundle(bundle.directory, None)
    assert blocks(found)
    assert name in failures(found)


def test_a_torn_line_before_handover_is_a_warning(bundle: Any) -> None:
    """A crash may leave one; the bot drops it when it goes on."""
    path = bundle.directory / files.JOURNAL
    path.write_bytes(path.read_bytes()[:-1])
    found = the(verify_bundle(bundle.directory, None), "journal-chain")
    assert (found.verdict, found.evidence) == (
        Verdict.WARN,
        "A crash cut off the last line of journal.jsonl; the hash chain before it is intact (2 lines).",
    )


def test_results_of_a_gate_offered_anew_are_no_longer_valid(bundle: Any) -> None:
    """After the source has moved, the next export is not held against the former one's sum."""
    with Journal.open(bundle.directory / files.JOURNAL) as journal:
        journal.append(
            e.to_record(
                e.CheckpointOffered(at=bundle.run.last_at, checkpoint="freeze", offer=2, evidence={}, digest="d")
            )
        )
    path = bundle.directory / files.METADATA
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert not blocks(verify_bundle(bundle.directory, None))


def test_files_born_later_are_not_refused_and_strangers_are_named(bundle: Any) -> None:
    """A thaw, a report and the archive may come; what nobody vouches for is a warning."""
    directory = bundle.closed().directory
    (directory / files.THAW).write_text("{}")
    (directory / files.REPORT).write_text("<html>")
    (directory / files.ARCHIVE).mkdir()
    assert verdicts(verify_bundle(directory, None)).keys() == {
        "journal-chain", "users-chain", "sums", "files-whole", "anchor",
    }  # fmt: skip
    (directory / "secrets.json").write_text("[]")
    found = the(verify_bundle(directory, None), "unknown-files")
    assert (found.verdict, found.evidence) == (
        Verdict.WARN,
        "Files in the directory that are not part of the bundle: secrets.json.",
    )


def test_an_empty_directory_is_no_bundle(tmp_path: Path) -> None:
    """Nothing to check is not a pass; no directory at all is wrong usage."""
    assert failures(verify_bundle(tmp_path, None)) == "journal.jsonl is missing or cannot be read."
    with pytest.raises(UsageError, match=r"^There is no directory"):
        verify_bundle(tmp_path / "nowhere", None)


def test_verify_says_how_far_it_is(bundle: Any) -> None:
    """In bytes of the files that it reads, never backwards, and to the end."""
    told: list[Progress] = []
    verify_bundle(bundle.closed().directory, None, told.append)
    size = sum((bundle.directory / name).stat().st_size for name in NAMED)
    assert {(progress.total, progress.unit) for progress in told} == {(size, "bytes")}
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)
    assert told[-1].done == size


def test_verify_writes_nothing(bundle: Any) -> None:
    """Names, bytes and times of all files stay as they were."""

    def state() -> dict[str, tuple[bytes, int]]:
        return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in bundle.directory.iterdir()}

    before = state()
    verify_bundle(bundle.directory, None)
    assert state() == before


# -- handover ---------------------------------------------------------------------------------------------------------


def test_handing_over_twice_gives_the_same(bundle: Any) -> None:
    """After a crash the sums that are there still apply, with the journal's head of then."""
    first = handed_over(bundle.directory, bundle.run, bundle.head)
    before = (bundle.directory / files.SUMS).read_bytes()
    (bundle.directory / files.THAW).write_text("{}")
    assert handed_over(bundle.directory, bundle.run, (9, "f" * 64)) == first
    assert (bundle.directory / files.SUMS).read_bytes() == before
    assert (first.files, first.journal_line, first.journal_hash) == (8, *bundle.head)
    assert first.digest == durable.sha256_of(bundle.directory / files.SUMS)


def test_a_bundle_that_is_not_whole_is_not_handed_over(bundle: Any) -> None:
    """A missing file, another run's mapping: refused with one sentence and no sums."""
    with pytest.raises(RecordDamaged) as refusal:
        handed_over(bundle.directory, bundle.of_another_run(), bundle.head)
    assert str(refusal.value) == (
        "The bundle is damaged: metadata.json and user-mapping.json do not both belong to run 20260102-ffff; "
        "nothing was written; restore it from a copy and say `retry`, or without one say `thaw`: the run goes back to "
        "the freeze gate and exports again."
    )
    (bundle.directory / "orders.json").unlink()
    with pytest.raises(RecordDamaged, match=r"missing: orders\.json"):
        handed_over(bundle.directory, bundle.run, bundle.head)
    assert not (bundle.directory / files.SUMS).exists()


@pytest.mark.parametrize("name", ["orders.json", files.METADATA, files.MAPPING, files.ATTENTION])
@pytest.mark.parametrize("sealed", [False, True])
def test_what_has_changed_since_it_was_checked_is_not_handed_over(bundle: Any, name: str, *, sealed: bool) -> None:
    """Not with new sums, and not with sums that somebody has made for it: one digit is enough, the file is named."""
    path: Path = bundle.directory / name
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"0", b"1", 1))
    if sealed:
        path.write_bytes(whole)
        handed_over(bundle.directory, bundle.run, bundle.head)
        before = durable.sha256_of(path)
        path.write_bytes(whole.replace(b"0", b"1", 1))
        sums = (bundle.directory / files.SUMS).read_text()
        (bundle.directory / files.SUMS).write_text(sums.replace(before, durable.sha256_of(path)))
    with pytest.raises(RecordDamaged) as refusal:
        handed_over(bundle.directory, bundle.run, bundle.head)
    assert name in str(refusal.value)
    assert (bundle.directory / files.SUMS).exists() is sealed
    path.write_bytes(whole)
    if sealed:
        (bundle.directory / files.SUMS).write_text(sums)
    handed_over(bundle.directory, bundle.run, bundle.head)


def test_files_changed_since_the_sums_are_not_handed_over_again(bundle: Any) -> None:
    """Sums that are there are held against the files before they are believed."""
    handed_over(bundle.directory, bundle.run, bundle.head)
    (bundle.directory / "orders.json").write_text("[\n]\n")
    with pytest.raises(RecordDamaged, match=r"orders\.json has changed since it was checked: SHA-256 mismatch"):
        handed_over(bundle.directory, bundle.run, bundle.head)
