"""user-mapping.json, which the import needs, and user-attention.json, which people need.

Both are ordinary JSON documents in which every entry is on a line of its own, so that a million users are written
and read in the memory of one: line 1 is the head, up to and with the counts; a line opens a list, entries follow, a
line closes it. Our readers insist on exactly this layout; other readers need not know of it.

The mapping is bound to the run and to the export by `runId` and `exportSha256`. It holds its own time, so written anew
it has other bytes, and it is never overwritten: write the attention first, then the mapping, whose presence says that
both are whole, and after a crash read the head of the one that is there. `counts.attention` is distinct users listed
and overlaps the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from bot.artifacts.durable import FileWriter, Written
from bot.artifacts.metadata import UtcTime
from bot.errors import RecordDamaged
from bot.obstacles import FILE_DAMAGED, FILE_UNREADABLE, Obstacle
from bot.regular_files import open_regular

Outcome = Literal["created", "matched", "updated"]
_BLOCK = 1 << 20
_LONGEST_LINE = 16 << 20


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Counts(_Part):
    """`users` is the sum of the next four."""

    users: int
    created: int
    matched: int
    updated: int
    unmapped: int
    attention: int


class Head(_Part):
    """`export_sha256` is that of metadata.json."""

    generated_at: UtcTime
    retain_until: UtcTime
    run_id: str
    export_sha256: str
    counts: Counts


class Mapped(_Part):
    """`email` is None for a user without one; `migrated_at` is the time of the outcome."""

    supabase_user_id: str
    stack_auth_user_id: str
    email: str | None
    migrated_at: UtcTime
    outcome: Outcome


class Unmapped(_Part):
    """`referenced_by` counts rows by `table.column`, table being the key in metadata.json."""

    supabase_user_id: str
    reason: str
    referenced_by: dict[str, int]


class Attention(_Part):
    """One user and one reason; `carried` and `todo` are sentences. `email` is the address in Supabase, migrated or not,
    None where there is none (and in files from before it was listed); so is `stack_auth_user_id` for a user who is not
    in Stack Auth, or is only to be created.
    """

    id: str
    email: str | None = None
    stack_auth_user_id: str | None = None
    reason: str
    carried: str
    todo: str


_Entry = TypeVar("_Entry", bound=_Part)


def retain_until(generated_at: datetime, retain_days: int) -> datetime:
    return generated_at + timedelta(days=retain_days)


def write(path: Path, head: Head, mappings: Iterable[Mapped], unmapped: Iterable[Unmapped]) -> Written:
    """Streams both and keeps neither. Raises ValueError, and leaves no file, when `head.counts` is not what came."""
    tally = dict.fromkeys(("created", "matched", "updated"), 0)

    def counted() -> Iterator[Mapped]:
        for entry in mappings:
            tally[entry.outcome] += 1
            yield entry

    with FileWriter(path) as writer:
        writer.write(head.model_dump_json(by_alias=True).encode()[:-1] + b',\n"mappings": [\n')
        _write_entries(writer, counted())
        writer.write(b'],\n"unmapped": [\n')
        missing = _write_entries(writer, unmapped)
        writer.write(b"]}\n")
        counts = head.counts
        found = Counts(**tally, unmapped=missing, users=sum(tally.values()) + missing, attention=counts.attention)
        if found != counts:
            raise ValueError(f"the mapping's head says {counts!r}, and its entries are {found!r}")
        return writer.finish()


def write_attention(path: Path, users: Iterable[Attention]) -> Written:
    """One entry per user and reason, in a stable order, so that written again it has the same bytes."""
    with FileWriter(path) as writer:
        writer.write(b'{"users": [\n')
        _write_entries(writer, users)
        writer.write(b"]}\n")
        return writer.finish()


def _write_entries(writer: FileWriter, entries: Iterable[_Part]) -> int:
    """How many there were. Every entry's line ends in a comma but the last."""
    n, block = 0, bytearray()
    for n, entry in enumerate(entries, 1):
        block += b",\n" if n > 1 else b""
        block += entry.model_dump_json(by_alias=True).encode()
        if len(block) >= _BLOCK:
            writer.write(block)
            block = bytearray()
    writer.write(block + b"\n" if n else b"")
    return n


def read_head(path: Path) -> Head:
    """Raises RecordDamaged when the file is not there or its first line is not a head."""
    with _Lines(path) as lines:
        return lines.head()


def read(path: Path, *, sha256: str = "") -> Iterator[Head | Mapped | Unmapped]:
    """The head, then every mapping, then every unmapped, each read when it is asked for. Raises RecordDamaged naming
    the line that is not in the form that was written, and at the end when what was read is not the file with this sum;
    "" is any.
    """
    with _Lines(path, sha256) as lines:
        yield lines.head()
        lines.expect(b'"mappings": [\n')
        yield from lines.entries(Mapped, closed_by=b"],\n")
        lines.expect(b'"unmapped": [\n')
        yield from lines.entries(Unmapped, closed_by=b"]}\n")
        lines.expect_end()


def read_attention(path: Path, *, sha256: str = "") -> Iterator[Attention]:
    """Like `read`."""
    with _Lines(path, sha256) as lines:
        lines.expect(b'{"users": [\n')
        yield from lines.entries(Attention, closed_by=b"]}\n")
        lines.expect_end()


class _Lines:
    """The file line by line, knowing where it is."""

    def __init__(self, path: Path, sha256: str = "") -> None:
        self._path = path
        self._sha256, self._digest = sha256, hashlib.sha256()
        self._n = 0
        try:
            self._file = open_regular(path)
        except OSError as error:
            raise self.damaged("the file is missing or cannot be read", FILE_UNREADABLE) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def next(self) -> bytes:
        self._n += 1
        line = self._file.readline(_LONGEST_LINE)
        if len(line) == _LONGEST_LINE:
            raise self.damaged(f"it is longer than {_LONGEST_LINE >> 20} MiB")
        self._digest.update(line)
        return line

    def expect(self, line: bytes) -> None:
        if self.next() != line:
            raise self.damaged("it has the wrong format")

    def expect_end(self) -> None:
        self.expect(b"")
        if self._sha256 and self._digest.hexdigest() != self._sha256:
            self._n = 0
            raise self.damaged("SHA-256 mismatch")

    def head(self) -> Head:
        line = self.next()
        if not line.endswith(b"},\n"):
            raise self.damaged("the head does not end as Cutover writes it")
        return self._parse(Head, line[:-2] + b"}")

    def entries(self, kind: type[_Entry], *, closed_by: bytes) -> Iterator[_Entry]:
        more = None
        while (line := self.next()) != closed_by:
            if more is False or not line.endswith((b"}\n", b"},\n")):
                raise self.damaged("it has the wrong format")
            more = line.endswith(b",\n")
            yield self._parse(kind, line[:-2] if more else line)
        if more:
            raise self.damaged("an entry is missing before it")

    def _parse(self, kind: type[_Entry], line: bytes) -> _Entry:
        try:
            return kind.model_validate_json(line, by_alias=True, by_name=False)
        except ValidationError:
            raise self.damaged("it has the wrong format") from None

    def damaged(self, why: str, obstacle: Obstacle = FILE_DAMAGED) -> RecordDamaged:
        where = f"Line {self._n} of {self._path.name}" if self._n else self._path.name
        return RecordDamaged(
            f"{where} is damaged: {why}",
            unchanged="nothing was written",
            do="restore the file from a copy",
            obstacle=obstacle,
        )
