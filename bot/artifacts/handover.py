"""SHA256SUMS: one digest over everything that a night leaves.

    # journal.jsonl 1204 9f86…        the journal's head when the sums were made; `sha256sum -c` skips this line
    5994…  SHA256SUMS's other lines   every file of the bundle that existed then, by name

The run's digest is the SHA-256 of this file. The journal's closing event holds it, and the journal's own lines are
chained, so neither can be changed without the other. A file born later (another thaw) is not
refused; a file that is named here is closed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bot.artifacts import data_directory, durable, files, mapping
from bot.artifacts import metadata as metadata_file
from bot.artifacts.changed import WITHOUT_A_COPY
from bot.errors import RecordDamaged
from bot.plan.results import HandoverResult
from bot.plan.run import Run
from bot.regular_files import open_regular

_FIRST = re.compile(rb"# " + re.escape(files.JOURNAL.encode()) + rb" ([1-9][0-9]*) ([0-9a-f]{64})\n")
_SUM = re.compile(rb"([0-9a-f]{64})  ([A-Za-z0-9_][A-Za-z0-9_.-]*)\n")
_LARGEST = 64 << 20
_IF_THERE = (files.USERS, files.FREEZE_PRIOR, files.THAW)
"""Not the evidence page, which is made of the others and may be made anew at any time."""


class Sums(NamedTuple):
    """What SHA256SUMS says. `files` is name -> SHA-256; `digest` is that of the file itself."""

    journal_line: int
    journal_hash: str
    files: dict[str, str]
    digest: str


def hand_over(directory: Path, run: Run, journal_head: tuple[int, str]) -> Iterator[int | HandoverResult]:
    """Writes SHA256SUMS durably, once, in slices: how many bytes more of the bundle were read, and at last the result.

    A file gets into the sums only as what the steps reported and the gates have checked. After a crash an existing
    SHA256SUMS is held against the files too, and stays as it is, with the older head that it names. Raises
    RecordDamaged when a file is missing, or is not what was checked or what the sums say.
    """
    path = directory / files.SUMS
    checked = _checked(directory, run)
    if path.exists():
        sums = read(path)
        if missing := sorted(checked.keys() - sums.files.keys()):
            raise _not_whole(f"{files.SUMS} does not name {missing[0]}")
        for name, sha256 in sums.files.items():
            found = yield from _sum(directory / name)
            _must_be(name, found, checked)
            if found != sha256:
                raise _not_whole(f"{name} differs from {files.SUMS}")
    else:
        data_directory.sweep_partials(directory)
        line, hash_ = journal_head
        lines = [f"# {files.JOURNAL} {line} {hash_}\n"]
        for name in sorted(checked.keys() | {name for name in _IF_THERE if (directory / name).is_file()}):
            sha256 = yield from _sum(directory / name)
            _must_be(name, sha256, checked)
            lines.append(f"{sha256}  {name}\n")
        durable.write_once(path, "".join(lines).encode())
    yield _result(read(path))


def bytes_to_read(directory: Path) -> int:
    """How much the handover reads, about: what is in the directory itself."""
    return sum(path.lstat().st_size for path in directory.iterdir() if path.is_file())


def read(path: Path) -> Sums:
    """Raises RecordDamaged naming the line that is not in the form above."""
    try:
        with open_regular(path) as file:
            text = file.read(_LARGEST + 1)
    except OSError as error:
        raise _not_whole(f"{path.name} is missing or cannot be read") from error
    if len(text) > _LARGEST:
        raise _not_whole(f"{path.name} is larger than {_LARGEST >> 20} MiB")
    lines = text.splitlines(keepends=True)
    first = _FIRST.fullmatch(lines[0]) if lines else None
    if first is None:
        raise _not_whole(f"line 1 of {path.name} does not name the head of the journal")
    listed: dict[str, str] = {}
    for n, line in enumerate(lines[1:], 2):
        if (match := _SUM.fullmatch(line)) is None:
            raise _not_whole(f"line {n} of {path.name} is not a SHA-256 and a file name")
        listed[match[2].decode()] = match[1].decode()
    return Sums(int(first[1]), first[2].decode(), listed, hashlib.sha256(text).hexdigest())


def _checked(directory: Path, run: Run) -> dict[str, str]:
    """By name, the sum that each file of the bundle had when it was written and checked; "" where nobody noted it."""
    head = mapping.read_head(directory / files.MAPPING)
    metadata = metadata_file.read(directory / files.METADATA)
    if metadata.practice or not metadata.run_id == head.run_id == run.run_id:
        raise _not_whole(f"{files.METADATA} and {files.MAPPING} do not both belong to run {run.run_id}")
    assert run.export is not None and run.users is not None
    metadata = metadata_file.read(directory / files.METADATA, sha256=run.export.sha256)
    checked = {table.file: table.sha256 for table in metadata.tables.values()}
    checked |= {
        files.METADATA: run.export.sha256,
        files.MAPPING: run.users.mapping_sha256,
        files.ATTENTION: run.users.attention_sha256,
    }
    if missing := sorted(name for name in checked if not (directory / name).is_file()):
        raise _not_whole(f"missing: {', '.join(missing)}")
    return checked


def _must_be(name: str, sha256: str, checked: Mapping[str, str]) -> None:
    if checked.get(name) not in {None, "", sha256}:
        raise _not_whole(f"{name} has changed since it was checked: SHA-256 mismatch")


def _sum(path: Path) -> Generator[int, None, str]:
    try:
        for step in durable.hashing(path):
            if isinstance(step, str):
                return step
            yield step
    except OSError as error:
        raise _not_whole(f"{path.name} is missing or cannot be read") from error
    raise AssertionError("hashing ends with the hash")


def _result(sums: Sums) -> HandoverResult:
    return HandoverResult(
        digest=sums.digest,
        files=len(sums.files),
        journal_line=sums.journal_line,
        journal_hash=sums.journal_hash,
    )


def _not_whole(what: str) -> RecordDamaged:
    return RecordDamaged(
        f"The bundle is damaged: {what}",
        unchanged="nothing was written",
        do=f"restore it from a copy and say `retry`, {WITHOUT_A_COPY}",
    )
