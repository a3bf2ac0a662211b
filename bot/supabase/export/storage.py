"""The files in Storage, whose bytes are no rows and stay behind: how many there are, and that this is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from psycopg import sql

from bot.artifacts import metadata
from bot.artifacts.metadata import LeftOut
from bot.supabase.database import query, translated
from bot.supabase.reading import Reading

STORAGE_FILES = "storage files"
"""The kind under which they are in `leftOut`."""

_REASON = "the bytes of files in Storage are not rows of a table"


class StorageFiles(NamedTuple):
    files: int
    bytes: int


async def count_files(source: Reading, tables: Mapping[str, metadata.Table]) -> StorageFiles:
    """None when storage.objects is not among the exported tables."""
    if not any((table.schema_name, table.table) == ("storage", "objects") for table in tables.values()):
        return StorageFiles(0, 0)
    with translated("the files in Storage could not be counted"):
        [found] = await source.ask(sql.SQL(query("storage_files")), of="storage.objects")
    return StorageFiles(*found)


def left_behind(storage: StorageFiles) -> tuple[LeftOut, ...]:
    if not storage.files:
        return ()
    name = f"{storage.files} files in Storage, {storage.bytes} bytes"
    return (LeftOut(name=name, kind=STORAGE_FILES, reason=_REASON),)
