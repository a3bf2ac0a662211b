"""How fast one big table becomes a file, against what the server needs to make the JSON at all.

The floor is `COPY (SELECT row_to_json …) TO '/dev/null'` inside the server: no wire, no client. Ours is the whole
export step of a database that holds little else: locks, snapshot, the row digest in SQL (a pass of its own), SHA-256,
fsync, counts, metadata. All figures are the medians of the same rounds, taken by turns.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bot.plan import events as e
from bot.plan.run import Run
from bot.rehearsal.company import Company, build
from bot.rehearsal.postgres import EmbeddedPostgres
from bot.supabase.database import Database
from bot.supabase.export import Export

ROWS = 300_000
ROUNDS = 3
_AT = datetime(2026, 1, 2, tzinfo=UTC)
_TABLE = f"""
CREATE TABLE public.bench AS
SELECT gen_random_uuid() AS id, n AS number, repeat('text ', 30) AS body, now() AS at, n * 1.10 AS price,
       jsonb_build_object('n', n, 'tags', array['a', 'b']) AS extra, n % 2 = 0 AS flag, nullif(n % 3, 0) AS gap
  FROM generate_series(1, {ROWS}) AS n
"""


def _run() -> Run:
    parties = e.Parties(source_ref="bench", source_database="postgres", target_project="none")
    opened = e.RunOpened(
        at=_AT, run_id="20260102-0000", parties=parties, channel="C0", approvers=("U0",), retain_days=90
    )
    record = {"frozenAt": "2026-01-02T00:00:00Z", "lsn": "0/0", "xmax": 1, "baseline": {}}
    return Run(opened=opened, last_at=_AT, facts={"freeze": record})


async def _exported(company: Company) -> float:
    with tempfile.TemporaryDirectory() as directory:
        export = Export(
            Database(company.dsn),
            Path(directory),
            workers=2,
            include_schemas=["public"],
            exclude_tables=[],
            tool_version="bench",
        )
        began = time.monotonic()
        await export(_run(), lambda progress: None)
        return time.monotonic() - began


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


async def main() -> None:
    with EmbeddedPostgres() as server:
        company = build(server, users=60, rows=1000)
        server.sql(_TABLE)
        server.sql("VACUUM (ANALYZE) public.bench")
        floor, digest, ours = [], [], []
        for _ in range(ROUNDS):
            floor.append(
                _timed(lambda: server.sql("COPY (SELECT row_to_json(x.*) FROM public.bench AS x) TO '/dev/null'"))
            )
            digest.append(
                _timed(
                    lambda: server.sql(
                        "SELECT sum(('x' || left(md5(row_to_json(x.*)::text), 16))::bit(64)::bigint::numeric)"
                        " FROM public.bench AS x"
                    )
                )
            )
            ours.append(await _exported(company))
    base = statistics.median(floor)
    print(f"one table of {ROWS:,} rows, medians of {ROUNDS} rounds")
    print(f"  the server's own row_to_json     1.00 ({base:.2f} s)")
    print(f"  the row digest in SQL alone      {statistics.median(digest) / base:.2f}")
    print(f"  the export step, digest included {statistics.median(ours) / base:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
