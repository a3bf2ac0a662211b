"""One big table, read by several workers side by side into one file: each has a strand (`layout`).

The strands wait for each other, since the file is written in order: those of one table must come to be under way all
together.

A column that may have to be written as text is found out on the way, by a flag that the server sends with each chunk.
Then all that was written is void, and the table is begun again by a plan that knows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

from psycopg import sql

from bot.supabase.export.rows import statements
from bot.supabase.export.rows.doubts import settle
from bot.supabase.export.rows.explained import Broken
from bot.supabase.export.rows.layout import span_blocks
from bot.supabase.export.rows.record import Observer, OnDisk, TableRecord
from bot.supabase.export.rows.table_file import TableFile
from bot.supabase.export.rows.table_plan import TablePlan
from bot.supabase.export.rows.waiting import wait_with
from bot.supabase.export.rows.wire import Chunk, chunks
from bot.supabase.reading import Reading

_SAMPLES = 16
_PILE_BYTES = 1 << 18


class BigTable:
    """To be closed at the end, whatever happened; without `finish` there is no file then."""

    def __init__(self, plan: TablePlan, record: TableRecord, directory: Path, observer: Observer) -> None:
        self.plan = plan
        self.record = record
        self.doubted = False
        """A value was met that makes one of the plan's doubts true: the file is void."""
        self._directory = directory
        self._observer = observer
        self._file: TableFile | None = None
        self._began = 0.0
        self._span_blocks = 1
        self._digest = 0
        self._prepared = asyncio.Event()
        self._strands_left = plan.strands

    async def read(self, strand: int, source: Reading) -> bool:
        """The strand of this number, from 0, to its end, or until the file is void. True for the last one to end."""
        if strand == 0:
            await self._prepare(source)
        else:
            await wait_with(source, self._prepared.wait())
        file = self._file
        assert file is not None
        if not self.doubted:
            for select, lone in self._selects(strand):
                if not await self._copy(source, select, file, strand, lone=lone):
                    break
        await file.end(strand)
        self._strands_left -= 1
        return not self._strands_left

    async def again(self, source: Reading) -> BigTable:
        """The table as it is to be read once more. Raises Broken when the doubt turns out not to be true."""
        file = self._file
        assert file is not None
        self._observer.wrote(self.plan.table, -file.rows, -file.size)
        await file.close()
        settled = await settle(self.plan, source)
        if settled.as_text == self.plan.as_text:
            raise Broken(self.plan.table, "a value that JSON cannot carry was seen, and was not found again")
        return BigTable(settled, self.record, self._directory, self._observer)

    async def finish(self) -> None:
        """All strands have ended; the file gets its name."""
        file = self._file
        assert file is not None
        written = await file.finish()
        self.record.on_disk = OnDisk(
            rows=file.rows,
            bytes=written.bytes,
            sha256=written.sha256,
            row_digest=self._digest,
            as_text=self.plan.as_text,
            duration_ms=round((time.monotonic() - self._began) * 1000),
        )
        self._observer.finished(self.plan.table, self.record.on_disk)

    async def close(self) -> None:
        """Idempotent; nothing after `finish`."""
        if self._file is not None:
            await self._file.close()

    async def _prepare(self, source: Reading) -> None:
        plan = self.plan
        self._began = time.monotonic()
        if plan.layout.ranges:
            largest = max(plan.layout.parts, key=lambda part: part.blocks)
            select = statements.page_bytes(plan.table, largest, plan.as_text, samples=_SAMPLES)
            [[page_bytes, filled]] = await source.ask(select, of=plan.table.relation)
            self.record.saw(plan.table.columns, filled)
            self._span_blocks = span_blocks(int(page_bytes))
        self._file = TableFile(self._directory / plan.table.file, strands=plan.strands)
        self._prepared.set()

    def _selects(self, strand: int) -> Iterator[tuple[sql.Composed, bool]]:
        """What a strand has to send to the server, one after the other, and whether its chunks are single messages."""
        plan = self.plan
        if not plan.layout.ranges:
            for place, part in enumerate(plan.layout.parts):
                yield statements.whole(plan.table, part, place, plan.as_text, plan.doubts, one=False), False
            return
        for part, spans in plan.layout.strand(strand, plan.strands, self._span_blocks):
            yield statements.spanned(plan.table, part, spans, plan.as_text, plan.doubts), not part.outside_bytes

    async def _copy(self, source: Reading, select: sql.Composed, file: TableFile, strand: int, *, lone: bool) -> bool:
        """False when it was not read to its end, because the file is void. `lone`: a chunk is a single message."""
        pile: list[Chunk] = []
        size = 0
        async with aclosing(chunks(source, select, of=self.plan.table.relation)) as came:
            async for chunk in came:
                if chunk.doubt:
                    self.doubted = True
                    await file.give_up()
                    return False
                if pile and chunk.number != pile[0].number:
                    if not await self._put(file, strand, pile, complete=lone):
                        return False
                    pile, size = [], 0
                pile.append(chunk)
                size += len(chunk.text)
                if lone or size >= _PILE_BYTES:
                    if not await self._put(file, strand, pile, complete=lone):
                        return False
                    pile, size = [], 0
        return not pile or await self._put(file, strand, pile, complete=lone)

    async def _put(self, file: TableFile, strand: int, pile: list[Chunk], *, complete: bool) -> bool:
        """`pile` is of one chunk. False when the file is void."""
        rows, texts = sum(chunk.rows for chunk in pile), [chunk.text for chunk in pile]
        if not await file.put(strand, pile[0].number, rows, texts, complete=complete):
            return False
        self._digest += sum(chunk.digest for chunk in pile)
        self._observer.wrote(self.plan.table, rows, sum(len(text) + 2 for text in texts))
        return True
