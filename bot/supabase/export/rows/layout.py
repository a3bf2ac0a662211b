"""Where a table's rows lie, and how the reading of it is divided.

A part is a relation with blocks of its own: the table, or each leaf of a partition tree. A span is so many blocks of a
part that their rows make about a megabyte of text. A strand is every n-th span of a table, from its first part to
its last: n workers with a strand each move through one table side by side, and the file is written in the order of the
spans whoever reads them. So neither the number of workers nor the size of a span changes a byte of the file.

A partition tree with a leaf that our role may not read by itself, or that is no table, is read through its parent, by
one worker; so is everything on a server before PostgreSQL 14, which cannot read a range of blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from psycopg.rows import dict_row

from bot.supabase.catalog import Table
from bot.supabase.database import Session, query, translated

_SMALL_BLOCKS = 16
_MOST_BLOCKS = 128
"""Of a span. Even if every block were compressed as hard as pglz can and then escaped, a span's text would stay below
the gigabyte that a text may have."""
_SPAN_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Part:
    """`blocks` are its own; `outside_bytes` is what lies outside them, in its TOAST table. `alone` is False for the
    parent of partitions, which is read with all of them.
    """

    schema: str
    name: str
    blocks: int
    outside_bytes: int
    alone: bool = True


class Spans(NamedTuple):
    """The spans of `blocks` blocks of a part that belong to one strand: the numbers `begin`, `begin + stride` … up to
    `last`, which is the part's last span. A chunk's number in the table is `offset` more.
    """

    blocks: int
    begin: int
    last: int
    stride: int
    offset: int


Slice = tuple[Part, tuple[int, int] | None]
"""A part and a run of its blocks, from the first to before the second; None is all of it."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """`parts` are in the order of the file. `ranges` is False when they can only be read as a whole."""

    parts: tuple[Part, ...]
    ranges: bool

    @property
    def blocks(self) -> int:
        return sum(part.blocks for part in self.parts)

    @property
    def small(self) -> bool:
        """So small that it is read in one piece, together with others."""
        return len(self.parts) == 1 and self.blocks <= _SMALL_BLOCKS and not self.parts[0].outside_bytes

    @property
    def stored_bytes(self) -> int:
        """In blocks of 8 kB, which is what servers have."""
        return sum(part.blocks * 8192 + part.outside_bytes for part in self.parts)

    def strands(self, workers: int) -> int:
        """Into how many strands the reading is divided for so many workers."""
        return max(1, min(workers, self.blocks // _MOST_BLOCKS)) if self.ranges else 1

    def strand(self, number: int, of: int, span_blocks: int) -> Iterator[tuple[Part, Spans]]:
        """What strand `number` (from 0) has to read, part by part."""
        offset = 0
        for part in self.parts:
            spans = max(1, -(-part.blocks // span_blocks))
            begin = (number - offset) % of
            if begin < spans:
                yield part, Spans(blocks=span_blocks, begin=begin, last=spans - 1, stride=of, offset=offset)
            offset += spans

    def slices(self, number: int, of: int) -> Iterator[Slice]:
        """What slice `number` of so many has of each part, for counting."""
        for part in self.parts:
            if not self.ranges or of == 1:
                yield part, None
                continue
            first, following = (part.blocks * n // of for n in (number, number + 1))
            if number == of - 1:
                following = _NO_BLOCK
            if first < following:
                yield part, (first, following)


_NO_BLOCK = 4294967295
"""InvalidBlockNumber of PostgreSQL: beyond any block."""


def span_blocks(page_bytes: int) -> int:
    """How many blocks a span has when a block's rows make `page_bytes` of text."""
    return max(1, min(_MOST_BLOCKS, _SPAN_BYTES // max(1, page_bytes)))


async def read_layouts(session: Session, tables: Sequence[Table], *, ranges: bool) -> Mapping[int, Layout]:
    """By the tables' oids. `session` has them locked; `ranges` is True on a server that can read a range of blocks."""
    with translated("the sizes of the tables could not be read"):
        async with session.cursor(row_factory=dict_row) as cursor:
            held = [(table.oid, part) for table in tables for part in table.storage]
            roots, parts = [root for root, _ in held], [part for _, part in held]
            await cursor.execute(query("layout"), {"tables": roots, "parts": parts})
            rows = await cursor.fetchall()
    found = {oid: list(leaves) for oid, leaves in groupby(rows, key=lambda row: row["table"])}
    return {table.oid: _layout(table, found.get(table.oid, []), ranges=ranges) for table in tables}


def _layout(table: Table, leaves: Sequence[Mapping[str, object]], *, ranges: bool) -> Layout:
    parts = tuple(
        Part(
            schema=str(leaf["schema"]),
            name=str(leaf["name"]),
            blocks=int(str(leaf["blocks"])),
            outside_bytes=int(str(leaf["outside_bytes"])),
        )
        for leaf in leaves
    )
    by_leaf = ranges and all(leaf["plain"] and leaf["readable"] for leaf in leaves)
    blocks, outside_bytes = (sum(getattr(part, name) for part in parts) for name in ("blocks", "outside_bytes"))
    if table.partitioned and not (by_leaf and (outside_bytes or blocks > _SMALL_BLOCKS)):
        parent = Part(
            schema=table.schema,
            name=table.name,
            blocks=blocks,
            outside_bytes=outside_bytes,
            alone=False,
        )
        return Layout(parts=(parent,), ranges=False)
    return Layout(parts=parts, ranges=ranges)
