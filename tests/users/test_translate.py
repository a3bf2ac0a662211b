"""What an exported user becomes, and which reasons it leaves behind."""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.artifacts.scratch import Scratch
from bot.rehearsal.standins.stackauth import StackAuthStandin
from bot.stackauth.migrate.requests import droppable, first_request, reduced
from bot.stackauth.users.conflicts import Conflicts
from bot.stackauth.users.exported import DEEPEST, ExportedUser, decoded
from bot.stackauth.users.reasons import REASONS
from bot.stackauth.users.sign_in import PROVIDERS
from bot.stackauth.users.translate import Translation, translate

AT = datetime(2026, 1, 2, tzinfo=UTC)
VERIFIED = {"email_confirmed_at": "2024-01-01T00:00:00+00:00"}
NOTHING = {"email": None, "encrypted_password": None, "email_confirmed_at": None}


def exported(
    row: dict[str, Any],
    *identities: dict[str, Any],
    factors: tuple[dict[str, Any], ...] = (),
    passkeys: tuple[dict[str, Any], ...] = (),
) -> ExportedUser:
    return ExportedUser(row=row, identities=identities, factors=factors, passkeys=passkeys)


def translated(user: ExportedUser, *others: ExportedUser, run_id: str = "20260102-abcd") -> Translation:
    with tempfile.TemporaryDirectory() as directory, Scratch(Path(directory)) as scratch:
        return translate(user, run_id=run_id, at=AT, conflicts=Conflicts.of([user, *others], scratch))


# -- by example -------------------------------------------------------------------------------------------------------


def test_an_ordinary_user_is_migrated_whole(rows):
    """Address, verification, hash, name and both metadata go along, and nothing is left for a person to do."""
    user = translated(
        exported(rows.user(1, raw_user_meta_data={"full_name": " Ada ", "avatar_url": "https://a.example/x.png"}))
    )
    assert user.reasons == ()
    assert user.body == {
        "primary_email": "person1@example.com",
        "primary_email_verified": True,
        "primary_email_auth_enabled": True,
        "password_hash": rows.bcrypt,
        "display_name": "Ada",
        "profile_image_url": "https://a.example/x.png",
        "client_metadata": {"full_name": " Ada ", "avatar_url": "https://a.example/x.png"},
        "server_metadata": {
            "provider": "email",
            "providers": ["email"],
            "supabase": {
                "id": rows.id(1),
                "createdAt": "2024-01-01T09:00:01.123456+00:00",
                "run": "20260102-abcd",
                "digest": user.digest,
            },
        },
    }


def test_an_address_is_trimmed_and_lower_cased(rows):
    """The target holds it so; dots and tags stay."""
    assert translated(exported(rows.user(email=" MIXED.Case+Tag@Example.COM "))).email == "mixed.case+tag@example.com"


def test_verification_is_that_of_the_address_alone(rows):
    """A confirmed phone sets confirmed_at and verifies no address."""
    user = translated(exported(rows.user(email_confirmed_at=None, confirmed_at="2024-01-01T00:00:00+00:00")))
    assert user.body["primary_email_verified"] is False
    assert user.body["primary_email_auth_enabled"] is True


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_magic_link_stays_one(rows, nothing):
    """NULL and '' are both no password, and a verified address without one signs in by magic link."""
    user = translated(exported(rows.user(encrypted_password=nothing)))
    assert user.reasons == ()
    assert user.body["otp_auth_enabled"] is True
    assert "password_hash" not in user.body


@pytest.mark.parametrize("prefix", ["$2a$10$", "$2b$12$", "$2y$04$", "$2a$16$"])
def test_every_bcrypt_goes_as_it_is(rows, prefix):
    """Prefix and cost are the source's business."""
    given = prefix + rows.bcrypt[7:]
    assert translated(exported(rows.user(encrypted_password=given))).body["password_hash"] == given


