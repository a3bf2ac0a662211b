"""Users of unusual kinds, from the source over the export to the attention list."""

import json
from functools import partial
from pathlib import Path

import psycopg

from bot.plan.findings import Verdict
from bot.rehearsal.company import Company
from bot.stackauth.client.api import StackAuth
from bot.stackauth.migrate.readback.examiner import ReadBack
from bot.stackauth.users.forecast import forecast_live_users
from bot.supabase.database import Database
from bot.supabase.preflight.live_users import auth_rows
from tests.export.conftest import Taken

ODD = Path(__file__).parent / "odd_users.sql"
IDS = "a0000000-0000-4000-8000-00000000000"
PASSKEYS = f"""
SET ROLE supabase_auth_admin;
CREATE TABLE auth.webauthn_credentials (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
  credential_id bytea NOT NULL, public_key bytea NOT NULL, transports jsonb, last_used_at timestamptz);
CREATE TABLE auth.oauth_consents (user_id uuid, scopes text);
INSERT INTO auth.webauthn_credentials (user_id, credential_id, public_key) VALUES
  ('{IDS}2', '\\x01', '\\x02'), ('{IDS}3', '\\x03', '\\x04'), ('{IDS}a', '\\x05', '\\x06');
INSERT INTO auth.oauth_consents VALUES ('{IDS}2', 'all');
RESET ROLE;
"""
FACTOR = f"""
INSERT INTO auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at)
VALUES (gen_random_uuid(), '{IDS}6', 'webauthn', 'verified', now(), now());
"""
LISTED = {
    "1": {"identity-not-carried"},
    "2": {"passkey-not-carried"},
    "3": {"passkey-not-carried"},
    "4": {"hash-not-bcrypt"},
    "5": {"sso-user"},
    "6": {"second-factor-not-carried"},
    "a": {"identity-not-carried", "passkey-not-carried", "no-sign-in-method"},
}
"""By the last digit of the id; all others go over whole."""


async def test_each_is_migrated_or_listed(database: Company, another_night, make):
    """With their passkeys, in the same two files that a night would use; and whoever is there reads back."""
    with psycopg.connect(database.admin_dsn, autocommit=True) as session:
        for text in (ODD.read_text(), PASSKEYS, FACTOR):
            session.execute(text)
    night = await another_night(oauth_providers=("google", "github"))
    taken = Taken(database, night.directory)
    await taken.take()
    passkeys = json.loads((night.directory / "auth_webauthn_credentials.json").read_text())
    assert sorted(row["user_id"][-1] for row in passkeys) == ["2", "3", "a"]
    left_out = {entry.name: (entry.row_count, entry.reason) for entry in taken.metadata.left_out}
    assert left_out["auth.oauth_consents"] == (
        1,
        "it holds the apps that sign people in through this project: register them again",
    )
    assert left_out["auth.sso_providers"][1].endswith("its users have the reason sso-user")
    assert left_out["vault.secrets"] == (
        1,
        "the secrets are yours and encrypted with a key of this project: copy them by hand from"
        " vault.decrypted_secrets before the project ends",
    )

    result = await night.migrate()
    assert (result.users, result.created, result.unmapped) == (142, 142, 0)
    rows_of = partial(auth_rows, Database(database.dsn))
    foreseen = await forecast_live_users(rows_of, night.directory, make.at)
    assert foreseen.attention == {reason: found.count for reason, found in result.attention.items()}
    listed: dict[str, set[str]] = {}
    for entry in night.listed():
        if entry.id.startswith(IDS):
            listed.setdefault(entry.id[-1], set()).add(entry.reason)
    assert listed == LISTED

    def stored(digit: str):
        return night.service.users[night.mapped()[IDS + digit].stack_auth_user_id]

    assert not any(stored(digit).oauth_identities for digit in "12a")
    assert [digit for digit in "123456789a" if stored(digit).primary.used_for_auth] == list("12346789")
    assert (stored("3").password_hash or "").startswith("$2y$")
    assert (stored("7").primary.value, stored("9").primary.value) == ("trail.@example.com", "nodot@localhost")
    async with StackAuth(night.url, make.project, make.key) as service:
        found = [finding async for finding in ReadBack(night.directory, service).examine(night.run(), night._report)]
    assert [finding.verdict for finding in found] == [Verdict.PASS, Verdict.PASS]
