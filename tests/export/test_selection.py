"""What is exported and what is left out, and why."""

import pytest

from bot.supabase.catalog.platform import Schema, is_platform
from bot.supabase.catalog.selection import SECRET, Selection, is_one_time_token

PLATFORM = frozenset({"auth", "storage", "cron", "realtime", "vault"})
EVERYTHING = Selection(include_schemas=[], exclude_tables=[], platform=PLATFORM)


@pytest.mark.parametrize(
    ("name", "owner", "of_superuser", "of_extension"),
    [
        ("auth", "supabase_admin", True, False),
        ("storage", "supabase_storage_admin", False, False),
        ("pgmq", "supabase_admin", True, False),
        ("pgbouncer", "pgbouncer", False, False),
        ("etl", "supabase_etl_admin", False, False),
        ("topology", "postgres", False, True),
        ("_timescaledb_internal", "supabase_admin", True, True),
        ("of_any_name", "postgres", False, True),
    ],
)
def test_the_platforms_schemas_are_known(name: str, owner: str, of_superuser: bool, of_extension: bool) -> None:
    """By the role that owns them or the extension that made them."""
    assert is_platform(Schema(name, owner, of_superuser, of_extension))


@pytest.mark.parametrize(
    ("name", "owner", "of_superuser"),
    [
        ("public", "pg_database_owner", False),
        ("billing", "supabase_admin", True),
        ("authors", "supabase_admin", True),
        ("auth", "postgres", False),
        ("vault", "postgres", False),
        ("etl", "postgres", False),
        ("etl", "supabase_admin", True),
        ("topology", "supabase_admin", True),
        ("tiger", "postgres", False),
    ],
)
def test_a_schema_that_only_bears_such_a_name_is_the_companys(name: str, owner: str, of_superuser: bool) -> None:
    """A likeness of names must not lose a table."""
    assert not is_platform(Schema(name, owner, of_superuser, False))


@pytest.mark.parametrize("table", ["users", "identities", "mfa_factors", "webauthn_credentials"])
def test_people_are_taken_whatever_the_settings_include(table: str) -> None:
    """Without them no user can be created."""
    selection = Selection(include_schemas=["billing"], exclude_tables=[], platform=PLATFORM)

    assert selection.reason("auth", table, "r", of_extension=False) is None


@pytest.mark.parametrize(
    ("schema", "name", "kind", "of_extension", "reason"),
    [
        ("auth", "schema_migrations", "r", False, "it is the platform's own"),
        ("auth", "sessions", "r", False, "sessions end with Supabase: everybody signs in again"),
        (
            "vault",
            "secrets",
            "r",
            False,
            "the secrets are yours and encrypted with a key of this project: copy them by hand from"
            " vault.decrypted_secrets before the project ends",
        ),
        ("supabase_migrations", "schema_migrations", "r", False, "it is the platform's own"),
        ("supabase_migrations", "of_ours", "r", False, None),
        ("public", "spatial_ref_sys", "r", True, "it belongs to an extension"),
        ("public", "a_view", "v", False, "a view has no rows of its own"),
        ("public", "a_matview", "m", False, "a materialized view is computed from other tables"),
        ("public", "far", "f", False, "the rows of a foreign table live in another system"),
        ("public", "orders", "r", False, None),
        ("public", "events", "p", False, None),
    ],
)
def test_each_thing_left_out_has_its_reason(
    schema: str, name: str, kind: str, of_extension: bool, reason: str | None
) -> None:
    """Everything, or told."""
    assert EVERYTHING.reason(schema, name, kind, of_extension=of_extension) == reason


def test_the_settings_exclude_by_full_name_or_by_a_bare_one_in_public() -> None:
    """`orders` means public.orders and nothing in another schema."""
    selection = Selection(include_schemas=[], exclude_tables=["orders", "billing.plans"])

    assert selection.excludes("public", "orders")
    assert selection.excludes("billing", "plans")
    assert not selection.excludes("billing", "orders")


def test_with_schemas_included_the_others_are_reported() -> None:
    """A schema not named is left out for that reason, and one of the platform's may be named."""
    selection = Selection(include_schemas=["billing", "cron"], exclude_tables=[], platform=PLATFORM)

    reason = selection.reason("public", "orders", "r", of_extension=False)
    assert reason == "its schema is not among export.include_schemas"
    assert selection.reason("cron", "job", "r", of_extension=False) is None


def test_only_tokens_of_users_are_one_time_tokens() -> None:
    """A company's own column of such a name is data."""
    assert is_one_time_token("auth", "users", "recovery_token")
    assert is_one_time_token("auth", "users", "email_change_token_new")
    assert not is_one_time_token("public", "devices", "push_token")
    assert not is_one_time_token("auth", "users", "encrypted_password")


def test_of_second_factors_and_passkeys_that_are_excluded_only_whose_they_are_is_taken() -> None:
    """The table is exported all the same, without what somebody signs in with."""
    excluding = Selection(include_schemas=[], exclude_tables=["auth.mfa_factors", "auth.webauthn_credentials"])
    assert excluding.reason("auth", "mfa_factors", "r", of_extension=False) is None
    for table, secret in (("mfa_factors", "secret"), ("webauthn_credentials", "public_key")):
        assert excluding.reason_for_column("auth", table, secret) == SECRET
        assert excluding.reason_for_column("auth", table, "user_id") is None
        assert EVERYTHING.reason_for_column("auth", table, secret) is None
