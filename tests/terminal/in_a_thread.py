"""A stand-in beside a command that has this thread, and its loop, for itself."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

_T = TypeVar("_T")


@contextmanager
def in_a_thread(standin: AbstractAsyncContextManager[_T]) -> Iterator[_T]:
    """It answers while the context lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        made = asyncio.run_coroutine_threadsafe(standin.__aenter__(), loop).result(30)
        try:
            yield made
        finally:
            asyncio.run_coroutine_threadsafe(standin.__aexit__(None, None, None), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
