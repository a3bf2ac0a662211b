"""Everybody exactly once, whatever the service and the network do."""

import asyncio
import contextlib
import json

import httpx
import pytest
from aiohttp import web

from bot.artifacts import data_directory, durable, files, mapping, proven
from bot.artifacts.scratch import Scratch
from bot.artifacts.user_log import Intent, UserLog
from bot.errors import RecordDamaged, ServiceRefused, ServiceUnreachable
from bot.plan.results import Attention
from bot.stackauth.migrate.result import set_digest
from bot.stackauth.migrate.upsert.failures import TRIES
from bot.stackauth.users.reasons import REASONS
from tests.house.locales import spoken_here


def stored(night, supabase_id):
    return night.service.users[night.mapped()[supabase_id].stack_auth_user_id]


def crowd(rows, count=24):
    """Ordinary people, and a few of each other kind."""
    users = [rows.user(n) for n in range(1, count + 1)]
    users[1] = rows.user(2, encrypted_password="")
    users[2] = rows.user(3, is_anonymous=True, email=None, encrypted_password="")
    users[3] = rows.user(4, banned_until="infinity")
    users[4] = rows.user(5, email=None, phone="49170", encrypted_password="", email_confirmed_at=None)
    users[5] = rows.user(6, deleted_at="2025-01-01T00:00:00+00:00")
    users[6] = rows.user(7, email="PERSON8@example.com", email_confirmed_at=None)
    identities = [rows.identity(2, "google", "g-2"), rows.identity(9, "github", "9"), rows.identity(10, "azure", "z")]
    return users, identities


CROWD_ATTENTION = {
    "anonymous": [3],
    "banned": [4],
    "phone-only": [5],
    "deleted": [6],
    "email-taken-by-another": [7],
    "identity-not-carried": [10],
}


@pytest.mark.parametrize("night", ["new", "old"], indirect=True)
async def test_everybody_is_migrated(night, rows):
    """Counts, files and the service agree, and the attention names the exact sets."""
    night.export(*crowd(rows))
    result = await night.migrate()
    assert (result.users, result.created, result.matched, result.updated, result.unmapped) == (24, 24, 0, 0, 0)
    assert result.attention_users == 6
    assert result.attention == {
        reason: Attention(count=len(ids), digest=set_digest(iter(sorted(map(rows.id, ids)))), todo=REASONS[reason].todo)
        for reason, ids in CROWD_ATTENTION.items()
    }
    assert night.attention() == {(rows.id(n), reason) for reason, ids in CROWD_ATTENTION.items() for n in ids}
    mapped = night.mapped()
    addresses = {row["id"]: row["email"] for row in crowd(rows)[0]}
    for entry in night.listed():
        assert entry.stack_auth_user_id == mapped[entry.id].stack_auth_user_id
        assert entry.email == addresses[entry.id]
    night.assert_everybody_once()
    head = mapping.read_head(night.directory / files.MAPPING)
    assert head.run_id == "20260102-abcd"
    assert head.export_sha256 == durable.sha256_of(night.directory / files.METADATA)
    assert (head.retain_until - head.generated_at).days == 90
    assert result.retain_until == head.retain_until
    assert result.mapping_sha256 == durable.sha256_of(night.directory / files.MAPPING)
    entry = night.mapped()[rows.id(1)]
    assert (entry.email, entry.outcome) == ("person1@example.com", "created")
    stored = night.service.users[entry.stack_auth_user_id]
    assert (stored.password_hash, stored.primary.verified) == (rows.bcrypt, True)
    assert night.progress[-1].done == night.progress[-1].total == 24


async def test_everybody_is_migrated_under_a_turkish_locale(night, rows):
    """Nothing of the step hangs on what the C library says of letters: I is another letter's capital there."""
    night.export(*crowd(rows))
    with spoken_here("tr_TR.UTF-8"):
        result = await night.migrate()
    assert (result.users, result.created, result.attention_users) == (24, 24, 6)
    night.assert_everybody_once()


