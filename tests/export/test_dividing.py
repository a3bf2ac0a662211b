"""However a table is divided among workers, every block is read once and every row is where it was."""

import asyncio
import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.artifacts import tables
from bot.errors import UsageError
from bot.supabase.export.rows.layout import Layout, Part
from bot.supabase.export.rows.table_file import TableFile

PARTS = st.lists(st.integers(0, 2_000), min_size=1, max_size=5)
NO_BLOCK = 4294967295


def left_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def layout(blocks: list[int]) -> Layout:
    parts = (Part(schema="s", name=f"p{n}", blocks=size, outside_bytes=0) for n, size in enumerate(blocks))
    return Layout(parts=tuple(parts), ranges=True)


@given(blocks=PARTS, of=st.integers(1, 9), span=st.integers(1, 80))
def test_strands_together_read_every_block_once_and_in_order(blocks: list[int], of: int, span: int) -> None:
    """By the chunks' numbers, part by part; the last span of a part has no end."""
    read: dict[int, tuple[str, int, int]] = {}
    for number in range(of):
        before = -1
        for part, spans in layout(blocks).strand(number, of, span):
            for n in range(spans.begin, spans.last + 1, spans.stride):
                chunk = spans.offset + n
                assert chunk % of == number and chunk > before and chunk not in read
                before = chunk
                read[chunk] = (part.name, n * span, NO_BLOCK if n == spans.last else (n + 1) * span)

    assert sorted(read) == list(range(len(read)))
    for n, size in enumerate(blocks):
        own = [(first, following) for name, first, following in (read[c] for c in sorted(read)) if name == f"p{n}"]
        assert own[0][0] == 0 and own[-1][1] == NO_BLOCK
        assert all(one[1] == other[0] for one, other in pairwise(own))
        assert own[-1][0] < max(1, size)


@given(blocks=PARTS, of=st.integers(1, 9))
def test_slices_together_sum_every_block_once(blocks: list[int], of: int) -> None:
    """To beyond the last block, whatever the number of slices."""
    summed: dict[str, list[tuple[int, int]]] = {}
    for number in range(of):
        for part, run in layout(blocks).slices(number, of):
            summed.setdefault(part.name, []).append(run or (0, NO_BLOCK))

    assert sorted(summed) == [f"p{n}" for n in range(len(blocks))]
    for runs in summed.values():
        assert runs[0][0] == 0 and runs[-1][1] == NO_BLOCK
        assert all(one[1] == other[0] for one, other in pairwise(runs))


@settings(deadline=None)
@given(
    chunks=st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=12),
    strands=st.integers(1, 4),
    complete=st.booleans(),
    seed=st.integers(),
)
def test_strands_that_run_at_any_pace_write_the_file_in_order(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[list[int]], strands: int, complete: bool, seed: int
) -> None:
    """Chunks of several messages, chunks without any, strands without chunks."""
    path = tmp_path_factory.mktemp("file") / "t.json"
    pace = random.Random(seed)
    rows = [
        [[b'{"c":%d,"m":%d,"r":%d}' % (c, m, r) for r in range(1 + count)] for m, count in enumerate(messages)]
        for c, messages in enumerate(chunks)
    ]

    async def strand(file: TableFile, number: int) -> None:
        for c in range(number, len(rows), strands):
            for m, texts in enumerate(rows[c]):
                for _ in range(pace.randrange(4)):
                    await asyncio.sleep(0)
                text = memoryview(b",\n".join(texts))
                last = complete and m == len(rows[c]) - 1
                assert await file.put(number, c, len(texts), [text], complete=last)
        await file.end(number)

    async def write() -> int:
        file = TableFile(path, strands=strands)
        await asyncio.gather(*(strand(file, number) for number in range(strands)))
        await file.finish()
        await file.close()
        return file.rows

    count = asyncio.run(write())

    assert list(tables.rows(path)) == [row for chunk in rows for message in chunk for row in message]
    assert count == sum(len(message) for chunk in rows for message in chunk)


async def test_a_file_that_is_given_up_keeps_nobody_waiting_and_leaves_nothing(tmp_path: Path) -> None:
    """Neither who waits for their turn nor who comes later."""
    file = TableFile(tmp_path / "t.json", strands=2)
    waiting = asyncio.create_task(file.put(1, 1, 1, [memoryview(b"{}")], complete=True))
    await asyncio.sleep(0)

    await file.give_up()

    assert await waiting is False
    assert await file.put(0, 0, 1, [memoryview(b"{}")], complete=True) is False
    await file.close()
    assert left_in(tmp_path) == []


async def test_a_disk_that_fails_in_the_thread_is_reported_to_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the next row at the latest, and nothing is there under the name."""
    file = TableFile(tmp_path / "t.json", strands=1)

    def full(data: bytes) -> None:
        raise UsageError("the disk is full", unchanged="nothing", do="make room")

    monkeypatch.setattr(file._writer, "write", full)
    with pytest.raises(UsageError, match="the disk is full"):
        await file.put(0, 0, 1, [memoryview(b"{}")], complete=True)
        await file.put(0, 1, 1, [memoryview(b"{}")], complete=True)
    await file.close()
    assert left_in(tmp_path) == []
