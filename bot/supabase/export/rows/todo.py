"""A list of things to be done by whoever is free, in their order, where doing one may add others at its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from bot.supabase.reading import Reading

Item = Callable[[Reading], Awaitable[None]]


class Todo:
    def __init__(self, items: Iterable[Item]) -> None:
        self._items = deque(items)
        self._under_way = 0
        self._changed = asyncio.Event()

    def last(self, *items: Item) -> None:
        self._items.extend(items)
        self._changed.set()

    def begin(self) -> None:
        """Something begins that may add to the list: until its `end`, the list is not done."""
        self._under_way += 1

    def end(self) -> None:
        self._under_way -= 1
        self._changed.set()

    @property
    def done(self) -> bool:
        return not self._items and not self._under_way

    async def take(self, *, patience: float) -> Item | None:
        """The next one; None when there is none after so many seconds, or when all is done."""
        if not self._items and not self.done:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), patience)
            except TimeoutError:
                return None
        return self._items.popleft() if self._items else None
