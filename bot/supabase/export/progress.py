"""What an export reports while it runs, and what follows from each chunk and file: the draft, a look at the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.ports import Progress, Report
from bot.supabase.catalog import Table
from bot.supabase.export.draft import Draft
from bot.supabase.export.rows.record import OnDisk
from bot.supabase.export.space import Space

STEP = "export"
COUNTS = "counts"
"""The end of the step, once all files are written."""


class ExportProgress:
    """An `Observer` of the writers."""

    def __init__(
        self, report: Report, draft: Draft, space: Space, tables: Sequence[Table], kept: Mapping[str, OnDisk]
    ) -> None:
        """Raises UsageError when there is no room on the disk."""
        self._report = report
        self._draft = draft
        self._space = space
        self._estimate = sum(table.rows for table in tables)
        self._rows = self._most = sum(done.rows for done in kept.values())
        self._counted = 0
        self._to_finish = len(tables)
        for table in tables:
            if done := kept.get(table.key):
                self.finished(table, done)
        space.require()

    def wrote(self, table: Table, rows: int, bytes_: int) -> None:
        self._space.wrote(table.key, bytes_)
        self._rows += rows
        self._most = max(self._most, self._rows)
        total = max(self._estimate, self._most)
        self._report(Progress(step=STEP, done=self._most, total=total, unit="rows", note=f"reading {table.relation}"))

    def finished(self, table: Table, done: OnDisk) -> None:
        self._space.finished(table.key)
        self._draft.add(table, done)
        self._to_finish -= 1
        if not self._to_finish:
            self.counted(table, 0)

    def counted(self, table: Table, rows: int) -> None:
        self._counted += rows
        if not self._to_finish:
            done, note = self._counted, f"counting {table.relation}"
            self._report(Progress(step=COUNTS, done=done, total=self._rows, unit="rows", note=note))
