"""Whether the export is as fast beside the hard guard as without it.

One table is exported by turns, in a process of its own, while this one holds SHARE locks on everything and while it
holds none; the medians are compared.
"""

import asyncio
import statistics

from benchmarks.export import child
from benchmarks.exporting import TABLE
from bot.rehearsal.company import Company, build
from bot.rehearsal.postgres import EmbeddedPostgres
from bot.supabase.database import Database
from bot.supabase.guard import Guard

ROWS = 500_000
ROUNDS = 7


async def _guarded(company: Company) -> float:
    guard = Guard(Database(company.dsn))
    await guard.take()
    try:
        return (await asyncio.to_thread(child, "export", company, "2", "public"))["files"]
    finally:
        await guard.release()


def main() -> None:
    with EmbeddedPostgres(in_memory=False) as server:
        company = build(server, users=60, rows=1000)
        server.sql(TABLE.format(rows=ROWS))
        server.sql("ALTER TABLE public.bench OWNER TO postgres")
        server.sql("VACUUM (ANALYZE) public.bench")
        without, beside = [], []
        for _ in range(ROUNDS):
            without.append(child("export", company, "2", "public")["files"])
            beside.append(asyncio.run(_guarded(company)))
    ratios = sorted(guarded / plain for guarded, plain in zip(beside, without, strict=True))
    print(f"{ROWS:,} rows, {ROUNDS} rounds by turns; without the guard {statistics.median(without):.2f} s")
    print(f"  time beside the hard guard, against without it: {statistics.median(ratios):.2f}")
    print(f"  of the single rounds: {ratios[0]:.2f} to {ratios[-1]:.2f}")


if __name__ == "__main__":
    main()
