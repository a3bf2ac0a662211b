"""What a run must know of the source before its first gate is offered: nobody is locked out before it is asked."""

from __future__ import annotations

from pathlib import Path

from bot.errors import CutoverError
from bot.supabase.catalog import Catalog, Selection, read_catalog
from bot.supabase.database import Database
from bot.supabase.export.space import room_for
from bot.supabase.gateway import Gateway

_TRIED = 12


async def look_ahead(database: Database, gateway: Gateway, selection: Selection, directory: Path) -> bool:
    """Whether the public API counts rows of any table that is to be exported. Raises UsageError when the disk of
    `directory` has no room for them all, and what the database raises.
    """
    async with database.session("identity") as session:
        catalog = await read_catalog(session, selection)
        room = await room_for(session, catalog, directory)
    room.require("no run was opened, and nobody was locked out")
    return await _counts(gateway, catalog)


async def _counts(gateway: Gateway, catalog: Catalog) -> bool:
    """Small tables of `public` are asked first."""
    by_use = sorted(catalog.tables, key=lambda table: (table.schema != "public", table.bytes, table.rows))
    for table in by_use[:_TRIED]:
        try:
            if isinstance(await gateway.count(table.schema, table.name), int):
                return True
        except CutoverError:
            return False
    return False


async def estimated_rows(database: Database, selection: Selection) -> int:
    """How many rows there are to be exported, as the planner believes."""
    async with database.session("identity") as session:
        catalog = await read_catalog(session, selection)
    return sum(table.rows for table in catalog.tables)
