"""From the relations of the source to what is taken and left out: each row in exactly one file, or listed. Pure.

A partition's rows are its table's. A table that others inherit from is read without them, so each of those that the
selection alone would leave out (one of another schema, an extension's chunk of a hypertable) is taken as a table of its
own, with all its columns; only `exclude_tables` leaves it out. What inherits from a table that is left out goes by its
own schema.

All of this follows one look at the catalogs. `unaccounted` holds it against another: of every ordinary table that the
server has, by oid, and the table that the server itself counts it to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.artifacts.metadata import LeftOut
from bot.errors import UsageError
from bot.obstacles import DATABASE_SELECTION
from bot.plan.texts.listing import listed
from bot.supabase.catalog import selection as select

Row = Mapping[str, Any]
NEVER_LEFT_OUT = {"auth.users", "auth.identities"}
"""Without which no user can be created."""
SAVE_BY_HAND = (
    "save the rows by hand, which a frozen database allows (\\copy (SELECT * FROM ONLY …) TO …), and leave the table "
    "out by name"
)
_TABLES = ("r", "p")
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Taken:
    """`tables` are rows of `queries/catalog_relations.sql`. `unaccounted` are tables (`schema.table`) that would be in
    no file or in two, and that nothing leaves out.
    """

    tables: Sequence[Row]
    left_out: Sequence[LeftOut]
    unaccounted: Sequence[str] = ()


def divide(
    selection: select.Selection,
    relations: Sequence[Row],
    ordinary: Sequence[Row],
    numbered: Collection[str],
) -> Taken:
    """`ordinary` are rows of `queries/catalog_ordinary.sql`, `numbered` the schemas with sequences. Raises UsageError
    when the database is no Supabase project's, or the settings name what is not there.
    """
    found = _divided(selection, relations)
    loose = _unaccounted(found, ordinary)
    _check(selection, relations, loose, numbered)
    reasons = {relation(row): select.EXCLUDED for row in loose if selection.excludes(row["schema"], row["name"])}
    unread = selection.left_unread
    reasons |= {relation(row): unread[relation(row)] for row in loose if relation(row) in unread}
    named = [row for row in loose if relation(row) in reasons]
    out = {row["oid"] for row in named}
    return Taken(
        tables=[
            {**row, "storage": [part for part in row["storage"] if part not in out]}
            for row in found.tables
            if row["oid"] not in out
        ],
        left_out=[*found.left_out, *(left_out_of(row, reasons[relation(row)]) for row in named)],
        unaccounted=[relation(row) for row in loose if row["oid"] not in out],
    )


def why_unaccounted(tables: Sequence[str]) -> str:
    """A clause that names them, up to a few."""
    return (
        f"the catalogs of the source disagree about which table the rows of {listed(tables, _SHOWN)} belong to, so "
        "these rows would be in no file or in two"
    )


def relation(row: Row) -> str:
    """`schema.table`."""
    return f"{row['schema']}.{row['name']}"


def _divided(selection: select.Selection, relations: Sequence[Row]) -> Taken:
    wholes = [row for row in relations if row["partition_of"] is None]
    why = {
        row["oid"]: selection.reason(row["schema"], row["name"], row["kind"], of_extension=row["of_extension"])
        for row in wholes
    }
    heirs = _heirs_of({oid for oid, reason in why.items() if reason is None}, wholes)
    for row in wholes:
        if row["oid"] in heirs and row["kind"] == "r" and why[row["oid"]] != select.EXCLUDED:
            why[row["oid"]] = None
    for row in wholes:
        if why[row["oid"]] is None and relation(row) not in NEVER_LEFT_OUT:
            why[row["oid"]] = selection.left_unread.get(relation(row))
    taken = [row for row in wholes if why[row["oid"]] is None]
    oids = {row["oid"] for row in taken}
    return Taken(
        tables=taken,
        left_out=[
            *(
                left_out_of(row, reason)
                for row in wholes
                if (reason := why[row["oid"]]) is not None
                if row["kind"] in _TABLES or row["oid"] in heirs or selection.takes_schema(row["schema"])
            ),
            *(
                left_out_of(row, select.PARTITION)
                for row in relations
                if row["partition_of"] is not None and row["partition_of"] not in oids
            ),
        ],
    )


def _heirs_of(oids: set[int], wholes: Sequence[Row]) -> set[int]:
    """Whatever inherits from one of these, over any number of generations."""
    heirs = set[int]()
    while more := {row["oid"] for row in wholes if not (oids | heirs).isdisjoint(row["inherits"])} - heirs:
        heirs |= more
    return heirs


def _unaccounted(found: Taken, ordinary: Sequence[Row]) -> list[Row]:
    """A table is accounted for when it is read as a part of the one table that the server counts it to, or when it is
    left out by name.
    """
    taken = {row["oid"] for row in found.tables}
    read_by: dict[int, list[int]] = {}
    for row in found.tables:
        for part in row["storage"]:
            read_by.setdefault(part, []).append(row["oid"])
    named = {entry.name for entry in found.left_out}

    def loose() -> Iterator[Row]:
        for row in ordinary:
            by = read_by.get(row["oid"], [])
            read = by == [row["root"]] or (row["kind"] == "p" and not by and row["root"] in taken)
            if not read and (by or relation(row) not in named):
                yield row

    return list(loose())


def _check(
    selection: select.Selection, relations: Sequence[Row], loose: Sequence[Row], numbered: Collection[str]
) -> None:
    there = {(row["schema"], row["name"]) for row in relations}
    if ("auth", "users") not in there:
        raise UsageError(
            "the source has no table auth.users, so it is not a Supabase project's database",
            unchanged="nothing was exported",
            do="check SUPABASE_DB_URL",
        )
    if selection.excludes("auth", "users"):
        raise UsageError(
            "export.exclude_tables names auth.users, but no user can be created without it",
            unchanged="nothing was exported",
            do="remove it from the list",
        )
    wholes = [*(row for row in relations if row["partition_of"] is None), *loose]
    for name in selection.exclude_tables:
        if not any(name in _names(row) for row in wholes):
            raise _misnamed(
                f"export.exclude_tables names {name}, but the source has no such table",
                "write it as schema.table (of a partition, its parent), in the same upper and lower case",
            )
    for schema in selection.include_schemas:
        if schema not in numbered and not any(row["schema"] == schema for row in relations):
            raise _misnamed(
                f"export.include_schemas names {schema}, but the source has no table in such a schema",
                "write the schemas in the same upper and lower case",
            )


def _misnamed(clause: str, correction: str) -> UsageError:
    """An open run keeps its lists, so that correcting the settings helps the next run alone."""
    return UsageError(
        f"the setting {clause}",
        unchanged="nothing was exported",
        do=f"{correction}, then start again; an open run keeps its lists: abort it, then `cutover run --new`",
        obstacle=DATABASE_SELECTION,
    )


def _names(row: Row) -> set[str]:
    return {relation(row), row["name"]} if row["schema"] == "public" else {relation(row)}


def left_out_of(row: Row, reason: str) -> LeftOut:
    return LeftOut(name=relation(row), kind=select.KINDS[row["kind"]], reason=reason)
