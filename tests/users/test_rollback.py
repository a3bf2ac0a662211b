"""Undo: exactly the users that a run created go, whatever the service answers; everybody else stays as they are."""

import asyncio
import json

import bcrypt
import pytest

from bot.artifacts import files
from bot.artifacts.scratch import Scratch
from bot.errors import ServiceUnreachable, UsageError
from bot.journal import read_chain
from bot.record import EventRecord
from bot.stackauth.client.api import StackAuth
from bot.stackauth.migrate.rollback import Rollback


@pytest.fixture
def rollback(make, rows):
    """Looks, and deletes when told to; what was found."""

    class Clock:
        def now(self):
            return rows.at

    async def run(night, run_id="20260102-abcd", *, remove=True, adopted_by=()):
        async with StackAuth(night.url, make.project, make.key, timeout_seconds=0.5, page=7) as service:
            with Scratch(night.directory) as scratch:
                rollback = Rollback(night.directory, run_id, service, scratch, concurrency=4, adopted_by=adopted_by)
                found = await rollback.preview(night._report)
                if remove:
                    await rollback.delete(found, Clock(), night._report)
                return found

    return run


def removed(night):
    lines = (line.record() for line in read_chain(night.directory / files.UNDO, torn_tail_allowed=False))
    return [record for record in lines if record["type"] == "removed"]


async def test_exactly_the_created_ones_go(night, another_night, rows, rollback):
    """Those of an earlier night, brought up to date or not, those who were there before, and copies stay untouched."""
    night.service.add_user({"primary_email": "person1@example.com", "primary_email_verified": True})
    night.export([rows.user(n) for n in (2, 3)])
    await night.migrate()
    second = await another_night(service=night.service)
    users = [rows.user(1), rows.user(2), rows.user(3, raw_user_meta_data={"full_name": "Other"})]
    second.export([*users, rows.user(4), rows.user(5)], run_id="20260103-ef01")
    result = await second.migrate("20260103-ef01")
    assert (result.created, result.matched, result.updated) == (2, 2, 1)
    created = {second.mapped()[rows.id(n)].stack_auth_user_id for n in (4, 5)}
    copied = night.service.users[min(created)].server_metadata
    night.service.add_user({"server_metadata": json.loads(json.dumps(copied))})
    others = {id_: user for id_, user in night.service.users.items() if id_ not in created}

    found = await rollback(second, "20260103-ef01")
    assert (found.users, found.active, found.left) == (2, (), 3)
    assert dict(night.service.users) == others
    assert {record["stackId"] for record in removed(second)} == created
    assert {record["id"] for record in removed(second)} == {rows.id(4), rows.id(5)}


async def test_a_look_says_who_has_signed_in_since_and_changes_nothing(night, rows, rollback, make):
    """Supabase ids, and no address."""
    password = bcrypt.hashpw(b"known", bcrypt.gensalt(4, prefix=b"2a")).decode()
    night.export([rows.user(1, encrypted_password=password), rows.user(2)])
    await night.migrate()
    await asyncio.sleep(1.1)
    async with make.http(night.url) as client:
        answer = await client.post(
            "/api/v1/auth/password/sign-in", json={"email": "person1@example.com", "password": "known"}
        )
    assert answer.status_code == 200
    before = dict(night.service.users)
    found = await rollback(night, remove=False)
    assert (found.users, found.active) == (2, (rows.id(1),))
    assert dict(night.service.users) == before
    assert not (night.directory / files.UNDO).exists()

    await rollback(night)
    assert not night.service.users
    assert {record["id"]: record["active"] for record in removed(night)} == {rows.id(1): True, rows.id(2): False}


async def test_teams_that_stay_are_counted_and_named(another_night, rows, rollback):
    """Stack Auth keeps the team that it made for a user; undo.jsonl has the ids by which a person can delete them."""
    night = await another_night(personal_teams=True)
    night.export([rows.user(n) for n in range(1, 4)])
    await night.migrate()
    assert (await rollback(night)).teams == 3
    assert not night.service.users
    assert {record["teamId"] for record in removed(night)} == set(night.service.teams)


