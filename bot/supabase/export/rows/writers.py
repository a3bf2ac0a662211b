"""The workers that write the tables' files, each in a session of its own inside the snapshot.

Big tables come first, each by all workers side by side; then the small ones, many to a statement; behind them the rows
are counted. What is to be done is in one queue, in this order; who is free takes the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from bot.artifacts import metadata
from bot.supabase.export.rows import counting
from bot.supabase.export.rows.big_table import BigTable
from bot.supabase.export.rows.explained import explained
from bot.supabase.export.rows.layout import Layout
from bot.supabase.export.rows.record import Observer, OnDisk, TableRecord
from bot.supabase.export.rows.small_tables import SmallTable, write_small
from bot.supabase.export.rows.table_plan import TablePlan
from bot.supabase.export.rows.waiting import wait_with
from bot.supabase.export.snapshot import Snapshot, ungrouped
from bot.supabase.reading import Reading

_Work = Callable[[Reading], Awaitable[None]]


class Writers:
    """Called once. `kept` are files that are on disk already, by the tables' keys: their rows are only counted."""

    def __init__(
        self,
        snapshot: Snapshot,
        layouts: Mapping[int, Layout],
        directory: Path,
        observer: Observer,
        *,
        workers: int,
        kept: Mapping[str, OnDisk],
    ) -> None:
        self._snapshot = snapshot
        self._directory = directory
        self._observer = observer
        self._workers = workers
        tables = snapshot.catalog.tables
        self._records = [TableRecord(table=table, on_disk=kept.get(table.key)) for table in tables]
        self._plans = [TablePlan.of(table, layouts[table.oid], workers=workers) for table in tables]
        self._queue: asyncio.Queue[_Work | None] = asyncio.Queue()
        self._big: list[BigTable] = []
        self._group = asyncio.TaskGroup()

    async def __call__(self) -> dict[str, metadata.Table]:
        """By key, in the catalog's order, which does not depend on who was first. Raises CutoverError."""
        self._fill()
        try:
            with ungrouped():
                async with self._group:
                    for number in range(1, self._workers + 1):
                        self._group.create_task(self._work(number))
                    self._group.create_task(self._end())
        finally:
            for big in self._big:
                await big.close()
        return {record.table.key: record.described(self._snapshot.catalog) for record in self._records}

    def _fill(self) -> None:
        pairs = sorted(
            zip(self._plans, self._records, strict=True),
            key=lambda pair: (-pair[0].layout.stored_bytes, pair[0].table.relation),
        )
        small = [SmallTable(plan, record) for plan, record in pairs if plan.layout.small]
        big = [(plan, record) for plan, record in pairs if not plan.layout.small]
        for plan, record in big:
            if not record.on_disk:
                self._begin(BigTable(plan, record, self._directory, self._observer))
        for batch in counting.batches(table for table in small if not table.record.on_disk):
            self._queue.put_nowait(partial(write_small, batch, self._directory, self._observer))
        for plan, record in big:
            for run in counting.pieces(plan, record):
                self._queue.put_nowait(partial(counting.count, run, self._observer))
        for some in counting.batches(counting.Piece(record, plan.layout.parts[0], None) for plan, record in small):
            self._queue.put_nowait(partial(counting.count, some, self._observer))

    def _begin(self, big: BigTable) -> None:
        self._big.append(big)
        for strand in range(big.plan.strands):
            self._queue.put_nowait(partial(self._strand, big, strand))

    async def _work(self, number: int) -> None:
        async with self._snapshot.borrow(f"export-{number}") as source:
            while work := await wait_with(source, self._queue.get()):
                await work(source)
                self._queue.task_done()

    async def _end(self) -> None:
        """Whoever is free learns that nothing more will come."""
        await self._queue.join()
        for _ in range(self._workers):
            self._queue.put_nowait(None)

    async def _strand(self, big: BigTable, strand: int, source: Reading) -> None:
        with explained(big.plan.table):
            if not await big.read(strand, source):
                return
            if big.doubted:
                self._begin(await big.again(source))
            else:
                self._group.create_task(big.finish())  # the disk is waited for while the next table is read
