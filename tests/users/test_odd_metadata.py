"""Metadata and pictures that the service changes, drops or fails over: they cost no user, and no gate stays shut."""

import json

import pytest

from bot.plan.findings import Verdict
from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.models import User
from bot.stackauth.migrate.readback.examiner import ReadBack
from bot.stackauth.migrate.readback.fingerprint import differing, fingerprint_of
from bot.stackauth.users.translate import Translation


async def read_back(night, make, run_id="20260102-abcd"):
    async with StackAuth(night.url, make.project, make.key) as service:
        examine = ReadBack(night.directory, service).examine
        return [finding async for finding in examine(night.run(run_id), night._report)]


def stored(night, rows, n):
    return night.service.users[night.mapped()[rows.id(n)].stack_auth_user_id]


def deep(levels):
    value = {}
    for _ in range(levels - 1):
        value = [value]
    return value


async def test_what_people_write_about_themselves_stops_no_night(night, rows, make):
    """Each of these closed the users gate for good, or cost a user address and password; now each has its reason."""
    odd = {
        1: {"long": 0.1 + 0.2, "near": 2.0000000000000004, "same": [0.1, 7, -0.0]},
        2: {"vast": 1.7976931348623157e308, "beyond": 2**64 + 2**12, "tiny": 5e-324},
        3: {"__proto__": {"admin": True}, "a": [{"__proto__": 1, "b": 2}]},
        4: {"deep": deep(130), "kept": 1},
        5: {"deep": deep(99)},
    }
    users = [rows.user(n, raw_user_meta_data=metadata) for n, metadata in odd.items()]
    users += [rows.user(6, raw_app_meta_data={"score": 0.1 + 0.2, "deep": deep(130)})]
    night.export(users)
    result = await night.migrate()
    assert (result.created, result.unmapped) == (6, 0)
    assert night.attention() == {
        (rows.id(1), "metadata-rounded"),
        (rows.id(2), "metadata-rounded"),
        (rows.id(3), "metadata-cut"),
        (rows.id(4), "metadata-cut"),
        (rows.id(6), "metadata-cut"),
        (rows.id(6), "metadata-rounded"),
    }
    assert stored(night, rows, 1).client_metadata == {"long": 0.3, "near": 2, "same": [0.1, 7, 0]}
    assert stored(night, rows, 2).client_metadata["vast"] is None
    assert stored(night, rows, 3).client_metadata == {"a": [{"b": 2}]}
    for n in range(1, 7):
        user = stored(night, rows, n)
        assert user.has_password and user.primary.used_for_auth
    assert [finding.verdict for finding in await read_back(night, make)] == [Verdict.PASS, Verdict.PASS]


@pytest.mark.parametrize("number", [80351110224678912, 2**63, -(2**60)])
async def test_a_whole_number_that_a_double_holds_is_rounded_where_javascript_writes_other_digits(night, rows, number):
    """Such as the id of an account at Discord: whoever reads it as a whole number reads another one."""
    night.export([rows.user(1, raw_user_meta_data={"id": number}), rows.user(2, raw_user_meta_data={"id": 2**53})])
    await night.migrate()
    assert float(number) == number and stored(night, rows, 1).client_metadata["id"] != number
    assert night.attention() == {(rows.id(1), "metadata-rounded")}


async def test_a_service_without_a_place_for_pictures_costs_the_picture(another_night, rows, make):
    """And the metadata, which are taken out with it, each with its reason; address, password and account stay."""
    night = await another_night(stores_pictures=False)
    picture = {"full_name": "Ada", "avatar_url": "data:image/png;base64,AAAA"}
    users = [rows.user(1, raw_user_meta_data=picture), *(rows.user(n) for n in range(2, 6))]
    night.export(users, [rows.identity(1, "google", "g")])
    result = await night.migrate(first_wait_seconds=0.001)
    assert (result.created, result.unmapped) == (5, 0)
    assert night.attention() == {
        (rows.id(1), "picture-not-carried"),
        (rows.id(1), "client-metadata-not-carried"),
    }
    ada = stored(night, rows, 1)
    assert (ada.primary.value, ada.primary.used_for_auth, ada.display_name) == ("person1@example.com", True, "Ada")
    assert ada.password_hash == rows.bcrypt
    assert [account.account_id for account in ada.oauth_identities] == ["g"]
    assert (ada.profile_image_url, ada.client_metadata) == (None, None)
    assert [finding.verdict for finding in await read_back(night, make)] == [Verdict.PASS, Verdict.PASS]

    again = await night.migrate(first_wait_seconds=0.001)
    assert again.attention == result.attention


