"""How fast one big table becomes a file, against what the server needs to make it and what people do.

The floor is `COPY (SELECT row_to_json …) TO '/dev/null'` inside the server: no wire, no client, no disk. Ours is the
whole export step of a database that holds little else: locks, snapshot, SHA-256, row digests, fsync, the file under its
name; the counts, a pass of their own, are timed apart. `psql` writes the rows to a file, unsynced, which is no valid
array (`against_psql` compares with it in more turns). Each size is measured by turns, some rounds long, and the medians
compared. What it costs to trust no table's owner (each statement planned once for nothing, the settings set anew and
read back) is shown as the median over pairs, of one big table and of many small ones: in time, and in processor time of
server and client, which a busy machine disturbs less.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.against_psql import processor
from benchmarks.exporting import TABLE, run
from bot.artifacts import tables
from bot.rehearsal.company import Company, build
from bot.rehearsal.postgres import EmbeddedPostgres
from bot.rehearsal.postgres_binaries import find_binaries
from bot.supabase.database import Database
from bot.supabase.export import Export

SIZES = (100_000, 1_000_000, 4_000_000)
COMPARED = 1_000_000
"""The size at which the slow ways are measured too."""
ROUNDS = 3
LARGE_ROW = 200_000_000
PAIRS = 17
SMALL_TABLES = 1_000

_PARTS = ("files", "counts")

_ROWS = "SELECT row_to_json(x.*) FROM public.bench AS x"
_ONE_PROCESS = "SET max_parallel_workers_per_gather = 0;"
_DIGEST = f"SELECT sum(('x' || left(md5(row_to_json::text), 16))::bit(64)::bigint) FROM ({_ROWS}) AS texts"
_LARGE = f"CREATE TABLE public.bench AS SELECT 1 AS id, repeat(md5('x'), {LARGE_ROW // 32}) AS body"

Way = Callable[[], Mapping[str, float]]


def child(way: str, company: Company, *arguments: str) -> Mapping[str, float]:
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "benchmarks.exporting", way, company.dsn, directory, *arguments]
        said = subprocess.run(command, check=True, capture_output=True).stdout
    told: dict[str, float] = json.loads(said.splitlines()[-1])
    return told


def _timed(work: Callable[[], object]) -> Mapping[str, float]:
    began = time.monotonic()
    work()
    return {"files": time.monotonic() - began}


def _psql(company: Company) -> None:
    with tempfile.TemporaryDirectory() as directory:
        copy = f"\\copy ({_ROWS}) TO '{directory}/rows'"
        subprocess.run([find_binaries().directory / "psql", company.dsn, "-qXc", copy], check=True)


@contextmanager
def _exported(company: Company) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        step = Export(
            Database(company.dsn),
            Path(directory),
            workers=2,
            tool_version="bench",
        )
        asyncio.run(step(run(["public"]), lambda progress: None))
        yield Path(directory) / "bench.json"


def _ways(server: EmbeddedPostgres, company: Company, *, slow: bool) -> dict[str, Way]:
    ways: dict[str, Way] = {
        "floor": lambda: _timed(lambda: server.sql(f"{_ONE_PROCESS} COPY ({_ROWS}) TO '/dev/null'")),
        "one": lambda: child("export", company, "1", "public"),
        "two": lambda: child("export", company, "2", "public"),
    }
    if slow:
        ways |= {
            "psql": lambda: _timed(lambda: _psql(company)),
            "digest": lambda: _timed(lambda: server.sql(f"{_ONE_PROCESS} {_DIGEST}")),
            "cursor": lambda: child("cursor", company, "bench"),
        }
    return ways


def _measured(ways: Mapping[str, Way]) -> dict[str, dict[str, float]]:
    """By way and part, the median of the rounds, which take the ways by turns."""
    told: dict[str, list[Mapping[str, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            told[name].append(way())
    return {
        name: {part: statistics.median(one[part] for one in rounds) for part in rounds[0]}
        for name, rounds in told.items()
    }


def _distrust(what: str, server: EmbeddedPostgres, company: Company, schema: str, aim: str) -> None:
    """Tells the whole step against the one that trusts everybody: medians over pairs, which take turns."""
    pairs = []
    for n in range(PAIRS):
        turns = ("bare", "export") if n % 2 else ("export", "bare")
        measured = {way: _measure(way, server, company, schema) for way in turns}
        pairs.append((measured["bare"], measured["export"]))
    for place, kind in enumerate(("time", "processor time")):
        ratio = statistics.median(ours[place] / bare[place] for bare, ours in pairs)
        seconds = statistics.median(ours[place] for _, ours in pairs)
        _tell(f"{what}, against a step that trusts every owner: {kind}", ratio, seconds, f"{PAIRS} pairs, {aim}")


def _measure(way: str, server: EmbeddedPostgres, company: Company, schema: str) -> tuple[float, float]:
    """Seconds, and processor seconds of the child and of the sessions that have ended meanwhile, which are all."""
    before = processor(server)
    told = child(way, company, "2", schema)
    return sum(told[part] for part in _PARTS), processor(server) - before


def _small_tables(server: EmbeddedPostgres) -> None:
    """In a schema of their own, some at a time: making them takes locks."""
    server.sql("CREATE SCHEMA small AUTHORIZATION postgres")
    for first in range(0, SMALL_TABLES, 50):
        made = (
            f"CREATE TABLE small.t_{n} (id int PRIMARY KEY, body text, at timestamptz, flag boolean);"
            f"INSERT INTO small.t_{n} SELECT n, repeat('text ', 30), now(), true FROM generate_series(1, 100) AS n;"
            for n in range(first, first + 50)
        )
        server.sql("SET ROLE postgres; " + "".join(made))


def _tell(what: str, ratio: float, seconds: float, aim: str) -> None:
    print(f"  {what:<62} {ratio:5.2f}  ({seconds:.2f} s; {aim})")


def main() -> None:
    per_row: dict[int, float] = {}
    floors: dict[int, float] = {}
    peaks: dict[int, float] = {}
    with EmbeddedPostgres(in_memory=False) as server:
        company = build(server, users=60, rows=1000)
        idle = child("idle", company)["peak"]
        for rows in SIZES:
            server.sql("DROP TABLE IF EXISTS public.bench")
            server.sql(TABLE.format(rows=rows))
            server.sql("VACUUM (ANALYZE) public.bench")
            found = _measured(_ways(server, company, slow=rows == COMPARED))
            floor, one, two = found["floor"]["files"], found["one"]["table"], found["two"]["files"]
            floors[rows] = floor / rows
            per_row[rows], peaks[rows] = one / rows, max(found["one"]["peak"], found["two"]["peak"])
            print(f"{rows:,} rows, medians of {ROUNDS} rounds; the server's own row_to_json takes {floor:.2f} s")
            _tell("the table by one worker, against that", one / floor, one, "aim 1.10")
            _tell("the whole step but counts by one worker", found["one"]["files"] / floor, found["one"]["files"], "-")
            _tell("the whole step but counts by two workers", two / floor, two, "-")
            if rows == COMPARED:
                psql, cursor = found["psql"]["files"], found["cursor"]["files"]
                _tell("psql COPY to a file, against two workers", psql / two, psql, "aim 1.2, better 1.4")
                _tell("cursor and orjson, against two workers", cursor / two, cursor, "aim 3")
                digest = found["digest"]["files"]
                _tell("row digests in SQL alone, against psql COPY", digest / psql, digest, "-")
                counts = found["two"]["counts"]
                _tell("the step's own counts by two workers, against psql COPY", counts / psql, counts, "-")
                with _exported(company) as path:
                    reading = _timed(lambda: list(tables.facts(path)))["files"]
                _tell("row digests and SHA-256 from the file, against psql COPY", reading / psql, reading, "aim 1.1")
                _distrust("the whole step", server, company, "public", "aim 1.03")
        server.sql("DROP TABLE public.bench")
        server.sql(_LARGE)
        large = child("export", company, "2", "public")["peak"]
        server.sql("DROP TABLE public.bench")
        _small_tables(server)
        _distrust(f"{SMALL_TABLES:,} small tables", server, company, "small", "-")
    spread, of_floor = (max(found.values()) / min(found.values()) for found in (per_row, floors))
    print(f"time a row, from {SIZES[0]:,} to {SIZES[-1]:,} rows: {spread:.2f} between slowest and fastest (aim 1.10)")
    print(f"  of the server's own row_to_json: {of_floor:.2f}")
    for rows, peak in peaks.items():
        print(f"memory above an idle bot at {rows:,} rows: {(peak - idle) / 1e6:.0f} MB (aim 40)")
    times = (large - idle - 40e6) / LARGE_ROW
    print(f"memory above an idle bot and 40 MB with a row of {LARGE_ROW / 1e6:.0f} MB: {times:.1f} rows (aim 4)")


if __name__ == "__main__":
    main()
