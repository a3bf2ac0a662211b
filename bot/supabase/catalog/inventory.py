"""The values of the catalog: what there is in the source that an export and an import need to know. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Literal

from psycopg import sql

from bot.artifacts import metadata
from bot.artifacts.metadata import Check, CompositeField, ForeignKey, LeftOut, UserReference
from bot.supabase.catalog import user_references
from bot.supabase.catalog.encoding import Doubt, Encoding
from bot.supabase.catalog.import_order import Order, import_order
from bot.supabase.catalog.sequences import Named, State


@dataclass(frozen=True, kw_only=True)
class Column:
    """As in metadata.json, but that `encoding` may still be a doubt, which the data have to resolve, and that only they
    tell whether it has a value anywhere.
    """

    name: str
    type: str
    nullable: bool
    default: str | None
    generated: bool
    identity: Literal["always", "by default"] | None
    enum_labels: tuple[str, ...] | None
    encoding: Encoding | Doubt
    base_type: str | None = None
    fields: tuple[CompositeField, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table to be exported. `storage` are the oids of the relations that hold its rows: its own, or those of its
    partitions. `inherits` are the tables (`schema.table`) that show its rows as theirs too. `rows` and `bytes` are the
    planner's estimates.
    """

    oid: int
    schema: str
    name: str
    file: str
    partitioned: bool
    storage: tuple[int, ...]
    rows: int
    bytes: int
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...]
    checks: tuple[Check, ...] = ()
    inherits: tuple[str, ...] = ()

    @property
    def relation(self) -> str:
        """`schema.table`, as people write it; not quoted."""
        return f"{self.schema}.{self.name}"

    @property
    def key(self) -> str:
        """Its name in metadata.json."""
        return PurePath(self.file).stem

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


@dataclass(frozen=True, kw_only=True)
class NumberSequence:
    """`owned_by` is `schema.table.column`, a partition's by its root. What it holds now is no matter of the catalog:
    see `bot.supabase.catalog.sequences`.
    """

    named: Named
    increment: int
    owned_by: str | None

    @property
    def relation(self) -> str:
        return self.named.relation


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """`tables` and `sequences` are sorted by schema and name. `grants` are the statements, to be run by whoever may,
    that would let our role read everything; empty when it can. `unreadable` are the tables (`schema.table`) that it
    may not read and that may be left out; `unaccounted` those that would be in no file or in two, though nothing leaves
    them out: see `taken`. `platform` are the schemas that are the platform's own.
    """

    tables: tuple[Table, ...]
    sequences: tuple[NumberSequence, ...]
    extensions: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    grants: tuple[str, ...]
    unreadable: tuple[str, ...] = ()
    unaccounted: tuple[str, ...] = ()
    platform: frozenset[str] = frozenset()

    @cached_property
    def depends_on(self) -> dict[str, tuple[str, ...]]:
        """By a table's key, the keys of the other exported tables that its foreign keys lead to, sorted."""
        key_of = {table.relation: table.key for table in self.tables}
        return {
            table.key: tuple(
                sorted({key_of[k.references] for k in table.foreign_keys if k.references in key_of} - {table.key})
            )
            for table in self.tables
        }

    @cached_property
    def order(self) -> Order:
        """Of the tables' keys."""
        return import_order(self.depends_on)

    @cached_property
    def user_references(self) -> dict[str, tuple[UserReference, ...]]:
        """By a table's key; tables without one are not in it."""
        found = user_references.user_references({table.relation: table.foreign_keys for table in self.tables})
        return {table.key: found[table.relation] for table in self.tables if table.relation in found}

    def sequence_records(self, states: Mapping[int, State]) -> dict[str, metadata.Sequence]:
        """As metadata.json has them; `states` by oid."""
        return {
            sequence.relation: metadata.Sequence(
                last_value=state.last_value,
                is_called=state.is_called,
                increment=sequence.increment,
                owned_by=sequence.owned_by,
                schema_name=sequence.named.schema,
                name=sequence.named.name,
            )
            for sequence in self.sequences
            for state in [states[sequence.named.oid]]
        }
