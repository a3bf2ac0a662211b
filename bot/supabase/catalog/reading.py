"""From PostgreSQL's catalogs to ours: a few questions, whatever the number of tables, and no lock on any of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set
from typing import Any

from psycopg.rows import dict_row

from bot.artifacts.metadata import Check, ForeignKey, LeftOut
from bot.artifacts.table_files import table_files
from bot.supabase.catalog import selection as select
from bot.supabase.catalog import staying
from bot.supabase.catalog.encoding import TypeFacts, judge
from bot.supabase.catalog.inventory import Catalog, Column, NumberSequence, Table
from bot.supabase.catalog.platform import platform_schemas
from bot.supabase.catalog.selection import Selection
from bot.supabase.catalog.sequences import Named
from bot.supabase.catalog.taken import NEVER_LEFT_OUT, Row, Taken, divide, left_out_of, relation
from bot.supabase.catalog.type_details import TypeDetails, Types, base_type, enum_labels, fields
from bot.supabase.database import Session, query, translated

EVERYTHING = Selection()
_SEQUENCE = "S"
_LOOKS = 3
"""At a source whose tables come and go meanwhile."""


async def read_catalog(session: Session, selection: Selection = EVERYTHING) -> Catalog:
    """Each relation is taken, or reported as left out.

    Raises UsageError when the database is no Supabase project's, or when the settings name what is not there: a name
    misspelt in `exclude_tables` would otherwise export what somebody wanted left out.
    """
    with translated("the catalog of the source could not be read"):
        platform = await platform_schemas(session)
        selection = dataclasses.replace(selection, platform=platform)
        relations, numbered, found = await _taken(session, selection)
        taken, left_out = found.tables, list(found.left_out)
        parts = [row for row in relations if row["partition_of"] is not None]
        oids = [row["oid"] for row in taken]
        columns = await _ask(session, "catalog_columns", tables=oids)
        types = await _ask(session, "catalog_types", types=sorted({row["type_oid"] for row in columns}))
        keys = await _ask(
            session,
            "catalog_keys",
            tables=oids,
            parts=[row["oid"] for row in parts],
            roots=[row["partition_of"] for row in parts],
        )
        checks = await _ask(session, "catalog_checks", tables=oids)
        oids_of_sequences = [row["oid"] for row in numbered]
        details = {row["oid"]: row for row in await _ask(session, "catalog_sequences", sequences=oids_of_sequences)}
        [database] = await _ask(session, "catalog_database")
    names = {row["oid"]: relation(row) for row in relations}
    tables, columns_left_out = _tables(selection, taken, names, columns=columns, types=types, keys=keys, checks=checks)
    left_out += columns_left_out
    roots = _roots(details, relations)
    kept, untold = _select_sequences(selection, numbered, roots, {row["oid"] for row in taken})
    left_out += untold
    if database["large_objects"]:
        name = f"{database['large_objects']} large objects"
        left_out.append(LeftOut(name=name, kind="large objects", reason=select.LARGE_OBJECTS))
    return Catalog(
        tables=tables,
        sequences=tuple(_sequence(row, details[row["oid"]], roots.get(row["oid"])) for row in kept),
        extensions=tuple(database["extensions"]),
        left_out=tuple(sorted(left_out, key=lambda entry: (entry.kind, entry.name))),
        grants=_grants(taken, kept, database["role"]),
        unreadable=tuple(name for row in taken if _unreadable(row) and (name := relation(row)) not in NEVER_LEFT_OUT),
        unaccounted=tuple(found.unaccounted),
        platform=platform,
    )


async def _taken(session: Session, selection: Selection) -> tuple[Sequence[Row], Sequence[Row], Taken]:
    """The relations of the source with rows, its sequences, and what of the first is taken. Outside a snapshot a table
    may be made or dropped between the two questions, and is not unaccounted for because of that.
    """
    for _ in range(_LOOKS):
        relations, numbered = _apart(await _ask(session, "catalog_relations"))
        ordinary = await _ask(session, "catalog_ordinary")
        found = divide(selection, relations, ordinary, {row["schema"] for row in numbered})
        if not found.unaccounted:
            break
    return relations, numbered, found


async def _ask(session: Session, name: str, **parameters: object) -> list[dict[str, Any]]:
    async with session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query(name), parameters or None)
        return await cursor.fetchall()


def _apart(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """What has rows or looks like it, and the sequences."""
    return [row for row in rows if row["kind"] != _SEQUENCE], [row for row in rows if row["kind"] == _SEQUENCE]


def _roots(details: Mapping[int, Row], relations: Sequence[Row]) -> dict[int, Row]:
    """By a sequence's oid, the table whose column owns it; that of a partition is a column of its root as well."""
    by_oid = {row["oid"]: row for row in relations}
    owners = {oid: by_oid[row["owner"]] for oid, row in details.items() if row["owner"] in by_oid}
    return {oid: by_oid.get(owner["partition_of"], owner) for oid, owner in owners.items()}