@pytest.mark.parametrize(
    "given",
    [
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
        "$argon2i$v=19$m=4096,t=3,p=1$c2FsdA$aGFzaA",
        "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=c2s=$c2FsdA==$aGFzaA==",
        '{"key_id":"k","alg":"aes-gcm-hkdf","data":"x","nonce":"n"}',
        "$6$salt$hash",
        "plain",
        "$2a$10$tooshort",
        "$2a$03$" + "a" * 53,
        "$2a$17$" + "a" * 53,
        "$2x$10$" + "a" * 53,
        "$2a$10$" + "a" * 52 + "\n",
        "$2a$10$" + "a" * 53 + "\n",
    ],
)
def test_other_hashes_stay_behind(rows, given):
    """The user comes without password, by magic link where the address is verified, and the reason is reported."""
    user = translated(exported(rows.user(encrypted_password=given)))
    assert user.reasons == ("hash-not-bcrypt",)
    assert "password_hash" not in user.body
    assert user.body["otp_auth_enabled"] is True
    unverified = translated(exported(rows.user(encrypted_password=given, email_confirmed_at=None)))
    assert unverified.reasons == ("hash-not-bcrypt", "no-sign-in-method")


def test_accounts_at_providers_go_along(rows):
    """With the provider's own id of the person; the address of an account is the account's."""
    row = rows.user(1, encrypted_password="")
    user = translated(
        exported(row, rows.identity(1, "google", "g-1"), rows.identity(1, "twitter", "7", identity_data={}))
    )
    assert user.reasons == ()
    assert user.body["oauth_providers"] == [
        {"id": "google", "account_id": "g-1", "email": "person1@example.com"},
        {"id": "x", "account_id": "7"},
    ]
    assert user.body["primary_email_auth_enabled"] is True
    assert "otp_auth_enabled" not in user.body


@pytest.mark.parametrize("provider", ["azure", "slack", "keycloak", "bitbucket", "custom:acme", "sso:1"])
def test_an_account_the_target_would_not_recognise_stays_behind(rows, provider):
    """A provider that is not there, or that knows people by another id, is named as the reason."""
    user = translated(exported(rows.user(encrypted_password=""), rows.identity(1, provider, "p-1")))
    assert user.reasons == ("identity-not-carried",)
    assert "oauth_providers" not in user.body
    assert user.body["otp_auth_enabled"] is True


def test_of_two_accounts_at_one_provider_the_last_used_goes(rows):
    """The target keeps one a provider."""
    old = rows.identity(1, "google", "old", last_sign_in_at="2023-01-01T00:00:00+00:00")
    new = rows.identity(1, "google", "new", last_sign_in_at="2025-01-01T00:00:00+00:00")
    for identities in ((old, new), (new, old)):
        user = translated(exported(rows.user(), *identities))
        assert user.reasons == ("second-identity-not-carried",)
        assert [account["account_id"] for account in user.body["oauth_providers"]] == ["new"]


def test_an_account_signed_in_with_after_another_was_linked_is_the_last_used(rows):
    """Supabase sets `last_sign_in_at` when an account is linked; each sign-in moves `updated_at`."""
    used = rows.identity(
        1, "google", "used", last_sign_in_at="2023-01-01T00:00:00+00:00", updated_at="2025-06-01T00:00:00.5+00:00"
    )
    linked = rows.identity(
        1, "google", "linked", last_sign_in_at="2025-01-01T00:00:00+00:00", updated_at="2025-01-01T00:00:00+00:00"
    )
    for identities in ((used, linked), (linked, used)):
        [account] = translated(exported(rows.user(), *identities)).body["oauth_providers"]
        assert account["account_id"] == "used"


@pytest.mark.parametrize("given", [None, "", " "])
def test_an_account_without_an_id_is_listed_and_not_sent(rows, given):
    """Nobody could be recognised by it; the address signs in by magic link."""
    user = translated(exported(rows.user(encrypted_password=None), rows.identity(1, "google", "x", provider_id=given)))
    assert user.reasons == ("identity-not-carried",)
    assert "oauth_providers" not in user.body
    assert user.body["otp_auth_enabled"] is True