@pytest.mark.parametrize(
    "fault",
    [
        "429-html",
        "500-after",
        "drop-before",
        *(pytest.param(fault, marks=pytest.mark.all) for fault in ("500-before", "drop-after", "502-html")),
    ],
)
async def test_whatever_the_service_answers_everybody_goes_once(night, rows, rollback, fault):
    """A delete without an answer is sent again, and one who is gone already is gone."""
    night.export([rows.user(n) for n in range(1, 25)])
    await night.migrate()
    night.service.faults.share(fault, 0.3, method="DELETE")
    await rollback(night)
    assert not night.service.users
    assert sorted(record["id"] for record in removed(night)) == [rows.id(n) for n in range(1, 25)]


async def test_an_undo_that_was_cut_off_is_begun_again(night, rows, rollback):
    """The second finds those who are left."""
    night.export([rows.user(n) for n in range(1, 25)])
    await night.migrate()
    night.service.faults.next("key-revoked", skip=10, method="DELETE")
    with pytest.raises(Exception, match="does not accept the secret key"):
        await rollback(night)
    left = len(night.service.users)
    assert 0 < left < 24
    night.service.restore_key()
    night.service.faults.clear()
    assert (await rollback(night)).users == left
    assert not night.service.users
    assert {record["id"] for record in removed(night)} == {rows.id(n) for n in range(1, 25)}


async def test_a_create_of_which_nothing_is_known_is_undone_too(night, rows, rollback):
    """The service took the request and the bot died before it could note that."""
    night.export([rows.user(n) for n in range(1, 9)])
    night.service.faults.next("hang-after", skip=3, method="POST")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await night.migrate(timeout_seconds=30.0)
    assert "unknown" in night.outcomes().values()
    await rollback(night)
    assert not night.service.users


async def test_a_run_that_sent_nothing_has_nothing_to_undo(night, rollback):
    """It says where to look instead."""
    night.export([])
    with pytest.raises(UsageError, match="created no users"):
        await rollback(night)


async def test_a_service_that_is_not_there_changes_nothing(night, rows, rollback):
    """As everywhere."""
    night.export([rows.user(1)])
    await night.migrate()
    await night.service.stop()
    with pytest.raises((ServiceUnreachable, TimeoutError)):
        async with asyncio.timeout(2):
            await rollback(night, remove=False)


# -- a later run has mapped some of them ------------------------------------------------------------------------------

LATER = "20260103-ef01"


async def adopted(night, another_night, rows, *, mode="create"):
    """Of the first night's eight users a later one, made elsewhere, has three as they are and two who have changed."""
    night.export([rows.user(n) for n in range(1, 9)])
    await night.migrate()
    later = await another_night("elsewhere", service=night.service)
    changed = [rows.user(n, raw_user_meta_data={"full_name": f"New {n}"}) for n in (4, 5)]
    later.export([*(rows.user(n) for n in (1, 2, 3)), *changed, rows.user(9)], run_id=LATER)
    await later.migrate(LATER, mode=mode)
    return later


@pytest.mark.parametrize("mode", ["create", "match"])
async def test_whom_a_later_run_has_mapped_is_kept(night, another_night, rows, rollback, mode):
    """As they are or brought up to date, by the service alone: the later run's directory is not here."""
    later = await adopted(night, another_night, rows, mode=mode)
    before = {id_: user.as_json(night.service._settings) for id_, user in night.service.users.items()}
    found = await rollback(night)
    assert (found.users, found.kept, found.adopted) == (3, 5, {LATER: 5})
    assert {record["id"] for record in removed(night)} == {rows.id(n) for n in (6, 7, 8)}
    gone = {record["stackId"] for record in removed(night)}
    assert {id_: user.as_json(night.service._settings) for id_, user in night.service.users.items()} == {
        id_: user for id_, user in before.items() if id_ not in gone
    }
    later.assert_everybody_once()


