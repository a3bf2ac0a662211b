"""What the night will need beside rights: sessions and locks, room on the disk, tables the API may read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from bot.errors import ServiceRefused, UsageError
from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.texts.amounts import counted, number
from bot.supabase.catalog import Catalog
from bot.supabase.database import Session
from bot.supabase.export.space import room_for
from bot.supabase.preflight.api_grants import api_grants
from bot.supabase.table_locks import MORE_ROOM, left_to_us, lock_room, locked_together

_BESIDE_WORKERS = 3
"""The run's lock, the watch, and the session that holds the snapshot."""
_RARELY = 1
"""A probe or a question that meets the export."""
_POOL = 15
"""What a session pool of Supabase lends by default."""
_MOST_WORKERS = 8


async def needs(
    session: Session, catalog: Catalog, *, workers: int, hold_locks: bool, directory: Path | None
) -> AsyncIterator[Finding]:
    """`directory` None: none is known. Raises CutoverError when the database cannot be asked any more."""
    yield sessions_needed(workers, hold_locks=hold_locks)
    try:
        crowded = locks_needed(locked_together(catalog.tables), await lock_room(session))
    except ServiceRefused as error:
        crowded = warned("table-locks", f"{error.happened}.", error.do)
    if crowded is not None:
        yield crowded
    if directory is not None:
        try:
            yield (await room_for(session, catalog, directory)).finding()
        except (UsageError, ServiceRefused) as error:
            yield failed("disk-space", f"{error.happened}.", error.do)
    try:
        yield await api_grants(session, catalog)
    except ServiceRefused as error:
        yield warned("api-grants", f"{error.happened}.", error.do)


def sessions_needed(workers: int, *, hold_locks: bool) -> Finding:
    check = "sessions-needed"
    usual = workers + _BESIDE_WORKERS + hold_locks
    seen = f"A run opens {usual} sessions on the source, rarely {usual + _RARELY}"
    if workers > _MOST_WORKERS:
        return warned(
            check,
            f"{seen}; a session pool of Supabase lends {_POOL} to all its clients, and small projects allow 60 in all.",
            f"Set export.workers to {_MOST_WORKERS} or fewer, unless the connection is direct to a large project.",
        )
    return passed(check, f"{seen}; a session pool of Supabase lends {_POOL}.")


def locks_needed(tables: int, room: int) -> Finding | None:
    """None where the server is sure to have room for the export's locks."""
    if tables <= left_to_us(room):
        return None
    return warned(
        "table-locks",
        f"The export locks {counted(tables, 'table')} at once, partitions included, and the server is sure to have "
        f"room for only {number(room)} locks, those of everybody else included.",
        f"Before the night, {MORE_ROOM}; then try it with `cutover practice`.",
    )
