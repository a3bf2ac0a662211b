"""The workers that write the tables' files and sum their rows, each in a session of its own inside the snapshot.

Big tables come first, each by all workers side by side; then the small ones, many to a statement. The row digests are
a pass of their own behind them, divided otherwise than the writing, so that rows missed or taken twice in dividing the
one would be missing in the other.

Whether a column has to be written as text is seen on the way, by a flag that the server sends along with each chunk;
only then the table is begun again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

from psycopg import sql

from bot.artifacts import metadata
from bot.artifacts.durable import FileWriter, Written
from bot.artifacts.files import ARRAY_BEGIN, ARRAY_END
from bot.errors import ServiceRefused
from bot.supabase.catalog import Table
from bot.supabase.database import translated
from bot.supabase.export.rows import statements
from bot.supabase.export.rows.explained import UNCHANGED, explained, named
from bot.supabase.export.rows.layout import Layout, Part, Slice, span_blocks
from bot.supabase.export.rows.table_file import TableFile
from bot.supabase.export.rows.table_work import Broken, OnDisk, TableWork
from bot.supabase.export.rows.todo import Item, Todo
from bot.supabase.export.rows.wire import Chunk, chunks
from bot.supabase.export.snapshot import PING_SECONDS, Snapshot, ungrouped
from bot.supabase.reading import Reading

_TABLES_A_STATEMENT = 100
_SAMPLES = 16
_PILE_BYTES = 1 << 18

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Told(Protocol):
    """Who is told how the work goes on."""

    def wrote(self, table: Table, rows: int, bytes_: int) -> None:
        """So many more; negative when what was written is void. Raises CutoverError to stop the work."""

    def finished(self, table: Table, done: OnDisk) -> None:
        """The table's file is whole and has its name."""

    def summed(self, table: Table, rows: int) -> None:
        """So many more rows went into the digest."""


