"""What will become of the users: the same from the living source, days before, as from the bundle in the night."""

from functools import partial

import psycopg
import pytest

from bot.errors import ServiceUnreachable
from bot.plan.findings import Verdict
from bot.rehearsal.company import MARKS, Company
from bot.stackauth.users.forecast import findings, forecast_bundle, forecast_live_users
from bot.supabase.database import Database
from bot.supabase.preflight.live_users import auth_rows
from tests.users.test_company_users import rows_of


async def test_the_living_source_and_the_bundle_show_the_same(company: Company, another_night, rows, tmp_path):
    """Users, hashes, accounts and reasons; and what the night then finds is what was foreseen."""
    living = await forecast_live_users(partial(auth_rows, Database(company.dsn)), tmp_path, rows.at)
    night = await another_night()
    night.export(*(rows_of(company, table) for table in ("users", "identities", "mfa_factors")))
    assert living == await forecast_bundle(night.directory, "20260102-abcd", night.progress.append)
    result = await night.migrate()
    assert {reason: attention.count for reason, attention in result.attention.items()} == living.attention
    assert result.users == living.users
    assert result.attention_users == living.users - living.complete
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


async def test_a_source_without_factors_is_looked_at_all_the_same(database: Company, tmp_path, rows):
    """An older project has no such table."""
    with psycopg.connect(database.admin_dsn, autocommit=True) as session:
        session.execute("DROP TABLE auth.mfa_factors CASCADE")
    living = await forecast_live_users(partial(auth_rows, Database(database.dsn)), tmp_path, rows.at)
    assert living.users == 132
    assert "second-factor-not-carried" not in living.attention


async def test_the_finding_says_it_in_numbers(company: Company, tmp_path, rows):
    """With nothing of a person in it."""
    living = await forecast_live_users(partial(auth_rows, Database(company.dsn)), tmp_path, rows.at)
    [finding] = findings(living)
    assert finding.verdict is Verdict.WARN
    assert finding.evidence.startswith("132 users, password hashes: 72 bcrypt of cost 10, ")
    assert "12 × hash-not-bcrypt" in finding.evidence
    assert not [mark for mark in MARKS if mark in finding.model_dump_json()]


async def test_a_source_that_is_not_there_is_reported_as_such(tmp_path, rows):
    """As every edge does."""
    nobody = Database("postgresql://postgres:x@127.0.0.1:1/postgres")
    with pytest.raises(ServiceUnreachable):
        await forecast_live_users(partial(auth_rows, nobody), tmp_path, rows.at)
