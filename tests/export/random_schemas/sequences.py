"""Sequences of every ownership, and where they are at the end. Pure."""

from __future__ import annotations

from tests.export.random_schemas.names import literal, quoted
from tests.export.random_schemas.world import Column, World

_OPTIONS = {
    "": range(1, 50),
    "AS smallint": range(1, 50),
    "INCREMENT 7": range(1, 50),
    "START 1000": range(900, 1100),
    "MINVALUE -5 START 0": range(-5, 5),
    "MINVALUE 0 MAXVALUE 90 CYCLE": range(91),
    "CACHE 20": range(1, 50),
}
_DESCENDING = {
    "INCREMENT -1": range(-50, 0),
    "INCREMENT -3 MINVALUE -9000 MAXVALUE 50 START 7": range(-50, 51),
}


def sequence(world: World) -> None:
    """One that nothing owns, or that a column does; now and then in a schema without tables."""
    if world.has(0.2, "sequence in a schema without tables"):
        schema = world.new_schema()
        world.statements.append(f"CREATE SCHEMA {quoted(schema)}")
    else:
        schema = world.chance.choice(world.schemas)
    name = declared(world, schema)
    owners = [table for table in world.tables if table.schema == schema]
    if owners and world.has(0.6, "sequence that a column owns"):
        owner = world.chance.choice(owners)
        if owner.spare:
            world.holds.add("sequence that a partition owns")
        own(
            world, name, owner.sql, owner.id if world.chance.random() < 0.5 else world.chance.choice(owner.columns).name
        )
    else:
        world.holds.add("sequence that nothing owns")


def declared(world: World, schema: str) -> str:
    """The name of a new one."""
    _, name = world.new(schema)
    world.statements.append(f"CREATE SEQUENCE {name} {_options(world, name)}")
    return name


def own(world: World, name: str, table: str, column: str) -> None:
    owner = f"{table}.{quoted(column)}"
    if owner in world.owned:
        world.holds.add("two sequences of one column")
    world.owned.append(owner)
    world.statements.append(f"ALTER SEQUENCE {name} OWNED BY {owner}")


def identity(world: World, schema: str, space: str) -> Column:
    _, name = world.new(schema)
    kind = world.chance.choice(["ALWAYS", "BY DEFAULT"])
    world.holds.add(f"identity {kind.lower()}")
    return world.column(
        space,
        f"bigint GENERATED {kind} AS IDENTITY (SEQUENCE NAME {name} {_options(world, name, column=True)})",
        lambda: world.chance.choice([None, None, str(world.chance.randint(1, 10**9))]),
    )


def _options(world: World, name: str, *, column: bool = False) -> str:
    """An identity column has said already of what type it is."""
    of = _DESCENDING if world.has(0.25, "descending sequence") else _OPTIONS
    options = world.chance.choice([o for o in of if not (column and o.startswith("AS "))])
    world.sequences[name] = of[options]
    return options


def move(world: World, name: str) -> None:
    """Where it is at the end."""
    which = f"{literal(name)}::regclass"
    to = world.chance.choice(world.sequences[name])
    moves = {
        "sequence left as it was": [],
        "sequence used": [f"SELECT nextval({which}) FROM generate_series(1, {world.chance.randint(1, 9)})"],
        "sequence set": [f"SELECT setval({which}, {to})"],
        "sequence set, not called": [f"SELECT setval({which}, {to}, false)"],
        "sequence restarted": [f"ALTER SEQUENCE {name} RESTART WITH {to}"],
        "sequence at its end": [
            f"SELECT setval({which}, CASE WHEN seqincrement > 0 THEN seqmax ELSE seqmin END)"
            f" FROM pg_sequence WHERE seqrelid = {which}"
        ],
    }
    kind = world.chance.choice(list(moves))
    world.holds.add(kind)
    world.late += moves[kind]