@pytest.mark.parametrize("name", [files.AUTH_USERS, "auth_identities.json", files.METADATA])
async def test_nobody_is_created_from_a_file_that_has_changed(night, rows, name):
    """One character that is not as exported, and no request is sent; with the file put back the step goes on."""
    night.export(*crowd(rows))
    path = night.directory / name
    run, whole = night.run(), path.read_bytes()
    path.write_bytes(whole.replace(b"00000000-0000", b"00000001-0000", 1).replace(b'"2.0.0"', b'"2.0.1"'))
    night.run = lambda *_: run
    with pytest.raises(RecordDamaged) as refusal:
        await night.migrate()
    assert name in str(refusal.value)
    assert not night.service.users
    path.write_bytes(whole)
    assert (await night.migrate()).created == 24


@pytest.mark.parametrize("how", ["in place", "another file", "cut"])
async def test_a_file_that_changes_while_users_are_created_gives_nobody_else(night, rows, monkeypatch, how):
    """Whoever is created is who was exported, to the letter: nothing is used that was not proven beforehand. Where
    another file takes its place, it is read to its end as it was; the gate behind the step finds the other one.
    """
    monkeypatch.setattr(proven, "_BLOCK", 4096)
    night.export([rows.user(n) for n in range(1, 61)])
    path = night.directory / files.AUTH_USERS
    whole = path.read_bytes()
    forged = whole.replace(rows.bcrypt.encode(), rows.bcrypt[:-3].encode() + b"xyz")
    done = []

    def change(body):
        if body is not None and not done:
            done.append(how)
            match how:
                case "in place":
                    path.write_bytes(forged)
                case "another file":
                    path.with_name("forged").write_bytes(forged)
                    path.with_name("forged").rename(path)
                case "cut":
                    path.write_bytes(whole[:6000])

    night.service.faults.when(change)
    damaged = pytest.raises(RecordDamaged, match=r"auth_users\.json differs from the export: SHA-256 mismatch")
    with contextlib.nullcontext() if how == "another file" else damaged:
        await night.migrate()
    assert done and night.service.users
    assert {user.password_hash for user in night.service.users.values()} == {rows.bcrypt}


async def test_no_secret_and_no_address_is_in_users_jsonl(night, rows):
    """Ids, digests and outcomes alone."""
    night.export([rows.user(1)])
    await night.migrate()
    text = (night.directory / files.USERS).read_text()
    assert rows.id(1) in text
    assert "person1" not in text and "example.com" not in text and rows.bcrypt[7:20] not in text


async def test_the_intent_is_on_disk_before_the_request(night, rows):
    """Of every create, so that whoever starts again knows which requests may have been sent."""
    night.export(*crowd(rows))
    found = []

    def look_at_the_disk(body):
        if body is not None:
            id_ = body["server_metadata"]["supabase"]["id"]
            found.append(night.outcomes().get(id_))

    night.service.faults.when(look_at_the_disk)
    await night.migrate()
    assert found == ["unknown"] * 24
    assert set(night.outcomes().values()) == {"created"}


async def test_nobody_to_carry_over_is_an_outcome_too(night):
    """An export without users leaves a whole, empty mapping."""
    night.export([])
    result = await night.migrate()
    assert (result.users, result.attention) == (0, {})
    assert night.mapped() == {}


FAULTS = [
    "429-seconds",
    "429-date",
    "429-html",
    "500-before",
    "500-after",
    "drop-before",
    "drop-after",
    "hang-after",
    "502-html",
]
ON_BOTH = {"429-html", "500-after"}
"""What befalls the old generation by default: a request that had no effect, and one that had."""


