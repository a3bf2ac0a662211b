"""How long a command takes to start, against a Python that imports the libraries which no command can do without.

Both are processes of their own, by turns, so that whatever else the machine does falls on both; the medians of the
rounds' ratios count. `--help` is to take at most 1.3 times as long. `restore-sql` finds no bundle, so that its start is
all that is measured.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bot.plan.events import Parties, RunOpened
from bot.record import EventRecord

ROUNDS = 21
AIM = 1.3
ROOT = Path(__file__).parents[1]
PLAIN = ("-c", "import pydantic, typer, rich")
COMMANDS = ("--help", "status", "restore-sql --all", "verify .", "report", "freeze-sql", "manifest")


def _data_directory(directory: Path) -> None:
    """A run that has just been opened."""
    now = datetime.now(UTC)
    parties = Parties(source_ref="abcdef", source_database="postgres", target_project="p-1")
    opened = RunOpened(at=now, run_id="20260102-abcd", parties=parties, channel="C1", approvers=("U1",), retain_days=30)
    record = EventRecord.open(directory)
    record.append([opened])
    record.close()


def _seconds(directory: Path, *arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "migration-data").mkdir()
        _data_directory(directory / "migration-data")
        ratios: dict[str, list[float]] = {command: [] for command in COMMANDS}
        plain: list[float] = []
        for _ in range(ROUNDS):
            for command in COMMANDS:
                plain.append(_seconds(directory, *PLAIN))
                ratios[command].append(_seconds(directory, "-m", "bot", *command.split()) / plain[-1])
    print(f"{ROUNDS} rounds by turns; Python with pydantic, typer and rich: {1000 * statistics.median(plain):.0f} ms")
    for command, found in ratios.items():
        aim = f" (aim {AIM})" if command == "--help" else ""
        print(f"  cutover {command}: {statistics.median(found):.2f} times that{aim}")


if __name__ == "__main__":
    main()
