"""Users whom the service holds already and who are not ours: who is certainly the same person, and who decides else."""

import pytest

from bot.artifacts import files
from bot.plan.findings import Verdict
from bot.stackauth.client.api import StackAuth
from bot.stackauth.migrate.readback.examiner import ReadBack


def there(night, email, *, verified=True, **body):
    """Somebody who signed up in the target by themselves; their id."""
    given = {"primary_email": email, "primary_email_verified": verified, "primary_email_auth_enabled": True}
    return night.service.add_user({**given, **body}).id


def pairs(night):
    return {id_: entry.stack_auth_user_id for id_, entry in night.mapped().items()}


async def findings(night, make, run_id="20260102-abcd"):
    async with StackAuth(night.url, make.project, make.key) as service:
        examine = ReadBack(night.directory, service).examine
        return {finding.check: finding async for finding in examine(night.run(run_id), night._report)}


async def test_match_maps_what_is_certain_and_asks_for_the_rest(night, rows, make):
    """Of a hundred users sixty are there: forty for certain, some in other letters; twenty whose address only one side
    has verified, or neither. Nobody is created or changed.
    """
    users, known, unsure = [], {}, {}
    for n in range(1, 101):
        email = f"Person{n}@Example.COM" if n % 3 == 0 else f"person{n}@example.com"
        verified_here = not 41 <= n <= 50
        users.append(
            rows.user(n, email=email, email_confirmed_at="2024-01-01T09:03:00+00:00" if verified_here else None)
        )
        if n <= 60:
            stack_id = there(night, email.lower(), verified=n <= 50)
            (known if n <= 40 else unsure)[rows.id(n)] = stack_id
    before = dict(night.service.users)
    night.export(users)
    result = await night.migrate(mode="match")

    assert (result.users, result.created, result.matched, result.unmapped) == (100, 0, 40, 60)
    assert pairs(night) == known
    assert {reason: attention.count for reason, attention in result.attention.items()} == {
        "match-undecided": 20,
        "not-in-target": 40,
    }
    assert result.to_decide == {
        **{id_: (stack_id,) for id_, stack_id in unsure.items()},
        **{rows.id(n): () for n in range(61, 101)},
    }
    assert {entry.supabase_user_id: entry.referenced_by for entry in night.unmapped()}[rows.id(60)] == {
        "orders.customer_id": 2
    }
    assert night.service.users == before
    found = await findings(night, make)
    assert [finding.verdict for finding in found.values()] == [Verdict.PASS, Verdict.PASS]
    assert "40 matched users were in Stack Auth before and were not changed." in found["users-read-back"].evidence


async def test_match_changes_nobody_of_an_earlier_night_either(night, another_night, rows):
    """They are mapped as they are, though the source has changed since; only the marker notes that they were."""
    night.export([rows.user(1)])
    await night.migrate()
    before = {id_: user.as_json(night.service._settings) for id_, user in night.service.users.items()}
    second = await another_night(service=night.service)
    second.export([rows.user(1, raw_user_meta_data={"full_name": "Renamed"})], run_id="20260103-ef01")
    result = await second.migrate("20260103-ef01", mode="match")
    assert (result.matched, result.updated) == (1, 0)
    after = {id_: user.as_json(night.service._settings) for id_, user in night.service.users.items()}
    [user] = after.values()
    assert user["server_metadata"]["supabase"].pop("adoptedBy") == ["20260103-ef01"]
    assert after == before


async def test_create_matches_whoever_is_certainly_there_and_creates_the_others(night, rows):
    """Whoever may be there is neither matched nor created until a person has decided."""
    known, unsure = there(night, "person1@example.com"), there(night, "person2@example.com", verified=False)
    night.export([rows.user(n) for n in (1, 2, 3)])
    result = await night.migrate()
    assert (result.created, result.matched, result.unmapped) == (1, 1, 1)
    assert pairs(night)[rows.id(1)] == known
    assert result.to_decide == {rows.id(2): (unsure,)}
    [listed] = [entry for entry in night.listed() if entry.id == rows.id(2)]
    assert listed.reason == "match-undecided" and unsure in listed.todo


async def test_an_account_at_a_provider_is_for_a_person_to_decide(night, rows):
    """The service would fail over a second user with it, slowly; nothing is sent that it would fail over."""
    accounts = [{"id": "github", "account_id": "77", "email": None}]
    theirs = night.service.add_user({"oauth_providers": accounts}).id
    night.export([rows.user(1)], [rows.identity(1, "github", "77"), rows.identity(1, "google", "78")])
    result = await night.migrate()
    assert result.to_decide == {rows.id(1): (theirs,)}

    night.decide(1, "create")
    result = await night.migrate()
    assert (result.created, result.unmapped) == (1, 0)
    assert night.attention() == {(rows.id(1), "identity-taken-in-target")}
    stored = night.service.users[pairs(night)[rows.id(1)]]
    assert not stored.oauth_identities and stored.has_password


