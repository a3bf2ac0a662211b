"""The rehearsal company's users of every kind, as PostgreSQL writes their rows."""

import json

import psycopg
import pytest

from bot.plan.findings import Verdict
from bot.rehearsal.company import MARKS, Company
from bot.stackauth.client.api import StackAuth
from bot.stackauth.migrate.readback.examiner import ReadBack


def rows_of(company: Company, table: str) -> list[dict]:
    with psycopg.connect(company.dsn) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = psycopg.sql.SQL("SELECT row_to_json(r)::text FROM auth.{} AS r").format(psycopg.sql.Identifier(table))
        return [json.loads(text) for (text,) in connection.execute(query)]


@pytest.mark.parametrize("generation", ["new", "old"])
async def test_every_kind_of_user_is_migrated_and_reads_back(company, another_night, make, generation):
    """Nobody is left out, every kind that loses something has its reason, and every field reads back."""
    users = rows_of(company, "users")
    night = await another_night(generation=generation)
    night.export(users, rows_of(company, "identities"), rows_of(company, "mfa_factors"))
    result = await night.migrate()
    assert (result.users, result.created, result.unmapped) == (len(users), len(users), 0)
    assert set(result.attention) == {
        "anonymous",
        "banned",
        "deleted",
        "email-refused",
        "email-taken-by-another",
        "hash-not-bcrypt",
        "metadata-rounded",
        "no-sign-in-method",
        "phone-not-carried",
        "phone-only",
        "second-factor-not-carried",
        "sso-user",
    }
    night.assert_everybody_once()
    shown = [result.model_dump_json(), *(progress.note for progress in night.progress)]
    async with StackAuth(night.url, make.project, make.key) as service:
        async for finding in ReadBack(night.directory, service).examine(night.run(), night._report):
            assert finding.verdict is Verdict.PASS, finding.evidence
            shown.append(finding.model_dump_json())
    assert not [mark for mark in MARKS for text in shown if mark in text]