@pytest.mark.parametrize(
    ("night", "fault"),
    [
        *(("new", fault) for fault in FAULTS),
        *(pytest.param("old", fault, marks=[pytest.mark.all] * (fault not in ON_BOTH)) for fault in FAULTS),
    ],
    indirect=["night"],
)
async def test_four_answers_in_ten_are_spoiled(night, rows, fault):
    """Creates that failed and did not happen, and creates that failed and did: everybody is there once."""
    night.export(*crowd(rows))
    night.service.faults.share(fault, 0.4, method="POST")
    night.service.retry_after_seconds = -1 if fault == "429-date" else 0  # whole seconds are long for a test
    result = await night.migrate(timeout_seconds=0.3)
    assert night.service.requests.total() > 24 + 1, "the fault did strike"
    assert (result.created, result.unmapped) == (24, 0)
    assert night.attention() == {(rows.id(n), reason) for reason, ids in CROWD_ATTENTION.items() for n in ids}
    night.assert_everybody_once()
    assert all(count == 1 for count in night.service.creates_by_marker.values())


async def test_every_kind_of_fault_at_once_and_reads_too(night, rows):
    """A bad night on all requests, the looks included."""
    night.export(*crowd(rows))
    for fault in ("429-html", "500-before", "500-after", "drop-before", "drop-after", "502-html"):
        night.service.faults.share(fault, 0.08)
    result = await night.migrate()
    assert night.service.requests.total() > 24 + 10, "the faults did strike"
    assert (result.created, result.unmapped) == (24, 0)
    night.assert_everybody_once()


async def test_a_request_still_under_way_when_we_look_is_not_sent_twice(night, rows):
    """The connection is lost, the first look finds nothing, the service stores it after that."""
    night.export([rows.user(1, email=None, email_confirmed_at=None)])
    bodies, stored = [], asyncio.Event()

    def store(body):
        night.service.add_user(body)
        stored.set()

    def hold_back(body):
        if body is None or bodies:
            return None
        bodies.append(body)
        asyncio.get_running_loop().call_later(0.15, store, body)
        return "drop-before"

    night.service.faults.when(hold_back)
    await night.migrate(settle_seconds=0.5)
    await stored.wait()
    assert len(night.service.users) == 1
    night.assert_everybody_once()


async def test_an_address_taken_by_our_own_late_request(night, rows):
    """Stored only after the second look: the service's 409 is about ourselves, and the user loses nothing by it."""
    night.export([rows.user(1)])
    bodies = []

    def late(body):
        if body is not None:
            bodies.append(body)
            if len(bodies) == 2:
                night.service.add_user(bodies[0])
        return "drop-before" if len(bodies) == 1 and body is not None else None

    night.service.faults.when(late)
    await night.migrate()
    assert len(bodies) == 2
    assert night.attention() == set()
    night.assert_everybody_once()


async def test_the_service_is_away_for_a_while(night, rows):
    """The step waits and says so, then goes on by itself."""
    night.export(*crowd(rows))
    night.service.faults.share("502-html", 1.0)
    working = asyncio.create_task(night.migrate())
    await night.until(lambda: any("does not answer" in progress.note for progress in night.progress))
    night.service.faults.clear()
    assert (await working).created == 24
    assert night.progress[-1].note == "6 need attention"
    night.assert_everybody_once()


async def test_a_service_that_stays_away_ends_the_step_at_a_safe_point(night, rows):
    """Nothing is lost: the next attempt carries over the rest."""
    night.export(*crowd(rows))
    night.service.faults.next("502-html", skip=15, times=10_000)
    with pytest.raises(ServiceUnreachable, match=r"^Stack Auth could not be reached \(HTTP 502\)"):
        await night.migrate(give_up_seconds=0.2)
    assert not (night.directory / files.MAPPING).exists()
    night.service.faults.clear()
    assert (await night.migrate()).created == 24
    night.assert_everybody_once()


async def test_a_revoked_key_holds_the_run(night, rows):
    """It is reported with its fix at once; fixed, the step goes on where it was."""
    night.export(*crowd(rows))
    night.service.faults.next("key-revoked", skip=12)
    with pytest.raises(ServiceRefused, match=r"INVALID_SECRET_SERVER_KEY.*check STACK_AUTH_SECRET_KEY"):
        await night.migrate()
    assert not (night.directory / files.MAPPING).exists()
    night.service.restore_key()
    assert (await night.migrate()).created == 24
    night.assert_everybody_once()


