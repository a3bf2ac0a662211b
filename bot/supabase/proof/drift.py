"""Does anything change? During a quiet window until the freeze is verified, and against its record afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from bot.plan.events import MovedTo
from bot.plan.findings import Finding, failed, passed
from bot.plan.texts.amounts import counted
from bot.ports import Moved
from bot.supabase.catalog import Catalog
from bot.supabase.database import Session
from bot.supabase.formatting import listed
from bot.supabase.freeze.layers import Layers, read_layers
from bot.supabase.proof.activity import Observation, changes, observe, sequences_of, tables_of

LEVERS = "levers"
"""The part of the freeze record that says what freezes instead of the kit; not there when the kit does."""


async def quiet_window(session: Session, catalog: Catalog, *, seconds: float, late_counters: float) -> Finding:
    """Its facts are the freeze record. `late_counters` is how many seconds a counter may lag behind its write."""
    check = "quiet-window"
    tables = [table.relation for table in catalog.tables]
    sequences = [sequence.relation for sequence in catalog.sequences]
    first = await observe(session, tables, sequences)
    await asyncio.sleep(seconds)
    last = await observe(session, tables, sequences)
    note = ""
    moved = _moved(first, last)
    if not moved and last.xmax != first.xmax:
        number = last.xmax - first.xmax
        await asyncio.sleep(late_counters)
        last = await observe(session, tables, sequences)
        moved = _moved(first, last)
        note = (
            f" {counted(number, 'transaction')} started meanwhile, but the counters were unchanged "
            f"{late_counters:g} s later: autoanalyze, or another database."
        )
    if moved:
        return failed(
            check,
            f"The source changed during the quiet window: {listed(moved)}.",
            "Find who writes (an app with its own BEGIN READ WRITE, a job, somebody at a console), stop it, and say "
            "`frozen` again.",
        )
    layers = await read_layers(session)
    return passed(
        check,
        f"No change in {counted(len(tables), 'table')} and {counted(len(sequences), 'sequence')} for {seconds:g} s."
        f"{note}",
        frozenAt=last.database_time.isoformat().replace("+00:00", "Z"),
        lsn=last.lsn,
        xmax=last.xmax,
        baseline=last.baseline,
        **({LEVERS: _levers(layers)} if layers.missing else {}),
    )


async def no_drift(
    session: Session, catalog: Catalog, record: Mapping[str, Any] | None, *, late_counters: float
) -> Finding:
    """Nothing has moved since the freeze record was made, and no table or sequence is new."""
    check = "no-drift"
    if record is None:
        return failed(check, "There is no freeze record to compare with.", "Pass the gate `freeze` first.")
    first = await _observe_again(session, record)
    moved = [*_lifted(record, await read_layers(session)), *_drifted(record, first)]
    if not moved and first.xmax != record["xmax"]:
        await asyncio.sleep(late_counters)
        moved = _drifted(record, await _observe_again(session, record))
    known, numbered = set(tables_of(record["baseline"])), set(sequences_of(record["baseline"]))
    moved += [f"{table.relation} is new" for table in catalog.tables if table.relation not in known]
    moved += [f"the sequence {one.relation} is new" for one in catalog.sequences if one.relation not in numbered]
    if moved:
        return failed(
            check,
            f"The source has changed since the freeze was verified: {listed(moved)}.",
            "Find who writes and stop it. Then the freeze must be verified and everything exported again.",
            moved=moved,
        )
    return passed(check, f"No change in {counted(len(known), 'table')} since {record['frozenAt']}.")


def as_recorded(record: Mapping[str, Any]) -> MovedTo:
    """The source as the freeze record says it was."""
    return MovedTo(baseline=record["baseline"])


async def drift(session: Session, record: Mapping[str, Any], since: MovedTo | None = None) -> Moved:
    """What is no longer as it was `since`, or as the freeze record says. A write of the last ten seconds may not be
    seen yet.
    """
    since = since or as_recorded(record)
    layers = await read_layers(session)
    lifted = tuple(_lifted(record, layers))
    look = await observe(session, tables_of(since.baseline), sequences_of(since.baseline))
    return Moved(
        changes=(
            *(layer for layer in lifted if layer not in since.missing),
            *changes(since.baseline, look.baseline),
            *(writer for writer in look.writers if writer not in since.writers),
        ),
        to=MovedTo(baseline=look.baseline, missing=lifted, writers=look.writers),
    )


def lifted_too(moved: Moved, lifted: Sequence[str], since: MovedTo) -> Moved:
    """And these clauses, on what of the freeze is gone, which could not be looked up."""
    new = tuple(clause for clause in lifted if clause not in since.missing)
    to = moved.to.model_copy(update={"missing": (*moved.to.missing, *lifted)})
    return Moved(changes=(*moved.changes, *new), to=to)


def _levers(layers: Layers) -> Mapping[str, Any]:
    """Of a freeze that is not the kit's, what can be looked up."""
    return {"default": layers.current.default, "hook": layers.hook}


def _lifted(record: Mapping[str, Any], layers: Layers) -> list[str]:
    """Which layer of the kit is gone; or, where other levers freeze, which of these is another than it was."""
    if LEVERS not in record:
        return list(layers.missing)
    if not layers.missing:  # the kit was run over it meanwhile
        return []
    then, now = record[LEVERS], _levers(layers)
    names = {"default": "the database's default for transactions", "hook": "the API's pre-request hook"}
    return [f"{name} has changed since the freeze was verified" for key, name in names.items() if then[key] != now[key]]


async def _observe_again(session: Session, record: Mapping[str, Any]) -> Observation:
    baseline = record["baseline"]
    return await observe(session, tables_of(baseline), sequences_of(baseline))


def _drifted(record: Mapping[str, Any], look: Observation) -> list[str]:
    return [*changes(record["baseline"], look.baseline), *look.writers]


def _moved(first: Observation, last: Observation) -> list[str]:
    return list(dict.fromkeys([*changes(first.baseline, last.baseline), *first.writers, *last.writers]))
