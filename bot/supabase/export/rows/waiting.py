"""Waiting inside a transaction, which the server ends when it idles: so it hears a word from us now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from bot.supabase.database import translated
from bot.supabase.export.rows.explained import UNCHANGED
from bot.supabase.export.snapshot import PING_SECONDS
from bot.supabase.reading import Reading

_Value = TypeVar("_Value")


async def wait_with(source: Reading, awaited: Coroutine[Any, Any, _Value]) -> _Value:
    """What `awaited` gives; it has ended when this returns or raises."""
    task = asyncio.ensure_future(awaited)
    try:
        while not (await asyncio.wait({task}, timeout=PING_SECONDS))[0]:
            with translated("a worker's session was lost", unchanged=UNCHANGED):
                await source.stay()
    finally:
        task.cancel()
        await asyncio.wait({task})
    return task.result()
