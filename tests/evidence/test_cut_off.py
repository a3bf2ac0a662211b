"""Work in threads that is cut off has ended when the waiting for it ends, so that it never meets the next attempt."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from bot.artifacts import files, handover
from bot.concurrency import run_blocking, run_in_slices
from bot.plan.results import HandoverResult


async def test_a_thread_is_waited_for() -> None:
    """Cancelled in the middle, the await ends after the thread and not before."""
    began, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        may_end.wait(10)
        ended.set()

    task = asyncio.create_task(run_blocking(work))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_sliced_work_ends_with_the_slice_at_hand() -> None:
    """However many there still are."""
    began, may_end, made = threading.Event(), threading.Event(), list[int]()

    def slices() -> Iterator[int]:
        for n in range(1_000):
            began.set()
            may_end.wait(10)
            made.append(n)
            yield n

    async def work() -> None:
        async for _ in run_in_slices(slices()):
            pass

    task = asyncio.create_task(work())
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert made == [0]


async def test_a_handover_that_was_cut_off_leaves_nothing_that_the_next_one_meets(bundle: Any) -> None:
    """At every slice: no sums are there, or the right ones, and another attempt ends well."""
    slices = len(list(handover.hand_over(bundle.directory, bundle.run, bundle.head)))
    whole = (bundle.directory / files.SUMS).read_bytes()
    for cut in range(1, slices):
        (bundle.directory / files.SUMS).unlink()
        attempt = run_in_slices(handover.hand_over(bundle.directory, bundle.run, bundle.head))
        for _ in range(cut):
            assert isinstance(await anext(attempt), int)
        await attempt.aclose()
        assert not (bundle.directory / files.SUMS).exists()
        *_, result = [
            step async for step in run_in_slices(handover.hand_over(bundle.directory, bundle.run, bundle.head))
        ]
        assert isinstance(result, HandoverResult)
        assert (bundle.directory / files.SUMS).read_bytes() == whole
