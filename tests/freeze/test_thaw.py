"""The thaw as the bot and `cutover thaw` do it."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from bot.errors import ServiceRefused, ServiceUnreachable
from bot.plan.findings import Finding
from bot.ports import ThawRecord
from bot.rehearsal.company import Company
from bot.rehearsal.standins.gateway import GatewayStandin
from bot.supabase.database import Database
from bot.supabase.freeze.layers import read_layers
from bot.supabase.freeze.thaw import DROP, read_thaw_record, thaw, write_thaw_record
from bot.supabase.freeze.thaw_plan import ThawPlan, plan_thaw
from bot.supabase.gateway import Gateway
from bot.supabase.locks import SourceLock
from bot.supabase.source import SupabaseSource
from tests.freeze.catalogs import world_of

STAYS = (
    "The schema cutover_freeze is left. Its hook allows everything. Whether the API has reloaded is not known: no "
    "key is set."
)


def _verdicts(findings: list[Finding]) -> dict[str, str]:
    return {finding.check: str(finding.verdict) for finding in findings}


DONE = {"thaw-restored": "pass", "thaw-schema": "warn", "thaw-writes": "pass"}
"""Without a key of the API, whose reload cannot be asked for then."""


def _drop(source: Company) -> None:
    source.server.sql(DROP, source.dbname)


@pytest.fixture
def held(source: Company) -> Callable[..., AbstractContextManager[None]]:
    """What the platform, whom nobody can end, holds in a transaction of its own while the context lasts."""

    @contextmanager
    def hold(statement: str) -> Iterator[None]:
        with psycopg.connect(source.admin_dsn, application_name="platform") as holder:
            holder.execute("SET TRANSACTION READ WRITE")
            holder.execute(statement.encode())
            yield
            holder.rollback()

    return hold


async def test_a_thaw_proves_that_all_ways_write_again(
    source: Company, database: Database, gateway: Gateway, freeze: Callable[[], object], tmp_path: Path
) -> None:
    """SQL and both keys write, old sessions are ended, the schema is gone; the record says so."""
    freeze()
    with psycopg.connect(source.dsn, application_name="app", autocommit=True) as frozen_pool:
        findings = await thaw(database, tmp_path / "freeze-prior.json", gateway)
        with pytest.raises(psycopg.OperationalError):
            frozen_pool.execute("SELECT 1")
    assert [(finding.check, finding.verdict, finding.evidence) for finding in findings] == [
        ("thaw-restored", "pass", "The settings are as before the freeze."),
        ("thaw-writes", "pass", "A new session can write again (CREATE TEMP TABLE and an UPDATE of no row)."),
        ("thaw-api", "pass", "The public API accepts writes again with the key service_role and anon."),
    ]
    async with database.session("test") as session:
        assert plan_thaw(await read_layers(session), None) == ThawPlan(sets=None, acts=False)
    record = tmp_path / "thaw.json"
    write_thaw_record(record, findings, at=datetime(2026, 4, 1, 12, tzinfo=UTC))
    written = json.loads(record.read_text())
    assert written["thawedAt"] == "2026-04-01T12:00:00Z"
    assert [finding["check"] for finding in written["findings"]] == ["thaw-restored", "thaw-writes", "thaw-api"]


async def test_nothing_to_thaw_is_a_pass(database: Database, gateway: Gateway) -> None:
    """On a database that is not frozen it changes nothing and ends no session."""
    findings = await thaw(database, None, gateway)
    assert {finding.verdict for finding in findings} == {"pass"}
    assert findings[0].evidence == "Nothing to thaw: Cutover did not freeze this database."


async def test_a_read_only_prior_ends_in_failure(
    source: Company, database: Database, freeze: Callable[[], object]
) -> None:
    """What was read-only before is restored, said, and does not pass for writing again."""
    source.server.sql(f"ALTER DATABASE {source.dbname} SET default_transaction_read_only = on")
    freeze()
    restored, _, writes = await thaw(database)
    assert restored.verdict == writes.verdict == "fail"
    assert restored.evidence == ("The settings are as before the freeze, but the database was read-only then too.")
    assert writes.evidence == (
        "A new session still cannot write (CREATE TEMP TABLE: 25006, an UPDATE of no row: 25006)."
    )


async def test_a_thaw_waits_for_no_one(source: Company, database: Database, freeze: Callable[[], object]) -> None:
    """Beside a hung bot that holds a snapshot with locks on every table and the lock on the source."""
    freeze()
    async with database.session("export") as hung:
        await hung.execute("BEGIN READ ONLY")
        await hung.execute("LOCK TABLE public.orders, public.settings IN ACCESS SHARE MODE")
        await hung.execute("SELECT pg_advisory_lock(1668641903, 7759218)")
        findings = await thaw(database)
    assert _verdicts(findings) == DONE
    assert (findings[1].evidence, findings[1].fix) == (STAYS, f"Drop it in a minute: {DROP}")


async def test_who_holds_what_must_be_set_ends_the_thaw_in_a_sentence(
    source: Company, database: Database, freeze: Callable[[], object], held: Callable[..., AbstractContextManager[None]]
) -> None:
    """Within seconds, with nothing changed; once the holder is gone, the next thaw goes through."""
    before = world_of(source)
    freeze()
    frozen = world_of(source)
    with held("LOCK TABLE pg_db_role_setting IN SHARE MODE"):
        async with asyncio.timeout(180):
            with pytest.raises(ServiceRefused) as refused:
                await thaw(database)
    assert str(refused.value) == (
        "the freeze could not be undone: another session holds a lock that it needs (55P03); the source is still "
        "frozen, and the settings from before the freeze are in the comment on schema cutover_freeze; find who holds "
        "it "
        "in pg_locks, end that session, and try again."
    )
    assert world_of(source) == frozen
    assert _verdicts(await thaw(database)) == DONE
    _drop(source)
    assert world_of(source) == before


@pytest.mark.all
async def test_a_catalog_that_nobody_can_read_ends_the_thaw_in_a_sentence(
    source: Company, database: Database, freeze: Callable[[], object], held: Callable[..., AbstractContextManager[None]]
) -> None:
    """Not even a session can be opened then; it is not waited for without end."""
    freeze()
    with held("LOCK TABLE pg_db_role_setting IN ACCESS EXCLUSIVE MODE"):
        async with asyncio.timeout(25):
            with pytest.raises(ServiceUnreachable):
                await thaw(database)
    assert _verdicts(await thaw(database)) == DONE


async def test_a_schema_in_use_is_left_and_said(
    source: Company,
    database: Database,
    gateway: Gateway,
    freeze: Callable[[], object],
    held: Callable[..., AbstractContextManager[None]],
) -> None:
    """All else is done; the next thaw drops it and restores nothing a second time."""
    source.server.sql("CREATE FUNCTION public.set_since() RETURNS void LANGUAGE sql AS 'SELECT'", source.dbname)
    before = world_of(source)
    freeze()
    with held("CREATE TABLE cutover_freeze.mine ()"):
        async with asyncio.timeout(180):
            findings = await thaw(database, None, gateway)
    assert [(finding.check, finding.verdict) for finding in findings] == [
        ("thaw-restored", "pass"),
        ("thaw-sessions", "warn"),
        ("thaw-schema", "warn"),
        ("thaw-writes", "pass"),
        ("thaw-api", "pass"),
    ]
    hook = f"ALTER ROLE authenticator IN DATABASE {source.dbname} SET pgrst.db_pre_request"
    source.server.sql(f"{hook} = 'public.set_since'")
    first, writes, _ = await thaw(database, None, gateway)
    assert (first.verdict, first.evidence) == (
        "pass",
        "An earlier thaw had restored the settings. This one continued from there.",
    )
    assert writes.verdict == "pass"
    assert ("public.set_since",) in source.server.sql(
        "SELECT split_part(entry, '=', 2) FROM pg_db_role_setting, unnest(setconfig) AS entry"
    )
    source.server.sql(hook.replace("SET", "RESET"))
    assert world_of(source) == before


async def test_what_somebody_put_into_the_schema_is_not_dropped(
    source: Company, database: Database, gateway: Gateway, freeze: Callable[[], object]
) -> None:
    """The schema stays with it, is said to be left, and holds nothing of ours."""
    freeze()
    source.server.sql("BEGIN READ WRITE; CREATE TABLE cutover_freeze.theirs (n int); COMMIT", source.dbname)
    findings = await thaw(database, None, gateway)
    assert _verdicts(findings) == {**DONE, "thaw-api": "pass"}
    assert source.server.sql("SELECT n FROM cutover_freeze.theirs", source.dbname) == []


@pytest.mark.all
async def test_a_table_that_is_locked_is_distinguished_from_a_freeze(
    source: Company,
    database: Database,
    freeze: Callable[[], object],
    standin: GatewayStandin,
    held: Callable[..., AbstractContextManager[None]],
) -> None:
    """The freeze is gone, but a write has not been proven; SQL and the API both say why, in bounded time: with as many
    tries as anywhere but in these tests.
    """
    before = world_of(source)
    freeze()
    tables = ", ".join(
        name
        for (name,) in source.server.sql(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
            source.dbname,
        )
    )
    with held(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"):
        async with (
            asyncio.timeout(180),
            Gateway(standin.url, standin.service_role_key, standin.anon_key) as gateway,
        ):
            findings = await thaw(database, None, gateway)
    told = {finding.check: (finding.verdict, finding.evidence) for finding in findings}
    assert told["thaw-writes"] == (
        "fail",
        "A new session is not refused, but somebody holds a lock that it needs (an UPDATE of no row: 55P03).",
    )
    assert told["thaw-api"][0] == "warn"
    assert "is not proven" in told["thaw-api"][1]
    assert world_of(source) == before


async def test_a_proof_that_cannot_be_made_is_no_proof(
    source: Company, database: Database, gateway: Gateway, freeze: Callable[[], object]
) -> None:
    """The settings are restored and nobody can look whether it helped: that is said, and the thaw has an end."""
    freeze()
    source.server.sql(
        "BEGIN READ WRITE; CREATE FUNCTION public.shut() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS "
        "$$BEGIN ALTER ROLE postgres CONNECTION LIMIT 0; END$$; "
        "CREATE EVENT TRIGGER shut ON sql_drop EXECUTE FUNCTION public.shut(); COMMIT",
        source.dbname,
    )
    try:
        restored, writes, *_ = await thaw(database, None, gateway)
    finally:
        source.server.sql("ALTER ROLE postgres CONNECTION LIMIT -1", "template1")
    assert restored.verdict == "pass"
    assert (writes.verdict, writes.evidence) == (
        "fail",
        "Whether a new session can write again is not known: the database has no connection left.",
    )


async def test_a_hung_bot_that_holds_off_writers_is_ended(
    source: Company, database: Database, freeze: Callable[[], object]
) -> None:
    """Its other sessions are spared."""
    freeze()
    async with database.session("export") as guard, database.session("watch") as watch:
        await guard.execute("BEGIN READ ONLY")
        await guard.execute("LOCK TABLE public.orders IN SHARE MODE")
        findings = await thaw(database)
        with pytest.raises(psycopg.OperationalError):
            await guard.execute("SELECT 1")
        await watch.execute("SELECT 1")
    assert _verdicts(findings) == DONE


async def test_the_record_of_a_thaw_is_read_back(
    source: Company, database: Database, freeze: Callable[[], datetime], tmp_path: Path
) -> None:
    """By a bot that was not there: only one written since, and nothing that is not ours."""
    file = tmp_path / "thaw.json"
    seen = SupabaseSource(database, SourceLock(database), tmp_path / "freeze-prior.json", None)
    noon = datetime(2026, 4, 1, 12, tzinfo=UTC)
    assert await seen.thawed_elsewhere(noon) is None
    frozen_at = freeze()
    findings = await thaw(database)
    write_thaw_record(file, findings, at=noon)
    record = read_thaw_record(file)
    assert record is not None
    restored_at = record.restored_at
    assert record == ThawRecord(thawed_at=noon, findings=tuple(findings), restored_at=restored_at)
    assert restored_at is not None
    assert frozen_at < restored_at, "by the database's clock, whatever the machine's says"
    assert await seen.thawed_elsewhere(noon) is None
    assert await seen.thawed_elsewhere(noon - timedelta(seconds=1)) == read_thaw_record(file)
    for foreign in ("", "{}", '{"thawedAt": 5, "findings": []}', '{"thawedAt": "2026-04-01T12:00:00", "findings": []}'):
        file.write_text(foreign)
        assert read_thaw_record(file) is None
    await seen.close()
