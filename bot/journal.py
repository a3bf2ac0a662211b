"""Append-only, hash-chained lines of JSON.

This module knows bytes and hashes, not meanings: what a record says is its writer's business. A line is

    {"n":3, …the record's own fields…, "hash":"9f86…"}

without white space between tokens and with one newline at its end. `n` counts lines from 1. Where records belong
together, `"more":2` behind `n` says how many lines of the group follow; the last of a group has none. `hash` is the
SHA-256, in hex, over the hash of the line before (64 hex digits; nothing before line 1) followed by this line's bytes
up to the comma before `"hash"`, closed by `}`. The hash is over the bytes as they are, never over a parsed and
rewritten form, so no byte of a line can change unseen, and `sha256sum` alone can check it.

Rules. A record is believed when `append` has returned: written and fsynced. A last line without its newline was
therefore never believed by anybody (the process died inside `append`), nor was a last group of which lines are missing;
either is dropped whole, with a note. Any other break is damage, and then nothing is written at all. A failed append
takes back what it wrote. What a chain cannot show is that
whole lines are missing at its end: for that its head (last line's number and hash) is given to others.

Only one process may write, the one that holds the lock of the data directory (`bot.directory_lock`); reading needs no
lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import orjson

from bot.errors import RecordDamaged, UsageError
from bot.regular_files import leads_to, open_regular, sync_folder, unwritten

_HASH = b',"hash":"'
_TAIL = len(_HASH) + 64 + len(b'"}')
_PLACE = re.compile(rb'{"n":([1-9][0-9]*)(?:,"more":([1-9][0-9]*))?[,}]')
_OWN = frozenset({"n", "more", "hash"})
LONGEST_LINE = 64 << 20
"""Bytes; no more is ever held of a file that somebody may have put here."""


class Line(NamedTuple):
    """A line whose place in the chain is verified. `content` is what the hash is over."""

    n: int
    hash: str
    content: bytes
    more: int
    """How many lines follow that belong to the same group."""

    @property
    def size(self) -> int:
        """In bytes, with what is around its content."""
        return len(self.content) + _TAIL

    def record(self) -> dict[str, Any]:
        """The record's own fields, without `n` and `hash`."""
        try:
            fields: dict[str, Any] = orjson.loads(self.content)
        except orjson.JSONDecodeError:  # a lone surrogate, which Slack can send and only the standard library reads
            try:
                fields = json.loads(self.content)
            except (ValueError, RecursionError) as error:
                raise RecordDamaged(
                    f"Line {self.n} is in the chain and holds no record",
                    unchanged="nothing was written and nothing was done",
                    do="use the version of Cutover that wrote it, or put the file back from a copy",
                ) from error
        del fields["n"]
        fields.pop("more", None)
        return fields


def read_chain(path: Path, *, torn_tail_allowed: bool) -> Iterator[Line]:
    """The lines of the file, each verified before it is yielded, together with the rest of its group; keeps no more
    than a group. A torn end is left out when that is allowed. Raises RecordDamaged naming the first line that is not
    what was written.
    """
    with open_regular(path) as file:
        yield from _verified(file, path.name, torn_tail_allowed=torn_tail_allowed)


def _verified(file: IO[bytes], name: str, *, torn_tail_allowed: bool) -> Iterator[Line]:
    before, sha256 = b"", hashlib.sha256
    n, group = 0, list[Line]()
    for n, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
        if len(line) == LONGEST_LINE:
            raise _damaged(name, n, f"it is longer than {LONGEST_LINE >> 20} MiB")
        if line[-1:] != b"\n":
            if torn_tail_allowed:
                return
            raise _damaged(name, n, "it ends without its newline")
        content = line[: -_TAIL - 1] + b"}"
        digest = sha256(before + content).hexdigest().encode()
        if line[-_TAIL - 1 :] != _HASH + digest + b'"}\n':
            raise _damaged(name, n, "its hash does not belong to its content and the line before")
        said = _PLACE.match(content)
        if said is None or int(said[1]) != n:
            raise _damaged(name, n, f"it does not say that it is line {n}")
        more = int(said[2] or 0)
        if group and more != group[-1].more - 1:
            raise _damaged(name, n, f"it is not the line that belongs behind line {n - 1}")
        before = digest
        group.append(Line(n, digest.decode(), content, more))
        if not more:
            yield from group
            group = []
    if group and not torn_tail_allowed:
        raise _damaged(name, n, "lines that belong to it are missing behind it")


def _damaged(name: str, n: int, why: str) -> RecordDamaged:
    return RecordDamaged(
        f"Line {n} of {name} is not what was written: {why}",
        unchanged="nothing was written and nothing was done",
        do=f"put the whole {name} back from a copy, or look at the line; `cutover verify` shows what else is damaged",
    )


