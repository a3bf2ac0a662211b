"""Tables of their own, of a composite, without columns, and trees of tables that inherit from each other. Pure."""

from __future__ import annotations

from tests.export.random_schemas.names import literal, quoted
from tests.export.random_schemas.sequences import identity
from tests.export.random_schemas.world import Table, World, declare

PEOPLE = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
"""The ids of the users who have to be in auth.users."""


def plain(world: World) -> None:
    schema, name = world.new()
    number = world.id_column(name)
    columns = [number, *world.typed_columns(name, 6)]
    if world.has(0.3, "reference to a user"):
        people = [*map(literal, PEOPLE), "NULL"]
        columns.append(world.column(name, "uuid REFERENCES auth.users (id)", lambda: world.chance.choice(people)))
    if world.sequences and world.has(0.4, "sequence shared by defaults"):
        columns.append(world.counted(name))
    if world.has(0.3, "generated column"):
        kind = "VIRTUAL" if world.version >= 18 and world.has(0.5, "virtual column") else "STORED"
        doubled = f"numeric GENERATED ALWAYS AS ({quoted(number.name)}::numeric * 2) {kind}"
        columns.append(world.column(name, doubled))
    if world.has(0.3, "identity column"):
        columns.append(identity(world, schema, name))
    gone = world.column(name, "text", lambda: "'gone'") if world.has(0.3, "column that is gone") else None
    if gone:
        columns.append(gone)
    world.chance.shuffle(columns)
    unlogged = "UNLOGGED " if world.has(0.1, "unlogged table") else ""
    world.statements.append(f"CREATE {unlogged}TABLE {name} ({declare(columns)})")
    # A logged table may have no key to an unlogged one.
    referable = world.has(0.7, "primary key") and not unlogged
    table = Table(sql=name, schema=schema, space=name, columns=columns, id=number.name, referable=referable)
    if referable:
        world.statements.append(f"ALTER TABLE {name} ADD PRIMARY KEY ({quoted(table.id)})")
    if world.has(0.15, "row security"):
        world.statements.append(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    world.fill(table)
    if gone:
        world.statements.append(f"ALTER TABLE {name} DROP COLUMN {quoted(gone.name)}")
        columns.remove(gone)
    world.tables.append(table)


def typed(world: World) -> None:
    of, fields = world.types.composite()
    schema, name = world.new()
    world.holds.add("table of a composite")
    columns = [world.typed_column(type_, field, default=0) for field, type_ in fields]
    world.statements.append(f"CREATE TABLE {name} OF {of.sql}")
    world.fill(Table(sql=name, schema=schema, space=name, columns=columns))


def bare(world: World) -> None:
    schema, name = world.new()
    world.holds.add("table without columns")
    world.statements.append(f"CREATE TABLE {name} ()")
    world.fill(Table(sql=name, schema=schema, space=name, columns=[]), 3)


def inheritance(world: World) -> None:
    """A tree of tables, each with rows of its own; a child may have two parents."""
    schema, name = world.new()
    number = world.id_column(name)
    columns = [number, *world.typed_columns(name, 3)]
    if world.sequences and world.has(0.3, "default that is inherited"):
        columns.append(world.counted(name))
    root = Table(sql=name, schema=schema, space=name, columns=columns, id=number.name)
    world.holds.add("inheritance")
    world.statements.append(f"CREATE TABLE {name} ({declare(columns)})")
    family = [root]
    for _ in range(world.chance.randint(1, 4)):
        parents = [world.chance.choice(family)]
        other = world.chance.choice(family)
        if other is not parents[0] and world.has(0.4, "child of two parents"):
            parents.append(other)
        family.append(_child(world, parents))
    for table in family:
        world.fill(table, 5)
        if world.has(0.3, "primary key of one table of a tree"):
            table.referable = True
            world.statements.append(f"ALTER TABLE {table.sql} ADD PRIMARY KEY ({quoted(table.id)})")
    world.tables += family


def _child(world: World, parents: list[Table]) -> Table:
    schema, name = world.new()
    space = parents[0].space
    if schema != parents[0].schema:
        world.holds.add("child in another schema")
    inherited = list({column.name: column for parent in parents for column in parent.columns}.values())
    own = world.typed_columns(space, 2)
    columns = [*inherited, *own]
    if world.has(0.4, "child made before it was one"):
        world.chance.shuffle(columns)
        world.statements.append(f"CREATE TABLE {name} ({declare(columns)})")
        world.statements += [f"ALTER TABLE {name} INHERIT {parent.sql}" for parent in parents]
    else:
        above = ", ".join(parent.sql for parent in parents)
        world.statements.append(f"CREATE TABLE {name} ({declare(own)}) INHERITS ({above})")
    if world.has(0.15, "child that is none any more"):
        world.statements += [f"ALTER TABLE {name} NO INHERIT {parent.sql}" for parent in parents]
    return Table(sql=name, schema=schema, space=space, columns=columns, id=parents[0].id)
