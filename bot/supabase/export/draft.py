"""What an attempt has finished so far, so that the next one need not begin anew, and the proof that it need not.

`export.partial` names in its first line the run, the freeze and what the snapshot saw, and in each other line a file
that is whole and has its name. It is removed before metadata.json is written, and swept away like anything partial.

Rows from before and after a crash belong together only if the source has not changed in between. The proof is that
both snapshots see the very same transactions: every change of a row or of the schema needs a transaction id, so when
`pg_current_snapshot()` is the same to the letter, and the server has not been started anew (which empties unlogged
tables without one), nothing was changed. Anything else, be it only an ANALYZE, is no proof, and all is taken again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from bot.artifacts.data_directory import sweep_partials
from bot.artifacts.durable import created
from bot.artifacts.files import PARTIAL, RESERVED
from bot.supabase.catalog import Table
from bot.supabase.export.rows.record import OnDisk

NAME = f"export{PARTIAL}"


class Basis(BaseModel):
    """What two attempts must have in common for the files of one to be files of the other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    frozen_at: str
    sees: str
    """`pg_current_snapshot()` and the time at which the server was started."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: str
    table: str
    file: str
    done: OnDisk


class Draft:
    """Open for one attempt. A line that a crash cut off is a table less to be kept, nothing worse."""

    def __init__(self, directory: Path, basis: Basis) -> None:
        self._path = directory / NAME
        self._file = os.fdopen(created(self._path), "w", encoding="utf-8")
        self._write(basis)

    def add(self, table: Table, done: OnDisk) -> None:
        self._write(_Entry(schema_name=table.schema, table=table.name, file=table.file, done=done))

    def _write(self, line: BaseModel) -> None:
        self._file.write(line.model_dump_json() + "\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Leavings:
    """What an attempt before left. `there` is False when there was none that had finished a table."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._basis: Basis | None = None
        self._entries: list[_Entry] = []
        try:
            first, *others = (directory / NAME).read_text(encoding="utf-8").split("\n")[:-1]
            self._basis = Basis.model_validate_json(first)
            self._entries = [_Entry.model_validate_json(line) for line in others]
        except (OSError, ValueError):
            return

    @property
    def there(self) -> bool:
        return bool(self._entries)

    def clear(self, kept: Mapping[str, OnDisk]) -> None:
        """Removes from the directory what an attempt left, but for the files that are kept."""
        keep = {f"{key}.json" for key in kept}
        sweep_partials(self._directory)
        for path in self._directory.glob("*.json"):
            if path.name not in RESERVED | keep and path.is_file():
                path.unlink()

    def kept(self, basis: Basis, tables: Mapping[str, Table]) -> dict[str, OnDisk]:
        """By key, those files that are files of this attempt as well; none without the proof."""
        if basis != self._basis:
            return {}
        return {
            table.key: entry.done
            for entry in self._entries
            if (table := tables.get(f"{entry.schema_name}.{entry.table}")) and table.file == entry.file
            if _has_size(self._directory / entry.file, entry.done.bytes)
        }


def remove_draft(directory: Path) -> None:
    (directory / NAME).unlink(missing_ok=True)


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
