"""The export killed at any instant: the next one makes a bundle that nobody can tell from an undisturbed one."""

import asyncio
import json
import os
import random
import time
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.rehearsal.company import Company
from bot.rehearsal.postgres import EmbeddedPostgres, Resting
from tests import preloaded
from tests.preloaded import Forked

ROOT = Path(__file__).parents[2]
KILLS = 3
ALL_KILLS = 50
MOVES = (
    "INSERT INTO public.big SELECT max(id) + 1, 'one more' FROM public.big",
    "UPDATE public.big SET body = body || '.' WHERE id = (SELECT max(id) FROM public.big)",
    "DELETE FROM public.big WHERE id = (SELECT max(id) FROM public.big)",
    "UPDATE public.settings SET value = value || '.' WHERE name = 'motto'",
)


@pytest.fixture(scope="module")
def alone(two_companies: Resting) -> Iterator[Company]:
    """A server on which nobody else takes transaction ids, with tables enough for an export to take a while."""
    with EmbeddedPostgres(settings={"autovacuum": "off"}, like=two_companies) as server:
        company = Company(server=server, dbname="small_company")
        for name, rows in (("big", 20_000), ("middle", 5_000)):
            server.sql(
                f"CREATE TABLE public.{name} AS SELECT i AS id, repeat(md5(i::text), 8) AS body"
                f" FROM generate_series(1, {rows}) i",
                company.dbname,
            )
        yield company


async def begin(company: Company, directory: Path) -> Forked:
    """A process that has loaded everything and begins to export."""
    process = await preloaded.start(
        *("export", company.dsn, str(directory), "2"),
        module="benchmarks.exporting",
        cwd=ROOT,
        env=os.environ,
        stdout=PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"begun\n"
    return process


async def export(company: Company, directory: Path) -> float:
    """To its end; the seconds that it took."""
    process = await begin(company, directory)
    began = time.monotonic()
    await process.communicate()
    assert process.returncode == 0
    return time.monotonic() - began


def bundle(directory: Path) -> dict[str, bytes]:
    """Every file, metadata.json without what tells when it was made and what was kept."""
    files = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    described: dict[str, Any] = json.loads(files.pop("metadata.json"))
    for part in (described, described["snapshot"], described["authUsers"], *described["tables"].values()):
        for key in ("exportedAt", "totalDurationMs", "durationMs", "takenAt", "xmax", "keptFiles", "retaken"):
            part.pop(key, None)
    return files | {"metadata.json": json.dumps(described).encode()}


async def kill_and_compare(alone: Company, directory: Path, *, kills: int) -> None:
    """Kills at instants from all over an export's life; after half of them the source moves by a row."""
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    chance = random.Random(seed)
    whole = bundle_of_its_own(directory, "whole")
    life = await export(alone, whole)
    expected = bundle(whole)
    kept = 0
    for n in range(kills):
        cut = bundle_of_its_own(directory, f"cut-{n}")
        process = await begin(alone, cut)
        await asyncio.sleep(chance.uniform(0, life) if n % 5 else chance.uniform(0.5, 1.0) * life)
        if process.returncode is None:
            process.kill()
        await process.communicate()
        if n % 2:
            alone.server.sql(MOVES[n // 2 % len(MOVES)], alone.dbname)
            fresh = bundle_of_its_own(directory, f"fresh-{n}")
            await export(alone, fresh)
            expected = bundle(fresh)
        was_whole = (cut / "metadata.json").exists()
        await export(alone, cut)
        snapshot = json.loads((cut / "metadata.json").read_text())["snapshot"]
        if not was_whole:
            assert bundle(cut) == expected
            assert not n % 2 or not snapshot["keptFiles"]
            kept += snapshot["keptFiles"] > 0
        assert not list(cut.glob("*.partial"))
    print(f"after {kept} of {kills} kills finished files were kept")


def bundle_of_its_own(directory: Path, name: str) -> Path:
    path = directory / name
    path.mkdir()
    return path


async def test_killed_at_any_instant_the_next_export_is_as_if_nothing_had_been(alone: Company, tmp_path: Path) -> None:
    """Byte for byte when the source stood still, and wholly new when it moved by one row."""
    await kill_and_compare(alone, tmp_path, kills=KILLS)


@pytest.mark.all
async def test_killed_fifty_times(alone: Company, tmp_path: Path) -> None:
    """The same, at fifty instants."""
    await kill_and_compare(alone, tmp_path, kills=ALL_KILLS)
