"""The one home of durable writes.

A file appears under its name only when it is whole and on disk. What a crash leaves, line by line of `FileWriter`:

    open NAME.partial           nothing, or an empty NAME.partial
    write, write …              a NAME.partial of any length; NAME does not exist
    fsync NAME.partial          a whole NAME.partial; NAME does not exist
    rename to NAME              NAME, whole, or (the folder not yet written out) still only NAME.partial
    fsync the folder            NAME, whole, for good

So whoever finds NAME may believe it, and whoever finds NAME.partial throws it away. A file that was written once is
never overwritten: the same bytes pass, different bytes raise. The one exception is `rewrite`, for `freeze-prior.json`,
which follows the source until a freeze is in place; it too is whole at every instant. Mapping and attention list are
removed before they are written anew, the mapping first. A disk that acknowledges a flush without doing it is beyond us.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bot.artifacts.files import PARTIAL
from bot.errors import RecordDamaged, UsageError
from bot.obstacles import DISK_FULL
from bot.regular_files import open_regular, sync_folder

_SLICE_BYTES = 8 << 20


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file that is whole and on disk under `path`; `sha256` is hex."""

    path: Path
    bytes: int
    sha256: str


def created(path: Path) -> int:
    """The descriptor of a new, private file of this name, for writing. Whatever had the name is removed: what a link
    leads to stays as it is. Raises OSError.
    """
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


class FileWriter:
    """Writes one file aside and gives it its name when it is finished.

    `write` goes to the page cache and is meant to be called with about a megabyte, from the event loop or from a
    thread, by one worker per writer; any number of writers may be open. `finish` waits for the disk: call it in a
    thread. Left without `finish`, as a context manager, the partial file is removed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(path.name + PARTIAL)
        self._digest = hashlib.sha256()
        self.bytes = 0
        """Written so far."""
        with disk(path):
            self._file = created(self._partial)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Raises UsageError when the disk is full or gone; the writer can then only be discarded."""
        self._digest.update(data)
        rest = memoryview(data).cast("B")
        self.bytes += len(rest)
        with disk(self._path):
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def flush(self) -> None:
        """What was written before is on disk when this returns. May run in a thread of its own beside `write`."""
        with disk(self._path):
            os.fdatasync(self._file)

    def finish(self) -> Written:
        """The file is whole and on disk under its name when this returns.

        Raises RecordDamaged when a file of that name with other bytes is there already; nothing is changed then.
        """
        written = Written(path=self._path, bytes=self.bytes, sha256=self._digest.hexdigest())
        with disk(self._path):
            if self._path.exists():
                same = sha256_of(self._path) == written.sha256
                self.discard()
                if not same:
                    raise would_overwrite(self._path)
                sync_folder(self._path.parent)
                return written
            self._commit()
        return written

    def _commit(self) -> None:
        os.fsync(self._file)
        os.close(self._file)
        self._file = -1
        self._partial.rename(self._path)
        sync_folder(self._path.parent)

    def replace(self) -> Written:
        """Like `finish`, but takes the place of a file of that name."""
        with disk(self._path):
            self._commit()
        return Written(path=self._path, bytes=self.bytes, sha256=self._digest.hexdigest())

    def discard(self) -> None:
        """Removes the partial file. Idempotent, and nothing after `finish`."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._partial.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


def write_once(path: Path, data: bytes) -> Written:
    """The file has exactly these bytes, on disk, when this returns. Raises RecordDamaged when it has others."""
    with FileWriter(path) as writer:
        writer.write(data)
        return writer.finish()


def rewrite(path: Path, data: bytes) -> None:
    """Lets the file have these bytes, whole at every instant; the same bytes cost no write."""
    if _holds(path, data):
        return
    with FileWriter(path) as writer:
        writer.write(data)
        writer.replace()


def _holds(path: Path, data: bytes) -> bool:
    try:
        with open_regular(path) as file:
            return file.read(len(data) + 1) == data
    except (OSError, RecordDamaged):
        return False


def sha256_of(path: Path) -> str:
    """Hex; streams. Raises RecordDamaged when it is not a regular file, and OSError."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashing(path: Path) -> Iterator[int | str]:
    """The same in slices: how many bytes more were read, now and then; at last the hash. Raises like `sha256_of`."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(_SLICE_BYTES):
            digest.update(block)
            yield len(block)
    yield digest.hexdigest()


@contextlib.contextmanager
def disk(path: Path) -> Iterator[None]:
    """What the disk refuses inside is a UsageError about this path."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"Cannot write {path} ({os.strerror(error.errno or 0)})",
            unchanged="no file of that name was created or changed",
            do="free disk space or fix the permissions, then try again",
            obstacle=DISK_FULL,
        ) from error


def would_overwrite(path: Path) -> RecordDamaged:
    """For whoever finds a file of this name that is not the one to be written."""
    return RecordDamaged(
        f"{path} already exists with other content",
        unchanged="it was not overwritten",
        do="if it is not the bot's file, move it out of the data directory, then try again",
    )
