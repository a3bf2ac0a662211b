"""Whether the disk has room for what is still to come, judged by how many bytes the tables take in the source.

That is an estimate: JSON is longer than rows of small numbers and shorter than bloat. It is asked before anything is
written and again while writing, since others may fill the disk too. A disk that is full all the same is told by
whoever writes to it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from bot.errors import UsageError

_ASK_EVERY_BYTES = 64 << 20


class Space:
    """`stored` is the bytes that each table takes in the source, by its key."""

    def __init__(self, directory: Path, stored: Mapping[str, int]) -> None:
        self._directory = directory
        self._to_come = dict(stored)
        self._unasked = _ASK_EVERY_BYTES

    def wrote(self, key: str, bytes_: int) -> None:
        """Raises UsageError when there is no room for the rest."""
        self._to_come[key] = self._to_come.get(key, 0) - bytes_
        self._unasked += bytes_
        if self._unasked >= _ASK_EVERY_BYTES:
            self._unasked = 0
            self.require()

    def finished(self, key: str) -> None:
        self._to_come.pop(key, None)

    def require(self) -> None:
        """Raises UsageError when there is no room for the rest."""
        needed = sum(max(0, bytes_) for bytes_ in self._to_come.values())
        free = shutil.disk_usage(self._directory).free
        if needed > free:
            raise UsageError(
                f"The disk of {self._directory} has {_size(free)} free, and what is still to be exported takes about "
                f"{_size(needed)} in the source",
                unchanged="no metadata.json was written, and no file was made half",
                do="make room or set MIGRATION_DATA_DIR to a larger disk, then go on",
            )


def _size(bytes_: int) -> str:
    return f"{bytes_ / 1e9:,.1f} GB" if bytes_ >= 1e9 else f"{bytes_ / 1e6:,.0f} MB"