@pytest.mark.parametrize("magic_links", [True, False])
async def test_whoever_loses_the_only_account_has_the_magic_link(another_night, rows, make, magic_links):
    """Or is reported, since it is off: the address is verified, and nothing else signs the user in."""
    night = await another_night(otp_enabled=magic_links, oauth_providers=("github", "linkedin"))
    night.service.add_user({"oauth_providers": [{"id": "github", "account_id": "77"}]})
    night.decide(1, "create")
    users = [rows.user(n, encrypted_password=None) for n in (1, 2, 3)]
    shared = [rows.identity(2, "linkedin", "7"), rows.identity(3, "linkedin_oidc", "7")]
    night.export(users, [rows.identity(1, "github", "77"), *shared])
    await night.migrate()
    off = set() if magic_links else {(rows.id(1), "magic-link-off"), (rows.id(3), "magic-link-off")}
    assert night.attention() == {
        (rows.id(1), "identity-taken-in-target"),
        (rows.id(3), "identity-taken-by-another"),
        *off,
    }
    links = {id_: night.service.users[stack_id].otp_auth_enabled for id_, stack_id in pairs(night).items()}
    assert links == {rows.id(1): magic_links, rows.id(2): False, rows.id(3): magic_links}
    assert all(finding.verdict is Verdict.PASS for finding in (await findings(night, make)).values())


async def test_what_people_decide_is_carried_out(night, rows, make):
    """One is the same person, one is another, one is left out; the rest of the night stays as it was."""
    theirs = {n: there(night, f"person{n}@example.com", verified=False) for n in (1, 2, 3)}
    night.export([rows.user(n) for n in (1, 2, 3, 4)])
    first = await night.migrate()
    assert (first.created, first.unmapped) == (1, 3)
    created = pairs(night)[rows.id(4)]

    night.decide(1, "match", theirs[1])
    night.decide(2, "create")
    night.decide(3, "skip")
    second = await night.migrate()
    assert (second.created, second.matched, second.unmapped) == (2, 1, 1)
    assert second.mapping_sha256 != first.mapping_sha256
    assert pairs(night)[rows.id(1)] == theirs[1]
    assert pairs(night)[rows.id(2)] not in theirs.values()
    assert pairs(night)[rows.id(4)] == created
    assert night.attention() == {(rows.id(2), "email-taken-in-target"), (rows.id(3), "skipped")}
    assert all(finding.verdict is Verdict.PASS for finding in (await findings(night, make)).values())

    creates = night.service.requests["POST", "/api/v1/users"]
    third = await night.migrate()
    assert third.model_copy(update={"duration_ms": second.duration_ms}) == second
    assert night.service.requests["POST", "/api/v1/users"] == creates


@pytest.mark.parametrize("whose", ["nobody", "ours", "given"])
async def test_a_decision_that_cannot_be_carried_out_is_reported(night, rows, whose):
    """The user is not there, is one that we created, or is somebody else's already: nobody is mapped twice."""
    theirs = there(night, "person1@example.com", verified=False)
    given = there(night, "person2@example.com")
    night.export([rows.user(n) for n in (1, 2, 3)])
    await night.migrate()
    ours = pairs(night)[rows.id(3)]
    wanted = {"nobody": "00000000-0000-4000-8000-00000000dead", "ours": ours, "given": given}[whose]
    if whose == "given":
        night.decide(2, "match", given)
    night.decide(1, "match", wanted)
    result = await night.migrate()
    assert (rows.id(1), "decision-impossible") in night.attention()
    assert len(set(pairs(night).values())) == len(pairs(night))
    assert rows.id(1) in result.to_decide

    night.decide(1, "match", theirs)
    await night.migrate()
    assert pairs(night)[rows.id(1)] == theirs


async def test_two_users_with_one_address_never_share_a_target(night, rows):
    """In other letters it is the same address: it is the older one's, and the other is for a person to decide."""
    theirs = there(night, "twin@example.com")
    night.export([rows.user(1, email="twin@example.com"), rows.user(2, email="Twin@example.com")])
    result = await night.migrate()
    assert pairs(night) == {rows.id(1): theirs}
    assert result.to_decide == {rows.id(2): (theirs,)}


async def test_two_there_with_one_address_are_for_a_person_to_decide(night, rows):
    """One of them cannot sign in by it, and could all the same be the person."""
    signs_in = there(night, "person1@example.com")
    other = there(night, "person1@example.com", primary_email_auth_enabled=False)
    night.export([rows.user(1)])
    result = await night.migrate()
    assert result.to_decide == {rows.id(1): tuple(sorted((signs_in, other)))}


async def test_a_dry_run_foresees_everything_and_does_nothing(night, rows):
    """The counts are those that the night would have; no request changes anything, and no mapping is written."""
    there(night, "person1@example.com")
    there(night, "person2@example.com", verified=False)
    night.export([rows.user(n) for n in (1, 2)] + [rows.user(3, phone="4915", email=None), rows.user(4)])
    foreseen = await night.migrate(mode="dry-run")
    assert foreseen.dry_run
    assert {method for method, _ in night.service.requests} == {"GET"}
    assert not (night.directory / files.MAPPING).exists() and not (night.directory / files.USERS).exists()
    done = await night.migrate()
    for name in ("users", "created", "matched", "updated", "unmapped", "attention", "attention_users", "to_decide"):
        assert getattr(foreseen, name) == getattr(done, name), name


async def test_who_is_gone_from_the_source_since_an_earlier_night_is_listed(night, another_night, rows):
    """They could still sign in at the target: somebody has to know."""
    night.export([rows.user(n) for n in (1, 2, 3)])
    await night.migrate()
    second = await another_night(service=night.service)
    second.export([rows.user(n) for n in (1, 3)], run_id="20260103-ef01")
    result = await second.migrate("20260103-ef01")
    assert (result.users, result.matched) == (2, 2)
    assert second.attention() == {(rows.id(2), "gone-from-source")}
    assert result.attention_users == 1
