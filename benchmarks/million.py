"""What a million users cost: memory above an idle bot, and time for each, from the first look to the mapping and the
checks of gate 3.

The bot's part runs in a process of its own, against a stand-in in this one that answers at once. Sizes are given as
arguments; without any, 10,000, 100,000 and 1,000,000, which takes most of an hour.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.migrating import KEY
from benchmarks.people import PROJECT, write_bundle
from bot.rehearsal.standins.stackauth import StackAuthStandin

SIZES = (10_000, 100_000, 1_000_000)
CONCURRENCY = 16
PARTS = ("migrate", "mapping", "read back", "references")


async def _child(*arguments: str | Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.migrating", *map(str, arguments)]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await child.communicate()
    assert child.returncode == 0
    told: dict[str, float] = json.loads(said.splitlines()[-1])
    return told


async def _measure(sizes: tuple[int, ...]) -> None:
    per_user: dict[str, dict[int, float]] = {part: {} for part in PARTS}
    for size in sizes:
        service = StackAuthStandin(PROJECT, KEY)
        await service.start()
        idle = (await _child("idle", service.url))["peak"]
        with tempfile.TemporaryDirectory() as name:
            await asyncio.to_thread(write_bundle, Path(name), size)
            told = await _child("night", name, service.url, str(CONCURRENCY))
        await service.stop()
        print(f"{size:,} users, memory above an idle bot (aim 70 MB):")
        for part in PARTS:
            per_user[part][size] = told[part] / size
            above = (told[f"{part} peak"] - idle) / 1e6
            print(f"  {part:<12} {told[part]:8.1f} s  {1e6 * told[part] / size:7.0f} µs a user  {above:5.0f} MB so far")
    first, last = sizes[0], sizes[-1]
    whole = {size: sum(found[size] for found in per_user.values()) for size in sizes}
    print(f"time a user at {last:,} against {first:,}, all of it: {whole[last] / whole[first]:.2f} (aim 1.15)")
    for part, found in per_user.items():
        print(f"time a user at {last:,} against {first:,}, {part}: {found[last] / found[first]:.2f}")


if __name__ == "__main__":
    asyncio.run(_measure(tuple(int(size) for size in sys.argv[1:]) or SIZES))