def test_a_passkey_is_reported(rows):
    """Whether or not there is another way in; of a deleted user nothing is."""
    passkey = {"id": "p", "credential_id": "\\x01"}
    assert translated(exported(rows.user(), passkeys=(passkey,))).reasons == ("passkey-not-carried",)
    alone = translated(exported(rows.user(encrypted_password=None, email_confirmed_at=None), passkeys=(passkey,)))
    assert alone.reasons == ("passkey-not-carried", "no-sign-in-method")
    gone = translated(exported(rows.user(deleted_at="2025-01-01T00:00:00+00:00"), passkeys=(passkey,)))
    assert gone.reasons == ("deleted",)


def test_an_account_two_users_claim_goes_to_the_older(rows):
    """`twitter` and `x` are one provider there, so two users of Supabase can meet at one account."""
    older = exported(rows.user(1), rows.identity(1, "twitter", "7"))
    newer = exported(rows.user(2), rows.identity(2, "x", "7"))
    assert "oauth_providers" in translated(older, newer).body
    left = translated(newer, older)
    assert left.reasons == ("identity-taken-by-another",)
    assert "oauth_providers" not in left.body


def test_an_address_two_users_claim_goes_to_the_verified_one(rows):
    """The other keeps it for letters, but does not sign in with it; the order of the file does not matter."""
    unverified = exported(rows.user(1, email="twin@example.com", email_confirmed_at=None))
    verified = exported(rows.user(2, email="Twin@Example.com"))
    late = exported(rows.user(3, email="TWIN@example.com"))
    for others in ((unverified, late), (late, unverified)):
        assert translated(verified, *others).body["primary_email_auth_enabled"] is True
    for loser, others in ((unverified, (verified, late)), (late, (unverified, verified))):
        user = translated(loser, *others)
        assert user.reasons == ("email-taken-by-another",)
        assert user.body["primary_email"] == "twin@example.com"
        assert user.body["primary_email_auth_enabled"] is False


def test_a_person_of_single_sign_on_gets_no_way_in(rows):
    """They may share the address of somebody who signs in with it, and do not take it from them."""
    sso = exported(
        rows.user(1, email="p@example.com", encrypted_password=None, is_sso_user=True),
        rows.identity(1, "sso:1", "okta|1"),
    )
    other = exported(rows.user(2, email="p@example.com"))
    user = translated(sso, other)
    assert user.reasons == ("sso-user",)
    assert user.body["primary_email_auth_enabled"] is False
    assert translated(other, sso).reasons == ()


def test_an_anonymous_user_stays_anonymous(rows):
    """There is nobody to write to, and rows may refer to it."""
    user = translated(exported(rows.user(**NOTHING, is_anonymous=True)))
    assert user.reasons == ("anonymous",)
    assert user.body["is_anonymous"] is True


def test_a_phone_is_kept_where_people_can_read_it(rows):
    """The target has no phones: the number goes to server metadata, and who had no other way in is named apart."""
    alone = translated(exported(rows.user(**NOTHING, phone="491700000001")))
    assert alone.reasons == ("phone-only",)
    assert alone.body["server_metadata"]["supabase"]["phone"] == "491700000001"
    beside = translated(exported(rows.user(phone="491700000001")))
    assert beside.reasons == ("phone-not-carried",)
    by_provider = translated(exported(rows.user(**NOTHING, phone="49170"), rows.identity(1, "github", "1")))
    assert by_provider.reasons == ("phone-not-carried",)


@pytest.mark.parametrize("until", ["2124-06-01T00:00:00+00:00", "infinity", "12024-01-01T00:00:00+00:00"])
def test_a_ban_becomes_a_restriction(rows, until):
    """With its end as the reason, however far away."""
    user = translated(exported(rows.user(banned_until=until)))
    assert user.reasons == ("banned",)
    assert user.body["restricted_by_admin"] is True
    assert user.body["restricted_by_admin_reason"] == f"Banned in Supabase until {until}"


