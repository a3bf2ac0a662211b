"""What has come of one table so far, up to its entry in metadata.json; and who follows it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from bot.artifacts import metadata
from bot.supabase.catalog import Catalog, Column, Table
from bot.supabase.export.rows.explained import Broken


@dataclass(frozen=True, kw_only=True)
class OnDisk:
    """A table's file that is whole and has its name. `row_digest` is the sum of what the server said of the rows that
    are in it.
    """

    rows: int
    bytes: int
    sha256: str
    row_digest: int
    as_text: frozenset[str]
    duration_ms: int


class Observer(Protocol):
    """Whoever follows how the work goes on."""

    def wrote(self, table: Table, rows: int, bytes_: int) -> None:
        """So many more; negative when what was written is void. Raises CutoverError to stop the work."""

    def finished(self, table: Table, done: OnDisk) -> None:
        """The table's file is whole and has its name."""

    def counted(self, table: Table, rows: int) -> None:
        """So many more rows were counted behind the writing."""


@dataclass(kw_only=True)
class TableRecord:
    """`unseen` are columns in which no value was met so far. A look at a few blocks meets nearly all, so that the count
    has to look for the rest alone.
    """

    table: Table
    on_disk: OnDisk | None = None
    counted: int = 0
    unseen: list[Column] = field(init=False)

    def __post_init__(self) -> None:
        self.unseen = list(self.table.columns)

    def saw(self, columns: Collection[Column], filled: Collection[bool]) -> None:
        """Whether a value was met in each of these columns."""
        met = {column.name for column, there in zip(columns, filled, strict=True) if there}
        self.unseen = [column for column in self.unseen if column.name not in met]

    def described(self, catalog: Catalog) -> metadata.Table:
        """Its entry in metadata.json. Raises Broken when as many rows were not written as were counted."""
        table, done = self.table, self.on_disk
        assert done is not None
        if done.rows != self.counted:
            raise Broken(table, f"{done.rows} rows came where {self.counted} were counted in the same snapshot")
        unseen = {column.name for column in self.unseen}
        return metadata.Table(
            row_count=done.rows,
            duration_ms=done.duration_ms,
            schema_name=table.schema,
            table=table.name,
            file=table.file,
            bytes=done.bytes,
            sha256=done.sha256,
            row_digest=str(done.row_digest),
            columns=tuple(
                _column(column, done.as_text, non_null=column.name not in unseen) for column in table.columns
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
