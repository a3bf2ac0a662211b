"""The step `export`: every table of the source from one snapshot into the data directory, and metadata.json last.

Whoever finds metadata.json may believe that every file it names is whole. So the step begins by looking for one: if it
is of this run and of this freeze and every file still has its size and sum, that is the result, and nothing is taken
again. One of an earlier freeze, or with a file that is not as it says, moves whole to the archive. Without it, what
lies there are the leavings of an attempt that was cut off, and they are removed: rows from before and after a crash
are only the same if the source has provably not moved in between, and an export that is taken again needs no proof.

Workers take whole tables, the biggest first, each in a session of its own inside the snapshot.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bot.artifacts import metadata
from bot.artifacts.files import (
    ARCHIVE,
    ATTENTION,
    AUTH_USERS,
    FREEZE_PRIOR,
    MAPPING,
    METADATA,
    PARTIAL,
    THAW,
    archive,
    sha256_of,
    sweep_partials,
)
from bot.artifacts.metadata import LeftOut, Metadata
from bot.errors import RecordDamaged, UsageError
from bot.plan.events import ExportResult, TableTotal
from bot.plan.run import Run
from bot.ports import Progress, Report
from bot.supabase.catalog import Table
from bot.supabase.database import Database, Session, query, translated
from bot.supabase.snapshot import Snapshot, hold_snapshot, ungrouped
from bot.supabase.tablefile import export_table

STEP = "export"
STORAGE_FILES = "storage files"
"""The kind under which the files in Storage stand in `leftOut`."""

_STORAGE_REASON = "the bytes of files in Storage are not rows of a table"
_LARGEST = 5
_NOT_TABLES = {METADATA, MAPPING, ATTENTION, FREEZE_PRIOR, THAW}


class StorageFiles(NamedTuple):
    files: int
    bytes: int


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
        include_schemas: Sequence[str],
        exclude_tables: Sequence[str],
        tool_version: str,
    ) -> None:
        self._database = database
        self._directory = directory
        self._workers = workers
        self._include_schemas = include_schemas
        self._exclude_tables = exclude_tables
        self._tool_version = tool_version

    async def __call__(self, run: Run, report: Report) -> ExportResult:
        """Raises CutoverError with nothing half published, and UsageError when the run has no freeze record."""
        began = time.monotonic()
        freeze = _freeze_of(run)
        done = await asyncio.to_thread(finished, self._directory, run.run_id, freeze.frozen_at)
        if done is None:
            await asyncio.to_thread(_make_room, self._directory, run.run_id)
            done = await self._take(run, freeze, report, began)
        async with self._database.session(STEP) as session:
            storage = await _storage_files(session, done.tables)
        digest = await asyncio.to_thread(sha256_of, self._directory / METADATA)
        return _result(done, storage, digest)

    async def _take(self, run: Run, freeze: metadata.Freeze, report: Report, began: float) -> Metadata:
        async with hold_snapshot(
            self._database, include_schemas=self._include_schemas, exclude_tables=self._exclude_tables
        ) as snapshot:
            tables = await self._tables(snapshot, report)
            storage = await _storage_files(snapshot.holder, tables)
            # Also the proof that the locks were held to the end: a lost session would have let tables change.
            exported_at = await snapshot.clock()
        users = tables[Path(AUTH_USERS).stem]
        catalog, parties = snapshot.catalog, run.opened.parties
        described = Metadata(
            exported_at=exported_at,
            total_duration_ms=round((time.monotonic() - began) * 1000),
            tables=tables,
            auth_users=metadata.AuthUsers.model_validate(users, from_attributes=True),
            run_id=run.run_id,
            practice=False,
            tool=metadata.Tool(version=self._tool_version),
            source=metadata.Source(
                ref=parties.source_ref, database=parties.source_database, server_version=snapshot.server_version
            ),
            target=metadata.Target(project_id=parties.target_project),
            freeze=freeze,
            snapshot=metadata.Snapshot(taken_at=snapshot.taken_at, xmax=snapshot.xmax),
            sequences=catalog.sequence_records(),
            import_order=catalog.order.tables,
            cycles=catalog.order.cycles,
            extensions=catalog.extensions,
            left_out=(*catalog.left_out, *_left_behind(storage)),
            totals=metadata.Totals(
                tables=len(tables),
                rows=sum(table.row_count for table in tables.values()),
                bytes=sum(table.bytes for table in tables.values()),
            ),
        )
        await asyncio.to_thread(metadata.write, self._directory / METADATA, described)
        return described

    async def _tables(self, snapshot: Snapshot, report: Report) -> dict[str, metadata.Table]:
        """By key, in the catalog's order, which does not depend on who was first."""
        tables = snapshot.catalog.tables
        waiting = deque(sorted(tables, key=lambda table: (-table.bytes, table.relation)))
        pace = _Pace(report, sum(table.rows for table in tables))
        written: dict[str, metadata.Table] = {}

        async def work(number: int) -> None:
            async with snapshot.borrow(f"{STEP}-{number}") as session:
                while waiting:
                    table = waiting.popleft()
                    path = self._directory / table.file
                    pace.add(table, 0)
                    written[table.key] = await export_table(
                        session, table, snapshot.catalog, path, role=snapshot.role, wrote=partial(pace.add, table)
                    )

        with ungrouped():
            async with asyncio.TaskGroup() as group:
                for number in range(1, min(self._workers, len(tables)) + 1):
                    group.create_task(work(number))
        return {table.key: written[table.key] for table in tables}