@pytest.mark.parametrize(
    "until", [None, "2026-01-01T23:59:59.999999+00:00", "-infinity", "0044-03-15T00:00:00+00:00 BC"]
)
def test_a_ban_that_is_over_is_none(rows, until):
    """Counted from the instant of the export."""
    user = translated(exported(rows.user(banned_until=until)))
    assert user.reasons == ()
    assert "restricted_by_admin" not in user.body


def test_nothing_of_a_deleted_user_moves_on(rows):
    """Only an empty, restricted user for the rows that refer to it; it does not claim its former address."""
    gone = exported(
        rows.user(1, email="p@example.com", deleted_at="2025-01-01T00:00:00+00:00"), rows.identity(1, "google", "1")
    )
    heir = exported(rows.user(2, email="p@example.com"), rows.identity(2, "google", "1"))
    user = translated(gone, heir)
    assert user.reasons == ("deleted",)
    assert user.body.keys() == {"restricted_by_admin", "restricted_by_admin_reason", "server_metadata"}
    assert user.body["server_metadata"].keys() == {"supabase"}
    assert translated(heir, gone).reasons == ()


@pytest.mark.parametrize(
    "email", ["zoë@example.com", "a@größe.example", "no-at", "twoexample.com", "a b@example.com", "a@-x"]
)
def test_an_address_the_target_refuses_is_kept_where_people_can_read_it(rows, email):
    """No other address is made up, and the password waits for one."""
    user = translated(exported(rows.user(email=email)))
    assert user.reasons == ("email-refused",)
    assert "primary_email" not in user.body
    assert user.body["server_metadata"]["supabase"]["email"] == email
    assert user.body["password_hash"] == rows.bcrypt


def test_second_factors_are_reported(rows):
    """Those that were set up to the end; half ones count for nothing."""

    def with_factor(kind: str, status: str) -> tuple[str, ...]:
        return translated(exported(rows.user(), factors=({"factor_type": kind, "status": status},))).reasons

    assert with_factor("totp", "verified") == ("totp-not-carried",), "its secret is not in the export"
    assert with_factor("webauthn", "verified") == ("second-factor-not-carried",)
    assert with_factor("phone", "verified") == ("second-factor-not-carried",)
    assert with_factor("totp", "unverified") == ()


def test_an_authenticator_app_goes_along(rows):
    """Its secret in the target's alphabet, not in the first request, whose marker then says that it is half done."""
    app = {"factor_type": "totp", "status": "verified", "secret": "JBSWY3DPEHPK3PXP", "updated_at": "2024-01-01"}
    user = translated(exported(rows.user(), factors=(app,)))
    assert (user.reasons, user.body["totp_secret_base64"]) == ((), "SGVsbG8h3q2+7w==")
    first = first_request(user.body)
    assert "totp_secret_base64" not in first
    assert first["server_metadata"]["supabase"]["digest"] == ""
    assert user.digest != translated(exported(rows.user())).digest

    newer = {**app, "secret": "GEZDGNBV", "updated_at": "2024-02-01"}
    both = translated(exported(rows.user(), factors=(newer, app)))
    assert (both.reasons, both.body["totp_secret_base64"]) == (("second-totp-not-carried",), "MTIzNDU=")


@pytest.mark.parametrize("secret", [None, "", "not base32!", "\\xdeadbeef", 7])
def test_a_secret_that_cannot_be_read_stays_behind(rows, secret):
    """As when the database keeps it encrypted."""
    app = {"factor_type": "totp", "status": "verified", "secret": secret}
    user = translated(exported(rows.user(), factors=(app,)))
    assert user.reasons == ("totp-not-carried",)
    assert "totp_secret_base64" not in user.body


def test_who_could_not_sign_in_is_reported(rows):
    """An invitation that nobody took up: no password, no provider, no proof of the address, which blocks nobody."""
    user = translated(exported(rows.user(encrypted_password=None, email_confirmed_at=None)))
    assert user.reasons == ("no-sign-in-method",)
    assert user.body["primary_email_auth_enabled"] is False


def test_a_long_name_is_cut_between_characters(rows):
    """At 256 units of UTF-16, and never through the middle of a pair."""
    user = translated(exported(rows.user(raw_user_meta_data={"name": "x" + "💡" * 128})))
    assert user.reasons == ("display-name-cut",)
    assert user.body["display_name"] == "x" + "💡" * 127


