"""One table from the snapshot into one file, in the memory of a megabyte.

The table is read two or three times inside the same snapshot: once for the doubts about its columns, if there are any;
once for the count and the digest; once for the rows. The file gets its name only when as many rows were written as
were counted.

The server sends a row as one message that ends in a newline, the only one in it. Messages are joined into blocks of
about a megabyte, and in a block every newline becomes a comma and a newline; that there are as many of them as rows,
and no quote mark, is checked for each block, because a row that broke this would break the file in silence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from psycopg import errors as pg

from bot.artifacts import metadata
from bot.artifacts.files import ARRAY_BEGIN, ARRAY_END, FileWriter
from bot.errors import ServiceRefused, ServiceUnintelligible
from bot.supabase.catalog import Catalog, Column, Table
from bot.supabase.database import Session, translated
from bot.supabase.export import rowtext
from bot.supabase.export.snapshot import PING_SECONDS

_T = TypeVar("_T")
_BLOCK_BYTES = 1 << 20
_QUOTE = b"\x01"
_UNCHANGED = "its file was not written"


class Broken(ServiceUnintelligible):
    """What the server sent is not the rows that it counted."""

    def __init__(self, table: Table, why: str) -> None:
        super().__init__(
            f"{table.relation} could not be exported: {why}",
            unchanged=_UNCHANGED,
            do="say retry; if it stays, report it",
        )


async def export_table(
    session: Session, table: Table, catalog: Catalog, path: Path, *, role: str, wrote: Callable[[int], None]
) -> metadata.Table:
    """The table as metadata.json describes it, once its file is on disk under `path`.

    `session` is inside the snapshot; `role` is its own, for the GRANT that a refusal proposes; `wrote` is told the
    number of rows of each block. Cancelled, it leaves no file, or the whole one.
    """
    began = time.monotonic()
    with translated(f"{table.relation} could not be exported", unchanged=_UNCHANGED):
        try:
            as_text = await rowtext.resolve(session, table)
            cursor = await session.execute(rowtext.digest(table, as_text))
            [[count, digest]] = await cursor.fetchall()
            with FileWriter(path) as writer:
                rows = await _copy(session, table, as_text, writer, wrote)
                if rows != count:
                    raise Broken(table, f"{rows} rows came where {count} were counted in the same snapshot")
                written = await _aside(session, writer.finish)
        except pg.InsufficientPrivilege as error:
            raise ServiceRefused(
                f"{table.relation} may not be read any more",
                unchanged=_UNCHANGED,
                do=f"run GRANT SELECT ON TABLE {table.identifier.as_string()} TO {role}; and say retry",
            ) from error
    return metadata.Table(
        row_count=rows,
        duration_ms=round((time.monotonic() - began) * 1000),
        schema_name=table.schema,
        table=table.name,
        file=table.file,
        bytes=written.bytes,
        sha256=written.sha256,
        row_digest=digest,
        columns=tuple(_column(column, as_text) for column in table.columns),
        primary_key=table.primary_key,
        foreign_keys=table.foreign_keys,
        depends_on=catalog.depends_on[table.key],
        user_references=catalog.user_references.get(table.key, ()),
    )


async def _copy(
    session: Session, table: Table, as_text: frozenset[str], writer: FileWriter, wrote: Callable[[int], None]
) -> int:
    count = 0
    block: list[bytes | bytearray | memoryview] = []
    size = 0

    def flush() -> None:
        nonlocal count, size
        data = b"".join(block)
        if data.count(b"\n") != len(block) or _QUOTE in data:
            raise Broken(table, "a row holds a control byte, which JSON does not allow")
        writer.write(b",\n" if count else ARRAY_BEGIN)
        writer.write(data[:-1].replace(b"\n", b",\n"))
        count += len(block)
        wrote(len(block))
        block.clear()
        size = 0

    async with session.cursor() as cursor, cursor.copy(rowtext.copy(table, as_text)) as copy:
        async for row in copy:
            block.append(row)
            size += len(row)
            if size >= _BLOCK_BYTES:
                flush()
    if block:
        flush()
    writer.write(b"\n" + ARRAY_END if count else ARRAY_BEGIN + ARRAY_END)
    return count


def _column(column: Column, as_text: frozenset[str]) -> metadata.Column:
    return metadata.Column(
        name=column.name,
        type=column.type,
        nullable=column.nullable,
        default=column.default,
        generated=column.generated,
        identity=column.identity,
        enum_labels=column.enum_labels,
        encoding="text" if column.name in as_text else "json",
    )


async def _aside(session: Session, work: Callable[[], _T]) -> _T:
    """Waits for the disk in a thread, with a word to the server now and then: it ends idle transactions. When it
    returns, or raises, the thread has ended: nothing of ours may rename a file behind our back.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        while not (await asyncio.wait({task}, timeout=PING_SECONDS))[0]:
            await session.execute("SELECT 1")
    finally:
        await asyncio.wait({task})
    return task.result()
