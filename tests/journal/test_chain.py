"""The journal as bytes: what is appended is on disk and chained, and nothing of it changes unseen."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import RecordDamaged, UsageError
from bot.journal import Journal, read_chain

RECORDS = [
    {"type": "run-opened", "run_id": "20260101-abcd"},
    {"type": "message-heard", "text": "frozen, “sofort” 🙂"},
    {"type": "posted", "key": "k", "numbers": [1, 2.5, None, True]},
]


def written(path: Path, records: list[dict[str, object]]) -> bytes:
    path.unlink(missing_ok=True)
    with Journal.open(path) as journal:
        for record in records:
            journal.append(record)
    return path.read_bytes()


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("chain") / "journal.jsonl"
    return path, written(path, RECORDS)


def test_records_come_back_as_they_were_appended(tmp_path: Path) -> None:
    """What was appended is read back by another process in order and unchanged."""
    written(tmp_path / "j", RECORDS)
    with Journal.open(tmp_path / "j") as journal:
        assert list(journal.records()) == RECORDS
        assert journal.torn_note == ""


def test_an_empty_journal_has_no_head_and_a_private_file(tmp_path: Path) -> None:
    """A new journal is an empty file that only its owner may read."""
    with Journal.open(tmp_path / "j") as journal:
        assert journal.head == (0, "")
        assert list(journal.records()) == []
    assert (tmp_path / "j").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "j").read_bytes() == b""


def test_the_hash_can_be_checked_by_anybody(tmp_path: Path) -> None:
    """A line's hash is SHA-256 over the hash before and the line up to its hash member, closed by a brace."""
    lines = written(tmp_path / "j", RECORDS).splitlines()
    before = ""
    for n, line in enumerate(lines, 1):
        content, _, tail = line.rpartition(b',"hash":"')
        before = hashlib.sha256(before.encode() + content + b"}").hexdigest()
        assert tail == f'{before}"}}'.encode()
        assert json.loads(line) == {"n": n, **RECORDS[n - 1], "hash": before}
    with Journal.open(tmp_path / "j") as journal:
        assert journal.head == (3, before)


def test_a_group_is_chained_like_single_lines(tmp_path: Path) -> None:
    """Appending many at once leaves the same bytes as appending them one by one."""
    one_by_one = written(tmp_path / "a", RECORDS)
    with Journal.open(tmp_path / "b") as journal:
        journal.append_many(RECORDS)
        journal.append_many([])
    assert (tmp_path / "b").read_bytes() == one_by_one


def test_half_a_surrogate_pair_is_kept(tmp_path: Path) -> None:
    """Text that is not valid Unicode, which JSON can carry, does not stop the bot and is not changed."""
    written(tmp_path / "j", [{"text": "\ud83d"}])
    with Journal.open(tmp_path / "j") as journal:
        assert list(journal.records()) == [{"text": "\ud83d"}]


@pytest.mark.parametrize("name", ["n", "hash"])
def test_a_record_may_not_pose_as_the_line(tmp_path: Path, name: str) -> None:
    """The line's own fields are not the record's to give."""
    with Journal.open(tmp_path / "j") as journal:
        with pytest.raises(ValueError, match="the line's own"):
            journal.append({name: 1})
        assert journal.head == (0, "")


@given(data=st.data())
def test_any_changed_byte_is_damage(closed: tuple[Path, bytes], data: st.DataObject) -> None:
    """No byte of a closed journal can change without the reader naming the line."""
    path, whole = closed
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[at]))
    path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
    with pytest.raises(
        RecordDamaged, match=rf"^Line {whole[:at].count(10) + 1} of journal.jsonl is not what was written"
    ):
        list(read_chain(path, torn_tail_allowed=False))


@given(data=st.data())
def test_a_cut_is_damage_or_a_torn_line_or_fewer_whole_lines(closed: tuple[Path, bytes], data: st.DataObject) -> None:
    """A journal cut anywhere still gives exactly its whole lines, and a torn one is never read as a record."""
    path, whole = closed
    length = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:length])
    complete = whole[:length].count(b"\n")
    assert [line.record() for line in read_chain(path, torn_tail_allowed=True)] == RECORDS[:complete]
    if length and whole[length - 1] != 10:
        with pytest.raises(RecordDamaged, match=rf"^Line {complete + 1} .* it ends without its newline"):
            list(read_chain(path, torn_tail_allowed=False))


