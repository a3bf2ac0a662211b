"""A bundle: every table of the source from one snapshot into files, and metadata.json last.

Whoever finds metadata.json may believe that every file it names is whole.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from psycopg.errors import InsufficientPrivilege

from bot.artifacts import metadata
from bot.artifacts.files import AUTH_USERS, METADATA
from bot.artifacts.metadata import Metadata
from bot.errors import ServiceRefused
from bot.plan.events import Parties
from bot.ports import Report
from bot.supabase.catalog import Catalog, Selection, read_catalog
from bot.supabase.catalog.sequences import read_states
from bot.supabase.database import Database, query, translated
from bot.supabase.export.draft import Basis, Draft, Leavings, remove_draft
from bot.supabase.export.left_out import with_rows
from bot.supabase.export.progress import ExportProgress
from bot.supabase.export.references import find_references
from bot.supabase.export.rows.layout import read_layouts
from bot.supabase.export.rows.writers import Writers
from bot.supabase.export.snapshot import Snapshot, hold_snapshot, require_readable
from bot.supabase.export.space import Space, stored
from bot.supabase.export.storage import count_files, left_behind
from bot.supabase.reading import Reading

_RANGES_SINCE = 14
"""The first version of PostgreSQL that reads a range of blocks without reading all."""


@dataclass(frozen=True, kw_only=True)
class Label:
    """What metadata.json says of a bundle beside its tables. `freeze` is None exactly for a practice bundle."""

    run_id: str
    parties: Parties
    freeze: metadata.Freeze | None
    tool_version: str


async def take_bundle(
    database: Database, directory: Path, label: Label, selection: Selection, report: Report
) -> Metadata:
    """`directory` holds nothing of an earlier export. Raises CutoverError with no metadata.json written."""
    began = time.monotonic()
    async with hold_snapshot(database, partial(read_catalog, selection=selection)) as snapshot:
        basis = await _basis(snapshot, label)
        layouts = await read_layouts(
            snapshot.holder, snapshot.catalog.tables, ranges=int(snapshot.server_version.split(".")[0]) >= _RANGES_SINCE
        )
        leavings = Leavings(directory)
        kept = leavings.kept(basis, {table.relation: table for table in snapshot.catalog.tables})
        await asyncio.to_thread(leavings.clear, kept)
        workers = min(selection.workers, snapshot.most_sessions)
        with Draft(directory, basis) as draft:
            space = Space(directory, stored(snapshot.catalog.tables, layouts))
            progress = ExportProgress(report, draft, space, snapshot.catalog.tables, kept)
            try:
                tables = await Writers(snapshot, layouts, directory, progress, workers=workers, kept=kept)()
            except ServiceRefused as error:
                if isinstance(error.__cause__, InsufficientPrivilege):  # taken away in the middle: of which table?
                    async with database.session("rights") as session:  # one inside the snapshot may not know it yet
                        require_readable(await read_catalog(session, selection))
                raise
        async with snapshot.borrow("references") as source:
            found = await find_references(snapshot.holder, source, snapshot.catalog, layouts)
            tables = {
                key: table.model_copy(update={"user_references": found.references.get(key, ())})
                for key, table in tables.items()
            }
            storage = await count_files(source, tables)
            sequences = await _sequences(source, snapshot.catalog)
        # Also the proof that the locks were held to the end: a lost session would have let tables change.
        exported_at = await snapshot.clock()
    left_out = await with_rows(database, snapshot.catalog.left_out)
    users = tables[Path(AUTH_USERS).stem]
    catalog, parties = snapshot.catalog, label.parties
    described = Metadata(
        exported_at=exported_at,
        total_duration_ms=round((time.monotonic() - began) * 1000),
        tables=tables,
        auth_users=metadata.AuthUsers.model_validate(users, from_attributes=True),
        run_id=label.run_id,
        practice=label.freeze is None,
        tool=metadata.Tool(version=label.tool_version),
        source=metadata.Source(
            ref=parties.source_ref, database=parties.source_database, server_version=snapshot.server_version
        ),
        target=metadata.Target(project_id=parties.target_project),
        freeze=label.freeze,
        snapshot=metadata.Snapshot(
            taken_at=snapshot.taken_at,
            xmax=snapshot.xmax,
            kept_files=len(kept),
            retaken=leavings.there and not kept,
        ),
        sequences=sequences,
        import_order=catalog.order.tables,
        cycles=catalog.order.cycles,
        extensions=catalog.extensions,
        left_out=(*left_out, *left_behind(storage)),
        suspects=found.suspects,
        totals=metadata.Totals(
            tables=len(tables),
            rows=sum(table.row_count for table in tables.values()),
            bytes=sum(table.bytes for table in tables.values()),
        ),
    )
    await asyncio.to_thread(_publish, directory, described)
    return described


async def _sequences(source: Reading, catalog: Catalog) -> dict[str, metadata.Sequence]:
    """Read after the rows, so that none has a number that its sequence has still to hand out."""
    unchanged = "no metadata.json was written"
    with translated("the sequences could not be read", unchanged=unchanged):
        states = await read_states(source, [sequence.named for sequence in catalog.sequences])
    for sequence in catalog.sequences:
        if sequence.named.oid not in states:
            raise ServiceRefused(
                f"the sequence {sequence.relation} was dropped or replaced while the tables were exported",
                unchanged=unchanged,
                do="stop whoever changes the schema, and try again",
            )
    return catalog.sequence_records(states)


def _publish(directory: Path, described: Metadata) -> None:
    remove_draft(directory)
    metadata.write(directory / METADATA, described)


async def _basis(snapshot: Snapshot, label: Label) -> Basis:
    with translated("the snapshot's own session does not answer any more"):
        cursor = await snapshot.holder.execute(query("snapshot_sees"))
        [[sees]] = await cursor.fetchall()
    frozen_at = label.freeze.frozen_at.isoformat() if label.freeze else ""
    return Basis(run_id=label.run_id, frozen_at=frozen_at, sees=sees)
