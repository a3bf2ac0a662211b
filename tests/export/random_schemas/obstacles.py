"""What keeps rows from being loaded as they were, though it is all in the source: triggers, rules, policies, rules for
rows that hold for new ones only. Pure.
"""

from __future__ import annotations

from tests.export.random_schemas.names import quoted
from tests.export.random_schemas.world import ID, World

_TRIGGERS = {
    "trigger that passes a row over": ("BEFORE INSERT", "EACH ROW", "RETURN NULL;"),
    "trigger that refuses": ("AFTER INSERT", "EACH STATEMENT", "RAISE EXCEPTION 'refused by a trigger';"),
}


def obstacles(world: World) -> None:
    """Made when all rows are there."""
    for _ in range(world.chance.randint(1, 4)):
        table = world.chance.choice(world.tables)
        kind = world.chance.choice([_trigger, _trigger, _rule, _policy, _check, _key])
        kind(world, table.sql, table.id, in_tree=bool(table.partitioned or table.spare))


def _trigger(world: World, table: str, number: str, *, in_tree: bool) -> None:
    kind = world.chance.choice(list(_TRIGGERS))
    when, each, body = _TRIGGERS[kind]
    world.holds.add(kind)
    _, function = world.new()
    name = quoted(world.names.fresh(f"triggers of {table}", longest=30))
    world.late += [
        f"CREATE FUNCTION {function} () RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN {body} END $body$",
        f"CREATE TRIGGER {name} {when} ON {table} FOR {each} EXECUTE FUNCTION {function} ()",
    ]
    if state := world.chance.choice(["", "", "ENABLE ALWAYS", "ENABLE REPLICA", "DISABLE"]):
        world.holds.add("trigger in another state")
        world.late.append(f"ALTER TABLE {table} {state} TRIGGER {name}")


def _rule(world: World, table: str, number: str, *, in_tree: bool) -> None:
    world.holds.add("rule that does nothing instead")
    name = quoted(world.names.fresh(f"rules of {table}"))
    world.late.append(f"CREATE RULE {name} AS ON INSERT TO {table} DO INSTEAD NOTHING")


def _policy(world: World, table: str, number: str, *, in_tree: bool) -> None:
    world.holds.add("row security that holds for the owner")
    world.late += [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
    ]


def _check(world: World, table: str, number: str, *, in_tree: bool) -> None:
    world.holds.add("check that is not valid")
    name = quoted(world.names.fresh(f"checks of {table}", longest=30))
    world.late.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({quoted(number)} < 0) NOT VALID")


def _key(world: World, table: str, number: str, *, in_tree: bool) -> None:
    """To a row that is not there."""
    targets = [other for other in world.tables if other.referable and not (other.partitioned or other.spare)]
    if in_tree or not targets:
        return
    target = world.chance.choice(targets)
    world.holds.add("foreign key that is not valid")
    here = next(other for other in world.tables if other.sql == table)
    name = quoted(world.names.fresh(here.space))
    world.late += [
        f"ALTER TABLE {table} ADD COLUMN {name} {ID} DEFAULT -1",
        f"ALTER TABLE {table} ADD FOREIGN KEY ({name}) REFERENCES {target.sql} ({quoted(target.id)}) NOT VALID",
    ]
