"""How every command runs what is asynchronous, so that INT and TERM cut it off alike at its next safe point, and
everything is closed before a sentence is printed.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def run_async(main: Coroutine[Any, Any, _T]) -> _T:
    """As `asyncio.run`; INT and TERM cancel `main`. Raises KeyboardInterrupt once everything is closed."""

    async def cancellable() -> _T:
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await main

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        # asyncio leaves TERM to the system, which would end us without a word.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