@pytest.mark.parametrize(
    "picture",
    [
        "javascript:alert(1)",
        "https://a b/x",
        "https://",
        "/me.png",
        "http://1.2.3.4.5/x",
        "https://a.example:99999/",
        "data:text/html,x",
    ],
)
def test_a_picture_the_target_would_refuse_stays_behind(rows, picture):
    """It would cost the whole user; the address stays in the metadata."""
    user = translated(exported(rows.user(raw_user_meta_data={"picture": picture})))
    assert user.reasons == ("picture-not-carried",)
    assert user.body["client_metadata"] == {"picture": picture}


def test_numbers_are_what_javascript_can_hold(rows):
    """A whole number beyond 2**53 and a long fraction are rounded, and that is reported; others are not touched."""
    text = json.dumps(rows.user()).replace(
        '{"full_name": "Person 1"}',
        '{"big": 9007199254740993, "long": 0.1234567890123456789, "vast": 1e400, "money": 1.10, "one": 1.0}',
    )
    row, cut = decoded(text.encode())
    user = translated(ExportedUser(row=row, cut=cut))
    assert user.reasons == ("metadata-rounded",)
    assert user.body["client_metadata"] == {
        "big": 9007199254740992,
        "long": 0.12345678901234568,
        "vast": None,
        "money": 1.1,
        "one": 1,
    }
    exact, _ = decoded(
        json.dumps(rows.user(raw_user_meta_data={"a": 2**53, "b": -0.5, "c": 1e21, "d": 10**20, "e": 0.0})).encode()
    )
    assert translated(ExportedUser(row=exact)).reasons == ()


def test_what_is_nested_too_deep_is_the_same_however_it_is_read(rows):
    """By the parser or past it, as JSON or as text: a night and its gate, or two nights, would differ by it else."""
    column, found = "raw_user_meta_data", []
    for levels in (101, 300, 3_000):
        deep = f'{{"deep": {"[" * levels + "]" * levels}}}'
        for written, as_text in ((deep, frozenset()), (json.dumps(deep), frozenset({column}))):
            text = json.dumps(rows.user(1, **{column: 0})).replace(f'"{column}": 0', f'"{column}": {written}')
            row, cut = decoded(text.encode(), as_text)
            found.append(translated(ExportedUser(row=row, cut=cut)))
    assert {user.reasons for user in found} == {("metadata-cut",)}
    assert len({user.digest for user in found}) == 1


@pytest.mark.parametrize("number", ["0.30000000000000004", "12345678901234567890", "1.797e308", "5e-324"])
def test_numbers_that_the_service_may_not_keep_are_reported(rows, number):
    """JavaScript holds them, but some releases of the service's database keep 16 digits, or nothing."""
    row, _ = decoded(json.dumps(rows.user()).replace('"Person 1"', number).encode())
    user = translated(ExportedUser(row=row))
    assert user.reasons == ("metadata-rounded",)
    assert user.body["client_metadata"]["full_name"] == float(number)


def test_a_key_that_the_service_drops_is_left_out_and_reported(rows):
    """Anybody can write it about themselves; wherever it is."""
    metadata = {"a": [{"__proto__": {"admin": True}, "b": 1}], "__proto__": 1}
    user = translated(exported(rows.user(raw_user_meta_data=metadata, raw_app_meta_data={"c": {"__proto__": 1}})))
    assert user.reasons == ("metadata-cut",)
    assert user.body["client_metadata"] == {"a": [{"b": 1}]}
    assert user.body["server_metadata"]["c"] == {}


@pytest.mark.parametrize("levels", [DEEPEST + 1, 5_000, 100_000])
def test_metadata_nested_without_end_costs_only_its_depths(rows, levels):
    """Anybody can write such metadata about themselves; it must not stop the night."""
    deep = '{"kept": [1, "]["], "deep": ' + "[" * levels + "]" * levels + "}"
    text = json.dumps(rows.user()).replace('{"full_name": "Person 1"}', deep)
    row, cut = decoded(text.encode())
    user = translated(ExportedUser(row=row, cut=cut))
    assert user.reasons == ("metadata-cut",)
    assert user.body["client_metadata"]["kept"] == [1, "]["]


