"""The step `export`: every table of the source from one snapshot into the data directory, and metadata.json last.

Whoever finds metadata.json may believe that every file it names is whole. So the step begins by looking for one: if it
is of this run and of this freeze and every file still has its size and sum, that is the result, and nothing is taken
again. One of an earlier freeze, or with a file that is not as it says, moves whole to the archive. Without it, what
lies there are the leavings of an attempt that was cut off: see `draft`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from bot.artifacts import metadata
from bot.artifacts.data_directory import archive
from bot.artifacts.durable import hashing, sha256_of
from bot.artifacts.files import ARCHIVE, METADATA, PARTIAL
from bot.artifacts.metadata import Metadata
from bot.concurrency import run_blocking, run_in_slices
from bot.errors import RecordDamaged, UsageError
from bot.plan.results import ExportResult, TableTotal
from bot.plan.run import Run
from bot.ports import Report
from bot.supabase.catalog import Selection
from bot.supabase.database import Database
from bot.supabase.export.bundle import Label, take_bundle
from bot.supabase.export.left_out import holding_rows
from bot.supabase.export.progress import STEP
from bot.supabase.export.storage import STORAGE_FILES, StorageFiles, count_files
from bot.supabase.reading import reading

_LARGEST = 5
_LEFT_TOLD = 40


class Export:
    """Called with the run once gate `freeze` has passed. `database` is shared; its sessions are opened and closed
    within the call.
    """

    def __init__(
        self,
        database: Database,
        directory: Path,
        *,
        workers: int,
        tool_version: str,
    ) -> None:
        self._database = database
        self._directory = directory
        self._workers = workers
        self._tool_version = tool_version

    async def __call__(self, run: Run, report: Report) -> ExportResult:
        """Raises CutoverError with nothing half published, and UsageError when the run has no freeze record."""
        freeze = _freeze_of(run)
        done = None
        async for step in run_in_slices(finished(self._directory, run.run_id, freeze.frozen_at)):
            done = step if isinstance(step, Metadata) else None
        if done is None:
            await run_blocking(partial(_archive, self._directory, run.run_id))
            label = Label(run_id=run.run_id, parties=run.opened.parties, freeze=freeze, tool_version=self._tool_version)
            done = await take_bundle(self._database, self._directory, label, self._selected(run), report)
        async with reading(self._database, STEP) as source:
            storage = await count_files(source, done.tables)
        digest = await run_blocking(partial(sha256_of, self._directory / METADATA))
        return _result(done, storage, digest)

    def _selected(self, run: Run) -> Selection:
        """What the run was opened to export, less what approvers let it leave out."""
        return Selection.of(run.opened.rules, workers=self._workers, left_unread=run.why_left_unread)


def finished(directory: Path, run_id: str, frozen_at: datetime) -> Iterator[int | Metadata]:
    """In slices: how many bytes more were read; at last the export that lies in the directory, if it is this run's and
    of this freeze, and each file is whole.
    """
    try:
        found = metadata.read(directory / METADATA)
    except RecordDamaged:
        return
    if found.run_id != run_id or found.practice or found.freeze is None or found.freeze.frozen_at != frozen_at:
        return
    for table in found.tables.values():
        path = directory / table.file
        if not path.is_file() or path.stat().st_size != table.bytes:
            return
        for step in hashing(path):
            if isinstance(step, int):
                yield step
            elif step != table.sha256:
                return
    yield found


def _archive(directory: Path, run_id: str) -> None:
    """An export that was vouched for is kept in the archive."""
    if (directory / METADATA).exists() or any((directory / ARCHIVE).glob(f"{run_id}-*{PARTIAL}")):
        archive(directory, run_id)


def _freeze_of(run: Run) -> metadata.Freeze:
    record: Mapping[str, Any] | None = run.freeze
    if record is None:
        raise UsageError(
            "the export was asked for before the freeze was proven",
            unchanged="nothing was exported",
            do="give the signal frozen first",
        )
    return metadata.Freeze(
        frozen_at=datetime.fromisoformat(record["frozenAt"]),
        lsn=record["lsn"],
        xmax=record["xmax"],
        frozen_by=run.frozen_by,
    )


def _result(done: Metadata, storage: StorageFiles, digest: str) -> ExportResult:
    by_size = sorted(done.tables.items(), key=lambda item: (-item[1].bytes, item[0]))
    reasons = Counter(entry.reason for entry in done.left_out if entry.kind != STORAGE_FILES)
    left = holding_rows(done.left_out)
    return ExportResult(
        tables=done.totals.tables,
        rows=done.totals.rows,
        bytes=done.totals.bytes,
        auth_users=done.auth_users.row_count,
        sha256=digest,
        taken_at=done.snapshot.taken_at,
        largest=tuple(TableTotal(name=k, rows=t.row_count, bytes=t.bytes) for k, t in by_size[:_LARGEST]),
        left_out=dict(sorted(reasons.items())),
        storage_objects=storage.files,
        storage_bytes=storage.bytes,
        duration_ms=done.total_duration_ms,
        by_value=tuple(
            f"{key}.{one.column}"
            for key, table in done.tables.items()
            for one in table.user_references
            if one.found == "value"
        ),
        suspects=tuple(f"{one.table}.{one.column}" for one in done.suspects),
        kept_files=done.snapshot.kept_files,
        retaken=done.snapshot.retaken,
        left_rows=tuple(left[:_LEFT_TOLD]),
        left_with_rows=len(left),
    )
