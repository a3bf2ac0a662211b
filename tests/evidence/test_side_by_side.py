"""A large file is read by several processes: what they say is what one reader says, damage and all."""

import hashlib
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(st.binary(max_size=40).map(lambda b: b"{" + b.hex().encode() + b"}"), max_size=30),
    how=st.sampled_from(DAMAGES),
    chance=st.tuples(st.integers(1, 4), st.integers()),
)
def test_several_readers_say_what_one_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[bytes], how: str, chance: tuple[int, int]
) -> None:
    """Count, digest and SHA-256, or the line and kind of the damage."""
    path, (cores, seed) = tmp_path / "t.json", chance
    whole = b"[\n" + b",\n".join(rows) + (b"\n" if rows else b"") + b"]\n"
    path.write_bytes(damaged(whole, how, random.Random(seed)))
    one = told(row_by_row(path))
    assert told(tables.facts(path)) == one  # one reader, and then several

    monkeypatch.setattr(tables, "_LARGE_BYTES", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)

    assert told(tables.facts(path)) == one


def test_whoever_stops_reading_leaves_no_process_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far the reading had come."""
    path = tmp_path / "t.json"
    path.write_bytes(b"[\n" + b'{"a":1},\n' * 3_000_000 + b'{"a":1}\n]\n')
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    begun: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            begun.append(self)

    monkeypatch.setattr(tables.subprocess, "Popen", Noted)

    reading = tables.facts(path)
    next(reading)
    assert len(begun) == 3
    reading.close()

    assert all(process.returncode is not None for process in begun)


def test_a_row_longer_than_a_block_is_summed_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However its end falls, the comma behind it included."""
    path = tmp_path / "t.json"
    for block in (1, 2, 3, 5, 7, 64):
        monkeypatch.setattr(row_sums, "_BLOCK_BYTES", block)
        for lengths in ((), (1,), (40, 1, 41), (6, 7, 8, 9)):
            rows = [b"{" + b"x" * length + b",}" for length in lengths]
            path.write_bytes(b"[\n" + b",\n".join(rows) + (b"\n" if rows else b"") + b"]\n")
            assert told(tables.facts(path)) == told(row_by_row(path)), (block, lengths)