@pytest.mark.parametrize("table", ["auth.mfa_factors", "auth.identities"])
async def test_what_could_not_be_read_of_everybody_is_said_of_everybody(night, rows, table):
    """Who had a second factor, or an account at a provider, is not known then: nobody passes for migrated completely,
    and who was deleted needs nothing.
    """
    night.export([rows.user(1), rows.user(2, deleted_at="2025-01-01T00:00:00+00:00")], unread=table)
    await night.migrate()
    assert night.attention() == {(rows.id(1), "sign-in-data-unread"), (rows.id(2), "deleted")}
    [told] = [entry for entry in night.listed() if entry.reason == "sign-in-data-unread"]
    assert "metadata.json names it under leftOut" in told.carried


@pytest.mark.parametrize("after", [1, *(pytest.param(n, marks=pytest.mark.all) for n in (7, 16)), 23])
async def test_killed_and_started_again(night, another_night, rows, after):
    """The mapping and the attention are those of a night without the kill; nobody is created twice."""
    night.export(*crowd(rows))
    night.service.latency_seconds = 0.002
    killed = asyncio.create_task(night.migrate())
    await night.until(lambda: night.done >= after)
    killed.cancel()
    with pytest.raises(asyncio.CancelledError):
        await killed
    again = await night.migrate()
    night.assert_everybody_once()
    assert all(count == 1 for count in night.service.creates_by_marker.values())

    undisturbed = await another_night()
    undisturbed.export(*crowd(rows))
    whole = await undisturbed.migrate()
    assert again.attention == whole.attention

    def told(of):
        return {id_: (entry.email, entry.outcome) for id_, entry in of.mapped().items()}

    def listed(of):
        """But for the ids that the service gave."""
        return [entry.model_copy(update={"stack_auth_user_id": None}) for entry in of.listed()]

    assert told(night) == told(undisturbed)
    assert listed(night) == listed(undisturbed)


async def test_killed_again_and_again_under_faults(night, rows):
    """Whatever the instant, the next attempt resolves what is open."""
    night.export(*crowd(rows))
    night.service.faults.share("drop-after", 0.3, method="POST")
    night.service.faults.share("500-after", 0.3, method="POST")
    for _ in range(8):
        killed = asyncio.create_task(night.migrate(settle_seconds=0.01))
        done, _ = await asyncio.wait([killed], timeout=0.05)
        if done:
            break
        killed.cancel()
        await asyncio.wait([killed])
    result = await night.migrate()
    assert (result.created, result.unmapped) == (24, 0)
    night.assert_everybody_once()
    assert all(count == 1 for count in night.service.creates_by_marker.values())


async def test_killed_after_the_mapping_was_written(night, rows):
    """The files that are there are whole and are taken as they are."""
    night.export(*crowd(rows))
    first = await night.migrate()
    creates = night.service.requests["POST", "/api/v1/users"]
    again = await night.migrate()
    assert again.model_copy(update={"duration_ms": 0}) == first.model_copy(update={"duration_ms": 0})
    assert night.service.requests["POST", "/api/v1/users"] == creates


async def test_a_lost_users_jsonl_costs_nobody(night, rows):
    """The service's own list tells who was created, by which run and with which reasons."""
    night.service.add_user({"primary_email": "person1@example.com", "primary_email_auth_enabled": True})
    night.decide(1, "create")
    night.export(*crowd(rows))
    first = await night.migrate()
    for name in (files.USERS, files.MAPPING, files.ATTENTION):
        (night.directory / name).unlink()
    again = await night.migrate()
    assert again.attention == first.attention
    assert again.created == 24
    assert len(night.service.users) == 25


async def test_an_address_that_somebody_there_signs_in_with(night, rows):
    """They keep it, and ours, if a person decides that it is another one, comes without signing in by it."""
    theirs = night.service.add_user({"primary_email": "person1@example.com", "primary_email_auth_enabled": True})
    night.decide(1, "create")
    night.export([rows.user(1), rows.user(2)], [rows.identity(1, "google", "g")])
    result = await night.migrate()
    assert (result.created, result.unmapped) == (2, 0)
    assert night.attention() == {(rows.id(1), "email-taken-in-target")}
    stored = night.service.users[night.mapped()[rows.id(1)].stack_auth_user_id]
    assert stored.id != theirs.id
    assert (stored.primary.value, stored.primary.used_for_auth) == ("person1@example.com", False)
    assert [identity.account_id for identity in stored.oauth_identities] == ["g"]


