"""The export of a million rows, and `cutover practice` of the same database, against `psql`'s COPY of row_to_json.

    ./dev bench against_psql

What a careful person does is `\\copy (SELECT row_to_json(x.*) …) TO file`, by the psql of the embedded server's wheel:
one session, no digest, no sum, unsynced, no valid array. Ours, by two workers, is the whole step: locks, snapshot,
every table of the company beside the big one, the rows with SHA-256 and row digests, counts, fsync. `practice` is timed
twice: what it reports (export, all files read again, users looked at), and the command from its start to its end, the
loading of Python included.

The three take turns, and each is compared with the psql of its own turn; medians over the turns. Since a busy machine
disturbs time more than processor time, the latter is shown too, of server and client: two cores cannot do the step in
less time than half of it.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.exporting import TABLE
from bot.rehearsal.company import Company, build
from bot.rehearsal.postgres import EmbeddedPostgres
from bot.rehearsal.postgres_binaries import find_binaries

ROWS = 1_000_000
TURNS = 7
_COPY = "\\copy (SELECT row_to_json(x.*) FROM public.bench AS x) TO '{directory}/rows'"


def _psql(company: Company, directory: str) -> float:
    command = [find_binaries().directory / "psql", company.dsn, "-qXc", _COPY.format(directory=directory)]
    return _timed(lambda: subprocess.run(command, check=True))


def _export(company: Company, directory: str) -> float:
    command = [sys.executable, "-m", "benchmarks.exporting", "export", company.dsn, directory, "2", "public"]
    said = subprocess.run(command, check=True, capture_output=True).stdout
    told: dict[str, float] = json.loads(said.splitlines()[-1])
    return told["files"] + told["counts"]


def _practice(company: Company, directory: str) -> tuple[float, float]:
    """What it reports, and the whole command."""
    ours = {"SUPABASE_DB_URL": company.dsn, "MIGRATION_DATA_DIR": f"{directory}/data", "CUTOVER__EXPORT__WORKERS": "2"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SUPABASE", "CUTOVER"))}
    command = [sys.executable, "-m", "bot", "practice"]
    whole = _timed(
        lambda: subprocess.run(command, check=True, capture_output=True, cwd=directory, env={**environment, **ours})
    )
    timings = json.loads(Path(f"{directory}/data/practice/timings.json").read_bytes())
    return sum(timings[f"{part}Seconds"] for part in ("export", "check", "translate")), whole


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _turn(server: EmbeddedPostgres, company: Company) -> Mapping[str, float]:
    with tempfile.TemporaryDirectory() as directory:
        before = processor(server)
        psql = _psql(company, directory)
        psql_processor = processor(server) - before
    with tempfile.TemporaryDirectory() as directory:
        step = _export(company, directory)
    with tempfile.TemporaryDirectory() as directory:
        practised, command = _practice(company, directory)
    return {"psql": psql, "cpu": psql_processor, "step": step, "practice": practised, "command": command}


def processor(server: EmbeddedPostgres) -> float:
    """Seconds of processor time of our children and of the server's sessions that have ended."""
    time.sleep(0.2)  # the last of them may still be ending
    postmaster = (server.data_dir / "postmaster.pid").read_text().split()[0]
    fields = Path(f"/proc/{postmaster}/stat").read_text().rpartition(")")[2].split()
    ours = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK") + ours.ru_utime + ours.ru_stime


def main() -> None:
    with EmbeddedPostgres() as server:
        company = build(server, users=60, rows=1000)
        server.sql(TABLE.format(rows=ROWS))
        server.sql("VACUUM (ANALYZE) public.bench")
        turns = [_turn(server, company) for _ in range(TURNS)]
    psql = statistics.median(turn["psql"] for turn in turns)
    print(f"{ROWS:,} rows, {TURNS} turns; psql COPY of row_to_json to a file takes {psql:.2f} s (median)")
    print(f"  of processor time: {statistics.median(turn['cpu'] for turn in turns):.2f} s")
    for name, what, aim in (
        ("step", "the export step by two workers, digests and counts included", "1.3, better 1.4"),
        ("practice", "practice, as it reports itself", "0.8"),
        ("command", "the command `cutover practice`, its loading included", "-"),
    ):
        ratio = statistics.median(turn["psql"] / turn[name] for turn in turns)
        seconds = statistics.median(turn[name] for turn in turns)
        print(f"  psql against {what:<62} {ratio:5.2f}  ({seconds:.2f} s; aim {aim})")


if __name__ == "__main__":
    main()