def test_a_number_of_many_digits_does_not_stop_the_night(rows):
    """Longer than any double, and longer than Python reads."""
    text = json.dumps(rows.user()).replace('"Person 1"', "9" * 10_000)
    row, _ = decoded(text.encode())
    user = translated(ExportedUser(row=row))
    assert user.reasons == ("metadata-rounded",)


@pytest.mark.parametrize("app", [[1, 2], "text", {"supabase": "mine"}])
def test_app_metadata_never_hides_the_marker(rows, app):
    """What would is moved below the marker's key, whole."""
    user = translated(exported(rows.user(raw_app_meta_data=app)))
    assert user.reasons == ("app-metadata-moved",)
    assert user.body["server_metadata"].keys() == {"supabase"}
    assert user.body["server_metadata"]["supabase"]["appMetadata"] == app
    assert user.body["server_metadata"]["supabase"]["id"] == rows.id(1)


def test_a_role_of_its_own_is_kept(rows):
    """The target has no roles of the database; who reads the metadata finds it."""
    marker = translated(exported(rows.user(role="editor", is_super_admin=True))).body["server_metadata"]["supabase"]
    assert (marker["role"], marker["superAdmin"]) == ("editor", True)


def test_the_digest_is_over_what_is_carried_and_not_over_the_night(rows):
    """Another run carries the same under the same digest; another hash has another."""
    user = exported(rows.user())
    assert translated(user, run_id="20260203-ffff").digest == translated(user).digest
    assert translated(exported(rows.user(encrypted_password=rows.bcrypt[:-1] + "f"))).digest != translated(user).digest


def test_a_column_exported_as_text_reads_the_same(rows):
    """Where the data have a JSON null in a jsonb column, the export holds the column as text."""
    row = rows.user()
    as_text = row | {"raw_user_meta_data": json.dumps(row["raw_user_meta_data"])}
    assert decoded(json.dumps(as_text).encode(), frozenset({"raw_user_meta_data"})) == (row, False)


def test_what_the_target_refuses_is_all_that_is_taken_off(rows):
    """A reason found while talking to it is in the marker, and the rest of the request is as it was."""
    body = translated(exported(rows.user(encrypted_password=None))).body
    assert reduced(body, ()) == body
    without = reduced(body, {"email-taken-in-target"})
    assert without["primary_email_auth_enabled"] is False
    assert "otp_auth_enabled" not in without
    assert without["server_metadata"]["supabase"]["reasons"] == ["email-taken-in-target"]
    assert without["client_metadata"] == body["client_metadata"]
    assert reduced(body, {"refused-by-target"}).keys() == {"server_metadata"}
    lesser = reduced({**body, "profile_image_url": "https://a.example/"}, droppable(body) | {"picture-not-carried"})
    assert body.keys() - lesser.keys() == {"client_metadata"}


# -- by property ------------------------------------------------------------------------------------------------------