def _body(n: int, more: int, record: Mapping[str, Any]) -> bytes:
    """The content of line `n`, closed by `}`."""
    if not _OWN.isdisjoint(record):
        raise ValueError("a record has no fields called n, more or hash: they are the line's own")
    fields = {"n": n, **({"more": more} if more else {}), **record}
    try:
        return orjson.dumps(fields)
    except orjson.JSONEncodeError:
        return json.dumps(fields, separators=(",", ":"), allow_nan=False).encode("ascii")


class Journal:
    """The chain open for appending. Not for several threads."""

    def __init__(self, path: Path, file: int, *, n: int, last: str, size: int, torn_note: str) -> None:
        self._path, self._file = path, file
        self._n, self._hash, self._size = n, last, size
        self._broken = False
        self.torn_note = torn_note
        """What was dropped when the journal was opened, as a sentence; "" when nothing was."""

    @classmethod
    def open(cls, path: Path, *, torn_tail_allowed: bool = True) -> Self:
        """Verifies the whole chain; creates the file (0600, on disk together with its name) when there is none.

        Raises RecordDamaged for any break, and then has written nothing; a torn last line is one unless allowed.
        Raises UsageError when the file cannot be opened.
        """
        n, last, size = 0, "", 0
        try:
            is_new = not path.exists()
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            if is_new:
                sync_folder(path.parent)
        except OSError as error:
            raise unwritten(path, error) from error
        try:
            for line in read_chain(path, torn_tail_allowed=torn_tail_allowed):
                n, last, size = line.n, line.hash, size + line.size
            note = _drop_torn(file, path.name, n, size)
        except OSError as error:
            os.close(file)
            raise unwritten(path, error) from error
        except BaseException:
            os.close(file)
            raise
        return cls(path, file, n=n, last=last, size=size, torn_note=note)

    @property
    def head(self) -> tuple[int, str]:
        """Number of the last line, counted from 1, and its hash; (0, "") when empty."""
        return self._n, self._hash

    def append(self, record: Mapping[str, Any]) -> None:
        """On disk when it returns. Raises UsageError (disk full, file gone) with nothing appended."""
        self._append([(0, record)])

    def append_group(self, records: Sequence[Mapping[str, Any]]) -> None:
        """The same for records that are nothing without each other: a crash too leaves all of them or none."""
        self._append((len(records) - n, record) for n, record in enumerate(records, 1))

    def append_many(self, records: Iterable[Mapping[str, Any]]) -> None:
        """All on disk with one fsync when it returns; a crash may leave the first of them."""
        self._append((0, record) for record in records)

    def _append(self, records: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
        """Each with how many of its group follow."""
        n, last, lines = self._n, self._hash, list[bytes]()
        for more, record in records:
            n += 1
            content = _body(n, more, record)
            if len(content) + _TAIL >= LONGEST_LINE:
                raise ValueError("a record is longer than a line may be, and could not be read again")
            last = hashlib.sha256(last.encode() + content).hexdigest()
            lines.append(content[:-1] + _HASH + last.encode() + b'"}\n')
        if not lines:
            return
        self._write(b"".join(lines))
        self._n, self._hash = n, last

    def _write(self, data: bytes) -> None:
        self._check_still_ours()
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError as error:
            self._take_back()
            raise unwritten(self._path, error) from error
        self._size += len(data)

    def _check_still_ours(self) -> None:
        """The lock makes this true; a copy put over the file, or a file deleted by hand, does not ask the lock."""
        if not self._path.parent.is_dir():
            raise UsageError(
                f"The data directory {self._path.parent} is gone",
                unchanged="nothing was written, and a freeze that is in place stays",
                do="put it back where it was and start `cutover run` again; `cutover thaw` takes the freeze back",
            )
        state = os.fstat(self._file)
        if not leads_to(self._path, self._file) or self._broken or state.st_nlink == 0 or state.st_size != self._size:
            raise RecordDamaged(
                f"{self._path.name} was changed or removed by somebody else while it was open",
                unchanged="nothing was written to it",
                do="end this process, put the file back as it was, and start again",
            )

    def _take_back(self) -> None:
        """After this the file ends where the last believed line ends. If even that fails, no append goes on from an
        unknown end: opening the file anew finds a torn line or damage.
        """
        try:
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)
        except OSError:
            self._broken = True

    def records(self) -> Iterator[dict[str, Any]]:
        """The records from the first to the head of this moment, read from the disk."""
        head = self._n
        if head == 0:
            return
        for line in read_chain(self._path, torn_tail_allowed=True):
            yield line.record()
            if line.n == head:
                return

    def close(self) -> None:
        """Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _drop_torn(file: int, name: str, n: int, size: int) -> str:
    torn = os.fstat(file).st_size - size
    if torn == 0:
        return ""
    digest = hashlib.sha256(os.pread(file, torn, size)).hexdigest()
    os.ftruncate(file, size)
    os.fsync(file)
    return (
        f"The end of {name} (from line {n + 1} on, {torn} bytes, SHA-256 {digest}) was torn by a crash while it was "
        "being written; nobody had acted on it, and it was dropped."
    )
