"""Small tables, many to a statement, each in one chunk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bot.artifacts.durable import FileWriter, Written
from bot.artifacts.files import ARRAY_BEGIN, ARRAY_END
from bot.concurrency import run_blocking
from bot.errors import ServiceRefused
from bot.supabase.export.rows import statements
from bot.supabase.export.rows.doubts import settle
from bot.supabase.export.rows.explained import Broken, explained, named
from bot.supabase.export.rows.record import Observer, OnDisk, TableRecord
from bot.supabase.export.rows.table_plan import TablePlan
from bot.supabase.export.rows.waiting import wait_with
from bot.supabase.export.rows.wire import Chunk, chunks
from bot.supabase.reading import Reading


class SmallTable(NamedTuple):
    plan: TablePlan
    record: TableRecord


async def write_small(tables: Sequence[SmallTable], directory: Path, observer: Observer, source: Reading) -> None:
    """All of them, with their names, on disk. Raises CutoverError."""
    doubted = await _write(tables, directory, observer, source)
    settled = []
    for plan, record in doubted:
        with explained(plan.table):
            settled.append(SmallTable(await settle(plan, source), record))
    if settled and await _write(settled, directory, observer, source):
        raise Broken(settled[0].plan.table, "a value that JSON cannot carry was seen, and was not found before")


async def _write(
    tables: Sequence[SmallTable], directory: Path, observer: Observer, source: Reading
) -> list[SmallTable]:
    """Gives those that were not written, because a value in them is in doubt. Where some table is in the way of reading
    all, each is read alone, so that the error names that table.
    """
    began = time.monotonic()
    try:
        with explained(*(plan.table for plan, _ in tables)):
            came = await _read(tables, source)
    except ServiceRefused:
        if len(tables) == 1:
            raise
        return [doubted for one in tables for doubted in await _write([one], directory, observer, source)]
    doubted = []
    for place, (plan, record) in enumerate(tables):
        chunk = came.get(place)
        if chunk and chunk.doubt:
            doubted.append(SmallTable(plan, record))
            continue
        # Nothing of ours may rename a file behind our back: so this waits for the thread, even when cancelled.
        written = await wait_with(source, run_blocking(partial(_to_disk, directory / plan.table.file, chunk)))
        rows = chunk.rows if chunk else 0
        observer.wrote(plan.table, rows, written.bytes)
        record.on_disk = OnDisk(
            rows=rows,
            bytes=written.bytes,
            sha256=written.sha256,
            row_digest=chunk.digest if chunk else 0,
            as_text=plan.as_text,
            duration_ms=round((time.monotonic() - began) * 1000),
        )
        observer.finished(plan.table, record.on_disk)
    return doubted


async def _read(tables: Sequence[SmallTable], source: Reading) -> dict[int, Chunk]:
    """By place in `tables`, all of a table's rows; tables without one are not in it."""
    selects = (
        statements.whole(plan.table, plan.layout.parts[0], place, plan.as_text, plan.doubts, one=True)
        for place, (plan, _) in enumerate(tables)
    )
    of = named([plan.table for plan, _ in tables])
    async with aclosing(chunks(source, statements.one_after_the_other(*selects), of=of)) as copied:
        return {chunk.number: chunk async for chunk in copied}


def _to_disk(path: Path, chunk: Chunk | None) -> Written:
    with FileWriter(path) as writer:
        writer.write(ARRAY_BEGIN)
        if chunk:
            writer.write(chunk.text)
            writer.write(b"\n")
        writer.write(ARRAY_END)
        return writer.finish()