characters = st.characters(exclude_categories=("Cs",), exclude_characters="\x00")
texts = st.text(characters, max_size=20)
numbers = st.integers(-(10**25), 10**25) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["full_name", "name", "avatar_url", "picture", "user_name", "supabase"])
pictures = st.sampled_from(
    [
        "https://cdn.example/a.png",
        "http://127.0.0.1:8080/x?y#z",
        "data:image/png;base64,AAAA",
        "data:image/png;base64,!",
        "https://a..b/",
        "ftp://a.example/x",
        "https://[::1]/x",
        "https://example.com:port/",
        "https://x/" + "y" * 1_000_001,
    ]
)
metadata_values = (
    st.none() | json_values | st.dictionaries(names, json_values | pictures | st.text(characters, max_size=300))
)
moments = st.none() | st.sampled_from(
    ["2024-01-01T00:00:00+00:00", "2124-01-01T00:00:00.5+00:00", "infinity", "-infinity"]
)
emails = (
    st.none()
    | st.sampled_from(["", " ", "a@b", "A.B+c@EXAMPLE.com ", "o'brien@example.com", "zoë@example.com", "x@" + "y" * 64])
    | st.emails()
    | texts
)
hashes = (
    st.none()
    | st.sampled_from(
        ["", "$2a$10$" + "a" * 53, "$2y$16$" + "./Az09" * 8 + "abcde", "$2a$99$" + "a" * 53, "{}", "$argon2id$x"]
    )
    | texts
)
identities = st.lists(
    st.fixed_dictionaries(
        {
            "provider": st.sampled_from([*PROVIDERS, "email", "phone", "azure", "sso:1"]),
            "provider_id": texts,
            "identity_data": json_values | st.dictionaries(st.just("email"), texts | st.none()),
            "last_sign_in_at": moments,
        }
    ),
    max_size=4,
)
factors = st.lists(
    st.fixed_dictionaries(
        {
            "factor_type": st.sampled_from(["totp", "webauthn", "phone"]),
            "status": st.sampled_from(["verified", "unverified"]),
            "secret": st.none() | texts | st.sampled_from(["JBSWY3DPEHPK3PXP", "jbswy3dpehpk3pxp"]),
        }
    ),
    max_size=2,
)
any_row = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str),
        "role": st.none() | texts,
        "email": emails,
        "encrypted_password": hashes,
        "email_confirmed_at": moments,
        "phone": st.none() | texts,
        "raw_app_meta_data": metadata_values,
        "raw_user_meta_data": metadata_values,
        "is_super_admin": st.none() | st.booleans(),
        "created_at": moments,
        "banned_until": moments,
        "is_sso_user": st.booleans(),
        "deleted_at": moments,
        "is_anonymous": st.booleans(),
    }
)


@pytest.mark.parametrize("examples", [30, pytest.param(200, marks=pytest.mark.all)])
def test_every_row_becomes_a_request_that_the_service_takes(examples):
    """Whoever they are and in whatever company: a user is made, every reason is in the table, and nothing is kept of
    a row that JSON cannot hold.
    """

    @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(
        st.lists(st.tuples(any_row, identities, factors), min_size=1, max_size=3, unique_by=lambda user: user[0]["id"])
    )
    def taken(users):
        service = StackAuthStandin("p", "k", oauth_providers=set(PROVIDERS.values()))
        everybody = []
        for row, own_identities, own_factors in users:
            read, cut = decoded(json.dumps(row).encode())
            own = tuple(identity | {"user_id": row["id"], "id": str(n)} for n, identity in enumerate(own_identities))
            everybody.append(ExportedUser(row=read, identities=own, factors=tuple(own_factors), cut=cut))
        with tempfile.TemporaryDirectory() as directory, Scratch(Path(directory)) as scratch:
            conflicts = Conflicts.of(everybody, scratch)
            translated = [translate(user, run_id="20260102-abcd", at=AT, conflicts=conflicts) for user in everybody]
        for user, translation in zip(everybody, translated, strict=True):
            assert len(set(translation.reasons)) == len(translation.reasons)
            assert all(REASONS[reason].creates for reason in translation.reasons)
            stored = service.add_user(json.loads(json.dumps(first_request(translation.body), allow_nan=False)))
            assert stored.server_metadata["supabase"]["id"] == user.id
            signs_in = bool(
                stored.oauth_identities
                or (
                    stored.primary and stored.primary.used_for_auth and (stored.has_password or stored.otp_auth_enabled)
                )
            )
            assert signs_in or translation.reasons, "nobody is locked out in silence"
        assert len(service.users) == len(users)

    taken()


def test_every_reason_says_what_was_carried_and_what_to_do():
    """In whole sentences, under a kebab-case name."""
    for name, reason in REASONS.items():
        assert name == reason.name
        assert name.replace("-", "").isalpha() and name == name.lower()
        assert reason.carried.endswith(".")
        assert reason.todo.endswith(".")
