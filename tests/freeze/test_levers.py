"""A freeze by other levers than the kit: it counts when everything refuses, and what only looks like one does not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from bot.plan.findings import Finding, blocks
from bot.plan.run import Run
from bot.rehearsal.company import Company
from bot.rehearsal.standins.gateway import GatewayStandin
from bot.supabase.database import Database
from bot.supabase.freeze.thaw import thaw
from bot.supabase.gateway import Gateway, Uncounted
from bot.supabase.locks import SourceLock
from bot.supabase.project import identify
from bot.supabase.proof.examiner import Proof
from bot.supabase.source import SupabaseSource
from tests.freeze.looking import looked

DEFAULT = "ALTER DATABASE {db} SET default_transaction_read_only = on"
HOOK = (
    "CREATE FUNCTION public.maintenance() RETURNS void LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
    "ALTER ROLE authenticator IN DATABASE {{db}} SET pgrst.db_pre_request = 'public.maintenance'",
)
REFUSES = (
    "IF current_setting('request.method') NOT IN ('GET', 'HEAD') THEN RAISE 'closed' USING ERRCODE = 'PT503'; END IF;"
)
BREAKS = "PERFORM current_setting('app.maintenance');"
NO_RIGHTS = (
    "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public, billing FROM anon, authenticated, "
    "service_role, PUBLIC"
)


def _hook(body: str) -> tuple[str, ...]:
    return tuple(statement.format(body=body) for statement in HOOK)


Freeze = Callable[..., Awaitable[datetime]]


@pytest.fixture
def by_hand(source: Company, standin: GatewayStandin) -> Freeze:
    """Runs statements as the platform, has the gateway reload, and ends everybody's sessions; the clock after it."""

    def act(*statements: str) -> datetime:
        with psycopg.connect(source.admin_dsn, autocommit=True, application_name="platform") as session:
            session.execute("SET default_transaction_read_only = off")
            for statement in statements:
                session.execute(statement.replace("{db}", source.dbname).encode())
            session.execute("NOTIFY pgrst, 'reload config'")
            session.execute("SELECT pg_sleep(0.5)")
            session.execute(
                "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = current_database() "
                "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            row = session.execute("SELECT clock_timestamp()").fetchone()
            assert row is not None
            at: datetime = row[0]
            return at

    async def do(*statements: str) -> datetime:
        return await asyncio.to_thread(act, *statements)

    return do


@pytest.fixture
def proof(database: Database, gateway: Gateway) -> Proof:
    return Proof(database, gateway, quiet_seconds=0.2, late_counters=0.2)


async def _asked(findings: AsyncIterator[Finding]) -> dict[str, Finding]:
    return {finding.check: finding async for finding in findings}


def _failing(findings: dict[str, Finding]) -> set[str]:
    return {check for check, finding in findings.items() if finding.verdict == "fail"}


async def test_the_teams_own_hook_and_the_default_are_a_freeze(
    *,
    source: Company,
    database: Database,
    gateway: Gateway,
    proof: Proof,
    by_hand: Freeze,
    run_since: Callable[..., Run],
) -> None:
    """Whatever error the hook raises. What is in place is said, what is not proven is a warning, and a thaw says that
    it cannot undo it.
    """
    since = await by_hand(DEFAULT, *_hook(REFUSES))
    found = await _asked(proof.freeze_proof(run_since(since), lambda _: None))
    assert _failing(found) == set()
    assert (found["freeze-layers"].verdict, found["freeze-layers"].evidence) == (
        "warn",
        f"Frozen by other means than Cutover's SQL, since {since:%H:%M:%S} UTC at the latest: "
        "default_transaction_read_only is on for the database and the pre-request hook is public.maintenance for "
        "authenticator in it. `thaw` cannot undo that.",
    )
    assert (found["api-refuses-writes"].verdict, found["api-refuses-writes"].evidence) == (
        "pass",
        "The public API refuses writes with the key service_role and anon: its own hook public.maintenance raises "
        "PT503.",
    )
    assert (found["api-hook"].verdict, found["api-hook"].evidence) == (
        "warn",
        "The hook public.maintenance is set for authenticator. Whether it also refuses roles whose key Cutover does "
        "not have is not proven.",
    )
    record = found["quiet-window"].facts
    assert record["levers"] == {"default": "on", "hook": "public.maintenance"}
    run = run_since(since, record)
    assert _failing(await _asked(proof.freeze_holds(run, lambda _: None))) == set()
    findings = await thaw(database, None, gateway)
    assert findings[0].evidence == (
        "Nothing to thaw: Cutover did not freeze this database. It is read-only by other means, "
        "which `thaw` cannot undo: default_transaction_read_only is on for the database and the "
        "pre-request hook is public.maintenance for authenticator in it."
    )
    assert blocks(findings)


async def test_the_watch_tries_what_it_cannot_look_up(
    *,
    tmp_path: Path,
    source: Company,
    database: Database,
    gateway: Gateway,
    proof: Proof,
    by_hand: Freeze,
    run_since: Callable[..., Run],
) -> None:
    """That the hook's body lets writes pass is drift, as is another hook."""
    since = await by_hand(DEFAULT, *_hook(REFUSES))
    record = (await _asked(proof.freeze_proof(run_since(since), lambda _: None)))["quiet-window"].facts
    run, lock = run_since(since, record), SourceLock(database)
    seen = SupabaseSource(database, lock, tmp_path / "prior.json", gateway)
    await lock.take()
    try:
        assert (await seen.drift(run)).changes == ()
        replaced = _hook("")[0].replace("CREATE", "CREATE OR REPLACE")
        source.server.sql(f"BEGIN READ WRITE; {replaced}; COMMIT", source.dbname)
        [clause] = (await seen.drift(run)).changes
        assert clause.startswith("The public API accepts writes: POST with the key service_role")
    finally:
        await seen.close()
        await lock.release()


async def test_a_hook_that_breaks_is_not_a_refusal(
    proof: Proof, by_hand: Freeze, run_since: Callable[..., Run]
) -> None:
    """An error that says so is not examined, and names what to do."""
    since = await by_hand(DEFAULT, *_hook(BREAKS))
    found = await _asked(proof.freeze_proof(run_since(since), lambda _: None))
    assert {"freeze-layers", "api-refuses-writes", "api-hook"} <= _failing(found)
    assert found["api-refuses-writes"].evidence == (
        "The test of the public API gave no answer: a write failed with an error that is not a "
        "refusal (service_role POST: 42704, service_role PATCH: 42704, service_role DELETE: 42704, anon POST: 42704, "
        "anon PATCH: 42704, anon DELETE: 42704). Its pre-request hook is public.maintenance."
    )


async def test_row_triggers_are_no_freeze(
    source: Company, proof: Proof, by_hand: Freeze, run_since: Callable[..., Run]
) -> None:
    """They refuse only when a row is touched."""
    tables = source.server.sql(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public' "
        "AND tablename NOT LIKE 'events%'",
        source.dbname,
    )
    triggers = [
        f"CREATE TRIGGER closed BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION public.no()"
        for (table,) in tables
    ]
    refuse = "CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'closed'; END $$"
    since = await by_hand(DEFAULT, refuse, *triggers)
    found = await _asked(proof.freeze_proof(run_since(since), lambda _: None))
    assert {"freeze-layers", "api-refuses-writes", "api-hook"} <= _failing(found)
    assert "PATCH with the key service_role" in found["api-refuses-writes"].evidence


async def test_revoked_rights_are_a_freeze_only_without_functions_that_write(
    source: Company, proof: Proof, by_hand: Freeze, run_since: Callable[..., Run]
) -> None:
    """A function with its owner's rights still writes, and is named; once nobody may call it, nothing is left."""
    writes = (
        "CREATE FUNCTION public.enlist(name text) RETURNS void LANGUAGE sql SECURITY DEFINER AS "
        "$$ INSERT INTO public.settings VALUES (name, 'x') $$"
    )
    since = await by_hand(DEFAULT, NO_RIGHTS, writes)
    found = await _asked(proof.freeze_proof(run_since(since), lambda _: None))
    assert {"freeze-layers", "api-refuses-writes", "api-hook"} <= _failing(found)
    assert found["api-refuses-writes"].evidence.startswith(
        "The public API refuses this write for lack of permission (42501). That is not a freeze: its roles can still "
        "run "
        "functions with the rights of their owners: "
    )
    assert "public.enlist(name text) (anon, authenticated, service_role" in found["api-refuses-writes"].evidence
    revoked = "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public, billing FROM PUBLIC, anon, authenticated, service_role"
    since = await by_hand(revoked, *_columns_too(source))
    found = await _asked(proof.freeze_proof(run_since(since), lambda _: None))
    assert found["api-refuses-writes"].evidence == (
        "The public API refuses writes with the key service_role and anon (42501): none of its roles may write."
    )
    assert found["api-hook"].verdict == "pass"
    assert _failing(found) == set()


def _columns_too(source: Company) -> list[str]:
    """Whatever else the roles of the API hold in schemas of the project's own."""
    question = (
        "SELECT DISTINCT n.nspname FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN "
        "('information_schema', 'auth', 'storage', 'realtime', 'extensions', 'vault', 'cron', 'net', 'graphql')"
    )
    schemas = ", ".join(f'"{name}"' for (name,) in source.server.sql(question, source.dbname))
    roles = "anon, authenticated, service_role, PUBLIC"
    return [
        f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA {schemas} FROM {roles}",
        f"REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA {schemas} FROM {roles}",
    ]


async def test_where_the_data_api_is_off_its_part_is_not_needed(
    *,
    standin: GatewayStandin,
    database: Database,
    gateway: Gateway,
    proof: Proof,
    by_hand: Freeze,
    run_since: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run can be opened, all is counted by SQL, and the default alone is a freeze; each says so as a warning."""
    standin.switch_data_api(on=False)
    monkeypatch.setattr("bot.supabase.api_client.TRIES", 2)  # it stays off, however often it is asked
    assert (await identify(database, gateway)).ref == "abcdefghijklmnopqrst"
    assert await gateway.count("public", "orders") is Uncounted.OFF
    found = await looked(database, gateway)
    assert (found["same-project"].verdict, found["same-project"].evidence) == (
        "warn",
        "The project's Data API is off: it answers everything with 503 (PGRST002), so rows cannot be compared. "
        "Everything is counted by SQL, and the freeze needs no hook.",
    )
    since = await by_hand(DEFAULT)
    found = await _asked(proof.freeze_proof(run_since(since), lambda _: None))
    assert _failing(found) == set()
    assert (found["api-refuses-writes"].verdict, found["api-refuses-writes"].evidence) == (
        "warn",
        "The project's Data API is off (503, PGRST002), so no write comes through it. This part of the freeze is not "
        "needed.",
    )
    assert found["api-hook"].verdict == "warn"
