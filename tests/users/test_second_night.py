"""The night after: what has changed at the source since an earlier one, and what a change of a user cannot carry."""

import pytest

from bot.plan.findings import Verdict
from bot.rehearsal.standins.stackauth.answers import Refusal
from bot.stackauth.client.api import StackAuth
from bot.stackauth.migrate.readback.examiner import ReadBack
from bot.stackauth.users.reasons import REASONS

LATER = "20260203-ffff"


@pytest.fixture
def again(another_night):
    """The next night into the same service, after its users step."""

    async def carry(night, users, identities=None, *, run_id=LATER, **given):
        later = await another_night(run_id, service=night.service)
        later.export(users, identities, run_id=run_id)
        await later.migrate(run_id, **given)
        return later

    return carry


@pytest.fixture
def verdicts(make):
    """What the examiner finds, by check."""

    async def read(night, run_id=LATER):
        async with StackAuth(night.url, make.project, make.key) as service:
            examine = ReadBack(night.directory, service).examine
            return {finding.check: finding async for finding in examine(night.run(run_id), night._report)}

    return read


def stored(night, supabase_id):
    return night.service.users[night.mapped()[supabase_id].stack_auth_user_id]


def signing_in_by(night, address):
    """Who signs in by it, by Stack Auth id."""
    found = night.service._store.by_auth_email(address)
    return found and found.id


async def test_what_a_change_cannot_carry_is_reported_and_not_compared(night, again, verdicts, rows):
    """An account unlinked, another address at the provider, one added, a user softly deleted: each with its reason,
    and the users gate opens.
    """
    accounts = [rows.identity(n, "google", f"g-{n}") for n in (1, 2, 3, 4)]
    night.export([rows.user(n) for n in range(1, 6)], accounts)
    await night.migrate()
    moved_on = rows.identity(2, "google", "g-2", identity_data={"sub": "g-2", "email": "other@example.com"})
    later = await again(
        night,
        [*(rows.user(n) for n in (1, 2, 3)), rows.user(4, deleted_at="2026-01-15T00:00:00+00:00"), rows.user(5)],
        [moved_on, rows.identity(3, "google", "g-3"), rows.identity(3, "github", "h-3"), accounts[3]],
    )
    assert later.attention() == {
        (rows.id(1), "identity-removed-since"),
        (rows.id(2), "identity-changed-since"),
        (rows.id(3), "identity-added-since"),
        (rows.id(4), "deleted"),
        (rows.id(4), "identity-removed-since"),
    }
    assert {finding.verdict for finding in (await verdicts(later)).values()} == {Verdict.PASS}
    assert later.attention() == {(e.id, e.reason) for e in later.listed() if REASONS[e.reason].todo}

    third = await again(later, [rows.user(1), rows.user(5)], run_id="20260204-aaaa")
    assert (rows.id(1), "identity-removed-since") in third.attention(), "for as long as it is so"
    assert (await verdicts(third, "20260204-aaaa"))["users-read-back"].verdict is Verdict.PASS


async def test_another_of_several_accounts_was_used_since(night, again, verdicts, rows):
    """The one that was carried is the person's still: nobody is asked to remove it."""
    one, other = (rows.identity(1, "google", account) for account in ("g-1", "g-2"))
    night.export([rows.user(1)], [{**one, "updated_at": "2025-01-01"}, other])
    await night.migrate()
    later = await again(night, [rows.user(1)], [one, {**other, "updated_at": "2026-01-01"}])
    assert later.attention() == {
        (rows.id(1), "second-identity-not-carried"),
        (rows.id(1), "identity-added-since"),
    }
    assert [account.account_id for account in stored(later, rows.id(1)).oauth_identities] == ["g-1"]
    assert {finding.verdict for finding in (await verdicts(later)).values()} == {Verdict.PASS}


