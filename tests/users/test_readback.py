"""What the service really holds, against what was exported."""

from dataclasses import replace

import pytest

from bot.artifacts import files, mapping
from bot.plan.findings import Verdict
from bot.stackauth.client.api import StackAuth
from bot.stackauth.migrate.readback.examiner import ReadBack

HASHES = "{} users have a password; a hash cannot be read back."


@pytest.fixture
def read_back(make):
    """The findings, by check."""

    async def read(night, run_id="20260102-abcd", sample=0):
        run = night.run(run_id)
        if sample:
            rules = run.opened.rules.model_copy(update={"users_verify": "sample"})
            run = replace(run, opened=run.opened.model_copy(update={"rules": rules}))
        async with StackAuth(night.url, make.project, make.key, page=3) as service:
            examine = ReadBack(night.directory, service, **({"sample": sample} if sample else {})).examine
            return {finding.check: finding async for finding in examine(run, night._report)}

    return read


@pytest.fixture
async def carried(night, rows):
    """A night after its users step."""
    users = [rows.user(n) for n in range(1, 9)]
    users[0] = rows.user(
        1, raw_user_meta_data={"big": 2**60, "x": [0.1, 1e25, None], "picture": "https://a.example/p.png"}
    )
    users[1] = rows.user(2, encrypted_password="")
    users[2] = rows.user(3, is_anonymous=True, email=None, encrypted_password="")
    users[3] = rows.user(4, banned_until="infinity", raw_user_meta_data={"avatar_url": "data:image/png;base64,AAAA"})
    users[4] = rows.user(5, deleted_at="2025-01-01T00:00:00+00:00")
    users[5] = rows.user(6, raw_app_meta_data=["odd"])
    night.service.add_user({"primary_email": "person8@example.com", "primary_email_auth_enabled": True})
    night.decide(8, "create")
    night.export(users, [rows.identity(7, "github", "77"), rows.identity(7, "google", "78")])
    await night.migrate()
    assert (rows.id(8), "email-taken-in-target") in night.attention()
    return night


def stored(night, supabase_id):
    return night.service.users[night.mapped()[supabase_id].stack_auth_user_id]


async def test_what_was_migrated_reads_back(carried, read_back):
    """Every kind of user, whatever reasons it has; and it is said that hashes cannot be read back."""
    found = await read_back(carried)
    assert found["users-exactly-once"].verdict is Verdict.PASS
    assert found["users-exactly-once"].evidence == ("8 mapped users: each is in Stack Auth exactly once.")
    assert found["users-read-back"].verdict is Verdict.PASS
    assert found["users-read-back"].evidence == (
        "8 users read back from Stack Auth: every field matches the export. " + HASHES.format(5)
    )
    assert carried.progress[-1].step == "users-read-back"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"display_name": "Somebody else"}, "display_name"),
        ({"client_metadata": {}}, "client_metadata"),
        ({"otp_auth_enabled": True}, "otp_auth_enabled"),
        ({"password_hash": None}, "has_password"),
        ({"oauth_identities": []}, "oauth_providers"),
        ({"restricted_by_admin": True}, "restricted_by_admin"),
        ({"profile_image_url": "https://b.example/"}, "profile_image_url"),
    ],
)
async def test_a_field_that_differs_is_named(carried, read_back, rows, change, field):
    """With the user's id and never with what the field holds."""
    user = stored(carried, rows.id(7))
    for name, value in change.items():
        setattr(user, name, value)
    found = (await read_back(carried))["users-read-back"]
    assert found.verdict is Verdict.FAIL
    assert found.evidence == (
        f"1 of 8 users differs from the export: {field} 1 ({rows.id(7)}). "
        + HASHES.format(4 if field == "has_password" else 5)
    )
    assert found.fix == (
        "Compare these users in Stack Auth with auth_users.json, fix them in Stack Auth, then say the word again."
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"value": "other@example.com"}, "primary_email"),
        ({"verified": False}, "primary_email_verified"),
        ({"used_for_auth": False}, "primary_email_auth_enabled"),
    ],
)
async def test_an_address_that_differs_is_named(carried, read_back, rows, change, field):
    """Address, verification and sign-in each."""
    for name, value in change.items():
        setattr(stored(carried, rows.id(7)).primary, name, value)
    found = (await read_back(carried))["users-read-back"]
    assert found.evidence.startswith(f"1 of 8 users differs from the export: {field} 1 ({rows.id(7)}). ")
    assert "example.com" not in found.evidence


