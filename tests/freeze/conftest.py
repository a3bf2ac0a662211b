"""A server of the freeze tests' own, since roles, their settings and transaction ids are the server's. Nothing but the
test and the stand-ins may move it, so autovacuum is off.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import psycopg
import pytest

from bot.plan.events import Parties, RunOpened
from bot.plan.fold import after
from bot.plan.run import Run
from bot.rehearsal.company import Company
from bot.rehearsal.postgres import EmbeddedPostgres, Resting
from bot.rehearsal.standins.gateway import GatewayStandin
from bot.supabase.api_client import PAUSE_SECONDS, TRIES
from bot.supabase.database import Database, query
from bot.supabase.gateway import Gateway

_numbers = count(1)
_WAITS = "PERFORM pg_sleep(2);"
REF = "abcdefghijklmnopqrst"


@pytest.fixture(scope="session")
def freezer(two_companies: Resting) -> Iterator[EmbeddedPostgres]:
    """One running server for all freeze tests of this worker."""
    with EmbeddedPostgres(settings={"autovacuum": "off"}, like=two_companies) as running:
        yield running


@pytest.fixture(scope="session")
def template(freezer: EmbeddedPostgres) -> Company:
    """The company that `source` copies."""
    return Company(server=freezer, dbname="small_company")


@pytest.fixture
def source(freezer: EmbeddedPostgres, template: Company) -> Iterator[Company]:
    """A company of the test's own; afterwards it is dropped and authenticator has no hook in other databases."""
    copy = template.clone(f"freeze_{next(_numbers)}")
    yield copy
    freezer.sql("ALTER ROLE authenticator RESET pgrst.db_pre_request")
    copy.drop()


@pytest.fixture
def database(source: Company) -> Database:
    """The way to it as the project's owner."""
    return Database(source.dsn, run_id="20260401-ab12")


@pytest.fixture
async def standin(source: Company) -> AsyncIterator[GatewayStandin]:
    """The REST gateway of the company, with its persistent sessions."""
    made = GatewayStandin(
        source.authenticator_dsn, "s" * 40, REF, auth_dsn=source.auth_dsn, storage_dsn=source.storage_dsn
    )
    async with made:
        yield made


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is left the two seconds in which a gateway reads its settings before sessions are ended."""

    def asked(name: str) -> str:
        text = query(name)
        assert (_WAITS in text) == (name == "sessions_end")
        return text.replace(_WAITS, "PERFORM 1;")

    monkeypatch.setattr("bot.supabase.sessions.query", asked)


@pytest.fixture
async def gateway(standin: GatewayStandin, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    """Our client of it, with both keys: as patient as any, but it asks again ten times as often."""
    for module in ("bot.supabase.api_client", "bot.supabase.gateway"):
        monkeypatch.setattr(f"{module}.PAUSE_SECONDS", PAUSE_SECONDS / 10)
        monkeypatch.setattr(f"{module}.TRIES", TRIES * 10)
    async with Gateway(standin.url, standin.service_role_key, standin.anon_key) as made:
        yield made


@pytest.fixture
def freeze(source: Company) -> Callable[[], datetime]:
    """Freezes `source` as the kit does, but without its two seconds; gives the database's clock after it."""

    def do() -> datetime:
        with psycopg.connect(source.dsn, autocommit=True, application_name="cutover/-/kit") as session:
            session.execute(query("freeze_layers").encode())
            for (pid,) in session.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                "AND backend_type = 'client backend' AND NOT starts_with(application_name, 'cutover/')"
            ).fetchall():
                session.execute("SELECT pg_terminate_backend(%s, 2000)", [pid])
            row = session.execute("SELECT clock_timestamp()").fetchone()
            assert row is not None
            at: datetime = row[0]
            return at.astimezone(UTC)

    return do


@pytest.fixture
def run_since() -> Callable[..., Run]:
    """A run whose first look found the freeze at `since`; with `facts` the gate `freeze` has passed."""

    def do(since: datetime | None, facts: dict[str, Any] | None = None) -> Run:
        opened = RunOpened(
            at=datetime(2026, 4, 1, tzinfo=UTC),
            run_id="20260401-ab12",
            parties=Parties(source_ref=REF, source_database="postgres", target_project="p"),
            channel="C1",
            approvers=("U1",),
            retain_days=90,
        )
        run = replace(after(None, opened), frozen_since=since)
        return replace(run, facts={"freeze": facts}) if facts is not None else run

    return do
