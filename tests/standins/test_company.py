"""The company in the embedded server: who is in it, what is in it, and what its owner may and may not do."""

import psycopg
import pytest
from psycopg import sql

from bot.rehearsal.company import (
    PLANTED_EMAIL_MARK,
    PLANTED_HASH_MARK,
    PLANTED_TOTP_MARK,
    Company,
    build,
)
from bot.rehearsal.postgres import EmbeddedPostgres

_KINDS = {
    "bcrypt": "encrypted_password LIKE '$2a$10$%'",
    "other bcrypt": "encrypted_password ~ '^\\$2[aby]\\$' AND encrypted_password NOT LIKE '$2a$10$%'",
    "argon2": "encrypted_password LIKE '$argon2id$%'",
    "firebase": "encrypted_password LIKE '$fbscrypt$%'",
    "encrypted": "encrypted_password LIKE '{%'",
    "unknown hash": "encrypted_password LIKE '$6$%'",
    "no hash": "encrypted_password IS NULL",
    "empty hash": "encrypted_password = ''",
    "google alone": "raw_app_meta_data ->> 'provider' = 'google' AND encrypted_password = ''",
    "github alone": "raw_app_meta_data -> 'providers' = '[\"github\"]'",
    "password and google": "encrypted_password <> '' AND raw_app_meta_data -> 'providers' = '[\"email\", \"google\"]'",
    "two oauth": "raw_app_meta_data -> 'providers' = '[\"google\", \"github\"]'",
    "unverified": "email IS NOT NULL AND encrypted_password <> '' AND email_confirmed_at IS NULL",
    "invited": "invited_at IS NOT NULL",
    "phone alone": "phone IS NOT NULL AND email IS NULL",
    "phone and e-mail": "phone IS NOT NULL AND email IS NOT NULL",
    "anonymous": "is_anonymous",
    "sso": "is_sso_user",
    "banned": "banned_until > now()",
    "ban over": "banned_until < now()",
    "deleted": "deleted_at IS NOT NULL",
    "upper case": "email <> lower(email)",
    "same address": "id IN (SELECT a.id FROM auth.users a JOIN auth.users b USING (email) WHERE a.id <> b.id)",
    "same but for case": (
        "id IN (SELECT a.id FROM auth.users a JOIN auth.users b ON lower(a.email) = lower(b.email)"
        " AND a.email <> b.email)"
    ),
    "totp": "id IN (SELECT user_id FROM auth.mfa_factors WHERE factor_type = 'totp' AND status = 'verified')",
    "non-ascii": "email ~ '[^\\x01-\\x7f]'",
    "super admin": "is_super_admin",
    "nested": "raw_user_meta_data ? 'deep'",
}  # fmt: skip


def test_every_kind_of_user_is_there_several_times(company: Company) -> None:
    """No kind that the night has to judge is missing or there just once."""
    counts = [f"count(*) FILTER (WHERE {condition})" for condition in _KINDS.values()]
    with psycopg.connect(company.dsn) as session:
        row = session.execute(f"SELECT {', '.join(counts)}, count(*) FROM auth.users".encode()).fetchone()
    assert row is not None
    assert row[-1] == 132
    found = dict(zip(_KINDS, row, strict=False))
    assert {kind: number for kind, number in found.items() if number < 2} == {}


def test_hashes_have_the_form_that_bcrypt_gives_and_carry_the_mark(company: Company) -> None:
    """A strict reader of bcrypt accepts them, and a leaked one is recognised."""
    with psycopg.connect(company.dsn) as session:
        rows = session.execute("SELECT encrypted_password FROM auth.users WHERE encrypted_password LIKE '$2%'")
        hashes = [row[0] for row in rows]
        strict = session.execute(
            r"SELECT count(*) FROM auth.users WHERE encrypted_password ~ "
            r"'^\$2[aby]\$\d\d\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]$'"
        ).fetchone()
    assert strict == (len(hashes),)
    assert all(PLANTED_HASH_MARK in hash_ for hash_ in hashes)


def test_people_are_recognised_wherever_they_leak(company: Company) -> None:
    """Addresses and TOTP secrets all carry their marks; only addresses that Auth has obscured do not."""
    with psycopg.connect(company.dsn) as session:
        addresses = session.execute("SELECT email FROM auth.users WHERE email IS NOT NULL AND deleted_at IS NULL")
        assert all(row[0].endswith(PLANTED_EMAIL_MARK) for row in addresses)
        secrets = session.execute("SELECT secret FROM auth.mfa_factors WHERE factor_type = 'totp'").fetchall()
        assert secrets
        assert all(row[0].startswith(PLANTED_TOTP_MARK) for row in secrets)
        gone = session.execute("SELECT count(*) FROM auth.users WHERE deleted_at IS NOT NULL AND email LIKE '%@%'")
        assert gone.fetchone() == (0,)


