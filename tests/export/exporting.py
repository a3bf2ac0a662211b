"""The export step as a process of its own, to be killed or measured.

    python exporting.py DSN DIRECTORY WORKERS SCHEMA

Prints "begun" when the libraries are loaded, and at the end the process's peak of memory in bytes.
"""

import asyncio
import resource
import sys
from datetime import UTC, datetime
from pathlib import Path

from bot.plan import events as e
from bot.plan.run import Run
from bot.supabase.database import Database
from bot.supabase.export import Export

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def run() -> Run:
    """The same for every process, so that one goes on where another was killed."""
    parties = e.Parties(source_ref="ref", source_database="postgres", target_project="target")
    opened = e.RunOpened(
        at=AT, run_id="20260102-abcd", parties=parties, channel="C1", approvers=("U1",), retain_days=90
    )
    record = {"frozenAt": "2026-01-02T03:00:00Z", "lsn": "0/1", "xmax": 1, "baseline": {}}
    return Run(opened=opened, last_at=AT, facts={"freeze": record})


def main(dsn: str, directory: str, workers: str, schema: str) -> None:
    step = Export(
        Database(dsn),
        Path(directory),
        workers=int(workers),
        include_schemas=[schema] if schema else [],
        exclude_tables=[],
        tool_version="test",
    )
    print("begun", flush=True)
    asyncio.run(step(run(), lambda progress: None))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
