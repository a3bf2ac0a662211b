"""SHA256SUMS: one digest over everything that a night leaves.

    # journal.jsonl 1204 9f86…        the journal's head when the sums were made; `sha256sum -c` skips this line
    5994…  SHA256SUMS's other lines   every file of the bundle that existed then, by name

The run's digest is the SHA-256 of this file. The journal's closing event holds it, and the journal's own lines are
chained, so neither can be changed without the other. A file born later (another thaw) is not
refused; a file that is named here is closed.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NamedTuple

from bot.artifacts import files, mapping
from bot.artifacts import metadata as metadata_file
from bot.errors import RecordDamaged
from bot.plan.results import HandoverResult
from bot.regular_files import open_regular

_FIRST = re.compile(rb"# " + re.escape(files.JOURNAL.encode()) + rb" ([1-9][0-9]*) ([0-9a-f]{64})\n")
_SUM = re.compile(rb"([0-9a-f]{64})  ([A-Za-z0-9_][A-Za-z0-9_.-]*)\n")
_IF_THERE = (files.USERS, files.FREEZE_PRIOR, files.THAW)
"""Not the evidence page, which is made of the others and may be made anew at any time."""


class Sums(NamedTuple):
    """What SHA256SUMS says. `files` is name -> SHA-256; `digest` is that of the file itself."""

    journal_line: int
    journal_hash: str
    files: dict[str, str]
    digest: str


def hand_over(directory: Path, run_id: str, journal_head: tuple[int, str]) -> Iterator[int | HandoverResult]:
    """Writes SHA256SUMS durably, once, in slices: how many bytes more of the bundle were read, and at last the result.

    After a crash an existing SHA256SUMS is held against the files and stays as it is, with the older head that it
    names. Raises RecordDamaged when a file is missing or is not what the sums say.
    """
    path = directory / files.SUMS
    if path.exists():
        sums = read(path)
        for name, sha256 in sums.files.items():
            if (yield from _sum(directory / name)) != sha256:
                raise _not_whole(f"{name} is not what {files.SUMS} says")
    else:
        files.sweep_partials(directory)
        line, hash_ = journal_head
        lines = [f"# {files.JOURNAL} {line} {hash_}\n"]
        for name in _bundle(directory, run_id):
            sha256 = yield from _sum(directory / name)
            lines.append(f"{sha256}  {name}\n")
        files.write_once(path, "".join(lines).encode())
    yield _result(read(path))


def bytes_to_read(directory: Path) -> int:
    """How much the handover reads, about: what is in the directory itself."""
    return sum(path.lstat().st_size for path in directory.iterdir() if path.is_file())


def read(path: Path) -> Sums:
    """Raises RecordDamaged naming the line that is not in the form above."""
    try:
        with open_regular(path) as file:
            lines = file.read().splitlines(keepends=True)
    except OSError as error:
        raise _not_whole(f"{path.name} is not there or cannot be read") from error
    first = _FIRST.fullmatch(lines[0]) if lines else None
    if first is None:
        raise _not_whole(f"line 1 of {path.name} does not name the journal's head")
    listed: dict[str, str] = {}
    for n, line in enumerate(lines[1:], 2):
        if (match := _SUM.fullmatch(line)) is None:
            raise _not_whole(f"line {n} of {path.name} is no sum of a file")
        listed[match[2].decode()] = match[1].decode()
    return Sums(int(first[1]), first[2].decode(), listed, files.sha256_of(path))


def _bundle(directory: Path, run_id: str) -> list[str]:
    """The names of the files that the sums are over, in order."""
    metadata = metadata_file.read(directory / files.METADATA)
    head = mapping.read_head(directory / files.MAPPING)
    if metadata.practice or not metadata.run_id == head.run_id == run_id:
        raise _not_whole(f"{files.METADATA} and {files.MAPPING} are not both of run {run_id}")
    names = {files.METADATA, files.MAPPING, files.ATTENTION, *(table.file for table in metadata.tables.values())}
    if missing := sorted(name for name in names if not (directory / name).is_file()):
        raise _not_whole(f"{', '.join(missing)} is missing")
    return sorted(names | {name for name in _IF_THERE if (directory / name).is_file()})


def _sum(path: Path) -> Generator[int, None, str]:
    try:
        for step in files.hashing(path):
            if isinstance(step, str):
                return step
            yield step
    except OSError as error:
        raise _not_whole(f"{path.name} is not there or cannot be read") from error
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
        f"The bundle is not whole: {what}",
        unchanged="nothing was written",
        do="put it back from a copy, or export again under `cutover run --new`",
    )