class Crew:
    """Called once. `kept` are files that are on disk already, by the tables' keys: these are only summed."""

    def __init__(
        self,
        snapshot: Snapshot,
        layouts: Mapping[int, Layout],
        directory: Path,
        told: Told,
        *,
        workers: int,
        kept: Mapping[str, OnDisk],
    ) -> None:
        self._snapshot = snapshot
        self._directory = directory
        self._told = told
        self._workers = workers
        self._works = [TableWork(table=table, layout=layouts[table.oid]) for table in snapshot.catalog.tables]
        for work in self._works:
            if done := kept.get(work.table.key):
                work.keep(done)
        self._todo = Todo(self._plan())
        self._group = asyncio.TaskGroup()

    async def __call__(self) -> dict[str, metadata.Table]:
        """By key, in the catalog's order, which does not depend on who was first. Raises CutoverError."""
        try:
            with ungrouped():
                async with self._group:
                    for number in range(1, self._workers + 1):
                        self._group.create_task(self._work(number))
        finally:
            for work in self._works:
                if work.file is not None:
                    await work.file.close()
        return {work.table.key: work.described(self._snapshot.catalog) for work in self._works}

    def _plan(self) -> Iterator[Item]:
        by_size = sorted(self._works, key=lambda work: (-work.layout.stored_bytes, work.table.relation))
        for work in by_size:
            if not work.layout.small and not work.on_disk:
                yield from self._strands(work)
        small = [work for work in by_size if work.layout.small and not work.on_disk]
        yield from (partial(self._write_small, batch) for batch in _batches(small))
        yield from self._sums([work for work in by_size if work.on_disk])

    def _strands(self, work: TableWork) -> Iterator[Item]:
        """To be done in this order, and never before those of another table that came first: strands wait for each
        other, so those of one table must come to be under way all together.
        """
        work.strands = work.strands_left = work.layout.strands(self._workers)
        return (partial(self._strand, work, number) for number in range(work.strands))

    async def _work(self, number: int) -> None:
        async with self._snapshot.borrow(f"export-{number}") as source:
            while not self._todo.done:
                item = await self._todo.take(patience=PING_SECONDS)
                if item is None:
                    await self._ping(source)
                    continue
                self._todo.begin()
                await item(source)
                self._todo.end()

    async def _ping(self, source: Reading) -> None:
        with translated("a worker's session was lost", unchanged=UNCHANGED):
            await source.stay()

    # -- big tables ---------------------------------------------------------------------------------------------------

    async def _strand(self, work: TableWork, number: int, source: Reading) -> None:
        with explained(work.table):
            await self._prepared(source, work, first=number == 0)
            file = work.file
            assert file is not None
            if not work.doubted:
                await self._read(source, work, file, number)
            await file.end(number)
            work.strands_left -= 1
            if work.strands_left:
                return
            if work.doubted:
                await self._again(source, work, file)
            else:
                self._todo.begin()
                self._group.create_task(self._finish(work, file))

    async def _prepared(self, source: Reading, work: TableWork, *, first: bool) -> None:
        """The first strand prepares the table, the others wait for it."""
        if first:
            work.began = time.monotonic()
            largest = max(work.layout.parts, key=lambda part: part.blocks)
            if work.layout.ranges:
                select = statements.page_bytes(work.table, largest, work.as_text, samples=_SAMPLES)
                [[page_bytes, filled]] = await source.ask(select, of=work.table.relation)
                work.saw(work.table.columns, filled)
                work.span_blocks = span_blocks(int(page_bytes))
            work.file = TableFile(self._directory / work.table.file, strands=work.strands)
            work.ready.set()
        while not work.ready.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(work.ready.wait(), PING_SECONDS)
            await self._ping(source)

    async def _again(self, source: Reading, work: TableWork, file: TableFile) -> None:
        self._told.wrote(work.table, -file.rows, -file.size)
        await file.close()
        before = set(work.as_text)
        await self._settle(source, work)
        if work.as_text == before:
            raise Broken(work.table, "a value that JSON cannot carry was seen, and was not found again")
        work.doubted = False
        work.ready.clear()
        self._todo.last(*self._strands(work))

    async def _finish(self, work: TableWork, file: TableFile) -> None:
        self._done(work, file.rows, await file.finish())
        self._todo.last(*self._sums([work]))
        self._todo.end()

    async def _read(self, source: Reading, work: TableWork, file: TableFile, number: int) -> None:
        """Strand `number` of the table, until it ends or a doubt turns out true."""
        for select, lone in _strand_selects(work, number):
            if not await self._copy(source, select, work, file, number, lone=lone):
                return

    async def _copy(
        self, source: Reading, select: sql.Composed, work: TableWork, file: TableFile, strand: int, *, lone: bool
    ) -> bool:
        """False when it was not read to its end, because the file is void. `lone`: a chunk is a single message."""
        pile: list[Chunk] = []
        size = 0

        async def put() -> bool:
            nonlocal size
            rows, size = sum(chunk.rows for chunk in pile), 0
            texts = [chunk.text for chunk in pile]
            kept = await file.put(strand, pile[0].number, rows, texts, complete=lone)
            pile.clear()
            if kept:
                self._told.wrote(work.table, rows, sum(len(text) + 2 for text in texts))
            return kept

        async with aclosing(chunks(source, select, of=work.table.relation)) as came:
            async for chunk in came:
                if chunk.doubt:
                    work.doubted = True
                    await file.give_up()
                    return False
                if pile and chunk.number != pile[0].number and not await put():
                    return False
                pile.append(chunk)
                size += len(chunk.text)
                if (lone or size >= _PILE_BYTES) and not await put():
                    return False
        return not pile or await put()

    # -- small tables -------------------------------------------------------------------------------------------------

    async def _write_small(self, works: Sequence[TableWork], source: Reading) -> None:
        doubted = await self._write_batch(source, works)
        for work in doubted:
            with explained(work.table):
                await self._settle(source, work)
        if doubted and await self._write_batch(source, doubted):
            raise Broken(doubted[0].table, "a value that JSON cannot carry was seen, and was not found before")
        self._todo.last(*self._sums(works))

    async def _write_batch(self, source: Reading, works: Sequence[TableWork]) -> list[TableWork]:
        """Those that were not written, because a value in them is in doubt. Where some table is in the way of reading
        all, each is read alone, so that the error names that table.
        """
        try:
            with explained(*(work.table for work in works)):
                came = await self._read_batch(source, works)
        except ServiceRefused:
            if len(works) == 1:
                raise
            return [doubted for work in works for doubted in await self._write_batch(source, [work])]
        doubted = [work for place, work in enumerate(works) if place in came and came[place].doubt]
        for place, work in enumerate(works):
            if work not in doubted:
                found = came.get(place)
                written = await self._aside(source, partial(_write, self._directory / work.table.file, found))
                rows = found.rows if found else 0
                self._told.wrote(work.table, rows, written.bytes)
                self._done(work, rows, written)
        return doubted

    async def _read_batch(self, source: Reading, works: Sequence[TableWork]) -> dict[int, Chunk]:
        """By place in `works`, all of a table's rows; tables without one are not in it."""
        came: dict[int, Chunk] = {}
        for work in works:
            work.began = time.monotonic()
        selects = (
            statements.whole(work.table, work.layout.parts[0], place, work.as_text, work.doubts, one=True)
            for place, work in enumerate(works)
        )
        of = named([work.table for work in works])
        async with aclosing(chunks(source, statements.one_after_the_other(*selects), of=of)) as copied:
            async for chunk in copied:
                came[chunk.number] = chunk
        return came

    # -- sums ---------------------------------------------------------------------------------------------------------

    def _sums(self, works: Sequence[TableWork]) -> Iterator[Item]:
        small = [work for work in works if work.layout.small]
        for batch in _batches(small):
            yield partial(self._sum, [(work, work.layout.slices(0, 1)) for work in batch])
        for work in works:
            if not work.layout.small:
                of = work.layout.strands(self._workers)
                yield from (partial(self._sum, [(work, work.layout.slices(number, of))]) for number in range(of))

    async def _sum(self, slices: Sequence[tuple[TableWork, Iterable[Slice]]], source: Reading) -> None:
        wanted = [(work, part, blocks) for work, own in slices for part, blocks in own]
        for batch in _batches(wanted):
            await self._sum_batch(batch, source)

    async def _sum_batch(
        self, batch: Sequence[tuple[TableWork, Part, tuple[int, int] | None]], source: Reading
    ) -> None:
        unseen = [tuple(work.unseen) for work, _, _ in batch]
        texts = (
            statements.digest(work.table, part, place, work.as_text, unseen[place], blocks=blocks)
            for place, (work, part, blocks) in enumerate(batch)
        )
        tables = [work.table for work, _, _ in batch]
        try:
            with explained(*dict.fromkeys(tables)):
                summed = await source.ask(statements.one_after_the_other(*texts), of=named(tables))
        except ServiceRefused:
            if len(batch) == 1:
                raise
            for one in batch:
                await self._sum_batch([one], source)
            return
        for place, rows, digest, filled in summed:
            work = batch[place][0]
            work.saw(unseen[place], filled)
            work.add_sum(rows, int(digest))
            self._told.summed(work.table, rows)

    # -- what all need ------------------------------------------------------------------------------------------------

    async def _settle(self, source: Reading, work: TableWork) -> None:
        found = [False] * len(work.doubts)
        for part in work.layout.parts:
            [looks] = await source.ask(statements.doubts(part, work.doubts), of=work.table.relation)
            found = [was or is_ for was, is_ in zip(found, looks, strict=True)]
        work.settle(found)

    def _done(self, work: TableWork, rows: int, written: Written) -> None:
        work.put_on_disk(rows=rows, bytes_=written.bytes, sha256=written.sha256)
        assert work.on_disk is not None
        self._told.finished(work.table, work.on_disk)

    async def _aside(self, source: Reading, work: Callable[[], _Result]) -> _Result:
        """Waits for the disk in a thread, with a word to the server now and then: it ends idle transactions. When it
        returns, or raises, the thread has ended: nothing of ours may rename a file behind our back.
        """
        task = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            while not (await asyncio.wait({task}, timeout=PING_SECONDS))[0]:
                await self._ping(source)
        finally:
            await asyncio.wait({task})
        return task.result()


def _strand_selects(work: TableWork, number: int) -> Iterator[tuple[sql.Composed, bool]]:
    """What one strand has to send to the server, one after the other, and whether its chunks are single messages."""
    if not work.layout.ranges:
        for place, part in enumerate(work.layout.parts):
            yield statements.whole(work.table, part, place, work.as_text, work.doubts, one=False), False
        return
    for part, spans in work.layout.strand(number, work.strands, work.span_blocks):
        yield statements.spanned(work.table, part, spans, work.as_text, work.doubts), not part.outside_bytes


def _write(path: Path, chunk: Chunk | None) -> Written:
    with FileWriter(path) as writer:
        writer.write(ARRAY_BEGIN)
        if chunk:
            writer.write(chunk.text)
            writer.write(b"\n")
        writer.write(ARRAY_END)
        return writer.finish()


def _batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    rest = iter(items)
    while batch := list(islice(rest, _TABLES_A_STATEMENT)):
        yield batch
