"""What is known of one table while it is exported, from its layout to its entry in metadata.json."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from bot.artifacts import metadata
from bot.errors import ServiceUnintelligible
from bot.supabase.catalog import Catalog, Column, Table
from bot.supabase.catalog.encoding import Encoding
from bot.supabase.export.rows.layout import Layout
from bot.supabase.export.rows.table_file import TableFile


class Broken(ServiceUnintelligible):
    """What the server sent is not the rows that it has."""

    def __init__(self, table: Table, why: str) -> None:
        super().__init__(
            f"{table.relation} could not be exported: {why}",
            unchanged="its file is not vouched for",
            do="say retry; if it stays, report it",
        )


@dataclass(frozen=True, kw_only=True)
class OnDisk:
    """A table's file that is whole and has its name; all of its entry in metadata.json but the row digest."""

    rows: int
    bytes: int
    sha256: str
    as_text: frozenset[str]
    duration_ms: int


@dataclass(kw_only=True)
class TableWork:
    """`as_text` are the columns that are exported in their text form; `doubts` those of which it is not known yet;
    `unseen` those in which no value was met so far. A look at a few blocks meets nearly all, so that the sums have to
    look for the rest alone.
    """

    table: Table
    layout: Layout
    as_text: set[str] = field(init=False)
    doubts: list[Column] = field(init=False)
    unseen: list[Column] = field(init=False)
    strands: int = 1
    strands_left: int = 0
    span_blocks: int = 1
    doubted: bool = False
    """A value was seen that makes one of `doubts` true: all that was written is void."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """`file` is open and `span_blocks` known."""
    file: TableFile | None = None
    began: float = field(default_factory=time.monotonic)
    on_disk: OnDisk | None = None
    summed_rows: int = 0
    digest: int = 0

    def __post_init__(self) -> None:
        self.as_text = {column.name for column in self.table.columns if column.encoding is Encoding.TEXT}
        self.doubts = [column for column in self.table.columns if not isinstance(column.encoding, Encoding)]
        self.unseen = list(self.table.columns)

    def settle(self, found: Collection[bool]) -> None:
        """For each of the doubts whether it is true; none is left."""
        self.as_text |= {column.name for column, there in zip(self.doubts, found, strict=True) if there}
        self.doubts = []

    def saw(self, columns: Collection[Column], filled: Collection[bool]) -> None:
        """Whether a value was met in each of these columns."""
        met = {column.name for column, there in zip(columns, filled, strict=True) if there}
        self.unseen = [column for column in self.unseen if column.name not in met]

    def keep(self, done: OnDisk) -> None:
        """The file is there already."""
        self.on_disk, self.as_text, self.doubts = done, set(done.as_text), []

    def put_on_disk(self, *, rows: int, bytes_: int, sha256: str) -> None:
        self.on_disk = OnDisk(
            rows=rows,
            bytes=bytes_,
            sha256=sha256,
            as_text=frozenset(self.as_text),
            duration_ms=round((time.monotonic() - self.began) * 1000),
        )

    def add_sum(self, rows: int, digest: int) -> None:
        self.summed_rows += rows
        self.digest += digest

    def described(self, catalog: Catalog) -> metadata.Table:
        """Its entry in metadata.json. Raises Broken when as many rows were not written as were summed."""
        table, done = self.table, self.on_disk
        assert done is not None
        if done.rows != self.summed_rows:
            raise Broken(table, f"{done.rows} rows came where {self.summed_rows} were counted in the same snapshot")
        return metadata.Table(
            row_count=done.rows,
            duration_ms=done.duration_ms,
            schema_name=table.schema,
            table=table.name,
            file=table.file,
            bytes=done.bytes,
            sha256=done.sha256,
            row_digest=str(self.digest),
            columns=tuple(
                _column(column, done.as_text, non_null=column not in self.unseen) for column in table.columns
            ),
            primary_key=table.primary_key,
            foreign_keys=table.foreign_keys,
            inherits=table.inherits,
            depends_on=catalog.depends_on[table.key],
            user_references=catalog.user_references.get(table.key, ()),
            checks=table.checks,
        )


def _column(column: Column, as_text: Collection[str], *, non_null: bool) -> metadata.Column:
    return metadata.Column(
        name=column.name,
        type=column.type,
        nullable=column.nullable,
        default=column.default,
        generated=column.generated,
        identity=column.identity,
        enum_labels=column.enum_labels,
        encoding="text" if column.name in as_text else "json",
        base_type=column.base_type,
        fields=column.fields,
        non_null=non_null,
    )