class _Pace:
    """Rows written so far, of as many as the planner believes there are."""

    def __init__(self, report: Report, estimate: int) -> None:
        self._report = report
        self._estimate = estimate
        self._done = 0

    def add(self, table: Table, rows: int) -> None:
        self._done += rows
        total = max(self._estimate, self._done)
        self._report(Progress(step=STEP, done=self._done, total=total, unit="rows", note=f"reading {table.relation}"))


def finished(directory: Path, run_id: str, frozen_at: datetime) -> Metadata | None:
    """The export that lies in the directory, if it is this run's and of this freeze, and each file is whole."""
    try:
        found = metadata.read(directory / METADATA)
    except RecordDamaged:
        return None
    if found.run_id != run_id or found.practice or found.freeze is None or found.freeze.frozen_at != frozen_at:
        return None
    for table in found.tables.values():
        path = directory / table.file
        if not path.is_file() or path.stat().st_size != table.bytes or sha256_of(path) != table.sha256:
            return None
    return found


def _make_room(directory: Path, run_id: str) -> None:
    """An export that was vouched for is kept in the archive; one that never was is removed."""
    if (directory / METADATA).exists() or any((directory / ARCHIVE).glob(f"{run_id}-*{PARTIAL}")):
        archive(directory, run_id)
        return
    sweep_partials(directory)
    for path in directory.glob("*.json"):
        if path.name not in _NOT_TABLES and path.is_file():
            path.unlink()


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


async def _storage_files(session: Session, tables: Mapping[str, metadata.Table]) -> StorageFiles:
    if not any((table.schema_name, table.table) == ("storage", "objects") for table in tables.values()):
        return StorageFiles(0, 0)
    with translated("the files in Storage could not be counted"):
        cursor = await session.execute(query("storage_files"))
        [found] = await cursor.fetchall()
    return StorageFiles(*found)


def _left_behind(storage: StorageFiles) -> tuple[LeftOut, ...]:
    if not storage.files:
        return ()
    name = f"{storage.files} files in Storage, {storage.bytes} bytes"
    return (LeftOut(name=name, kind=STORAGE_FILES, reason=_STORAGE_REASON),)


def _result(done: Metadata, storage: StorageFiles, digest: str) -> ExportResult:
    by_size = sorted(done.tables.items(), key=lambda item: (-item[1].bytes, item[0]))
    reasons = Counter(entry.reason for entry in done.left_out if entry.kind != STORAGE_FILES)
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
    )