async def test_magic_links_that_are_off(another_night, rows):
    """Only those who need one are reported, and the address still signs in once links are on."""
    night = await another_night(otp_enabled=False)
    night.export([rows.user(1, encrypted_password=None), rows.user(2)])
    await night.migrate()
    assert night.attention() == {(rows.id(1), "magic-link-off")}
    stored = night.service.users[night.mapped()[rows.id(1)].stack_auth_user_id]
    assert stored.primary.used_for_auth and stored.primary.verified


async def test_passwords_that_are_off_hold_the_run(another_night, rows):
    """Nobody is created without the password that they had, and it is seen before anybody is created."""
    night = await another_night(password_enabled=False)
    night.export([rows.user(n, encrypted_password=None) for n in range(1, 9)] + [rows.user(9)])
    with pytest.raises(
        ServiceRefused, match=r"^Passwords are off in the Stack Auth project, with which 1 user signed in"
    ):
        await night.migrate()
    assert not night.service.users


@pytest.mark.parametrize(
    "fault",
    [
        "500-after",
        "drop-before",
        *(pytest.param(fault, marks=pytest.mark.all) for fault in ("500-before", "drop-after", "502-html")),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_an_authenticator_app_arrives_whatever_is_lost_on_the_way(night, rows, fault, method):
    """The service demands it only after a second request; neither answer has to arrive."""
    app = {"user_id": rows.id(1), "factor_type": "totp", "status": "verified", "secret": "JBSWY3DPEHPK3PXP"}
    night.export([rows.user(1), rows.user(2)], [], [app])
    night.service.faults.next(fault, method=method)
    result = await night.migrate()
    assert (result.created, result.attention) == (2, {})
    stored = night.service.users[night.mapped()[rows.id(1)].stack_auth_user_id]
    assert (stored.requires_totp_mfa, stored.totp_secret_base64) == (True, "SGVsbG8h3q2+7w==")
    assert not night.service.users[night.mapped()[rows.id(2)].stack_auth_user_id].requires_totp_mfa
    night.assert_everybody_once()


def edge_of(url, answer):
    """What is in front of a service, and may answer in its place."""

    async def edge(request: web.Request) -> web.Response:
        content = await request.read()
        if (own := answer(request, content)) is not None:
            return own
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        async with httpx.AsyncClient(verify=False) as client:
            answered = await client.request(request.method, url + request.path_qs, content=content, headers=headers)
        kept = {"x-stack-request-id": "1", "content-type": answered.headers["content-type"]}
        return web.Response(status=answered.status_code, body=answered.content, headers=kept)

    return edge


async def test_an_app_that_the_service_refuses_costs_the_app_alone(another_night, make, rows):
    """The user is there with all else, and the reason says what is missing."""
    night = await another_night()

    def refuses_secrets(request, content):
        if request.method == "PATCH" and json.loads(content).get("totp_secret_base64"):
            return web.json_response({"code": "SCHEMA_ERROR", "error": "is not valid base64"}, status=400)
        return None

    night.url = await make.server(edge_of(night.service.url, refuses_secrets))
    app = {"user_id": rows.id(1), "factor_type": "totp", "status": "verified", "secret": "JBSWY3DPEHPK3PXP"}
    night.export([rows.user(1)], [], [app])
    await night.migrate()
    assert night.attention() == {(rows.id(1), "totp-not-carried")}
    stored = night.service.users[night.mapped()[rows.id(1)].stack_auth_user_id]
    assert stored.has_password and not stored.requires_totp_mfa


async def test_a_user_the_service_fails_over(night, rows):
    """Others are served, this one never: an empty user is created for the id."""
    night.export([rows.user(n) for n in range(1, 6)])

    def fails(body):
        return "500-before" if isinstance(body, dict) and body.get("display_name") == "Person 3" else None

    night.service.faults.when(fails)
    result = await night.migrate(first_wait_seconds=0.001)
    assert (result.created, result.unmapped) == (5, 0)
    assert night.attention() == {(rows.id(3), "refused-by-target")}
    night.assert_everybody_once()
    stored = night.service.users[night.mapped()[rows.id(3)].stack_auth_user_id]
    assert (stored.primary, stored.display_name, stored.client_metadata) == (None, None, None)


async def test_a_user_that_cannot_be_created_at_all(night, rows):
    """It is in `unmapped`, with what refers to it."""
    night.export([rows.user(n) for n in range(1, 6)])
    night.service.faults.when(
        lambda body: "500-before" if isinstance(body, dict) and rows.id(3) in json.dumps(body) else None
    )
    result = await night.migrate(first_wait_seconds=0.001, tries_per_user=3)
    assert (result.created, result.unmapped) == (4, 1)
    assert night.attention() == {(rows.id(3), "not-created")}
    assert night.unmapped() == [
        mapping.Unmapped(supabase_user_id=rows.id(3), reason="not-created", referenced_by={"orders.customer_id": 2})
    ]
    assert not REASONS["not-created"].creates


async def test_a_user_that_cannot_be_created_is_tried_again_by_every_retry(night, rows):
    """And is unmapped again by the same reason, or created at last; the mapping has everybody each time. However many
    they are, the service does not refuse most users: it took the others before.
    """
    night.export([rows.user(n) for n in range(1, 25)])
    never = [rows.id(n) for n in range(19, 25)]
    night.service.faults.when(
        lambda body: "500-before" if isinstance(body, dict) and any(id_ in json.dumps(body) for id_ in never) else None
    )
    first = await night.migrate(first_wait_seconds=0.001, tries_per_user=3)
    again = await night.migrate(first_wait_seconds=0.001, tries_per_user=3)
    assert (again.created, again.unmapped, again.attention) == (18, 6, first.attention)
    assert {night.outcomes()[id_] for id_ in never} == {"unmapped"}
    night.service.faults.clear()
    assert (await night.migrate()).created == 24
    night.assert_everybody_once()


@pytest.mark.parametrize(
    ("fault", "tries"), [("drop-before", TRIES), ("502-html", 4), ("drop-after", TRIES), ("hang-after", TRIES)]
)
async def test_a_user_whose_request_never_gets_an_answer(night, rows, fault, tries):
    """Others are served: after some tries, each with a look at the list, and as many with less, an empty user is
    created for the id; where the request has its effect all the same, the look finds it. Nobody is created twice.
    """
    night.export([rows.user(n) for n in range(1, 6)])

    def fails(body):
        return fault if isinstance(body, dict) and body.get("display_name") == "Person 3" else None

    night.service.faults.when(fails)
    result = await night.migrate(
        first_wait_seconds=0.001, timeout_seconds=0.3, settle_seconds=0.001, tries_per_user=tries
    )
    assert (result.created, result.unmapped) == (5, 0)
    lost = fault in {"drop-before", "502-html"}
    assert night.attention() == ({(rows.id(3), "refused-by-target")} if lost else set())
    assert night.service.requests["POST", "/api/v1/users"] == (5 + 2 * tries if lost else 5)
    night.assert_everybody_once()
    assert (stored(night, rows.id(3)).primary is None) == lost


@pytest.mark.parametrize(("fault", "tries"), [("drop-before", 4), ("502-html", TRIES), ("500-before", 4)])
async def test_a_user_no_request_for_whom_gets_an_answer(night, rows, fault, tries):
    """Nor the lesser one: it is in `unmapped`, and the step comes to its end, also where nobody else is left whom
    the service could serve meanwhile.
    """
    night.export([rows.user(n) for n in range(1, 4)])
    await night.migrate()
    for name in (files.MAPPING, files.ATTENTION):
        (night.directory / name).unlink()
    data_directory.archive(night.directory, "20260102-abcd")
    night.export([rows.user(n) for n in range(1, 6)])
    night.service.faults.when(
        lambda body: fault if isinstance(body, dict) and body and rows.id(4) in json.dumps(body) else None
    )
    result = await night.migrate(first_wait_seconds=0.001, settle_seconds=0.001, concurrency=1, tries_per_user=tries)
    assert (result.created, result.unmapped) == (4, 1)
    assert night.attention() == {(rows.id(4), "not-created")}
    assert night.service.requests["POST", "/api/v1/users"] == 3 + 3 * tries + 1


@pytest.mark.parametrize(
    ("fault", "there", "failures"),
    [
        ("502-html", 0, 44),
        *(("500-before", 2, failures) for failures in range(41, 45)),
        *(
            pytest.param(*one, failures, marks=pytest.mark.all)
            for one in (("502-html", 2), ("500-before", 0), ("502-html", 0))
            for failures in range(38, 50)
        ),
    ],
)
async def test_a_service_that_takes_nothing_for_a_while_costs_nobody_anything(night, rows, fault, there, failures):
    """Its list can be read, and more tries fail than one user has: all wait until it takes users again. Also when that
    is between somebody's last try and the question whether others are served.
    """
    night.export([rows.user(n) for n in range(1, 9)])
    failed = 0

    def down(body):
        nonlocal failed
        if body is None or failed >= failures or len(night.service.users) < there:
            return None
        failed += 1
        return fault

    night.service.faults.when(down)
    result = await night.migrate(first_wait_seconds=0.001, settle_seconds=0.001)
    assert failed == failures
    assert (result.created, result.attention) == (8, {})
    night.assert_everybody_once()


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_a_user_whose_change_never_gets_an_answer(night, another_night, make, *, rows, method):
    """An edge fails over one user's address alone: that user stays as the earlier night left it, with the reason, and
    the others are brought up to date.
    """
    night.export([rows.user(n) for n in range(1, 6)])
    await night.migrate()
    one = night.mapped()[rows.id(3)].stack_auth_user_id

    def fails(request, content):
        return web.Response(status=502) if request.method == method and request.path.endswith(one) else None

    later = await another_night(service=night.service)
    later.url = await make.server(edge_of(night.service.url, fails))
    changed = [rows.user(n, raw_user_meta_data={"full_name": f"New {n}"}) for n in range(1, 6)]
    later.export(changed, run_id="20260203-ffff")
    result = await later.migrate("20260203-ffff", first_wait_seconds=0.001, concurrency=2, tries_per_user=4)
    assert (result.updated, result.matched) == (4, 1)
    assert later.attention() == {(rows.id(3), "not-updated")}


async def test_a_service_that_refuses_most_users_stops_the_step(another_night, make, rows):
    """It is our request that is wrong then, and nobody is emptied for it."""
    bodies = []

    async def later_schema(request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.json_response({"items": [], "is_paginated": True, "pagination": {"next_cursor": None}})
        bodies.append(await request.json())
        return web.json_response({"code": "SCHEMA_ERROR", "error": "body.consent must be defined"}, status=400)

    night = await another_night()
    night.url = await make.server(later_schema)
    night.export([rows.user(n) for n in range(1, 31)])
    with pytest.raises(ServiceRefused, match=r"^Stack Auth refused 10 users and took only 0;"):
        await night.migrate()
    assert len(bodies) < 20


# -- the next night ---------------------------------------------------------------------------------------------------


async def test_the_users_of_an_earlier_night_are_matched(night, another_night, rows):
    """By our marker; nothing is sent for who has not changed, but for three who bear witness of this night."""
    users, identities = crowd(rows)
    night.export(users, identities)
    await night.migrate()
    posts = night.service.requests["POST", "/api/v1/users"]
    later = await another_night(service=night.service)
    later.export([*users, rows.user(99)], identities, run_id="20260203-ffff")
    result = await later.migrate("20260203-ffff")
    assert (result.created, result.matched, result.updated) == (1, 24, 0)
    assert night.service.requests["POST", "/api/v1/users"] == posts + 1
    assert night.service.requests["PATCH", "/api/v1/users/{id}"] == 3
    later.assert_everybody_once()


async def test_who_has_changed_since_is_brought_up_to_date(night, another_night, rows):
    """Address, hash, name and bans follow; what is gone is cleared; killed and started again, it still says updated."""
    night.export([rows.user(1), rows.user(2, banned_until="infinity"), rows.user(3)])
    await night.migrate()
    later = await another_night(service=night.service)
    new_hash = rows.bcrypt[:-1] + "z"
    changed = [
        rows.user(1, email="new@example.com", encrypted_password=new_hash, raw_user_meta_data=None),
        rows.user(2, encrypted_password=""),
        rows.user(3),
    ]
    later.export(changed, run_id="20260203-ffff")
    result = await later.migrate("20260203-ffff")
    assert (result.created, result.matched, result.updated) == (0, 1, 2)
    first, second, _ = (night.service.users[later.mapped()[rows.id(n)].stack_auth_user_id] for n in (1, 2, 3))
    assert (first.primary.value, first.password_hash, first.display_name) == ("new@example.com", new_hash, None)
    assert first.client_metadata is None
    assert (second.restricted_by_admin, second.has_password, second.otp_auth_enabled) == (False, False, True)
    assert later.mapped()[rows.id(1)].outcome == "updated"
    for name in (files.USERS, files.MAPPING, files.ATTENTION):
        (later.directory / name).unlink()
    again = await later.migrate("20260203-ffff")
    assert (again.created, again.matched, again.updated) == (0, 1, 2)


@pytest.mark.parametrize(
    "fault",
    [
        "500-after",
        "429-html",
        *(pytest.param(fault, marks=pytest.mark.all) for fault in ("500-before", "drop-after", "502-html")),
    ],
)
async def test_a_change_without_an_answer_is_sent_again(night, another_night, rows, fault):
    """The same change any number of times is one change."""
    night.export([rows.user(n) for n in range(1, 11)])
    await night.migrate()
    later = await another_night(service=night.service)
    later.export(
        [rows.user(n, raw_user_meta_data={"full_name": f"New {n}"}) for n in range(1, 11)], run_id="20260203-ffff"
    )
    night.service.faults.share(fault, 0.5, method="PATCH")
    result = await later.migrate("20260203-ffff")
    assert (result.created, result.matched, result.updated) == (0, 0, 10)
    assert {user.display_name for user in night.service.users.values()} == {f"New {n}" for n in range(1, 11)}


async def test_an_account_added_since_is_reported(night, another_night, rows):
    """A change cannot carry one."""
    night.export([rows.user(1)])
    await night.migrate()
    later = await another_night(service=night.service)
    later.export([rows.user(1)], [rows.identity(1, "google", "g")], run_id="20260203-ffff")
    result = await later.migrate("20260203-ffff")
    assert result.updated == 1
    assert later.attention() == {(rows.id(1), "identity-added-since")}


async def test_an_export_taken_again_in_the_same_run(night, rows):
    """After a drift all is exported again: who was created already is changed where they differ, and stays created."""
    night.export([rows.user(1), rows.user(2)])
    await night.migrate()
    data_directory.archive(night.directory, "20260102-abcd")
    night.export([rows.user(1, raw_user_meta_data={"full_name": "Renamed"}), rows.user(2), rows.user(3)])
    result = await night.migrate()
    assert (result.created, result.matched, result.updated) == (3, 0, 0)
    night.assert_everybody_once()
    assert "Renamed" in {user.display_name for user in night.service.users.values()}


async def test_an_intent_of_an_earlier_attempt_is_looked_for(night, rows):
    """Killed between the intent and the request, or after it: the list tells, and the user is created once."""
    night.export([rows.user(1)])
    with Scratch(night.directory) as scratch, UserLog.open(night.directory / files.USERS, scratch) as log:
        log.intend([Intent(rows.id(1), "0" * 64, rows.at)])
    assert (await night.migrate()).created == 1
    assert len(night.service.users) == 1
    assert night.outcomes() == {rows.id(1): "created"}