@pytest.mark.parametrize("change", ["swap", "drop", "double"])
def test_lines_cannot_be_moved(tmp_path: Path, change: str) -> None:
    """Whole lines swapped, dropped or repeated are damage at the first line out of place."""
    first, second, third = written(tmp_path / "j", RECORDS).splitlines(keepends=True)
    moved = {"swap": first + third + second, "drop": first + third, "double": first + first + second}[change]
    (tmp_path / "j").write_bytes(moved)
    with pytest.raises(RecordDamaged, match=r"^Line 2 of j "):
        Journal.open(tmp_path / "j")
    assert (tmp_path / "j").read_bytes() == moved


def test_damage_is_reported_in_one_sentence_and_nothing_is_written(tmp_path: Path) -> None:
    """A damaged journal is refused with the line's number and left as it is."""
    whole = written(tmp_path / "journal.jsonl", RECORDS)
    broken = whole.replace(b"frozen", b"FROZEN") + b'{"n":4'
    (tmp_path / "journal.jsonl").write_bytes(broken)
    with pytest.raises(RecordDamaged) as refusal:
        Journal.open(tmp_path / "journal.jsonl")
    assert str(refusal.value) == (
        "Line 2 of journal.jsonl is not what was written: its hash does not belong to its content and the line before; "
        "nothing was written and nothing was done; put the whole journal.jsonl back from a copy, or look at the line; "
        "`cutover verify` shows what else is damaged."
    )
    assert refusal.value.exit_code == 3
    assert (tmp_path / "journal.jsonl").read_bytes() == broken


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from bot.errors import UsageError
from bot.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal.open(Path(sys.argv[1]))
journal.append({"before": 1})
head = journal.head
resource.setrlimit(resource.RLIMIT_FSIZE, (250, resource.RLIM_INFINITY))
try:
    journal.append({"too much": "x" * 500})
except UsageError as error:
    print(error)
assert journal.head == head
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append({"after": 2})
"""


def test_a_full_disk_takes_nothing_and_leaves_the_journal_usable(tmp_path: Path) -> None:
    """A write that fails half-way is taken back, said, and the next one succeeds on a whole chain."""
    path = tmp_path / "j"
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert child.stdout == (
        f"{path} cannot be written (File too large); nothing was added to it; "
        "make room or fix the permissions, then start again.\n"
    )
    assert [line.record() for line in read_chain(path, torn_tail_allowed=False)] == [{"before": 1}, {"after": 2}]


def test_a_journal_removed_under_the_bot_is_noticed(tmp_path: Path) -> None:
    """Nothing is believed to be written to a file that has no name any more."""
    with Journal.open(tmp_path / "j") as journal:
        journal.append({"a": 1})
        (tmp_path / "j").unlink()
        with pytest.raises(RecordDamaged, match="changed or removed by somebody else"):
            journal.append({"b": 2})


def test_a_journal_written_by_another_is_noticed(tmp_path: Path) -> None:
    """Lines of two writers are never mixed."""
    with Journal.open(tmp_path / "j") as ours, Journal.open(tmp_path / "j") as theirs:
        theirs.append({"b": 2})
        with pytest.raises(RecordDamaged, match="changed or removed by somebody else"):
            ours.append({"a": 1})
    assert [line.record() for line in read_chain(tmp_path / "j", torn_tail_allowed=False)] == [{"b": 2}]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A journal that cannot be opened is an unusable data directory."""
    (tmp_path / "j").mkdir()
    with pytest.raises(UsageError) as refusal:
        Journal.open(tmp_path / "j")
    assert str(refusal.value) == (
        f"{tmp_path / 'j'} cannot be written (Is a directory); nothing was added to it; "
        "make room or fix the permissions, then start again."
    )


def test_reading_keeps_nothing(tmp_path: Path) -> None:
    """Many lines are verified one at a time and fast."""
    with Journal.open(tmp_path / "j") as journal:
        journal.append_many({"type": "posted", "key": str(i)} for i in range(50_000))
    lines = read_chain(tmp_path / "j", torn_tail_allowed=False)
    assert next(lines).n == 1
    assert sum(1 for _ in lines) == 49_999
