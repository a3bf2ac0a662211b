"""What one made-up database is put together from: chance, names and types, and the statements so far. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.export.random_schemas.names import LIKE_THE_PLATFORMS, Names, literal, quoted
from tests.export.random_schemas.types import Type, Types, base_types

ID = "bigint"
SUPABASES = ("auth", "extensions", "realtime", "storage", "supabase_migrations", "vault")
"""The schemas that are there before."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """`declared` is what follows its name; `value` gives SQL, or None where the row is to get its default."""

    name: str
    declared: str
    value: Callable[[], str | None]


@dataclass(kw_only=True)
class Table:
    """`sql` is its whole name. Columns of tables that inherit from each other have names from one `space`. A partition
    has a `spare` column for a foreign key of its own; `referable` says whether one may lead to its `id`.
    """

    sql: str
    schema: str
    space: str
    columns: list[Column]
    id: str = ""
    spare: str = ""
    partitioned: bool = False
    referable: bool = False

    @property
    def rows(self) -> str:
        """It, without those that inherit from it; a partitioned one has its rows in its partitions."""
        return self.sql if self.partitioned else f"ONLY {self.sql}"


class World:
    """`late` are statements for when all rows are there; `holds` are the kinds of things in it."""

    def __init__(self, seed: int, version: int, extensions: tuple[str, ...]) -> None:
        self.version = version
        self.chance = random.Random(f"schema {seed}")
        self.names = Names(self.chance, self.chance.choice([0.2, 0.6, 0.95]))
        self.circles = self.chance.random() < 0.4
        """Whether foreign keys may lead in circles."""
        self.holds: set[str] = set()
        self.schemas = ["public", *(self.new_schema() for _ in range(self.chance.randint(1, 3)))]
        self.statements = [f"CREATE SCHEMA {quoted(schema)}" for schema in self.schemas[1:]]
        bases = base_types(version, extensions)
        self.types = Types(self.chance, self.names, self.schemas, bases, self.statements)
        self.late: list[str] = []
        self.tables: list[Table] = []
        self.sequences: dict[str, range] = {}
        """By whole name, some values that it may be set to."""
        self.owned: list[str] = []
        """The columns that own a sequence."""
        self.pending: list[tuple[str, str]] = []
        self._last_id = 0

    def has(self, share: float, *kinds: str) -> bool:
        """By chance; if so, the database holds these kinds."""
        if self.chance.random() >= share:
            return False
        self.holds |= set(kinds)
        return True

    def new_schema(self) -> str:
        taken = ["public", *SUPABASES]
        if self.has(0.1, "schema called like the platform's"):
            return self.names.fresh("", of=LIKE_THE_PLATFORMS, beside=taken)
        return self.names.fresh("", beside=taken)

    def new(self, schema: str | None = None) -> tuple[str, str]:
        """A schema, and the whole name of something new in it."""
        schema = schema or self.chance.choice(self.schemas)
        return schema, quoted(schema, self.names.fresh(schema))

    def fresh_id(self) -> int:
        self._last_id += 1
        return self._last_id

    # -- columns ------------------------------------------------------------------------------------------------------

    def id_column(self, space: str) -> Column:
        return Column(name=self.names.fresh(space), declared=f"{ID} NOT NULL", value=lambda: str(self.fresh_id()))

    def column(self, space: str, declared: str, value: Callable[[], str | None] = lambda: None) -> Column:
        return Column(name=self.names.fresh(space), declared=declared, value=value)

    def typed_columns(self, space: str, most: int) -> list[Column]:
        return [
            self.typed_column(self.types.pick(), self.names.fresh(space)) for _ in range(self.chance.randint(0, most))
        ]

    def typed_column(self, of: Type, name: str, *, default: float = 0.1) -> Column:
        declared = of.sql
        if self.has(default, "column with a default"):
            declared += f" DEFAULT {of.literal(self.chance)}"
        return Column(name=name, declared=declared, value=lambda: of.literal(self.chance))

    def counted(self, space: str) -> Column:
        """Numbered by a sequence that others may number by too."""
        sequence = self.chance.choice(list(self.sequences))
        return self.column(space, f"bigint DEFAULT nextval({literal(sequence)}::regclass)")

    # -- rows ---------------------------------------------------------------------------------------------------------

    def insert(self, into: str, columns: Iterable[Column], fixed: dict[str, str] | None = None) -> None:
        """One row; `fixed` are the values of some columns, by name."""
        values = {column.name: (fixed or {}).get(column.name) or column.value() for column in columns}
        given = {name: value for name, value in values.items() if value is not None}
        if not given:
            self.statements.append(f"INSERT INTO {into} DEFAULT VALUES")
            return
        names = ", ".join(map(quoted, given))
        self.statements.append(
            f"INSERT INTO {into} ({names}) OVERRIDING SYSTEM VALUE VALUES ({', '.join(given.values())})"
        )

    def fill(self, table: Table, most: int = 8) -> None:
        for _ in range(self.chance.choice([0, 1, self.chance.randint(2, most)])):
            self.insert(table.sql, table.columns)


def declare(columns: Iterable[Column]) -> str:
    return ", ".join(f"{quoted(column.name)} {column.declared}" for column in columns)