async def test_the_later_run_is_named_and_they_go_too(night, another_night, rows, rollback):
    """Whom the later run itself created stays its own."""
    await adopted(night, another_night, rows)
    found = await rollback(night, adopted_by=[LATER])
    assert (found.users, found.kept, found.adopted) == (8, 0, {})
    assert [user.primary.value for user in night.service.users.values()] == ["person9@example.com"]


async def test_two_later_runs_each_keep_their_own(night, another_night, rows, rollback):
    """One named lets go of those alone whom the other has not mapped."""
    await adopted(night, another_night, rows)
    third = await another_night("third", service=night.service)
    third.export([rows.user(n) for n in (1, 6)], run_id="20260104-aaaa")
    await third.migrate("20260104-aaaa")
    found = await rollback(night, remove=False)
    assert (found.users, found.kept, found.adopted) == (2, 6, {LATER: 5, "20260104-aaaa": 2})
    found = await rollback(night, adopted_by=[LATER])
    assert (found.users, found.kept, found.adopted) == (6, 2, {"20260104-aaaa": 2})
    assert {record["id"] for record in removed(night)} == {rows.id(n) for n in (2, 3, 4, 5, 7, 8)}


async def test_a_run_that_has_mapped_nobody_is_not_named(night, another_night, rows, rollback):
    """A slip of the pen must not pass for consent."""
    await adopted(night, another_night, rows)
    before = dict(night.service.users)
    with pytest.raises(UsageError) as refused:
        await rollback(night, adopted_by=["20260103-ef10"])
    assert str(refused.value) == (
        "Run 20260103-ef10 has mapped nobody whom run 20260102-abcd created; nothing was changed; name a run that "
        "`cutover undo-users` shows."
    )
    assert dict(night.service.users) == before


async def test_a_night_of_another_project_keeps_nobody(night, another_night, rows, rollback):
    """It is in the same target, and has none of these users."""
    night.export([rows.user(1), rows.user(2)])
    await night.migrate()
    theirs = await another_night(service=night.service)
    theirs.export([rows.user(11)], run_id=LATER)
    await theirs.migrate(LATER)
    found = await rollback(night)
    assert (found.users, found.kept, found.left) == (2, 0, 1)


async def test_a_change_of_a_witness_keeps_what_it_bears(night, another_night, rows, rollback):
    """A third night brings all three up to date, and the second night's users are kept for its sake all the same."""
    night.export([rows.user(n) for n in range(1, 9)])
    await night.migrate()
    later = await another_night("second", service=night.service)
    later.export([rows.user(n) for n in range(1, 9)], run_id=LATER)
    await later.migrate(LATER)
    third = await another_night("third", service=night.service)
    renamed = [rows.user(n, raw_user_meta_data={"full_name": f"New {n}"}) for n in range(1, 9)]
    third.export(renamed, run_id="20260104-aaaa")
    await third.migrate("20260104-aaaa")
    found = await rollback(night, remove=False)
    assert (found.users, found.adopted) == (0, {LATER: 8, "20260104-aaaa": 8})


async def test_what_the_archive_says_counts_too(night, another_night, rows, rollback):
    """Somebody has overwritten the markers; the later run's users.jsonl is there too."""
    later = await adopted(night, another_night, rows)
    for user in night.service.users.values():
        for key in ("adoptedBy", "leftOutBy", "updatedBy"):
            user.server_metadata["supabase"].pop(key, None)
    archive = later.directory / files.ARCHIVE / "20260102-abcd"
    archive.mkdir(parents=True)
    for path in night.directory.iterdir():
        if path.is_file():
            path.rename(archive / path.name)
    record = EventRecord.open(later.directory)
    record.append([later.run(LATER).opened])
    record.close()
    night.directory = archive
    found = await rollback(night)
    assert (found.users, found.kept, found.adopted) == (3, 5, {LATER: 5})
