"""How one table is exported: a value, made before its first row is read. What comes of it is in `record`."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from bot.supabase.catalog import Column, Table
from bot.supabase.catalog.encoding import Encoding
from bot.supabase.export.rows.layout import Layout


@dataclass(frozen=True, kw_only=True)
class TablePlan:
    """`as_text` are the columns that are exported in their text form; `doubts` those of which only their values can
    tell; `strands` is into how many the reading is divided.
    """

    table: Table
    layout: Layout
    strands: int
    as_text: frozenset[str]
    doubts: tuple[Column, ...]

    @classmethod
    def of(cls, table: Table, layout: Layout, *, workers: int) -> Self:
        return cls(
            table=table,
            layout=layout,
            strands=layout.strands(workers),
            as_text=frozenset(column.name for column in table.columns if column.encoding is Encoding.TEXT),
            doubts=tuple(column for column in table.columns if not isinstance(column.encoding, Encoding)),
        )

    def settled(self, found: Collection[bool]) -> Self:
        """The plan once it is known of each of the doubts whether it is true; none is left."""
        there = {column.name for column, is_there in zip(self.doubts, found, strict=True) if is_there}
        return dataclasses.replace(self, as_text=self.as_text | there, doubts=())