@pytest.mark.parametrize("stays", ["picture", "metadata"])
async def test_what_people_write_themselves_costs_no_change_its_password(another_night, again, verdicts, rows, stays):
    """The service fails over a new picture, or new metadata: all else of the change arrives."""
    night = await another_night(stores_pictures=False)
    night.export([rows.user(n) for n in (1, 2, 3)])
    await night.migrate()
    new_hash = rows.bcrypt[:-1] + "z"
    written = {"full_name": "Ada", "avatar_url": "data:image/png;base64,AAAA"} if stays == "picture" else {"odd": 1}
    night.service.faults.when(
        lambda body: "500-before" if isinstance(body, dict) and body.get("client_metadata") == {"odd": 1} else None
    )
    changed = rows.user(1, encrypted_password=new_hash, raw_user_meta_data=written)
    later = await again(night, [changed, rows.user(2), rows.user(3)], first_wait_seconds=0.001)
    told = {"client-metadata-not-carried"} | ({"picture-not-carried"} if stays == "picture" else set())
    assert later.attention() == {(rows.id(1), reason) for reason in told}
    ada = stored(later, rows.id(1))
    assert (ada.password_hash, ada.client_metadata, ada.profile_image_url) == (new_hash, None, None)
    assert {finding.verdict for finding in (await verdicts(later)).values()} == {Verdict.PASS}


async def test_a_field_that_was_sent_is_compared_all_the_same(night, again, verdicts, rows):
    """Only accounts are spared."""
    night.export([rows.user(1)], [rows.identity(1, "google", "g")])
    await night.migrate()
    later = await again(night, [rows.user(1)])
    stored(later, rows.id(1)).display_name = "Somebody else"
    found = (await verdicts(later))["users-read-back"]
    assert found.verdict is Verdict.FAIL
    assert found.evidence.startswith(f"1 of 1 user differs from the export: display_name 1 ({rows.id(1)}). ")


@pytest.mark.parametrize("to", [1, 3, 4])
async def test_an_account_that_moved_to_another_user_names_both(night, again, verdicts, rows, to):
    """Whether the other was there, comes before or after in the file, or is new: nobody is emptied for it."""
    accounts = [rows.identity(2, "google", "g-2")]
    night.export([rows.user(n) for n in (1, 2, 3)], accounts)
    await night.migrate()
    had = stored(night, rows.id(2)).id
    later = await again(night, [rows.user(n) for n in (1, 2, 3, 4)], [rows.identity(to, "google", "g-2")])
    assert later.attention() == {(rows.id(2), "identity-removed-since"), (rows.id(to), "identity-moved")}
    [told] = [entry.todo for entry in later.listed() if entry.reason == "identity-moved"]
    assert told == f"{REASONS['identity-moved'].todo} In Stack Auth: {had} (Supabase user {rows.id(2)})."
    assert stored(later, rows.id(to)).has_password
    assert {finding.verdict for finding in (await verdicts(later)).values()} == {Verdict.PASS}


@pytest.mark.parametrize("between", [(1, 2, False), (2, 1, False), (1, 2, True), (2, 1, True)])
async def test_an_address_that_moved_signs_in_whoever_has_it_now(night, again, verdicts, rows, between):
    """Whoever comes first in the file, and whether the other is there already: nobody needs attention."""
    taker, giver, new = between
    night.export([rows.user(n) for n in (1, 2) if not (new and n == taker)])
    await night.migrate()
    changed = {
        taker: rows.user(taker, email="shared@example.com"),
        giver: rows.user(giver, email="elsewhere@example.com"),
    }
    given = rows.user(giver, email="shared@example.com")
    before = await again(night, [given, *([] if new else [rows.user(taker)])], run_id="20260202-eeee")
    assert signing_in_by(before, "shared@example.com") == stored(before, rows.id(giver)).id
    later = await again(before, [changed[1], changed[2]])
    assert later.attention() == set()
    assert signing_in_by(later, "shared@example.com") == stored(later, rows.id(taker)).id
    assert signing_in_by(later, "elsewhere@example.com") == stored(later, rows.id(giver)).id
    assert {finding.verdict for finding in (await verdicts(later)).values()} == {Verdict.PASS}


