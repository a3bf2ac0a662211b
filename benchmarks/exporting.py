"""One way of getting a table out of the database, in a process of its own, so that its memory is its own.

    python -m benchmarks.exporting export DSN WORKERS
    python -m benchmarks.exporting cursor DSN TABLE
    python -m benchmarks.exporting idle DSN

Prints a line of JSON: the seconds of each part, and the process's peak of memory in bytes.
"""

import asyncio
import json
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psycopg
from psycopg import sql

import bot.app  # what an idle bot has loaded
from bot.artifacts import metadata
from bot.plan import events as e
from bot.plan.run import Run
from bot.ports import Progress
from bot.supabase.database import Database
from bot.supabase.export import Export

_AT = datetime(2026, 1, 2, tzinfo=UTC)


def run() -> Run:
    """A run that stands behind gate `freeze`."""
    parties = e.Parties(source_ref="bench", source_database="postgres", target_project="none")
    opened = e.RunOpened(
        at=_AT, run_id="20260102-0000", parties=parties, channel="C0", approvers=("U0",), retain_days=90
    )
    record = {"frozenAt": "2026-01-02T00:00:00Z", "lsn": "0/0", "xmax": 1, "baseline": {}}
    return Run(opened=opened, last_at=_AT, facts={"freeze": record})


async def export(dsn: str, directory: Path, workers: int) -> dict[str, float]:
    """The step `export` of schema public: everything until the last file is on disk, and the row digests behind it;
    within the former, the table alone, from the first question about it until its file has its name.
    """
    began = time.monotonic()
    on_disk = 0.0

    def report(progress: Progress) -> None:
        nonlocal on_disk
        if progress.step == "sums" and not on_disk:
            on_disk = time.monotonic()

    step = Export(
        Database(dsn),
        directory,
        workers=workers,
        include_schemas=["public"],
        exclude_tables=[],
        tool_version="bench",
    )
    await step(run(), report)
    ended = time.monotonic()
    table = metadata.read(directory / "metadata.json").tables["bench"]
    return {"files": on_disk - began, "digests": ended - on_disk, "table": table.duration_ms / 1000}


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
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        match way:
            case "export":
                told = asyncio.run(export(dsn, directory, int(arguments[0])))
            case "cursor":
                told = cursor(dsn, directory, arguments[0])
            case _:
                told = asyncio.run(idle(dsn))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({**told, "peak": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
