"""Which columns hold users' ids though no key says so, by the values in them.

Every column of uuid, text or json, or an array of the first two, under any domain, is looked at: small tables whole, of
large ones some hundred blocks from all over. A column with a user's id in what was looked at is counted in full. If at
least half of its values are users' ids it is a reference (`found: "value"`), which the import rewrites, and the others
are its orphans. If fewer are, or if ids were only seen inside of values (in documents, in the paths of Storage), it is
a suspect: named and counted, never rewritten. Composites are not looked into.

What a sample cannot show is not claimed: ids in less than one of some hundred blocks of a large table may go unseen.
Text counts only as uuid writes itself, in lower case with hyphens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from psycopg import sql
from psycopg.rows import dict_row

from bot.artifacts.metadata import Suspect, UserReference
from bot.errors import ServiceRefused
from bot.supabase.catalog import Catalog, Table
from bot.supabase.database import Session, query, statement, translated
from bot.supabase.export.rows import statements
from bot.supabase.export.rows.expressions import as_uuid
from bot.supabase.export.rows.layout import Layout, Part, Spans
from bot.supabase.reading import Reading

_UNCHANGED = "no metadata.json was written"
_WHOLE_BLOCKS = 256
_SPAN_BLOCKS = 2
_COLUMNS_A_STATEMENT = 50
_A_REFERENCE = 0.5
_UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


@dataclass(frozen=True, kw_only=True)
class Found:
    """`references` by the tables' keys: those by key and those by value, sorted by column."""

    references: Mapping[str, tuple[UserReference, ...]]
    suspects: tuple[Suspect, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Column:
    """Each is itself alone: to compare what is known of its table would take longer than to look at its values."""

    table: Table
    layout: Layout
    name: str
    kind: Literal["uuid", "text", "json"]
    listed: bool

    @property
    def sampled(self) -> bool:
        return self.layout.ranges and self.layout.blocks > _WHOLE_BLOCKS


class _Look(NamedTuple):
    """At a column's values, or at what looks like an id inside of them; whole or in the sample."""

    column: _Column
    inside: bool
    sampled: bool


class _Count(NamedTuple):
    seen: int
    found: int


async def find_references(session: Session, source: Reading, catalog: Catalog, layouts: Mapping[int, Layout]) -> Found:
    """Both are inside the snapshot: `session` knows the catalog, `source` the values. Raises CutoverError."""
    with translated("the columns that hold users' ids could not be looked for", unchanged=_UNCHANGED):
        columns = await _columns(session, catalog, layouts)
    looks = [_Look(column, inside, column.sampled) for column in columns for inside in _ways(column)]
    counts = await _count(source, looks)
    again = [look._replace(sampled=False) for look in looks if not look.inside and counts[look].found and look.sampled]
    counts |= await _count(source, again)
    return _judged(catalog, columns, counts)


def _ways(column: _Column) -> Iterator[bool]:
    if column.kind != "json":
        yield False
    if column.kind != "uuid" and not column.listed:
        yield True


def _judged(catalog: Catalog, columns: Sequence[_Column], counts: Mapping[_Look, _Count]) -> Found:
    references = {key: list(found) for key, found in catalog.user_references.items()}
    suspects: list[Suspect] = []
    for column in columns:
        values = counts.get(_Look(column, False, False)) or counts.get(_Look(column, False, True)) or _Count(0, 0)
        if values.found and values.found >= values.seen * _A_REFERENCE:
            reference = UserReference(column=column.name, found="value", orphans=values.seen - values.found)
            references.setdefault(column.table.key, []).append(reference)
        elif values.found:
            suspects.append(_suspect(column, values, sampled=False))
        elif (pieces := counts.get(_Look(column, True, column.sampled), _Count(0, 0))).found:
            suspects.append(_suspect(column, pieces, sampled=column.sampled))
    return Found(
        references={key: tuple(sorted(found, key=lambda one: one.column)) for key, found in references.items()},
        suspects=tuple(sorted(suspects, key=lambda one: (one.table, one.column))),
    )


def _suspect(column: _Column, count: _Count, *, sampled: bool) -> Suspect:
    return Suspect(
        table=column.table.key,
        column=column.name,
        seen=count.seen,
        found=count.found,
        counted="in a sample" if sampled else "in full",
    )


async def _columns(session: Session, catalog: Catalog, layouts: Mapping[int, Layout]) -> list[_Column]:
    """Those of tables with rows, but for what a key tells already, what is generated, and the users' own records, which
    no import writes.
    """
    tables = {table.oid: table for table in catalog.tables if layouts[table.oid].blocks and table.schema != "auth"}
    known = {(key, one.column) for key, found in catalog.user_references.items() for one in found}
    async with session.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("reference_columns"), {"tables": list(tables)})
        rows = await cursor.fetchall()
    written = {(oid, column.name) for oid, table in tables.items() for column in table.columns if not column.generated}
    return [
        _Column(table=table, layout=layouts[table.oid], name=row["name"], kind=row["kind"], listed=row["listed"])
        for row in rows
        for table in [tables[row["table"]]]
        if (table.oid, row["name"]) in written and (table.key, row["name"]) not in known
    ]


async def _count(source: Reading, looks: Sequence[_Look]) -> dict[_Look, _Count]:
    seen, found = Counter[_Look](), Counter[_Look]()
    for first in range(0, len(looks), _COLUMNS_A_STATEMENT):
        for look, count in (await _counted(source, looks[first : first + _COLUMNS_A_STATEMENT])).items():
            seen[look] += count.seen
            found[look] += count.found
    return {look: _Count(seen[look], found[look]) for look in looks}


async def _counted(source: Reading, looks: Sequence[_Look]) -> dict[_Look, _Count]:
    """In one statement; one by one when some column is in the way of it, so that the error names that one."""
    first, *others = looks
    selects = [select for place, look in enumerate(looks) for select in _selects(place, look)]
    count = statement("reference_count", seen=sql.SQL(" UNION ALL ").join(selects))
    relation = first.column.table.relation
    happened = f"{relation}, column {first.column.name}, could not be searched for users' ids"
    try:
        with translated(happened, unchanged=_UNCHANGED):
            rows = await source.ask(count, of=relation)
    except ServiceRefused:
        if not others:
            raise
        return {look: found for one in looks for look, found in (await _counted(source, [one])).items()}
    return {looks[place]: _Count(number, users) for place, number, users in rows}


def _selects(place: int, look: _Look) -> Iterator[sql.Composed]:
    column = look.column
    name = sql.Identifier(column.name)
    for part in column.layout.parts:
        rows = statements.column_alone(part, column.name, _spans(part) if look.sampled else None)
        if look.inside:
            yield statement("reference_pieces", place=sql.Literal(place), rows=rows, column=name)
            continue
        value = sql.SQL("x.{}").format(name)
        if column.listed:
            rows = sql.SQL("{} CROSS JOIN LATERAL unnest(x.{}) AS element (value)").format(rows, name)
            value = sql.SQL("element.value").format()
        id_ = sql.SQL("{}::uuid").format(value) if column.kind == "uuid" else as_uuid(value, sql.Literal(_UUID))
        yield statement("reference_values", place=sql.Literal(place), rows=rows, id=id_, value=value)


def _spans(part: Part) -> Spans:
    """Some hundred blocks from all over the part."""
    spans = max(1, -(-part.blocks // _SPAN_BLOCKS))
    stride = max(1, spans * _SPAN_BLOCKS // _WHOLE_BLOCKS)
    return Spans(blocks=_SPAN_BLOCKS, begin=0, last=spans - 1, stride=stride, offset=0)