async def test_two_who_swap_their_addresses(night, again, verdicts, rows):
    """Both let go before either takes the other's."""
    night.export([rows.user(1), rows.user(2)])
    await night.migrate()
    swapped = [rows.user(1, email="person2@example.com"), rows.user(2, email="person1@example.com")]
    later = await again(night, swapped)
    assert later.attention() == set()
    for n, address in ((1, "person2@example.com"), (2, "person1@example.com")):
        assert signing_in_by(later, address) == stored(later, rows.id(n)).id
    assert {finding.verdict for finding in (await verdicts(later)).values()} == {Verdict.PASS}


async def test_an_address_given_up_signs_nobody_in(night, again, rows):
    """The service keeps it with the user, and it opens nothing any more: by a new address, or by none."""
    night.export([rows.user(1), rows.user(2)])
    await night.migrate()
    later = await again(night, [rows.user(1, email="new@example.com"), rows.user(2, deleted_at="2026-01-15T00:00:00Z")])
    assert signing_in_by(later, "person1@example.com") is None
    assert signing_in_by(later, "person2@example.com") is None
    assert signing_in_by(later, "new@example.com") == stored(later, rows.id(1)).id


async def test_killed_between_letting_go_and_the_new_address(night, another_night, again, rows):
    """Whoever has let go is brought up to date by the next attempt, though the source has it as it was before."""
    night.export([rows.user(1), rows.user(2)])
    await night.migrate()
    later = await another_night(service=night.service)
    later.export([rows.user(1, email="person2@example.com"), rows.user(2, email="free@example.com")], run_id=LATER)
    night.service.faults.next("key-revoked", skip=1, method="PATCH")
    with pytest.raises(Exception, match="does not accept the secret key"):
        await later.migrate(LATER, concurrency=1)
    assert signing_in_by(later, "person2@example.com") is None
    night.service.restore_key()
    night.service.faults.clear()
    third = await again(night, [rows.user(1), rows.user(2)], run_id="20260204-aaaa")
    for n in (1, 2):
        assert signing_in_by(third, f"person{n}@example.com") == stored(third, rows.id(n)).id
    assert third.attention() == set()


async def test_an_address_of_a_user_who_is_gone_names_both(night, again, verdicts, rows):
    """Deleted in Supabase and signed up anew: the old one is not touched, so the new one cannot sign in yet."""
    night.export([rows.user(1), rows.user(2)])
    await night.migrate()
    gone = stored(night, rows.id(1)).id
    later = await again(night, [rows.user(2), rows.user(3, email="person1@example.com")])
    assert later.attention() == {(rows.id(1), "gone-from-source"), (rows.id(3), "email-moved")}
    [told] = [entry.todo for entry in later.listed() if entry.reason == "email-moved"]
    assert told == f"{REASONS['email-moved'].todo} In Stack Auth: {gone} (Supabase user {rows.id(1)})."
    assert "person1" not in told
    assert signing_in_by(later, "person1@example.com") == gone
    assert {finding.verdict for finding in (await verdicts(later)).values()} == {Verdict.PASS}


@pytest.mark.parametrize("reason", ["identity-taken-in-target", "client-metadata-not-carried"])
async def test_what_the_target_had_against_somebody_with_an_authenticator_app_is_reported_each_night(
    night, another_night, verdicts, rows, reason
):
    """The second request, which carries the app, sends nothing again that the first had to leave out."""
    app = {"user_id": rows.id(1), "factor_type": "totp", "status": "verified", "secret": "JBSWY3DPEHPK3PXP"}
    if reason == "identity-taken-in-target":
        night.service.add_user({"oauth_providers": [{"id": "github", "account_id": "77"}]})
    else:
        night.service.faults.when(
            lambda body: "500-before" if isinstance(body, dict) and body.get("client_metadata") == {"odd": 1} else None
        )
    night.decide(1, "create")
    bundle = [rows.user(1, raw_user_meta_data={"odd": 1}), rows.user(2)], [rows.identity(1, "github", "77")], [app]
    if reason == "client-metadata-not-carried":
        bundle = bundle[0], [], [app]
    night.export(*bundle)
    await night.migrate(first_wait_seconds=0.001)
    assert night.attention() == {(rows.id(1), reason)}
    assert stored(night, rows.id(1)).requires_totp_mfa
    later = await another_night(service=night.service)
    later.export(*bundle, run_id=LATER)
    result = await later.migrate(LATER)
    assert (result.matched, later.attention()) == (2, {(rows.id(1), reason)})
    assert {finding.verdict for finding in (await verdicts(later)).values()} == {Verdict.PASS}


