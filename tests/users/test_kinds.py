"""Every kind of user that docs/users.md names, held against what becomes of an example of it."""

import tempfile
from pathlib import Path

import pytest

from bot.artifacts.scratch import Scratch
from bot.rehearsal.standins.stackauth import StackAuthStandin
from bot.stackauth.migrate.requests import first_request
from bot.stackauth.users.conflicts import Conflicts
from bot.stackauth.users.exported import DEEPEST, ExportedUser
from bot.stackauth.users.translate import translate
from tests.users.kinds import KINDS

KNOWN = {kind.name: kind for kind in KINDS}
NO_PASSWORD = {"encrypted_password": None}
UNVERIFIED = {"email_confirmed_at": None}
NO_ADDRESS = {"email": None, **NO_PASSWORD, **UNVERIFIED}
APP = {"factor_type": "totp", "status": "verified", "secret": "JBSWY3DPEHPK3PXP", "updated_at": "1"}
PASSKEY = {"credential_id": "\\x01", "public_key": "\\x02"}


def deep(levels):
    value = {}
    for _ in range(levels):
        value = {"in": value}
    return value


def examples(rows):
    """By kind: columns, identities as (provider, account), factors, and passkeys where there are any."""
    return {
        "password": ({}, [], []),
        "magic link": (NO_PASSWORD, [("email", "x")], []),
        "account at a provider": ({**NO_PASSWORD, **UNVERIFIED}, [("google", "1")], []),
        "password and provider": ({}, [("email", "x"), ("github", "1")], []),
        "several providers": (NO_PASSWORD, [("google", "1"), ("github", "2")], []),
        "several accounts at one provider": ({}, [("google", "1"), ("google", "2")], []),
        "account without address": (NO_ADDRESS, [("twitter", "1")], []),
        "provider that Stack Auth knows by another id, or not at all": ({}, [("azure", "1")], []),
        "account whose id at the provider is missing": (NO_PASSWORD, [("google", " ")], []),
        "passkey": (NO_PASSWORD, [], [], [PASSKEY]),
        "passkey and no other way in": ({**NO_PASSWORD, **UNVERIFIED}, [], [], [PASSKEY]),
        "unverified address, with password": (UNVERIFIED, [], []),
        "unverified address, without password or provider": ({**NO_PASSWORD, **UNVERIFIED}, [], []),
        "phone only": ({**NO_ADDRESS, "phone": "4915"}, [("phone", "x")], []),
        "phone and address": ({"phone": "4915"}, [], []),
        "anonymous": ({**NO_ADDRESS, "is_anonymous": True}, [], []),
        "single sign-on of a company": ({**NO_PASSWORD, "is_sso_user": True}, [("sso:1", "1")], []),
        "banned": ({"banned_until": "2999-01-01T00:00:00+00:00"}, [], []),
        "soft-deleted": ({"deleted_at": "2024-01-01T00:00:00+00:00"}, [("google", "1")], []),
        "hash of another kind (argon2, scrypt, encrypted, unknown)": ({"encrypted_password": "$argon2id$x"}, [], []),
        "empty hash": ({"encrypted_password": ""}, [], []),
        "authenticator app (TOTP)": ({}, [], [APP, {**APP, "status": "unverified"}]),
        "several authenticator apps": ({}, [], [APP, {**APP, "updated_at": "2"}]),
        "authenticator app with an encrypted secret": ({}, [], [{**APP, "secret": '{"key_id": "k"}'}]),
        "passkey or phone as second factor": ({}, [], [{"factor_type": "webauthn", "status": "verified"}]),
        "address that Stack Auth refuses (not ASCII, no @)": ({**NO_PASSWORD, "email": "zoë@example.com"}, [], []),
        "address in upper case": ({"email": "ADA@EXAMPLE.COM"}, [], []),
        "the same address in other letters": ({"email": "Twin@example.com", **UNVERIFIED}, [], []),
        "large metadata": ({"raw_user_meta_data": {"text": "x" * 1_000_000}}, [], []),
        "metadata nested without end": ({"raw_user_meta_data": deep(DEEPEST + 5)}, [], []),
        "metadata with a key `__proto__`": ({"raw_user_meta_data": {"a": [{"__proto__": {"admin": True}}]}}, [], []),
        "metadata with numbers of 17 digits and more": ({"raw_user_meta_data": {"n": 0.1 + 0.2}}, [], []),
        "metadata with secrets": ({"raw_app_meta_data": {"token": "secret"}, "raw_user_meta_data": {"a": 1}}, [], []),
        "super-admin": ({"is_super_admin": True}, [], []),
    }


def test_every_kind_has_an_example(rows):
    """And no example is of a kind that is not documented."""
    assert examples(rows).keys() == KNOWN.keys()


@pytest.mark.parametrize("name", KNOWN)
def test_the_rule_is_what_happens(rows, name):
    """The reasons are those of the rule, the service takes the user, and whoever may sign in can."""
    columns, accounts, factors, *passkeys = examples(rows)[name]
    identities = tuple(rows.identity(1, provider, account) for provider, account in accounts)
    user = ExportedUser(
        row=rows.user(1, **columns),
        identities=identities,
        factors=tuple(factors),
        passkeys=tuple(*passkeys),
    )
    twin = ExportedUser(row=rows.user(2, email="twin@example.com"))
    with tempfile.TemporaryDirectory() as directory, Scratch(Path(directory)) as scratch:
        conflicts = Conflicts.of([user, twin], scratch)
        translation = translate(user, run_id="20260102-abcd", at=rows.at, conflicts=conflicts)
    assert translation.reasons == KNOWN[name].reasons
    stored = StackAuthStandin("p", "k", oauth_providers=("google", "github", "x")).add_user(
        first_request(translation.body)
    )
    by_address = stored.primary and stored.primary.used_for_auth and (stored.has_password or stored.otp_auth_enabled)
    assert bool(stored.oauth_identities or by_address) is KNOWN[name].signs_in


def test_no_secret_moves_to_where_more_people_see_it(rows):
    """App metadata was never the client's to read as a whole, and stays on the server's side."""
    user = ExportedUser(row=rows.user(1, raw_app_meta_data={"token": "secret"}, raw_user_meta_data={"a": 1}))
    with tempfile.TemporaryDirectory() as directory, Scratch(Path(directory)) as scratch:
        body = translate(user, run_id="r", at=rows.at, conflicts=Conflicts.of([user], scratch)).body
    assert body["client_metadata"] == {"a": 1}
    assert body["server_metadata"]["token"] == "secret"
    assert "client_read_only_metadata" not in body
