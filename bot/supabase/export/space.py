"""Whether the disk has room for what is still to come, judged by how many bytes the tables take in the source.

That is an estimate: JSON is longer than rows of small numbers and shorter than bloat. It is asked days before, by
`doctor`; when a run is opened and at the freeze gate, so that nobody is locked out for an export that cannot fit; then
before anything is written, and again while writing, since others may fill the disk too. A disk that is full all the
same is reported by whoever writes to it.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import UsageError
from bot.obstacles import DISK_FULL
from bot.plan.findings import Finding, failed, passed
from bot.plan.texts.foreign import capitalized
from bot.supabase.catalog import Catalog, Table
from bot.supabase.database import Session
from bot.supabase.export.rows.layout import Layout, read_layouts

_ASK_EVERY_BYTES = 64 << 20


@dataclass(frozen=True)
class Room:
    """`needed` is the bytes that what is to come takes in the source; `free` is on the disk of `directory`."""

    directory: Path
    needed: int
    free: int

    @classmethod
    def on(cls, directory: Path, stored: Iterable[int]) -> Room:
        """`directory` need not be there yet. Raises UsageError when the disk does not answer."""
        there = next(path for path in (directory.absolute(), *directory.absolute().parents) if path.exists())
        try:
            free = shutil.disk_usage(there).free
        except OSError as error:
            raise UsageError(
                f"The disk of {directory} does not say how much is free",
                unchanged="nothing was written",
                do="see that it is mounted and that this user may enter the directory",
                obstacle=DISK_FULL,
            ) from error
        return cls(directory, sum(max(0, bytes_) for bytes_ in stored), free)

    @property
    def suffices(self) -> bool:
        return self.needed <= self.free

    @property
    def shortage(self) -> str:
        """As a clause."""
        return (
            f"The disk of {self.directory} has {_size(self.free)} free, and what is still to be exported takes about "
            f"{_size(self.needed)} in the source"
        )

    @property
    def way_out(self) -> str:
        """As a clause; it works while a run is open and the source frozen."""
        here = shlex.quote(str(self.directory))
        return (
            "make room on it, or move the run to a larger disk: stop the bot (Ctrl-C), "
            f"`mkdir -p NEW && cp -a {here}/. NEW/`, set MIGRATION_DATA_DIR to NEW and start "
            "`cutover run` again; it goes on where it was"
        )

    def finding(self) -> Finding:
        check = "disk-space"
        if self.suffices:
            return passed(
                check,
                f"The disk has {_size(self.free)} free, and the tables to be exported take about {_size(self.needed)} "
                "in the source.",
            )
        return failed(check, f"{self.shortage}.", f"{capitalized(self.way_out)}.")

    def require(self, unchanged: str) -> None:
        """Raises UsageError when there is no room."""
        if not self.suffices:
            raise UsageError(self.shortage, unchanged=unchanged, do=self.way_out, obstacle=DISK_FULL)


async def room_for(session: Session, catalog: Catalog, directory: Path) -> Room:
    """For everything that is to be exported."""
    layouts = await read_layouts(session, catalog.tables, ranges=True)
    return Room.on(directory, stored(catalog.tables, layouts).values())


def stored(tables: Sequence[Table], layouts: Mapping[int, Layout]) -> dict[str, int]:
    """The bytes that each table takes in the source, by its key."""
    return {table.key: layouts[table.oid].stored_bytes for table in tables}


class Space:
    """Asked while the export goes on. `stored` is the bytes that each table takes in the source, by its key."""

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
        room = Room.on(self._directory, self._to_come.values())
        room.require("no metadata.json was written, and no file was made half")


def _size(bytes_: int) -> str:
    return f"{bytes_ / 1e9:,.1f} GB" if bytes_ >= 1e9 else f"{bytes_ / 1e6:,.0f} MB"
