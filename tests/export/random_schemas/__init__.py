"""A customer's database made up by chance: DDL and rows, and a description of what is in it. Pure.

    made = make(17)
    for statement in made.statements: ...       # as the owner of a database that has Supabase's own schemas
    for parent, child in made.pending: ...      # a DETACH PARTITION … CONCURRENTLY to be cut off in its middle

The same seed makes the same database, on any machine; `holds` names what kinds of things are in it. Foreign keys are
made after the rows, so that they may lead in circles.

names           that programs stumble over
types           built of types, and texts of their values
world           the statements so far, columns and rows
tables          of their own, and trees of them
partitions      trees in every state
sequences       of every ownership
obstacles       what keeps rows from being loaded as they were
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.export.random_schemas.names import quoted
from tests.export.random_schemas.obstacles import obstacles
from tests.export.random_schemas.partitions import partitions
from tests.export.random_schemas.sequences import move, sequence
from tests.export.random_schemas.tables import PEOPLE, bare, inheritance, plain, typed
from tests.export.random_schemas.world import ID, World

__all__ = ["PEOPLE", "Made", "make"]


@dataclass(frozen=True, kw_only=True)
class Made:
    """`pending` are partitions to be left in the middle of being detached, as (parent, child), quoted; `obstructed` is
    what rows cannot be put into without more ado.
    """

    seed: int
    statements: tuple[str, ...]
    pending: tuple[tuple[str, str], ...]
    holds: frozenset[str]
    obstructed: bool = False


def make(seed: int, *, version: int = 18, extensions: tuple[str, ...] = ()) -> Made:
    """`extensions` are those of `types.EXTENSIONS` that the server has, in a schema `extensions`."""
    world = World(seed, version, extensions)
    kinds = (plain, plain, plain, inheritance, partitions, partitions, typed, bare, sequence, sequence)
    for _ in range(world.chance.randint(5, 9)):
        world.chance.choice(kinds)(world)
    for kind in (plain, partitions, sequence):
        kind(world)
    _foreign_keys(world)
    _views(world)
    for name in world.sequences:
        move(world, name)
    obstructed = world.has(0.35, "obstacles")
    if obstructed:
        obstacles(world)
    return Made(
        seed=seed,
        statements=(*world.statements, *world.late),
        pending=tuple(world.pending),
        holds=frozenset(world.holds | world.types.holds),
        obstructed=obstructed,
    )


def _foreign_keys(world: World) -> None:
    """From any table to any that has a key: in circles, if there may be any, else to those made before it."""
    for place, table in enumerate(world.tables):
        others = world.tables if world.circles else world.tables[: place + 1]
        # The server makes no key between a partitioned table and a partition of its own.
        in_tree = table.partitioned or table.spare
        targets = [o for o in others if o.referable and (o is table or not in_tree or o.space != table.space)]
        if not targets or not world.has(0.5, "foreign key"):
            continue
        target = world.chance.choice(targets)
        if target is table:
            world.holds.add("foreign key to itself")
        if target.spare:
            world.holds.add("foreign key to a partition")
        if table.spare:
            world.holds.add("foreign key of a partition")
        name = quoted(table.spare or world.names.fresh(table.space))
        if not table.spare:
            world.late.append(f"ALTER TABLE {table.sql} ADD COLUMN {name} {ID}")
        reach = world.chance.choice([-3, 0, 5, 10**9])
        id_there, id_here = f"there.{quoted(target.id)}", f"here.{quoted(table.id)}"
        world.late.append(
            f"UPDATE {table.rows} AS here SET {name} ="
            f" (SELECT max({id_there}) FROM {target.rows} AS there WHERE {id_there} <= {id_here} + {reach})"
        )
        deferred = " DEFERRABLE INITIALLY DEFERRED" if world.has(0.2, "deferred key") else ""
        world.late.append(
            f"ALTER TABLE {table.sql} ADD FOREIGN KEY ({name}) REFERENCES {target.sql} ({quoted(target.id)}){deferred}"
        )


def _views(world: World) -> None:
    shown = world.chance.choice(world.tables).sql
    if world.has(0.3, "view"):
        _, name = world.new()
        world.late.append(f"CREATE VIEW {name} AS SELECT * FROM {shown}")
    if world.has(0.3, "materialized view"):
        _, name = world.new()
        world.late.append(f"CREATE MATERIALIZED VIEW {name} AS SELECT 1 AS one FROM {shown}")
