"""The thaw as the bot and `cutover thaw` do it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from bot.rehearsal.company import Company
from bot.supabase.database import Database
from bot.supabase.freeze.kit import read_layers
from bot.supabase.freeze.thaw import Plan, plan_of, thaw, write_thaw_record
from bot.supabase.gateway import Gateway


async def test_a_thaw_proves_that_all_roads_write_again(
    source: Company, database: Database, gateway: Gateway, freeze: Callable[[], object], tmp_path: Path
) -> None:
    """SQL and both keys write, old sessions are ended, the schema is gone; the record says so."""
    freeze()
    with psycopg.connect(source.dsn, application_name="app", autocommit=True) as frozen_pool:
        findings = await thaw(database, tmp_path / "freeze-prior.json", gateway)
        with pytest.raises(psycopg.OperationalError):
            frozen_pool.execute("SELECT 1")
    assert [(finding.check, finding.verdict, finding.evidence) for finding in findings] == [
        ("thaw-restored", "pass", "The settings are as they were before the freeze."),
        ("thaw-writes", "pass", "A fresh session writes again (CREATE TEMP TABLE and an UPDATE of no row)."),
        ("thaw-api", "pass", "The public API takes writes again with the key service_role and anon."),
    ]
    async with database.session("test") as session:
        assert plan_of(await read_layers(session), None) == Plan(sets=None, acts=False)
    record = tmp_path / "thaw.json"
    write_thaw_record(record, findings, at=datetime(2026, 4, 1, 12, tzinfo=UTC))
    written = json.loads(record.read_text())
    assert written["thawedAt"] == "2026-04-01T12:00:00Z"
    assert [finding["check"] for finding in written["findings"]] == ["thaw-restored", "thaw-writes", "thaw-api"]


async def test_nothing_to_thaw_is_a_pass(database: Database, gateway: Gateway) -> None:
    """On a database that is not frozen it changes nothing and ends no session."""
    findings = await thaw(database, None, gateway)
    assert {finding.verdict for finding in findings} == {"pass"}
    assert findings[0].evidence == "There was nothing to thaw: this database is not frozen by Cutover."


async def test_a_read_only_prior_ends_in_failure(
    source: Company, database: Database, freeze: Callable[[], object]
) -> None:
    """What was read-only before is restored, said, and does not pass for writing again."""
    source.server.sql(f"ALTER DATABASE {source.dbname} SET default_transaction_read_only = on")
    freeze()
    restored, writes = await thaw(database)
    assert restored.verdict == writes.verdict == "fail"
    assert restored.evidence == (
        "The settings are as they were before the freeze, and the database was read-only then too."
    )
    assert writes.evidence == (
        "A fresh session still cannot write (CREATE TEMP TABLE: 25006, an UPDATE of no row: 25006)."
    )


async def test_a_thaw_waits_for_no_one(source: Company, database: Database, freeze: Callable[[], object]) -> None:
    """Beside a hung bot that holds a snapshot with locks on every table and the lock on the source."""
    freeze()
    async with database.session("export", autocommit=False) as hung:
        await hung.execute("LOCK TABLE public.orders, public.settings IN ACCESS SHARE MODE")
        await hung.execute("SELECT pg_advisory_lock(1668641903, 7759218)")
        restored, writes = await thaw(database)
    assert restored.verdict == "pass"
    assert writes.verdict == "pass"
