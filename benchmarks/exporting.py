"""One way of getting tables out of the database, in a process of its own, so that its memory is its own, and so that
it can be killed.

    python -m benchmarks.exporting export DSN DIRECTORY WORKERS SCHEMA...
    python -m benchmarks.exporting bare DSN DIRECTORY WORKERS SCHEMA...
    python -m benchmarks.exporting cursor DSN DIRECTORY TABLE
    python -m benchmarks.exporting idle DSN

Prints "begun" when the libraries are loaded, and at the end a line of JSON: the seconds of each part, and the
process's peak of memory in bytes. Without a schema, `export` takes those that the export takes by default; `bare` is
the export that trusts the code of every table's owner.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg
from psycopg import sql

import bot.app  # what an idle bot has loaded
from benchmarks.memory import peak
from bot.artifacts import metadata
from bot.plan import events as e
from bot.plan.run import Run
from bot.ports import Progress
from bot.supabase.database import Database
from bot.supabase.export import Export, snapshot
from bot.supabase.reading import Reading

TABLE = """
CREATE TABLE public.bench AS
SELECT gen_random_uuid() AS id, n AS number, repeat('text ', 30) AS body, now() AS at, n * 1.10 AS price,
       jsonb_build_object('n', n, 'tags', array['a', 'b']) AS extra, n % 2 = 0 AS flag, nullif(n % 3, 0) AS gap
  FROM generate_series(1, {rows}) AS n
"""
_AT = datetime(2026, 1, 2, tzinfo=UTC)


def run(schemas: Sequence[str]) -> Run:
    """A run of these schemas behind gate `freeze`; the same for every process, so that one goes on where another was
    killed.
    """
    parties = e.Parties(source_ref="bench", source_database="postgres", target_project="none")
    opened = e.RunOpened(
        at=_AT,
        run_id="20260102-0000",
        parties=parties,
        channel="C0",
        approvers=("U0",),
        retain_days=90,
        rules=e.Rules(include_schemas=tuple(schemas)),
    )
    record = {"frozenAt": "2026-01-02T00:00:00Z", "lsn": "0/0", "xmax": 1, "baseline": {}}
    return Run(opened=opened, last_at=_AT, facts={"freeze": record})


async def export(dsn: str, directory: Path, workers: int, schemas: Sequence[str]) -> dict[str, float]:
    """The step `export`: everything until the last file is on disk, and the counts behind it; within the former,
    the longest table alone, from the first question about it until its file has its name.
    """
    began = time.monotonic()
    on_disk = 0.0

    def report(progress: Progress) -> None:
        nonlocal on_disk
        if progress.step == "counts" and not on_disk:
            on_disk = time.monotonic()

    step = Export(
        Database(dsn),
        directory,
        workers=workers,
        tool_version="bench",
    )
    await step(run(schemas), report)
    ended = time.monotonic()
    longest = max(table.duration_ms for table in metadata.read(directory / "metadata.json").tables.values())
    return {"files": on_disk - began, "counts": ended - on_disk, "table": longest / 1000}


class _Trusting(Reading):
    """Plans once, sets nothing anew and reads nothing back."""

    async def ask(self, select: sql.Composable, *, of: str) -> list[tuple[Any, ...]]:
        rows = await (await self._session.execute(sql.Composed([select]))).fetchall()
        await self.stay()
        return rows

    @asynccontextmanager
    async def copy(self, select: sql.Composable, *, of: str) -> AsyncIterator[psycopg.AsyncCopy]:
        statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(select)
        async with self._session.cursor() as cursor, cursor.copy(statement) as rows:
            yield rows
        await self.stay()


def _trust_everybody() -> None:
    snapshot.Reading = _Trusting  # type: ignore[misc]


def cursor(dsn: str, directory: Path, table: str) -> dict[str, float]:
    """What a script does: values through a server-side cursor, and JSON made of them here. It loses values."""
    began = time.monotonic()
    with psycopg.connect(dsn) as session, session.cursor("rows") as rows, (directory / "rows.json").open("wb") as file:
        rows.itersize = 2000
        rows.execute(sql.SQL("SELECT * FROM public.{}").format(sql.Identifier(table)))
        assert rows.description is not None
        names = [column.name for column in rows.description]
        for row in rows:
            file.write(orjson.dumps(dict(zip(names, row, strict=True)), default=str) + b",\n")
    return {"files": time.monotonic() - began}


async def idle(dsn: str) -> dict[str, float]:
    """A bot that has connected and waits."""
    async with Database(dsn).session("idle") as session:
        await session.execute("SELECT 1")
    return {}


def main(way: str, dsn: str, *arguments: str) -> None:
    assert bot.app.__doc__
    print("begun", flush=True)
    match way, arguments:
        case "export", (directory, workers, *schemas):
            told = asyncio.run(export(dsn, Path(directory), int(workers), schemas))
        case "bare", (directory, workers, *schemas):
            _trust_everybody()
            told = asyncio.run(export(dsn, Path(directory), int(workers), schemas))
        case "cursor", (directory, table):
            told = cursor(dsn, Path(directory), table)
        case _:
            told = asyncio.run(idle(dsn))
    print(json.dumps({**told, "peak": peak()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
