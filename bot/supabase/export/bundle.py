"""A bundle: every table of the source from one snapshot into files, and metadata.json last.

Workers take whole tables, the biggest first, each in a session of its own inside the snapshot. Whoever finds
metadata.json may believe that every file it names is whole.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot.artifacts import metadata
from bot.artifacts.files import AUTH_USERS, METADATA
from bot.artifacts.metadata import Metadata
from bot.plan.events import Parties
from bot.ports import Progress, Report
from bot.supabase.catalog import Table
from bot.supabase.database import Database
from bot.supabase.export.snapshot import Snapshot, hold_snapshot, ungrouped
from bot.supabase.export.storage import count_files, left_behind
from bot.supabase.export.tablefile import export_table

STEP = "export"


@dataclass(frozen=True, kw_only=True)
class Label:
    """What metadata.json says of a bundle beside its tables. `freeze` is None exactly for a practice bundle."""

    run_id: str
    parties: Parties
    freeze: metadata.Freeze | None
    tool_version: str


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What of the source is taken, and by how many workers at most."""

    workers: int
    include_schemas: Sequence[str]
    exclude_tables: Sequence[str]


async def take_bundle(
    database: Database, directory: Path, label: Label, selection: Selection, report: Report
) -> Metadata:
    """`directory` holds nothing of an earlier export. Raises CutoverError with no metadata.json written."""
    began = time.monotonic()
    async with hold_snapshot(
        database, include_schemas=selection.include_schemas, exclude_tables=selection.exclude_tables
    ) as snapshot:
        tables = await _tables(snapshot, directory, selection.workers, report)
        storage = await count_files(snapshot.holder, tables)
        # Also the proof that the locks were held to the end: a lost session would have let tables change.
        exported_at = await snapshot.clock()
    users = tables[Path(AUTH_USERS).stem]
    catalog, parties = snapshot.catalog, label.parties
    described = Metadata(
        exported_at=exported_at,
        total_duration_ms=round((time.monotonic() - began) * 1000),
        tables=tables,
        auth_users=metadata.AuthUsers.model_validate(users, from_attributes=True),
        run_id=label.run_id,
        practice=label.freeze is None,
        tool=metadata.Tool(version=label.tool_version),
        source=metadata.Source(
            ref=parties.source_ref, database=parties.source_database, server_version=snapshot.server_version
        ),
        target=metadata.Target(project_id=parties.target_project),
        freeze=label.freeze,
        snapshot=metadata.Snapshot(taken_at=snapshot.taken_at, xmax=snapshot.xmax),
        sequences=catalog.sequence_records(),
        import_order=catalog.order.tables,
        cycles=catalog.order.cycles,
        extensions=catalog.extensions,
        left_out=(*catalog.left_out, *left_behind(storage)),
        totals=metadata.Totals(
            tables=len(tables),
            rows=sum(table.row_count for table in tables.values()),
            bytes=sum(table.bytes for table in tables.values()),
        ),
    )
    await asyncio.to_thread(metadata.write, directory / METADATA, described)
    return described


async def _tables(snapshot: Snapshot, directory: Path, workers: int, report: Report) -> dict[str, metadata.Table]:
    """By key, in the catalog's order, which does not depend on who was first."""
    tables = snapshot.catalog.tables
    waiting = deque(sorted(tables, key=lambda table: (-table.bytes, table.relation)))
    pace = _Pace(report, sum(table.rows for table in tables))
    written: dict[str, metadata.Table] = {}

    async def work(number: int) -> None:
        async with snapshot.borrow(f"{STEP}-{number}") as session:
            while waiting:
                table = waiting.popleft()
                path = directory / table.file
                pace.add(table, 0)
                written[table.key] = await export_table(
                    session, table, snapshot.catalog, path, role=snapshot.role, wrote=partial(pace.add, table)
                )

    with ungrouped():
        async with asyncio.TaskGroup() as group:
            for number in range(1, min(workers, len(tables)) + 1):
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
