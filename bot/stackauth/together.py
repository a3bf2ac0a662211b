"""Work done side by side, and work in threads, both to their end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from bot.errors import CutoverError

_Value = TypeVar("_Value")


async def together(workers: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them; when one fails the others are cancelled, and its error is raised, a bug before all others."""
    try:
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(worker)
    except BaseExceptionGroup as several:
        errors = sorted(several.exceptions, key=lambda error: isinstance(error, CutoverError))
        raise errors[0] from None


async def to_the_end(work: Callable[[], _Value]) -> _Value:
    """In a thread. Cancelled, it waits until the thread has ended, so that no other attempt meets it."""
    thread = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        raise
