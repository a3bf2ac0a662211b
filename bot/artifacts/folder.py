"""A folder held open by its descriptor: whatever is asked or removed below it is below this very folder.

Names are never followed. A link, pipe or device is reported as what it is; a folder is entered only when it is one, by
O_NOFOLLOW relative to the one that is held. So nobody who exchanges a name for a link between two steps leads a removal
anywhere else.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SLICE_BYTES = 8 << 20


@dataclass(frozen=True, kw_only=True)
class Entry:
    """`made_at` is when its content was last written, by the clock of its file system; `bytes` is 0 for what is no
    file.
    """

    name: str
    kind: Literal["file", "folder", "other"]
    bytes: int
    made_at: datetime


class Folder:
    """A context manager. Every method raises OSError."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        """For messages, and for readers that open files themselves without following a link."""
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: Path) -> Self:
        """The one folder that may be reached by a link: whoever names the data directory chooses it."""
        return cls(path, os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    def below(self, name: str) -> Folder | None:
        """None when a folder has not this name."""
        try:
            return Folder(self.path / name, os.open(name, _READ | os.O_DIRECTORY, dir_fd=self._descriptor))
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                return None
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def entries(self) -> list[Entry]:
        """By name. What vanishes meanwhile is left out."""
        with os.scandir(self._descriptor) as listing:
            names = sorted(entry.name for entry in listing)
        return [entry for name in names if (entry := self.entry(name)) is not None]

    def entry(self, name: str) -> Entry | None:
        try:
            state = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        is_file = stat.S_ISREG(state.st_mode)
        return Entry(
            name=name,
            kind="file" if is_file else "folder" if stat.S_ISDIR(state.st_mode) else "other",
            bytes=state.st_size if is_file else 0,
            made_at=datetime.fromtimestamp(state.st_mtime, UTC),
        )

    def beginning(self, name: str, most: int) -> bytes:
        """The first bytes of a regular file; none of what cannot be read."""
        with contextlib.suppress(OSError):
            descriptor = os.open(name, _READ, dir_fd=self._descriptor)
            try:
                return os.read(descriptor, most) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
            finally:
                os.close(descriptor)
        return b""

    def hashing(self, name: str) -> Iterator[int | str]:
        """How many bytes more were read, now and then; at last the SHA-256 in hex, or "" when it cannot be read."""
        digest = hashlib.sha256()
        try:
            descriptor = os.open(name, _READ, dir_fd=self._descriptor)
        except OSError:
            yield ""
            return
        with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 (a descriptor has no path)
            try:
                while block := file.read(_SLICE_BYTES):
                    digest.update(block)
                    yield len(block)
            except OSError:
                yield ""
                return
        yield digest.hexdigest()

    def remove(self, name: str) -> bool:
        """True when no file has the name any more; False, with nothing done, for anything but a regular file."""
        entry = self.entry(name)
        if entry is not None and entry.kind != "file":
            return False
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._descriptor)
        return True

    def remove_folder(self, name: str) -> None:
        """If it is empty."""
        with contextlib.suppress(OSError):
            os.rmdir(name, dir_fd=self._descriptor)

    def sync(self) -> None:
        """Names taken away from it are gone for good when this returns."""
        os.fsync(self._descriptor)
