"""A large file is read by several processes: what they say is what one reader says, damage and all."""

import hashlib
import multiprocessing
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.artifacts import row_sums, tables
from bot.errors import RecordDamaged

DAMAGES = ("none", "cut", "byte", "line lost", "comma lost", "comma at the end", "two arrays", "newline lost", "no end")


def damaged(data: bytes, how: str, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    n = chance.randrange(len(lines))
    match how:
        case "cut":
            return data[: chance.randrange(len(data))]
        case "byte":
            at = chance.randrange(len(data))
            return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        case "line lost":
            return b"".join(lines[:n] + lines[n + 1 :])
        case "comma lost":
            return b"".join([*lines[:n], lines[n].replace(b",\n", b"\n"), *lines[n + 1 :]])
        case "comma at the end":
            return b"".join([*lines[:-2], lines[-2].replace(b"\n", b",\n"), lines[-1]])
        case "two arrays":
            return data + data
        case "newline lost":
            return data[:-1]
        case "no end":
            return b"".join(lines[:-1])
        case _:
            return data


def row_by_row(path: Path) -> Iterator[tables.Facts]:
    """As docs/files.md says it, without a thought of speed."""
    rows = list(tables.rows(path))
    total = sum(int.from_bytes(hashlib.md5(row).digest()[:8], "big", signed=True) for row in rows)
    whole = path.read_bytes()
    yield tables.Facts(len(whole), len(rows), hashlib.sha256(whole).hexdigest(), str(total))


def told(read: object) -> object:
    try:
        *_, facts = read  # type: ignore[misc]
    except RecordDamaged as error:
        return str(error)
    return facts


@dataclass(frozen=True)
class Written:
    """A table's file as it is or as it became, and of how many cores its readers know."""

    content: bytes
    cores: int


@st.composite
def files(draw: st.DrawFn) -> Written:
    rows = draw(st.lists(st.binary(max_size=40).map(lambda b: b"{" + b.hex().encode() + b"}"), max_size=30))
    whole = b"[\n" + b",\n".join(rows) + (b"\n" if rows else b"") + b"]\n"
    content = damaged(whole, draw(st.sampled_from(DAMAGES)), random.Random(draw(st.integers())))
    return Written(content, draw(st.integers(1, 4)))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(written=files())
def test_the_fast_reader_says_what_a_plain_one_says(tmp_path: Path, written: Written) -> None:
    """Count, digest and SHA-256, or the line and kind of the damage."""
    path = tmp_path / "t.json"
    path.write_bytes(written.content)
    assert told(tables.facts(path)) == told(row_by_row(path))


@pytest.mark.parametrize("examples", [6, pytest.param(50, marks=pytest.mark.all)])
def test_several_readers_say_what_one_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examples: int) -> None:
    """The same, from a process for each core."""
    path = tmp_path / "t.json"
    monkeypatch.setattr(tables, "_LARGE_BYTES", 0)

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(written=files())
    def read_by_several(written: Written) -> None:
        path.write_bytes(written.content)
        with monkeypatch.context() as patch:
            patch.setattr(os, "cpu_count", lambda: written.cores)
            assert told(tables.facts(path)) == told(row_by_row(path))

    read_by_several()


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of 3 MB, which is a large one here, read in some twenty parts by three processes."""
    path = tmp_path / "t.json"
    path.write_bytes(b"[\n" + b'{"a":1},\n' * 300_000 + b'{"a":1}\n]\n')
    monkeypatch.setattr(tables, "_LARGE_BYTES", 0)
    monkeypatch.setattr(tables, "_PART_BYTES", 1 << 17)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    return path


def test_whoever_stops_reading_leaves_no_process_behind(large: Path) -> None:
    """However far the reading had come."""
    reading = tables.facts(large)
    next(reading)
    assert multiprocessing.active_children()

    reading.close()

    assert not multiprocessing.active_children()


def test_processes_that_are_killed_cost_time_and_nothing_else(large: Path) -> None:
    """By the system that is short of memory, say: the rest is read by this one."""
    reading = tables.facts(large)
    next(reading)
    for process in multiprocessing.active_children():
        process.kill()

    *_, facts = reading

    assert facts == next(row_by_row(large))


def test_a_reader_that_is_killed_takes_its_processes_with_it(large: Path) -> None:
    """They do not wait for work that nobody will give them."""
    script = (
        "import multiprocessing, os, signal, sys\n"
        "from pathlib import Path\n"
        "from bot.artifacts import tables\n"
        "if __name__ == '__main__':\n"
        "    tables._LARGE_BYTES, tables._PART_BYTES = 0, 1 << 17\n"
        "    reading = tables.facts(Path(sys.argv[1]))\n"
        "    next(reading)\n"
        "    print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    said = subprocess.run([sys.executable, "-c", script, large], capture_output=True, text=True, check=False).stdout
    children = [int(pid) for pid in said.split()]
    assert children

    for pid in children:
        while _lives(pid):
            os.sched_yield()


def _lives(pid: int) -> bool:
    """A process that has ended may wait for whoever takes note of it."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_a_row_longer_than_a_block_is_summed_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However its end falls, the comma behind it included."""
    path = tmp_path / "t.json"
    for block in (1, 2, 3, 5, 7, 64):
        monkeypatch.setattr(row_sums, "_BLOCK_BYTES", block)
        for lengths in ((), (1,), (40, 1, 41), (6, 7, 8, 9)):
            rows = [b"{" + b"x" * length + b",}" for length in lengths]
            path.write_bytes(b"[\n" + b",\n".join(rows) + (b"\n" if rows else b"") + b"]\n")
            assert told(tables.facts(path)) == told(row_by_row(path)), (block, lengths)
