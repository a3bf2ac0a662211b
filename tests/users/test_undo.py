"""Undo: exactly the users that a run created go, whatever the service answers; everybody else stays as they are."""

import asyncio
import json

import bcrypt
import pytest

from bot.artifacts import files
from bot.artifacts.scratch import Scratch
from bot.errors import ServiceUnreachable, UsageError
from bot.journal import read_chain
from bot.stackauth.service.api import StackAuth
from bot.stackauth.undo import Undo


@pytest.fixture
def undo(make, rows):
    """Looks, and removes when told to; what was found."""

    class Clock:
        def now(self):
            return rows.at

    async def run(night, run_id="20260102-abcd", *, remove=True):
        async with StackAuth(night.url, make.project, make.key, timeout_seconds=0.5, page=7) as service:
            with Scratch(night.directory) as scratch:
                undo = Undo(night.directory, run_id, service, scratch, concurrency=4)
                found = await undo.look(night._report)
                if remove:
                    await undo.remove(found, Clock(), night._report)
                return found

    return run


def removed(night):
    lines = (line.record() for line in read_chain(night.directory / files.UNDO, torn_tail_allowed=False))
    return [record for record in lines if record["type"] == "removed"]


async def test_exactly_the_created_ones_go(night, another_night, rows, undo):
    """Those of an earlier night, brought up to date or not, those who were there before, and copies stay untouched."""
    night.service.add_user({"primary_email": "person1@example.com", "primary_email_verified": True})
    night.export([rows.user(n) for n in (2, 3)])
    await night.carry_over()
    second = await another_night(service=night.service)
    users = [rows.user(1), rows.user(2), rows.user(3, raw_user_meta_data={"full_name": "Other"})]
    second.export([*users, rows.user(4), rows.user(5)], run_id="20260103-ef01")
    result = await second.carry_over("20260103-ef01")
    assert (result.created, result.matched, result.updated) == (2, 2, 1)
    created = {second.mapped()[rows.id(n)].stack_auth_user_id for n in (4, 5)}
    copied = night.service.users[min(created)].server_metadata
    night.service.add_user({"server_metadata": json.loads(json.dumps(copied))})
    others = {id_: user for id_, user in night.service.users.items() if id_ not in created}

    found = await undo(second, "20260103-ef01")
    assert (found.users, found.active, found.left) == (2, (), 3)
    assert dict(night.service.users) == others
    assert {record["stackId"] for record in removed(second)} == created
    assert {record["id"] for record in removed(second)} == {rows.id(4), rows.id(5)}


async def test_a_look_says_who_has_signed_in_since_and_changes_nothing(night, rows, undo, make):
    """Supabase ids, and no address."""
    password = bcrypt.hashpw(b"known", bcrypt.gensalt(4, prefix=b"2a")).decode()
    night.export([rows.user(1, encrypted_password=password), rows.user(2)])
    await night.carry_over()
    await asyncio.sleep(1.1)
    async with make.http(night.url) as client:
        answer = await client.post(
            "/api/v1/auth/password/sign-in", json={"email": "person1@example.com", "password": "known"}
        )
    assert answer.status_code == 200
    before = dict(night.service.users)
    found = await undo(night, remove=False)
    assert (found.users, found.active) == (2, (rows.id(1),))
    assert dict(night.service.users) == before
    assert not (night.directory / files.UNDO).exists()

    await undo(night)
    assert not night.service.users
    assert {record["id"]: record["active"] for record in removed(night)} == {rows.id(1): True, rows.id(2): False}


async def test_teams_that_stay_are_counted_and_named(another_night, rows, undo):
    """Stack Auth keeps the team that it made for a user; undo.jsonl has the ids by which a person can delete them."""
    night = await another_night(personal_teams=True)
    night.export([rows.user(n) for n in range(1, 4)])
    await night.carry_over()
    assert (await undo(night)).teams == 3
    assert not night.service.users
    assert {record["teamId"] for record in removed(night)} == set(night.service.teams)


@pytest.mark.parametrize("fault", ["429-html", "500-before", "500-after", "drop-before", "drop-after", "502-html"])
async def test_whatever_the_service_answers_everybody_goes_once(night, rows, undo, fault):
    """A delete without an answer is sent again, and one who is gone already is gone."""
    night.export([rows.user(n) for n in range(1, 25)])
    await night.carry_over()
    night.service.faults.share(fault, 0.3, method="DELETE")
    await undo(night)
    assert not night.service.users
    assert sorted(record["id"] for record in removed(night)) == [rows.id(n) for n in range(1, 25)]


async def test_an_undo_that_was_cut_off_is_begun_again(night, rows, undo):
    """The second finds those who are left."""
    night.export([rows.user(n) for n in range(1, 25)])
    await night.carry_over()
    night.service.faults.next("key-revoked", skip=10, method="DELETE")
    with pytest.raises(Exception, match="does not accept the secret key"):
        await undo(night)
    left = len(night.service.users)
    assert 0 < left < 24
    night.service.restore_key()
    night.service.faults.clear()
    assert (await undo(night)).users == left
    assert not night.service.users
    assert {record["id"] for record in removed(night)} == {rows.id(n) for n in range(1, 25)}


async def test_a_create_of_which_nothing_is_known_is_undone_too(night, rows, undo):
    """The service took the request and the bot died before it could note that."""
    night.export([rows.user(n) for n in range(1, 9)])
    night.service.faults.next("hang-after", skip=3, method="POST")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await night.carry_over(timeout_seconds=30.0)
    assert "unknown" in night.outcomes().values()
    await undo(night)
    assert not night.service.users


async def test_a_run_that_sent_nothing_has_nothing_to_undo(night, undo):
    """It says where to look instead."""
    night.export([])
    with pytest.raises(UsageError, match="has sent nothing to Stack Auth"):
        await undo(night)


async def test_a_service_that_is_not_there_changes_nothing(night, rows, undo):
    """As everywhere."""
    night.export([rows.user(1)])
    await night.carry_over()
    await night.service.stop()
    with pytest.raises((ServiceUnreachable, TimeoutError)):
        async with asyncio.timeout(2):
            await undo(night, remove=False)