def test_the_auth_tables_have_the_real_shape(company: Company) -> None:
    """`auth.users` has its 35 columns, one of them generated; sign-in addresses are unique but for single sign-on."""
    with psycopg.connect(company.admin_dsn) as session:
        columns = session.execute(
            "SELECT count(*), string_agg(attname, ',') FILTER (WHERE attgenerated = 's') FROM pg_attribute"
            " WHERE attrelid = 'auth.users'::regclass AND attnum > 0"
        ).fetchone()
        index = session.execute(
            "SELECT pg_get_expr(indpred, indrelid) FROM pg_index"
            " WHERE indexrelid = 'auth.users_email_partial_key'::regclass"
        ).fetchone()
    assert columns == (35, "confirmed_at")
    assert index == ("(is_sso_user = false)",)


def test_there_are_some_forty_tables_of_every_shape(company: Company) -> None:
    """Partitions, inheritance, no rows, no key, no columns, unlogged, and names that collide are all among them."""
    question = """
        SELECT count(*) FILTER (WHERE relkind = 'r'), count(*) FILTER (WHERE relkind = 'p'),
               count(*) FILTER (WHERE relispartition AND relkind = 'r'),
               count(*) FILTER (WHERE relpersistence = 'u' AND relkind = 'r'),
               count(*) FILTER (WHERE relkind = 'v'), count(*) FILTER (WHERE relkind = 'm'),
               count(*) FILTER (WHERE relkind = 'r' AND relnatts = 0), count(*) FILTER (WHERE relrowsecurity)
          FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'billing'::regnamespace)"""
    with psycopg.connect(company.dsn) as session:
        assert session.execute(question).fetchone() == (48, 1, 3, 1, 1, 1, 1, 6)
        for table in ("metadata", "auth_users", "Customer Notes 2024", "order", "billing_plans"):
            session.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier("public", table)))


def test_two_builds_from_one_seed_are_equal(server: EmbeddedPostgres, company: Company) -> None:
    """Rows follow from the seed byte for byte; another seed gives others."""
    twin = build(server, users=132, rows=3_000, dbname="twin")
    other = build(server, users=132, rows=3_000, seed=2, dbname="other")
    try:
        assert _digests(twin) == _digests(company)
        assert _digests(other)["public.messages"] != _digests(company)["public.messages"]
    finally:
        twin.drop()
        other.drop()


def test_the_owner_may_freeze_but_not_become_the_platform(database: Company) -> None:
    """The role postgres is no superuser, rules its database and the gateway's role, reads all, and is nobody else."""
    with psycopg.connect(database.dsn, autocommit=True) as session:
        name = sql.Identifier(database.dbname)
        attributes = "rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
        row = session.execute(f"SELECT {attributes} FROM pg_roles WHERE rolname = current_user".encode()).fetchone()
        assert row == (False, True, True, True, True)
        session.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = off").format(name))
        session.execute(
            sql.SQL("ALTER ROLE authenticator IN DATABASE {} SET pgrst.db_pre_request = 'a.b'").format(name)
        )
        session.execute(sql.SQL("ALTER ROLE authenticator IN DATABASE {} RESET pgrst.db_pre_request").format(name))
        for table in ("auth.users", "auth.identities", "auth.schema_migrations", "storage.objects", "vault.secrets"):
            session.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*table.split("."))))
        for role in ("supabase_auth_admin", "supabase_storage_admin", "supabase_admin"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("ALTER ROLE supabase_auth_admin SET statement_timeout = 1")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("CREATE TABLE auth.mine ()")


def test_a_sign_up_makes_a_profile(database: Company) -> None:
    """The company's own trigger on auth.users works for the Auth service, whose role has no right on the table."""
    with psycopg.connect(database.auth_dsn) as session:
        session.execute("INSERT INTO auth.users (id) VALUES ('00000000-0000-4000-8000-000000000001')")
    with psycopg.connect(database.dsn) as session:
        found = session.execute("SELECT id::text FROM public.profiles WHERE id::text LIKE '00000000-%'").fetchall()
    assert found == [("00000000-0000-4000-8000-000000000001",)]


def _digests(company: Company) -> dict[str, str]:
    """Digest every table of the company's own, in whatever order its rows lie."""
    with psycopg.connect(company.admin_dsn) as session:
        tables = session.execute(
            "SELECT relnamespace::regnamespace::text, relname FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace IN ('public'::regnamespace, 'billing'::regnamespace) OR oid = 'auth.users'::regclass"
        ).fetchall()
        digests = {}
        for schema, table in tables:
            question = sql.SQL("SELECT md5(string_agg(x::text, '|' ORDER BY x::text)) FROM ONLY {} AS x")
            row = session.execute(question.format(sql.Identifier(schema, table))).fetchone()
            digests[f"{schema}.{table}"] = row[0] if row else ""
        return digests
