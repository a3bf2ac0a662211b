"""What has to be remembered of every user, on the disk and thrown away afterwards.

A million users do not fit into the memory that the bot may take, and what is remembered of them (which address belongs
to whom, what became of whom) can be read from the bundle and the service again at any time. So it is kept in a SQLite
database without a journal, whose file has no name from the moment it is open: whatever ends the process ends the file
too. Whoever remembers something makes tables of their own in it.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from bot.artifacts.files import SCRATCH
from bot.errors import UsageError
from bot.obstacles import DISK_FULL

_CACHE_KIB = 4_000
"""A sort takes as much again. The system caches the file too, so that more here wins little: with a million users,
four times as much was 5 % faster and took 25 MB more.
"""
_ROWS_AT_A_TIME = 500


class Scratch:
    """A context manager. For several threads only if they take turns. Every method raises UsageError when the disk is
    full or fails.
    """

    def __init__(self, directory: Path) -> None:
        """In `directory`, where there is room for a bundle. Raises UsageError when nothing can be written there."""
        self._directory = directory
        try:
            handle, name = tempfile.mkstemp(prefix=SCRATCH, dir=directory)
        except OSError as error:
            raise _unusable(directory, os.strerror(error.errno or 0)) from error
        os.close(handle)
        try:
            self._database = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
            for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
                self._database.execute(f"PRAGMA {setting}")
            self._database.execute("BEGIN EXCLUSIVE")  # never ended: nothing of it has to last
        except sqlite3.Error as error:
            raise _unusable(directory, "SQLite cannot use it") from error
        finally:
            Path(name).unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def make(self, *tables: str) -> None:
        """`tables` are CREATE statements."""
        for table in tables:
            self._execute(table)

    def do(self, statement: str, *values: object) -> None:
        self._execute(statement, values)

    def changed(self, statement: str, *values: object) -> bool:
        """True when the statement changed a row. `rowcount` is not asked: under some locales Python does not see that a
        statement is an INSERT, and then it is -1.
        """
        before = self._database.total_changes
        self._execute(statement, values)
        return self._database.total_changes > before

    def put(self, statement: str, rows: Iterable[Sequence[object] | Mapping[str, object]]) -> None:
        """The statement for each of the rows, which are taken one by one."""
        try:
            self._database.executemany(statement, rows)
        except sqlite3.OperationalError as error:
            raise self._full() from error

    def one(self, question: str, *values: object) -> Any:
        """The first row of the answer; None when there is none."""
        return self._execute(question, values).fetchone()

    def all(self, question: str, *values: object) -> Iterator[Any]:
        """The rows of the answer, as they are asked for; what it reads must not be changed meanwhile."""
        cursor = self._execute(question, values)
        cursor.arraysize = _ROWS_AT_A_TIME
        while rows := cursor.fetchmany():
            yield from rows

    def _execute(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, values)
        except sqlite3.OperationalError as error:
            raise self._full() from error

    def _full(self) -> UsageError:
        return _unusable(self._directory, "the disk is full or failing")


def _unusable(directory: Path, why: str) -> UsageError:
    return UsageError(
        f"Cannot create a file in the data directory {directory} ({why})",
        unchanged="nothing was changed in Supabase or Stack Auth",
        do="free disk space or fix its permissions, then try again",
        obstacle=DISK_FULL,
    )
