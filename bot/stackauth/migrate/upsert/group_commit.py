"""Lines of many workers, written together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class GroupCommit(Generic[_Item]):
    """Whoever comes in the same turn of the event loop shares one wait for the disk."""

    def __init__(self, write: Callable[[list[_Item]], None]) -> None:
        self._write = write
        self._waiting: list[_Item] = []
        self._writing: asyncio.Task[None] | None = None

    async def add(self, item: _Item) -> None:
        """On disk when it returns. Cancelled, the line is written all the same."""
        self._waiting.append(item)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_next_turn())
        await asyncio.shield(self._writing)

    async def _write_next_turn(self) -> None:
        await asyncio.sleep(0)
        self._writing = None
        self.finish()

    def finish(self) -> None:
        """Writes what waits; nothing when nothing does."""
        items, self._waiting = self._waiting, []
        if items:
            self._write(items)
