"""What a start makes in the data directory before it knows whether there will be a run: taken back when it is refused.

    made = Made(path)                 before anything is made
    … open the directory, take the lock, open the journal …
    made.take_back()                  when the start is refused; of a run's files only by whoever holds the lock
    made.keep()                       once there is a run, whose directory it is

Nothing is removed that was there before, and no journal with a line in it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from bot.artifacts import files

_BY_A_RUN = (files.GITIGNORE, files.FREEZE_PRIOR, files.JOURNAL, files.LOCK)
"""The lock last: until then nobody else works here."""


class Made:
    def __init__(self, path: Path, names: Sequence[str] = _BY_A_RUN) -> None:
        """`names` are those that the start makes."""
        self._path = path.absolute()
        self._new_folders = [folder for folder in (self._path, *self._path.parents) if not folder.exists()]
        self._new = [self._path / name for name in names if not (self._path / name).exists()]

    def keep(self) -> None:
        self._new_folders, self._new = [], []

    def take_back(self) -> None:
        """Nothing after `keep`."""
        with contextlib.suppress(OSError):  # what cannot be removed, or holds something else, stays
            if any(path.name == files.JOURNAL and path.stat().st_size for path in self._new if path.exists()):
                return
            for path in self._new:
                path.unlink(missing_ok=True)
            for folder in self._new_folders:
                folder.rmdir()
