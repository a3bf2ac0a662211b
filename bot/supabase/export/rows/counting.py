"""The rows counted once more, behind the writing and divided otherwise: in runs of blocks instead of spans.

So rows missed or taken twice in dividing the one would be missing in the other. Nothing is turned into text for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from bot.errors import ServiceRefused
from bot.supabase.export.rows import statements
from bot.supabase.export.rows.explained import explained, named
from bot.supabase.export.rows.layout import Part
from bot.supabase.export.rows.record import Observer, TableRecord
from bot.supabase.export.rows.table_plan import TablePlan
from bot.supabase.reading import Reading

_Item = TypeVar("_Item")

_A_STATEMENT = 100


class Piece(NamedTuple):
    """What is counted at once: a part of a table, or a run of its blocks."""

    record: TableRecord
    part: Part
    blocks: tuple[int, int] | None


def pieces(plan: TablePlan, record: TableRecord) -> Iterator[list[Piece]]:
    """Of a big table, for each worker that can count at it."""
    for number in range(plan.strands):
        if run := [Piece(record, part, blocks) for part, blocks in plan.layout.slices(number, plan.strands)]:
            yield run


async def count(wanted: Sequence[Piece], observer: Observer, source: Reading) -> None:
    """Raises CutoverError."""
    for batch in batches(wanted):
        await _count(batch, observer, source)


async def _count(batch: Sequence[Piece], observer: Observer, source: Reading) -> None:
    unseen = [tuple(piece.record.unseen) for piece in batch]
    selects = (
        statements.count(piece.part, place, unseen[place], blocks=piece.blocks) for place, piece in enumerate(batch)
    )
    tables = [piece.record.table for piece in batch]
    try:
        with explained(*dict.fromkeys(tables)):
            found = await source.ask(statements.one_after_the_other(*selects), of=named(tables))
    except ServiceRefused:
        if len(batch) == 1:
            raise
        for piece in batch:
            await _count([piece], observer, source)
        return
    for place, rows, filled in found:
        record = batch[place].record
        record.saw(unseen[place], filled)
        record.counted += rows
        observer.counted(record.table, rows)


def batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """As many as go into one statement."""
    rest = iter(items)
    while batch := list(islice(rest, _A_STATEMENT)):
        yield batch