async def test_a_user_that_is_gone_is_missed(carried, read_back, rows):
    """By both checks."""
    carried.service._store.delete(stored(carried, rows.id(7)).id)
    found = await read_back(carried)
    assert found["users-exactly-once"].evidence == f"1 mapped user is not in Stack Auth ({rows.id(7)})."
    assert found["users-read-back"].evidence == f"1 could not be read back ({rows.id(7)}). " + HASHES.format(4)
    assert {finding.verdict for finding in found.values()} == {Verdict.FAIL}


async def test_a_copy_of_a_user_is_found(carried, read_back, rows):
    """Two users that bear one Supabase id."""
    original = stored(carried, rows.id(2))
    copy = carried.service.add_user({"server_metadata": original.server_metadata})
    assert copy.id != original.id
    found = (await read_back(carried))["users-exactly-once"]
    assert found.verdict is Verdict.FAIL
    assert found.evidence == f"1 Supabase user has more than one user in Stack Auth ({rows.id(2)})."


async def test_two_mapped_to_one_are_found(carried, read_back, rows):
    """The mapping must be one to one."""
    path = carried.directory / files.MAPPING
    head, *entries = list(mapping.read(path))
    first, second, *rest = entries
    path.unlink()
    mapping.write(
        path, head, [first, second.model_copy(update={"stack_auth_user_id": first.stack_auth_user_id}), *rest], []
    )
    found = (await read_back(carried))["users-exactly-once"]
    assert found.verdict is Verdict.FAIL
    assert found.evidence == "1 Stack Auth user is mapped more than once."


async def test_people_may_have_used_an_account_of_an_earlier_night(carried, another_night, read_back, rows):
    """What a matched user changed since is reported and does not block."""
    later = await another_night(service=carried.service)
    later.export(
        [rows.user(7), rows.user(9)],
        [rows.identity(7, "github", "77"), rows.identity(7, "google", "78")],
        run_id="20260203-ffff",
    )
    result = await later.migrate("20260203-ffff")
    assert (result.created, result.matched) == (1, 1)
    stored(later, rows.id(7)).display_name = "Renamed since"
    found = (await read_back(later, "20260203-ffff"))["users-read-back"]
    assert found.verdict is Verdict.WARN
    assert found.evidence == (
        f"2 users read back. 1 from an earlier night differs from the export: display_name 1 ({rows.id(7)}). "
        "All others match it. " + HASHES.format(2)
    )


async def test_users_brought_up_to_date_read_back(carried, another_night, read_back, rows):
    """Changed, cleared and added fields alike."""
    later = await another_night(service=carried.service)
    later.export(
        [
            rows.user(1, encrypted_password=None, raw_user_meta_data=None, email="new@example.com"),
            rows.user(4),
            rows.user(7),
            rows.user(8, email="free@example.com"),
        ],
        [rows.identity(1, "google", "11"), rows.identity(7, "github", "77"), rows.identity(7, "google", "78")],
        run_id="20260203-ffff",
    )
    result = await later.migrate("20260203-ffff")
    assert (result.updated, result.matched) == (3, 1)
    found = await read_back(later, "20260203-ffff")
    assert {finding.verdict for finding in found.values()} == {Verdict.PASS}


async def test_of_a_sample_the_chosen_and_the_listed_are_compared(night, read_back, rows):
    """So many as are asked for, chosen by the run's id, the same ones each time and others for another run; and whoever
    is listed, whatever was chosen. How many and how is said first.
    """
    users = [rows.user(n) for n in range(1, 31)]
    users[3] = rows.user(4, banned_until="infinity")
    night.export(users, [])
    await night.migrate()

    async def found_of(run_id):
        return (await read_back(night, run_id, sample=2))["users-read-back"]

    found = await found_of("20260102-abcd")
    assert found.verdict is Verdict.PASS
    assert found.evidence.startswith(
        "3 of 30 mapped users compared: 2 chosen by the run's id, and everyone matched, updated or listed. 3 users "
    )
    assert "every field" in found.evidence
    for n in range(1, 31):
        stored(night, rows.id(n)).display_name = "Somebody else"
    seen = {}
    for run_id in ("20260102-abcd", "20260102-abcd", "20260102-ffff"):
        evidence = (await found_of(run_id)).evidence
        chosen = {n for n in range(1, 31) if rows.id(n) in evidence}  # all who are compared are named
        assert 4 in chosen, "who is listed is always compared"
        assert len(chosen - {4}) in {1, 2}
        assert seen.setdefault(run_id, chosen) == chosen
    assert len(set(map(frozenset, seen.values()))) == 2


async def test_of_a_sample_everybody_is_still_there_exactly_once(carried, read_back, rows):
    """The list of the service is read whole."""
    carried.service._store.delete(stored(carried, rows.id(7)).id)
    found = (await read_back(carried, sample=1))["users-exactly-once"]
    assert found.verdict is Verdict.FAIL
    assert rows.id(7) in found.evidence
