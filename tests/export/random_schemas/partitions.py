"""Trees of partitions: by list, range and hash, of several levels, each made with its tree or attached to it, and then
left, detached, or to be left in the middle of being detached. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.export.random_schemas.names import WORDS, literal, quoted
from tests.export.random_schemas.sequences import declared, identity, own
from tests.export.random_schemas.world import ID, Column, Table, World, declare

_MILLION = 10**6


@dataclass(kw_only=True)
class _Node:
    """`fixed` are the values that a row has to have to belong here, where that can be said."""

    sql: str
    schema: str
    fixed: dict[str, str] = field(default_factory=dict)
    targeted: bool = True
    """Whether a row can be put right here: not under a hash."""
    alike: bool = False
    """Whether it and its partitions have their columns in one order."""


@dataclass(kw_only=True)
class _Bound:
    """`sql` after PARTITION OF or ATTACH PARTITION; `fixed` as in `_Node`."""

    sql: str
    fixed: dict[str, str]
    targeted: bool = True


def partitions(world: World) -> None:
    _Tree(world).make()


class _Tree:
    def __init__(self, world: World) -> None:
        self.world = world
        self.chance = world.chance
        self.schema, self.name = world.new()
        self.id = world.id_column(self.name)
        self.number = world.column(self.name, "integer", lambda: str(self.chance.randint(-99, 99)))
        self.word = world.column(self.name, "text", lambda: literal(self.chance.choice(WORDS)))
        self.spare = world.column(self.name, ID)
        self.columns = [self.id, self.number, self.word, self.spare, *world.typed_columns(self.name, 3)]
        self.keyed = world.has(0.35, "primary key of a partitioned table")
        self.numbered = world.version >= 17 and world.has(0.15, "identity column of a partitioned table")
        if self.numbered:
            self.columns.append(identity(world, self.schema, self.name))
        self.leaves: list[_Node] = []
        self.states: list[tuple[str, str]] = []
        """What is done when the rows are there."""
        self.pending = False
        """Of one partition only: pg_dump cannot write two, one in the other, so that they can be made again."""

    def make(self) -> None:
        root = _Node(sql=self.name, schema=self.schema)
        how, bounds = self._division(root)
        self.chance.shuffle(self.columns)
        self.world.statements.append(f"CREATE TABLE {self.name} ({declare(self.columns)}) PARTITION BY {how}")
        if self.keyed:
            self.world.statements.append(f"ALTER TABLE {self.name} ADD PRIMARY KEY ({quoted(self.id.name)})")
        if self.world.has(0.08, "partitioned table without partitions"):
            return
        self._divide(root, bounds, 0)
        for leaf in self.leaves:
            for _ in range(self.chance.randint(0, 4)):
                into = self.name if self.chance.random() < 0.6 else leaf.sql
                self._insert(into if leaf.targeted else self.name, leaf)
        self.world.statements += [f"ALTER TABLE {parent} DETACH PARTITION {child}" for parent, child in self.states]
        self._own_things()

    def _insert(self, into: str, leaf: _Node) -> None:
        fixed = dict(leaf.fixed)
        if millions := fixed.get(self.id.name):
            fixed[self.id.name] = str(int(millions) + self.world.fresh_id())
        self.world.insert(into, self.columns, fixed)

    def _own_things(self) -> None:
        """The whole tree, and its leaves by themselves, may have keys, defaults and sequences."""
        world = self.world
        of_tree = Table(
            sql=self.name, schema=self.schema, space=self.name, columns=self.columns, id=self.id.name, partitioned=True
        )
        of_tree.referable = self.keyed and not self.pending
        world.tables.append(of_tree)
        for leaf in self.leaves:
            table = Table(sql=leaf.sql, schema=leaf.schema, space=self.name, columns=self.columns, id=self.id.name)
            table.spare = self.spare.name
            if self.keyed:
                table.referable = not self.pending
            elif world.has(0.2, "primary key of one partition"):
                table.referable = not self.pending
                world.statements.append(f"ALTER TABLE {leaf.sql} ADD PRIMARY KEY ({quoted(self.id.name)})")
            if world.has(0.2, "index of one partition"):
                world.statements.append(f"CREATE INDEX ON {leaf.sql} (({quoted(self.id.name)} % 10))")
            if world.sequences and world.has(0.2, "default of one partition"):
                sequence = self.chance.choice(list(world.sequences))
                world.statements.append(
                    f"ALTER TABLE {leaf.sql} ALTER COLUMN {quoted(self.spare.name)}"
                    f" SET DEFAULT nextval({literal(sequence)}::regclass)"
                )
            world.tables.append(table)

    # -- how a table is divided ---------------------------------------------------------------------------------------

    def _division(self, node: _Node) -> tuple[str, list[_Bound]]:
        """What follows PARTITION BY, and the bounds of the parts. By each column once; and only by a hash once that has
        decided, since no row can be made to fit what is divided otherwise.
        """
        ways = (
            {self.id.name: self._by_id}
            if self.keyed
            else {self.word.name: self._by_list, self.number.name: self._by_number}
        )
        left = [way for column, way in ways.items() if column not in node.fixed] if node.targeted else []
        return self.chance.choice([self._by_hash, *left])()

    def _by_hash(self) -> tuple[str, list[_Bound]]:
        self.world.holds.add("partitions by hash")
        parts = self.chance.randint(1, 3)
        bounds = [f"FOR VALUES WITH (MODULUS {parts}, REMAINDER {n})" for n in range(parts)]
        return f"HASH ({quoted(self.id.name)})", [_Bound(sql=sql, fixed={}, targeted=False) for sql in bounds]

    def _by_id(self) -> tuple[str, list[_Bound]]:
        self.world.holds.add("partitions by range")
        places = range(1, self.chance.randint(2, 4))
        return f"RANGE ({quoted(self.id.name)})", [
            _Bound(
                sql=f"FOR VALUES FROM ({n * _MILLION}) TO ({(n + 1) * _MILLION})",
                fixed={self.id.name: str(n * _MILLION)},
            )
            for n in places
        ]

    def _by_list(self) -> tuple[str, list[_Bound]]:
        self.world.holds.add("partitions by list")
        words = [*map(literal, self.chance.sample(WORDS, self.chance.randint(1, 4))), "NULL"]
        bounds = [_Bound(sql=f"FOR VALUES IN ({word})", fixed={self.word.name: word}) for word in words]
        if self.world.has(0.4, "default partition"):
            bounds.append(_Bound(sql="DEFAULT", fixed={self.word.name: "'any other'"}))
        return f"LIST ({quoted(self.word.name)})", bounds

    def _by_number(self) -> tuple[str, list[_Bound]]:
        self.world.holds.add("partitions by range")
        bounds = [
            _Bound(sql="FOR VALUES FROM (MINVALUE) TO (0)", fixed={self.number.name: "-5"}),
            _Bound(sql="FOR VALUES FROM (0) TO (10)", fixed={self.number.name: "0"}),
            _Bound(sql="FOR VALUES FROM (10) TO (20)", fixed={self.number.name: "19"}),
        ][: self.chance.randint(1, 3)]
        if self.world.has(0.4, "default partition"):
            bounds.append(_Bound(sql="DEFAULT", fixed={self.number.name: self.chance.choice(["NULL", "20"])}))
        return f"RANGE ({quoted(self.number.name)})", bounds

    def _divide(self, parent: _Node, bounds: list[_Bound], depth: int) -> None:
        has_default = any(bound.sql == "DEFAULT" for bound in bounds)
        for bound in bounds:
            schema, name = self.world.new()
            child = _Node(
                sql=name,
                schema=schema,
                fixed=parent.fixed | bound.fixed,
                targeted=parent.targeted and bound.targeted,
            )
            below = self._division(child) if depth < 2 and self.world.has(0.25, "partitions of partitions") else None
            state = self._state(bound.sql, has_default=has_default, divided=bool(depth or below))
            # The server gives the partitions of what is left pending a CHECK of the wrong column where theirs are in
            # another order.
            child.alike = parent.alike or (state == "pending" and below is not None)
            self._part(parent, child, bound.sql, below[0] if below else "")
            if state == "detached":
                self.states.append((parent.sql, child.sql))
            elif state == "pending":
                self.world.pending.append((parent.sql, child.sql))
            if schema != parent.schema:
                self.world.holds.add("partition in another schema")
            if below:
                self._divide(child, below[1], depth + 1)
            else:
                self.leaves.append(child)

    def _state(self, bound: str, *, has_default: bool, divided: bool) -> str:
        """At the end. The server itself fails to detach what has an identity column and partitions of its own."""
        if bound == "DEFAULT" or (self.numbered and divided):
            return "attached"
        if self.world.has(0.15, "detached partition"):
            return "detached"
        if has_default or self.pending or self.world.circles or not self.world.has(0.12, "detach pending"):
            return "attached"
        self.pending = True
        return "pending"

    def _part(self, parent: _Node, child: _Node, bound: str, below: str) -> None:
        """Makes it, with the tree or before it is attached."""
        world = self.world
        by = f" PARTITION BY {below}" if below else ""
        if self.numbered or child.alike or not world.has(0.4, "attached partition"):
            world.statements.append(f"CREATE TABLE {child.sql} PARTITION OF {parent.sql} {bound}{by}")
            return
        columns: list[Column] = [*self.columns]
        gone = world.column(self.name, "text") if world.has(0.3, "partition with a column that is gone") else None
        if gone:
            columns.append(gone)
        self.chance.shuffle(columns)
        world.statements.append(f"CREATE TABLE {child.sql} ({declare(columns)}){by}")
        if gone:
            world.statements.append(f"ALTER TABLE {child.sql} DROP COLUMN {quoted(gone.name)}")
        if world.has(0.3, "sequence of a table that became a partition"):
            own(world, declared(world, child.schema), child.sql, self.id.name)
        if not below and child.targeted and world.has(0.5, "rows before it was attached"):
            self._insert(child.sql, child)
        world.statements.append(f"ALTER TABLE {parent.sql} ATTACH PARTITION {child.sql} {bound}")
