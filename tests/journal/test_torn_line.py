"""A last line without its newline: the process died inside `append`, so nobody had believed it."""

import hashlib
from pathlib import Path

import pytest

from bot.errors import RecordDamaged
from bot.journal import Journal


@pytest.fixture
def torn(tmp_path: Path) -> Path:
    path = tmp_path / "journal.jsonl"
    with Journal.open(path) as journal:
        journal.append({"a": 1})
        journal.append({"b": 2})
    path.write_bytes(path.read_bytes()[:-5])
    return path


def test_a_torn_line_is_dropped_with_a_note(torn: Path) -> None:
    """Opening drops exactly the torn bytes and says which."""
    whole, _, rest = torn.read_bytes().partition(b"\n")
    with Journal.open(torn) as journal:
        digest = hashlib.sha256(rest).hexdigest()
        assert journal.torn_note == (
            f"The end of journal.jsonl (from line 2 on, {len(rest)} bytes, SHA-256 {digest}) was "
            "torn by a crash while it was being written; nobody had acted on it, and it was dropped."
        )
        assert list(journal.records()) == [{"a": 1}]
    assert torn.read_bytes() == whole + b"\n"


def test_the_journal_goes_on_after_a_torn_line(torn: Path) -> None:
    """The next append continues the chain where the last whole line ended."""
    with Journal.open(torn) as journal:
        journal.append({"c": 3})
    with Journal.open(torn, torn_tail_allowed=False) as journal:
        assert journal.torn_note == ""
        assert list(journal.records()) == [{"a": 1}, {"c": 3}]


def test_after_handover_a_torn_line_is_damage(torn: Path) -> None:
    """Where no torn line is allowed, it is refused and left as it is."""
    before = torn.read_bytes()
    with pytest.raises(
        RecordDamaged, match=r"^Line 2 of journal\.jsonl is not what was written: it ends without its newline"
    ):
        Journal.open(torn, torn_tail_allowed=False)
    assert torn.read_bytes() == before


def test_only_the_newline_missing_is_torn_too(torn: Path) -> None:
    """A line is written when its newline is; nothing is guessed from its content."""
    with Journal.open(torn) as journal:
        journal.append({"c": 3})
    torn.write_bytes(torn.read_bytes()[:-1])
    with Journal.open(torn) as journal:
        assert list(journal.records()) == [{"a": 1}]


def test_of_a_group_all_lines_are_there_or_none(tmp_path: Path) -> None:
    """Cut at every byte of its append, it is dropped whole, and the next append goes on as if it had never been."""
    path = tmp_path / "journal.jsonl"
    with Journal.open(path) as journal:
        journal.append({"a": 1})
        begins = path.stat().st_size
        journal.append_group([{"b": 2}, {"c": 3}, {"d": 4}])
    whole = path.read_bytes()
    with Journal.open(path, torn_tail_allowed=False) as journal:
        assert list(journal.records()) == [{"a": 1}, {"b": 2}, {"c": 3}, {"d": 4}]
    for length in range(begins, len(whole)):
        path.write_bytes(whole[:length])
        with Journal.open(path) as journal:
            assert bool(journal.torn_note) == (length > begins)
            assert list(journal.records()) == [{"a": 1}]
            journal.append({"e": 5})
        with Journal.open(path, torn_tail_allowed=False) as journal:
            assert list(journal.records()) == [{"a": 1}, {"e": 5}]


def test_lines_missing_from_a_closed_group_are_damage(tmp_path: Path) -> None:
    """Where nothing torn is allowed, or where other lines follow, a group without all of its lines is named."""
    path = tmp_path / "journal.jsonl"
    with Journal.open(path) as journal:
        journal.append_group([{"b": 2}, {"c": 3}])
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(
        RecordDamaged, match=r"^Line 1 of journal\.jsonl .* lines that belong to it are missing behind it"
    ):
        Journal.open(path, torn_tail_allowed=False)