async def test_a_picture_without_a_place_costs_no_second_factor_and_no_new_password(another_night, rows, make):
    """The request that switches the factor on, and a later night's change, go without it too."""
    night = await another_night(stores_pictures=False)
    picture = {"full_name": "Ada", "avatar_url": "data:image/png;base64,AAAA"}
    app = {"user_id": rows.id(1), "factor_type": "totp", "status": "verified", "secret": "JBSWY3DPEHPK3PXP"}
    others = [rows.user(n) for n in range(2, 6)]
    night.export([rows.user(1, raw_user_meta_data=picture), *others], [], [app])
    await night.migrate(first_wait_seconds=0.001)
    lost = {(rows.id(1), "picture-not-carried"), (rows.id(1), "client-metadata-not-carried")}
    assert night.attention() == lost
    assert stored(night, rows, 1).requires_totp_mfa
    assert [finding.verdict for finding in await read_back(night, make)] == [Verdict.PASS, Verdict.PASS]

    second = await another_night("second", service=night.service)
    changed = rows.bcrypt[:-1] + "f"
    users = [rows.user(1, raw_user_meta_data=picture, encrypted_password=changed), *others]
    second.export(users, [], [app], run_id="20260103-ef01")
    result = await second.migrate("20260103-ef01", first_wait_seconds=0.001)
    assert (result.updated, result.matched) == (1, 4)
    assert second.attention() == lost
    ada = stored(second, rows, 1)
    assert (ada.password_hash, ada.requires_totp_mfa, ada.primary.used_for_auth) == (changed, True, True)
    assert [finding.verdict for finding in await read_back(second, make, "20260103-ef01")] == [
        Verdict.PASS,
        Verdict.PASS,
    ]


async def test_a_refusal_costs_no_more_than_what_it_is_about(another_night, rows):
    """Refused outright, the same user is tried once without what people write themselves, and never a third time."""
    night = await another_night()
    night.export([rows.user(n) for n in range(1, 6)])
    tried = []

    def fails(body):
        if isinstance(body, dict) and rows.id(3) in json.dumps(body):
            tried.append(sorted(body))
            return "500-before" if "client_metadata" in body else None
        return None

    night.service.faults.when(fails)
    await night.migrate(first_wait_seconds=0.001)
    assert night.attention() == {(rows.id(3), "client-metadata-not-carried")}
    assert stored(night, rows, 3).password_hash == rows.bcrypt
    lesser = [keys for keys in tried if "client_metadata" not in keys]
    assert len(lesser) == 1
    assert {"password_hash", "primary_email", "display_name"} < set(lesser[0])


def shown(client_metadata):
    return User(
        id="s",
        signed_up_at_millis=0,
        primary_email=None,
        primary_email_verified=False,
        primary_email_auth_enabled=False,
        display_name=None,
        profile_image_url=None,
        has_password=False,
        otp_auth_enabled=False,
        client_metadata=client_metadata,
        server_metadata={"supabase": {"id": "a"}},
        oauth_providers=(),
        is_anonymous=False,
    )


@pytest.mark.parametrize(
    ("sent", "found", "same"),
    [
        (0.1 + 0.2, 0.3, True),
        (0.1 + 0.2, 0.1 + 0.2, True),
        (2.0000000000000004, 2, True),
        (12345678901234567168, 12345678901234570000, True),
        (1.7976931348623157e308, None, True),
        (1.7976931348623157e308, 1.7976931348623157e308, True),
        (5e-324, 0, True),
        (0.12345678901234, 0.12345678901235, False),
        (7, 8, False),
        (7, "7", False),
        (1, True, False),
        (0, None, False),
        (None, 0, False),
        (1e300, None, False),
    ],
)
def test_numbers_are_compared_to_fifteen_digits(sent, found, same):
    """Wherever they are; all else is compared exactly, and what is no number is none."""
    for wrapped, back in ((sent, found), ({"a": [1, {"b": sent}], "c": 2}, {"c": 2, "a": [1, {"b": found}]})):
        body = {"client_metadata": wrapped, "server_metadata": {"supabase": {"id": "a"}}}
        user = Translation(id="a", body=json.loads(json.dumps(body)), reasons=(), digest="")
        assert list(differing(user, (), fingerprint_of(shown(back)), updated=False)) == (
            [] if same else ["client_metadata"]
        )


def test_a_number_more_or_less_is_seen():
    """Also where the rest of the metadata is the same."""
    body = {"client_metadata": {"n": [1, 2]}, "server_metadata": {"supabase": {"id": "a"}}}
    user = Translation(id="a", body=body, reasons=(), digest="")
    for other in ({"n": [1]}, {"n": [1, 2, 3]}, {"n": [2, 1]}, {"n": [[1], 2]}, {"m": [1, 2]}):
        assert list(differing(user, (), fingerprint_of(shown(other)), updated=False)) == ["client_metadata"]