@pytest.mark.parametrize("whose", ["ours", "theirs"])
async def test_an_address_that_is_already_free_signs_in(night, again, verdicts, rows, whose):
    """Whoever had it in Stack Auth was deleted there, as the reason says: the next night gives it to the user."""
    if whose == "ours":
        night.export([rows.user(1), rows.user(2)])
        await night.migrate()
        holder = stored(night, rows.id(1)).id
        users = [rows.user(2), rows.user(3, email="person1@example.com")]
        before = await again(night, users)
        assert (rows.id(3), "email-moved") in before.attention()
    else:
        holder = night.service.add_user({"primary_email": "person3@example.com", "primary_email_auth_enabled": True}).id
        night.decide(3, "create")
        users = [rows.user(2), rows.user(3)]
        night.export(users)
        await night.migrate()
        before = night
        assert before.attention() == {(rows.id(3), "email-taken-in-target")}
    still = await again(before, users, run_id="20260204-aaaa")
    assert still.attention() == before.attention(), "for as long as it is so"
    night.service._store.delete(holder)
    later = await again(still, users, run_id="20260205-bbbb")
    assert later.attention() == set()
    assert signing_in_by(later, users[1]["email"]) == stored(later, rows.id(3)).id
    assert later.mapped()[rows.id(3)].outcome == "updated"
    assert {finding.verdict for finding in (await verdicts(later, "20260205-bbbb")).values()} == {Verdict.PASS}


# -- two Supabase projects, one target --------------------------------------------------------------------------------


def of_project(night, ref):
    """The same night, with the export and the run of another Supabase project."""
    night.source_ref = ref
    return night


async def test_users_of_another_project_are_not_gone_from_this_one(night, another_night, again, rows):
    """Their marker names theirs; who is gone from this one is reported all the same."""
    night.export([rows.user(1), rows.user(2)])
    await night.migrate()
    theirs = of_project(await another_night(service=night.service), "others")
    theirs.export([rows.user(11), rows.user(12)], run_id="20260110-cccc")
    result = await theirs.migrate("20260110-cccc")
    assert (result.created, theirs.attention()) == (2, set())
    later = await again(night, [rows.user(2)])
    assert later.attention() == {(rows.id(1), "gone-from-source")}
    assert all(
        "leftOutBy" not in night.service.users[e.stack_auth_user_id].server_metadata["supabase"]
        for e in theirs.mapped().values()
    )


async def test_a_project_that_was_restored_under_another_ref_is_the_same(night, another_night, rows):
    """Whoever is in both is matched, and who is gone is reported, since the rest of that night's users is here."""
    night.export([rows.user(1), rows.user(2)])
    await night.migrate()
    restored = of_project(await another_night(service=night.service), "restored")
    restored.export([rows.user(2)], run_id=LATER)
    result = await restored.migrate(LATER)
    assert (result.matched, restored.attention()) == (1, {(rows.id(1), "gone-from-source")})


async def test_a_stranger_who_takes_an_address_is_still_a_stranger(night, again, rows):
    """Somebody who signed up in Stack Auth, and nobody of ours."""
    night.export([rows.user(1)])
    await night.migrate()
    night.service.add_user({"primary_email": "new@example.com", "primary_email_auth_enabled": True})
    with pytest.raises(Refusal):
        night.service.add_user({"primary_email": "new@example.com", "primary_email_auth_enabled": True})
    later = await again(night, [rows.user(1, email="new@example.com")])
    assert later.attention() == {(rows.id(1), "email-taken-in-target")}