def _select_sequences(
    selection: Selection,
    rows: Sequence[Row],
    roots: Mapping[int, Row],
    taken: Set[int],
) -> tuple[list[Row], list[LeftOut]]:
    """One that a column owns goes with its table, where that is taken or left out because somebody said so."""
    kept: list[Row] = []
    left_out: list[LeftOut] = []
    for row in rows:
        root = roots.get(row["oid"])
        reason = selection.reason(row["schema"], row["name"], row["kind"], of_extension=row["of_extension"])
        if root is not None and root["oid"] in taken:
            reason = None
        elif root is not None and reason is None:
            excluded = selection.excludes(root["schema"], root["name"])
            reason = select.EXCLUDED_TABLE if excluded else selection.left_unread.get(relation(root))
        if reason is None:
            kept.append(row)
        elif reason != staying.PLATFORM:
            left_out.append(left_out_of(row, reason))
    return kept, left_out


def _unreadable(row: Row) -> bool:
    return not (row["schema_usable"] and row["selectable"]) or row["filtered"]


def _tables(
    selection: Selection,
    taken: Sequence[Row],
    names: Mapping[int, str],
    *,
    columns: Sequence[Row],
    types: Sequence[Row],
    keys: Sequence[Row],
    checks: Sequence[Row],
) -> tuple[tuple[Table, ...], list[LeftOut]]:
    """The tables, and the columns that are left out of them. `names` are those of all relations, by oid."""
    files = table_files((row["schema"], row["name"]) for row in taken)
    facts = {
        row["oid"]: TypeFacts(
            name=row["name"],
            shape=row["shape"],
            parts=tuple(row["parts"]),
            fields=tuple(name for name, _ in row["fields"]),
            not_read_back=row["not_read_back"],
        )
        for row in types
    }
    details = {
        row["oid"]: TypeDetails(
            shape=row["shape"], parts=row["parts"], base=row["base"], labels=row["labels"], fields=row["fields"]
        )
        for row in types
    }
    columns_of, keys_of, checks_of = _by_table(columns), _by_table(keys), _by_table(checks)
    tables: list[Table] = []
    left_out: list[LeftOut] = []
    for row in taken:
        schema, name = row["schema"], row["name"]
        kept: list[Column] = []
        for column in columns_of.get(row["oid"], []):
            reason = selection.reason_for_column(schema, name, column["name"])
            if reason is None:
                kept.append(_column(column, facts, details))
            else:
                full = f"{schema}.{name}.{column['name']}"
                left_out.append(LeftOut(name=full, kind="column", reason=reason))
        own_keys = keys_of.get(row["oid"], [])
        tables.append(
            Table(
                oid=row["oid"],
                schema=schema,
                name=name,
                file=files[schema, name],
                partitioned=row["kind"] == "p",
                storage=tuple(row["storage"] or ()),
                rows=row["rows"],
                bytes=row["bytes"],
                columns=tuple(kept),
                primary_key=next((tuple(k["columns"]) for k in own_keys if k["kind"] == "p"), ()),
                foreign_keys=tuple(_foreign_key(k) for k in own_keys if k["kind"] == "f"),
                checks=tuple(Check(name=c["name"], expression=c["expression"]) for c in checks_of.get(row["oid"], [])),
                inherits=tuple(names[parent] for parent in row["inherits"]),
            )
        )
    return tuple(tables), left_out


def _by_table(rows: Sequence[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["table"], []).append(row)
    return found


def _column(row: Row, types: Mapping[int, TypeFacts], details: Types) -> Column:
    return Column(
        name=row["name"],
        type=row["type"],
        nullable=row["nullable"],
        default=row["default"],
        generated=row["generated"],
        identity=row["identity"],
        enum_labels=enum_labels(details, row["type_oid"]),
        encoding=judge(types, row["type_oid"]),
        base_type=base_type(details, row["type_oid"]),
        fields=fields(details, row["type_oid"]),
    )


def _foreign_key(row: Row) -> ForeignKey:
    return ForeignKey(
        name=row["name"],
        columns=tuple(row["columns"]),
        references=f"{row['to_schema']}.{row['to_name']}",
        referenced_columns=tuple(row["to_columns"]),
        on_delete=row["on_delete"],
        deferrable=row["deferrable"],
        partition=row["partition"],
        referenced_partition=row["to_partition"],
    )


def _sequence(row: Row, details: Row, root: Row | None) -> NumberSequence:
    return NumberSequence(
        named=Named(row["oid"], row["schema"], row["name"]),
        increment=details["increment"],
        owned_by=None if root is None else f"{relation(root)}.{details['owner_column']}",
    )


def _grants(taken: Sequence[Row], sequences: Sequence[Row], role: str) -> tuple[str, ...]:
    closed = sorted({row["quoted_schema"] for row in (*taken, *sequences) if not row["schema_usable"]})
    statements = [f"GRANT USAGE ON SCHEMA {schema} TO {role};" for schema in closed]
    statements += [f"GRANT SELECT ON TABLE {row['quoted']} TO {role};" for row in taken if not row["selectable"]]
    statements += [f"GRANT SELECT ON SEQUENCE {row['quoted']} TO {role};" for row in sequences if not row["selectable"]]
    if any(row["filtered"] for row in taken):
        statements.append(f"ALTER ROLE {role} BYPASSRLS;")
    return tuple(statements)
