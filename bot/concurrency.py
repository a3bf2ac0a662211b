"""Work side by side, and work in threads, both to their end.

Cancelling what waits for a thread does not end the thread: it would go on beside the next attempt at the same work. So
nothing here returns, or raises, before the thread has come to its end; what may take long is done in slices, since only
between two of them it can be cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeVar

from bot.errors import CutoverError

_Value = TypeVar("_Value")


async def run_all(workers: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them; when one fails the others are cancelled, and its error is raised, a bug before all others."""
    try:
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(worker)
    except BaseExceptionGroup as several:
        errors = sorted(several.exceptions, key=lambda error: isinstance(error, CutoverError))
        raise errors[0] from None


async def run_blocking(work: Callable[[], _Value]) -> _Value:
    """In a thread. Cancelled, it waits until the thread has ended, so that no other attempt meets it."""
    thread = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        raise


async def run_in_slices(items: Iterator[_Value]) -> AsyncIterator[_Value]:
    """Each item (none of them None) made in a thread, one at a time. Cancelled, it waits for the one that is being
    made, and makes no other.
    """
    while (item := await run_blocking(lambda: next(items, None))) is not None:
        yield item
