"""Each way to look frozen and not to be is built and caught; `-s` prints by what, and in how many seconds."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, aclosing
from datetime import datetime

import psycopg
import pytest

from bot.plan.findings import Finding
from bot.plan.run import Run
from bot.ports import Progress
from bot.rehearsal.company import Company, build
from bot.rehearsal.postgres import EmbeddedPostgres, Resting
from bot.supabase.database import Database, query
from bot.supabase.gateway import Gateway
from bot.supabase.proof.drift import drift
from bot.supabase.proof.examiner import Proof
from tests.freeze.servers import GivenPostgres
from tests.freeze.ways import WAYS, Way, as_platform

QUIET, LATE = 1.5, 1.2


@pytest.fixture(scope="session", params=["embedded", "CUTOVER_TEST_DSN"])
def freezer(request: pytest.FixtureRequest, two_companies: Resting) -> Iterator[EmbeddedPostgres]:
    """The embedded server, and the one that somebody names, as a superuser."""
    given = os.environ.get("CUTOVER_TEST_DSN")
    if request.param != "embedded" and not given:
        pytest.skip("CUTOVER_TEST_DSN names no server")
    embedded = request.param == "embedded"
    own = EmbeddedPostgres(settings={"autovacuum": "off"}, like=two_companies)
    with own if embedded else GivenPostgres(given or "") as running:
        if not embedded and not running.sql("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'", "template1"):
            pytest.skip("the server that CUTOVER_TEST_DSN names has no pgvector, which the company's tables need")
        yield running


@pytest.fixture(scope="session")
def template(freezer: EmbeddedPostgres) -> Company:
    """On that server, and not the one that other tests of this worker have."""
    if isinstance(freezer, GivenPostgres):
        return build(freezer, users=44, rows=600, dbname="company")
    return Company(server=freezer, dbname="small_company")


@pytest.mark.parametrize("way", WAYS, ids=[way.name[:60] for way in WAYS])
async def test_it_is_caught(
    way: Way,
    *,
    source: Company,
    database: Database,
    gateway: Gateway,
    freeze: Callable[[], datetime],
    run_since: Callable[..., Run],
) -> None:
    """By the finding that the table names, or by the next look of the watch."""
    try:
        async with AsyncExitStack() as around:
            if way.first:
                await way.first(source)
            if way.scene and way.early:
                await around.enter_async_context(way.scene(source))
            since = _layers_only(source) if way.early else freeze()
            proof = Proof(database, gateway, quiet_seconds=QUIET, late_counters=LATE)
            if way.happens == "later":
                await _seen_by_the_watch(way, proof, source, database, run_since(since))
                return
            if way.scene and not way.early:
                await around.enter_async_context(way.scene(source))
            if way.act and way.happens == "before":
                await way.act(source)
            await _found(way, proof, source, run_since(since))
    finally:
        if way.undo:
            await as_platform(source, *(statement.replace("{db}", source.dbname) for statement in way.undo))


def _layers_only(source: Company) -> datetime:
    """As the kit leaves it where a session from before could not be ended."""
    with psycopg.connect(source.dsn, autocommit=True, application_name="cutover/-/kit") as session:
        session.execute(query("freeze_layers").encode())
    [(at,)] = source.server.sql("SELECT clock_timestamp()", source.dbname)
    assert isinstance(at, datetime)
    return at


async def _found(way: Way, proof: Proof, source: Company, run: Run) -> None:
    acts: list[asyncio.Task[None]] = []

    async def act_soon() -> None:
        await asyncio.sleep(0.5)  # behind the first look, which takes milliseconds
        assert way.act is not None
        await way.act(source)

    def report(progress: Progress) -> None:
        if way.happens == "during" and "nothing moves" in progress.note:
            acts.append(asyncio.create_task(act_soon()))

    began = time.monotonic()
    seconds, found = 0.0, dict[str, Finding]()
    async with aclosing(proof.freeze_proof(run, report)) as findings:
        async for finding in findings:
            found[finding.check] = finding
            if finding.check == way.caught_by:
                seconds = time.monotonic() - began
                break
    await asyncio.gather(*acts)
    stopped = {check: finding.evidence for check, finding in found.items() if finding.verdict == "fail"}
    assert way.caught_by in found, stopped
    finding = found[way.caught_by]
    assert (finding.verdict, way.told in finding.evidence) == ("warn" if way.warns else "fail", True), finding.evidence
    print(f"\n{way.caught_by} after {seconds:.1f} s: {way.name}")


async def _seen_by_the_watch(way: Way, proof: Proof, source: Company, database: Database, run: Run) -> None:
    proven = {finding.check: finding async for finding in proof.freeze_proof(run, lambda _: None)}
    record = proven["quiet-window"].facts
    async with database.session("watch") as session:
        assert (await drift(session, record)).changes == ()
        assert way.act is not None
        await way.act(source)
        began = time.monotonic()
        async with asyncio.timeout(12):  # so long may a counter lag behind its write
            while not (told := [c for c in (await drift(session, record)).changes if way.told in c]):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    assert told
    print(f"\nthe watch, {time.monotonic() - began:.1f} s after it happened and at its next look: {way.name}")
