"""The users step as a process of its own, killed again and again while the service fails in every way it can."""

import asyncio
import json
import os
import random
from asyncio.subprocess import PIPE
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.migrating import KEY, run
from benchmarks.people import PROJECT, RUN_ID
from bot.artifacts import files, mapping
from bot.plan.findings import Verdict
from bot.rehearsal.company import build
from bot.rehearsal.postgres import EmbeddedPostgres
from bot.rehearsal.standins.stackauth import StackAuthStandin, supabase_id_in
from bot.stackauth.client.api import StackAuth
from bot.stackauth.migrate.readback.examiner import ReadBack
from tests import preloaded
from tests.users.conftest import Night
from tests.users.test_company_users import rows_of

ROOT = Path(__file__).parents[2]
FAULTS = ("429-html", "500-before", "500-after", "drop-after", "502-html")


async def migrated(directory: Path, url: str, kill_after: float | None) -> bool:
    """One process; True when it came to its end before it was killed."""
    process = await preloaded.start(
        *("migrate", str(directory), url, "16"),
        module="benchmarks.migrating",
        cwd=ROOT,
        env=os.environ,
        stdout=PIPE,
        stderr=PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"begun\n"
    try:
        said, complaint = await asyncio.wait_for(process.communicate(), kill_after)
    except TimeoutError:
        process.kill()
        await process.wait()
        return False
    assert process.returncode == 0, complaint.decode()
    return bool(json.loads(said.splitlines()[-1])["users"])


async def migrate(directory: Path, service: StackAuthStandin, *, users: int, kill_every: float) -> int:
    """Killed until everybody is there, which leaves the files to be written; how often that was. Where nobody was
    created between two kills, as on a machine that has much else to do, the next one comes later.
    """
    kills, patience, there = 0, 1.0, 0
    while not await migrated(
        directory, service.url, kill_every * patience * random.uniform(0.8, 1.2) if there < users else None
    ):
        kills += 1
        assert kills < 1_000
        patience *= 1.5 if len(service.users) == there else 1.0
        there = len(service.users)
    return kills


async def night_of_kills(
    server: EmbeddedPostgres, directory: Path, generation: str, *, users: int, kill_every: float, share: float
) -> None:
    company = await asyncio.to_thread(build, server, users=users, rows=1_000, dbname=f"kills_{generation}_{users}")
    tables = [await asyncio.to_thread(rows_of, company, name) for name in ("users", "identities", "mfa_factors")]
    company.drop()
    service = StackAuthStandin(PROJECT, KEY, generation=generation, conflict_seconds=0.05)
    await service.start()
    service.retry_after_seconds = 0
    Night(directory, service).export(*tables, run_id=RUN_ID)
    for fault in FAULTS:
        service.faults.share(fault, share)
    kills = await migrate(directory, service, users=users, kill_every=kill_every)
    service.faults.clear()

    created = Counter(
        id_ for user in service.users.values() if (id_ := supabase_id_in(user.server_metadata)) is not None
    )
    assert set(created.values()) == {1}, "nobody is there twice"
    mapped = {
        entry.supabase_user_id: entry.stack_auth_user_id
        for entry in mapping.read(directory / files.MAPPING)
        if isinstance(entry, mapping.Mapped)
    }
    assert created.keys() == mapped.keys() == {row["id"] for row in tables[0]}
    assert len(service.users) == len(set(mapped.values())) == users
    listed = {entry.reason for entry in mapping.read_attention(directory / files.ATTENTION)}
    assert "refused-by-target" not in listed and "not-created" not in listed, "no fault cost anybody anything"
    async with StackAuth(service.url, PROJECT, KEY) as client:
        examine = ReadBack(directory, client).examine
        found = {finding.check: finding async for finding in examine(run(directory), lambda progress: None)}
    await service.stop()
    assert {finding.verdict for finding in found.values()} == {Verdict.PASS}, found
    print(f"{users:,} users, {generation}: {kills} kills, {sum(service.requests.values()):,} requests")
    assert kills


@pytest.mark.parametrize(
    ("generation", "users"),
    [("new", 250), *(pytest.param(generation, 600, marks=pytest.mark.all) for generation in ("new", "old"))],
)
async def test_hundreds_of_users_and_a_kill_again_and_again(
    server: EmbeddedPostgres, tmp_path: Path, generation: str, users: int
) -> None:
    """Each is there exactly once, mapped, and holds what was exported."""
    await night_of_kills(server, tmp_path, generation, users=users, kill_every=1.5, share=0.02)


@pytest.mark.all
@pytest.mark.parametrize("generation", ["new", "old"])
async def test_twenty_thousand_users_and_a_kill_every_three_seconds(
    server: EmbeddedPostgres, tmp_path: Path, generation: str
) -> None:
    """The same, for as many as a company may have."""
    await night_of_kills(server, tmp_path, generation, users=20_000, kill_every=3.0, share=0.02)
