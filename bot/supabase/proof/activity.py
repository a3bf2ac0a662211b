"""Activity: what changes when anybody writes to an exported table, and how two observations are compared.

An observation is the counters, file numbers and sequences of everything that is exported, and who holds a lock to write
to it. The number of the next transaction alone does not prove a quiet source, because a transaction that is still open
does not change it; hence the locks. And the counters of a committed write can be ten seconds late; hence, where that
number has changed, one more observation by whoever asks.

    before = await observe(session, tables, sequences)
    …
    after = await observe(session, tables, sequences)
    sentences = changes(before.baseline, after.baseline)
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bot.plan.texts.amounts import counted
from bot.supabase.catalog.platform import platform_schemas
from bot.supabase.catalog.sequences import Named, State, look_at_states
from bot.supabase.database import Session, query, translated
from bot.supabase.formatting import shown

LATE_COUNTERS_SECONDS = 11.0
"""After this long the counters of a committed write are to be seen (PostgreSQL holds them back for 10 s at most)."""

Baseline = Mapping[str, Any]
"""`{"schema.table": [inserted, updated, deleted, file], …, "sequences": {"schema.sequence": [last value, file, is
called]}, "shape": "…"}`: JSON values only, since it is journaled in the freeze record; null stands for what a sequence
holds that we may not read. No table is called `sequences` or `shape`, since each name has a schema. `shape` is a digest
over the columns of every table, in the platform's schemas of the exported ones only: there, tables come and go by the
day. It begins with the number of the rule it was made by.
"""

SEQUENCES = "sequences"
SHAPE = "shape"
_LARGE_OBJECTS = ("pg_catalog.pg_largeobject", "pg_catalog.pg_largeobject_metadata")
"""Where a write through `lo_put` lands, which a read-only transaction lets through before PostgreSQL 16."""
_RULE = "3:"
_KINDS = ("inserted", "updated", "deleted")


@dataclass(frozen=True, kw_only=True)
class Observation:
    """`writers` are clauses naming table and session."""

    database_time: datetime
    lsn: str
    xmax: int
    baseline: Baseline
    writers: tuple[str, ...]


class _Place(NamedTuple):
    """Where a sequence lies; `readable` when we may read what it holds."""

    named: Named
    file: int
    readable: bool


async def observe(session: Session, tables: Sequence[str], sequences: Sequence[str]) -> Observation:
    """Names are `schema.name`. No lock is waited for."""
    tables = [*tables, *(name for name in _LARGE_OBJECTS if name not in tables)]
    with translated("the exported tables could not be watched"):
        position = await (await session.execute(query("position"))).fetchone()
        assert position is not None
        moved = await (await session.execute(query("activity_tables"), {"tables": tables})).fetchall()
        found = await _found(session, set(sequences))
        states = await look_at_states(session, [place.named for place in found.values() if place.readable])
        shapes = await (await session.execute(query("activity_shape"), {"tables": tables})).fetchall()
        platform = await platform_schemas(session)
        holders = await (
            await session.execute(
                query("activity_writers"),
                {"relations": [*tables, *(f"{place.named.schema}.{place.named.name}" for place in found.values())]},
            )
        ).fetchall()
    baseline: dict[str, Any] = {name: list(counts) for name, *counts in sorted(moved)}
    baseline[SEQUENCES] = {
        name: [state and state.last_value, place.file, state and state.is_called]
        for name, place in sorted(found.items())
        for state in [states.get(place.named.oid)]
    }
    baseline[SHAPE] = _shape(shapes, platform)
    return Observation(
        database_time=position[0].astimezone(UTC),
        lsn=position[1],
        xmax=position[2],
        baseline=baseline,
        writers=tuple(_holds(*holder) for holder in holders),
    )


async def _found(session: Session, wanted: Collection[str]) -> dict[str, _Place]:
    rows = await (await session.execute(query("activity_sequences"))).fetchall()
    places = (_Place(Named(oid, schema, name), file, readable) for oid, schema, name, file, readable in rows)
    return {place.named.relation: place for place in places if place.named.relation in wanted}


def _shape(schemas: Sequence[tuple[str, str, str]], platform: Set[str]) -> str:
    lines = (f"{schema} {watched if schema in platform else every}" for schema, every, watched in sorted(schemas))
    return _RULE + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def tables_of(baseline: Baseline) -> list[str]:
    return [name for name in baseline if name not in {SEQUENCES, SHAPE}]


def sequences_of(baseline: Baseline) -> list[str]:
    return list(baseline.get(SEQUENCES, {}))


def changes(before: Baseline, after: Baseline) -> list[str]:
    """What differs, as clauses naming table and kind; pure. What is new in `after` is no change of what was there."""
    clauses = []
    for name in tables_of(before):
        if name not in after:
            clauses.append(f"{name} is gone or renamed")
            continue
        *rows_before, file_before = before[name]
        *rows_after, file_after = after[name]
        if file_before != file_after:
            clauses.append(f"{name} was truncated or rewritten")
        elif any(now < then for then, now in zip(rows_before, rows_after, strict=True)):
            clauses.append(f"the counters of {name} were reset, so changes in it would not be seen")
        else:
            clauses += [
                f"{counted(now - then, 'row')} {kind} in {name}"
                for kind, then, now in zip(_KINDS, rows_before, rows_after, strict=True)
                if now != then
            ]
    if before.get(SHAPE, "").startswith(_RULE) and before[SHAPE] != after.get(SHAPE):
        clauses.append("tables or columns were created, changed or dropped")
    for name, then in before.get(SEQUENCES, {}).items():
        now = after.get(SEQUENCES, {}).get(name)
        if now is None:
            clauses.append(f"the sequence {name} is gone or renamed")
        elif (was := _state(then)) not in {None, is_ := _state(now)}:
            clauses.append(f"the sequence {name} moved from {_value(was)} to {_value(is_)}")
        elif now[1] != then[1]:
            clauses.append(f"the sequence {name} was restarted or rewritten")
    return clauses


def _holds(relation: str, pid: int | None, role: str, application: str) -> str:
    if pid is None:
        return f"a prepared transaction holds a write lock on {relation}"
    return f"pid {pid} ({role}, {shown(application)}) is writing to {relation}"


def _state(values: Sequence[Any]) -> State | None:
    """None when it is not known. A record of an earlier version has no third value: it knew what was handed out."""
    last_value, _, *is_called = values
    return None if last_value is None else State(last_value, is_called != [False])


def _value(state: State | None) -> str:
    return "unknown" if state is None else str(state)
