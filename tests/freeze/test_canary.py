"""The canary at Supabase: asked days before the night, and never while the source is frozen, since it writes."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import psycopg
import pytest

from bot.errors import ServiceUnreachable
from bot.plan.findings import Verdict
from bot.rehearsal.company import CANARY_EMAIL, CANARY_PASSWORD, Company
from bot.rehearsal.standins.gateway import GatewayStandin
from bot.supabase.database import Database
from bot.supabase.preflight.canary import Canary, signs_in


@pytest.fixture
def canary(standin: GatewayStandin) -> Canary:
    """The company's own."""
    return Canary(email=CANARY_EMAIL, password=CANARY_PASSWORD, url=standin.url, anon_key=standin.anon_key)


async def found(database: Database, canary: Canary | None) -> tuple[Verdict, str]:
    [finding] = [finding async for finding in signs_in(database, canary)]
    assert finding.check == "canary-signs-in"
    assert CANARY_PASSWORD not in finding.model_dump_json() and "people.example" not in finding.model_dump_json()
    return finding.verdict, finding.evidence


def signed_in(source: Company) -> object:
    """Sessions, and when the canary was last seen."""
    with psycopg.connect(source.admin_dsn) as session:
        question = "SELECT (SELECT count(*) FROM auth.sessions), last_sign_in_at FROM auth.users WHERE email = %s"
        return session.execute(question, [CANARY_EMAIL]).fetchone()


def change(source: Company, columns: str) -> None:
    with psycopg.connect(source.admin_dsn, autocommit=True) as session:
        session.execute(f"UPDATE auth.users SET {columns} WHERE email = '{CANARY_EMAIL}'".encode())


async def test_it_signs_in_and_out_again(database: Database, source: Company, canary: Canary) -> None:
    """No session is left."""
    before = signed_in(source)
    assert await found(database, canary) == (Verdict.PASS, "The canary signs in at Supabase with its password.")
    after = signed_in(source)
    assert isinstance(before, tuple) and isinstance(after, tuple)
    assert (after[0], after[1] > before[1]) == (before[0], True)


async def test_a_frozen_source_is_not_asked(
    database: Database, source: Company, canary: Canary, freeze: Callable[[], datetime]
) -> None:
    """By the kit's layers, or by the default alone; Auth's old session could still write."""
    told = (Verdict.WARN, "Not tried at Supabase: it is frozen, and signing in writes.")
    before = signed_in(source)
    with psycopg.connect(source.dsn, autocommit=True) as session:
        session.execute(f"ALTER DATABASE {source.dbname} SET default_transaction_read_only = on".encode())
        assert await found(database, canary) == told
        session.execute("BEGIN READ WRITE")
        session.execute(f"ALTER DATABASE {source.dbname} RESET default_transaction_read_only".encode())
        session.execute("COMMIT")
    freeze()
    assert await found(database, canary) == told
    assert signed_in(source) == before


async def test_without_a_canary_or_the_public_key_it_says_that_nothing_was_tried(
    database: Database, source: Company, canary: Canary
) -> None:
    """One line each."""
    before = signed_in(source)
    assert await found(database, None) == (
        Verdict.WARN,
        "Not tried: no canary is set, so nothing will prove that people sign in with their old password.",
    )
    assert await found(database, replace(canary, anon_key="")) == (
        Verdict.WARN,
        "Not tried at Supabase: signing in takes the public key, which is not set.",
    )
    assert signed_in(source) == before


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (
            "encrypted_password = '$2a$10$' || repeat('a', 53)",
            "Supabase does not accept the canary's address and password.",
        ),
        (
            "email_confirmed_at = NULL",
            "The canary's address is not confirmed, so Supabase lets nobody sign in with it.",
        ),
        ("banned_until = 'infinity'", "The canary is banned in Supabase, so it cannot sign in."),
    ],
)
async def test_what_keeps_it_out_is_reported(
    database: Database, source: Company, canary: Canary, columns: str, told: str
) -> None:
    """Each with what to do."""
    change(source, columns)
    assert await found(database, canary) == (Verdict.FAIL, told)


async def test_a_second_factor_is_reported(database: Database, source: Company, canary: Canary) -> None:
    """Supabase lets the canary in by its password; Stack Auth will ask for the code."""
    with psycopg.connect(source.admin_dsn, autocommit=True) as session:
        session.execute(
            "INSERT INTO auth.mfa_factors"
            " (id, user_id, friendly_name, factor_type, status, created_at, updated_at, secret)"
            " SELECT gen_random_uuid(), id, 'App', 'totp', 'verified', now(), now(), 'JBSWY3DP' FROM auth.users"
            " WHERE email = %s",
            [CANARY_EMAIL],
        )
    assert await found(database, canary) == (
        Verdict.PASS,
        "The canary signs in at Supabase with its password. It has a second factor, so Stack Auth will ask for a code "
        "after the right password.",
    )


async def test_a_wrong_public_key_or_address_is_reported(database: Database, canary: Canary) -> None:
    """By the setting that is wrong."""
    assert await found(database, replace(canary, anon_key="nobody's")) == (
        Verdict.FAIL,
        "Supabase does not accept the key in SUPABASE_ANON_KEY.",
    )
    with pytest.raises(ServiceUnreachable, match=re.escape("Supabase Auth could not be reached (")):
        await found(database, replace(canary, url="http://127.0.0.1:1"))
