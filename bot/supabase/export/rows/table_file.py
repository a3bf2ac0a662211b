"""One table's file, written by any number of strands in the order of their chunks.

Strand s of n brings the chunks s, s + n, s + 2n … A chunk is written when no strand has one with a lower number still
to come; who is ahead waits with it, does not read on meanwhile, and so lets its server wait as well. So nothing piles
up here, and nothing has to be joined afterwards.

The disk is written to, and the SHA-256 computed, in a thread, while the next chunk comes in.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bot.artifacts.durable import FileWriter, Written
from bot.artifacts.files import ARRAY_BEGIN, ARRAY_END

_BETWEEN = b",\n"
_FLUSH_FIRST_BYTES = 8 << 20
_FLUSH_EVERY_BYTES = 64 << 20


class TableFile:
    """To be closed at the end, whatever happened; without `finish` there is no file then."""

    def __init__(self, path: Path, *, strands: int) -> None:
        self.rows = 0
        """Handed over to be written."""
        self._writer = FileWriter(path)
        self._next: list[float] = list(range(strands))
        """Of each strand, the lowest number that may still come."""
        self._moved = asyncio.Condition()
        self._writing: asyncio.Future[object] | None = None
        self._flushing: asyncio.Future[object] | None = None
        self._flushed = 0
        self._given_up = False

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._writer.bytes

    async def put(self, strand: int, number: int, rows: int, texts: Sequence[memoryview], *, complete: bool) -> bool:
        """Writes rows of chunk `number`, each of `texts` one or more rows joined by comma and newline; returns when it
        is this chunk's turn and the one before is written. `complete`: no more of this chunk will come. False when
        the file was given up, and nothing is written. Raises UsageError when the disk is full or gone.
        """
        await self._advance(strand, number)
        async with self._moved:
            await self._moved.wait_for(lambda: self._given_up or min(self._next) == number)
        if self._given_up:
            return False
        await self._written()
        begin = _BETWEEN if self.rows else ARRAY_BEGIN
        self.rows += rows
        self._writing = _in_thread(self._append, begin, texts)
        self._flush_now_and_then()
        if complete:
            await self._advance(strand, number + len(self._next))
        return True

    async def end(self, strand: int) -> None:
        """Nothing more comes from this strand."""
        await self._advance(strand, math.inf)

    async def give_up(self) -> None:
        """Nothing more is to be written; whoever waits for their turn learns it."""
        async with self._moved:
            self._given_up = True
            self._moved.notify_all()

    async def finish(self) -> Written:
        """The file is whole and on disk under its name. Raises what `put` raises, and RecordDamaged when there is
        another file of this name.
        """
        assert all(number == math.inf for number in self._next)
        await self._written()
        self._writing = _in_thread(self._append, b"\n" + ARRAY_END if self.rows else ARRAY_BEGIN + ARRAY_END, ())
        await self._written()
        if self._flushing is not None:
            await asyncio.wait({self._flushing})
            self._flushing.result()
        self._writing = _in_thread(self._writer.finish)
        written = await self._written()
        assert isinstance(written, Written)
        return written

    async def close(self) -> None:
        """Nothing of ours writes any more when this returns. Idempotent; nothing after `finish`."""
        if work := {future for future in (self._writing, self._flushing) if future is not None}:
            await asyncio.wait(work)
        self._writer.discard()

    async def _advance(self, strand: int, number: float) -> None:
        if number > self._next[strand]:
            async with self._moved:
                self._next[strand] = number
                self._moved.notify_all()

    def _flush_now_and_then(self) -> None:
        """So that the disk works along, and little is left to wait for at the end."""
        idle = self._flushing is None or self._flushing.done()
        enough = min(max(self._flushed, _FLUSH_FIRST_BYTES), _FLUSH_EVERY_BYTES)
        if idle and self._writer.bytes - self._flushed >= enough:
            if self._flushing is not None:
                self._flushing.result()
            self._flushed = self._writer.bytes
            self._flushing = _in_thread(self._writer.flush)

    async def _written(self) -> object:
        """What the thread came to. Cancelled, it leaves the thread to `close`."""
        if self._writing is None:
            return None
        await asyncio.wait({self._writing})
        return self._writing.result()

    def _append(self, begin: bytes, texts: Sequence[memoryview]) -> None:
        self._writer.write(begin)
        for n, text in enumerate(texts):
            if n:
                self._writer.write(_BETWEEN)
            self._writer.write(text)


def _in_thread(work: Callable[..., object], *arguments: object) -> asyncio.Future[object]:
    return asyncio.get_running_loop().run_in_executor(None, partial(work, *arguments))
