"""The service's list of users, read while somebody deletes users out of it."""

import pytest
from aiohttp import web

from bot.errors import ServiceUnintelligible
from bot.plan.findings import Verdict
from bot.rehearsal.standins.stackauth import supabase_id_in
from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.rate import RateLimiter
from bot.stackauth.client.retry import RetryingClient
from bot.stackauth.client.user_list import all_users
from bot.stackauth.migrate.readback.examiner import ReadBack


@pytest.fixture(params=["new", "old"])
async def service(request, make):
    return await make.service(generation=request.param)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("often", [1, 4])
async def test_whoever_is_left_is_shown_once(service, make, newest_first, often):
    """The cursor's user is gone, whichever row the cursor names, and the service then shows an empty page."""
    for n in range(20):
        service.add_user({"display_name": str(n)})
    order = sorted(service.users.values(), key=lambda user: (user.signed_up_at_millis, user.id), reverse=newest_first)
    seen, gone = [], set()
    async with StackAuth(service.url, make.project, make.key, page=3) as client:
        async for user in all_users(RetryingClient(client, RateLimiter()), newest_first=newest_first):
            seen.append(user.id)
            place = [one.id for one in order].index(user.id)
            if place % 3 == 2 and len(gone) < 2 * often:
                for one in order[place : place + 2]:
                    service._store.delete(one.id)
                    gone.add(one.id)
    assert len(gone) == 2 * often
    assert len(seen) == len(set(seen))
    assert set(service.users) <= set(seen)


async def test_nobody_is_created_twice_since_the_list_ended_early(night, rows):
    """Whoever is behind the gap is found there: by the step that would else create them again."""
    night.export([rows.user(n) for n in range(1, 121)])
    await night.migrate()
    pages = []

    def deletes_at_the_seam(body):
        if body is None and not pages:
            pages.append(body)
        elif body is None and len(pages) == 1:
            pages.append(body)
            order = sorted(night.service.users.values(), key=lambda user: (user.signed_up_at_millis, user.id))
            for user in order[49:51]:
                night.service._store.delete(user.id)

    (night.directory / "users.jsonl").unlink()
    night.service.requests.clear()
    night.service.faults.when(deletes_at_the_seam)
    await night.migrate()
    assert night.service.requests["POST", "/api/v1/users"] == 1, "whoever was deleted before anybody had seen them"
    borne = [supabase_id_in(user.server_metadata) for user in night.service.users.values()]
    assert len(borne) == len(set(borne)) == 119


async def test_whoever_is_behind_the_gap_is_read_back(night, rows, make):
    """Only the user who was deleted is missed."""
    night.export([rows.user(n) for n in range(1, 12)])
    await night.migrate()
    order = sorted(night.service.users.values(), key=lambda user: (user.signed_up_at_millis, user.id))
    pages = []

    def deletes_at_the_seam(body):
        pages.append(body)
        if len(pages) == 3:
            for user in order[3:5]:
                night.service._store.delete(user.id)

    night.service.faults.when(deletes_at_the_seam)
    async with StackAuth(night.url, make.project, make.key, page=2) as client:
        examined = ReadBack(night.directory, client).examine(night.run(), night._report)
        found = {finding.check: finding async for finding in examined}
    assert found["users-exactly-once"].verdict is Verdict.FAIL
    missed = [id_ for id_, entry in night.mapped().items() if entry.stack_auth_user_id not in night.service.users]
    assert len(missed) == 2
    told = found["users-read-back"].evidence.partition(" could not be read back (")[2].partition(")")[0].split(", ")
    assert set(told) <= set(missed)


async def test_a_list_that_never_comes_to_its_end_is_reported(make):
    """It is read twenty times, then a person has to look."""
    asked = []
    user = None

    async def endless(request: web.Request) -> web.Response:
        asked.append(request.query.get("cursor"))
        items = [] if "cursor" in request.query else [user]
        body = {"items": items, "is_paginated": True, "pagination": {"next_cursor": user["id"] if items else None}}
        return web.json_response(body)

    service = await make.service()
    user = service.add_user({}).as_json(service._settings)
    async with StackAuth(await make.server(endless), make.project, make.key) as client:
        with pytest.raises(ServiceUnintelligible) as raised:
            assert [one.id async for one in all_users(RetryingClient(client, RateLimiter()))] == [user["id"]]
    assert str(raised.value) == (
        "Stack Auth's list of users broke off 20 times; reading it changed nothing; "
        "stop whoever deletes users in Stack Auth, then try again."
    )
    assert len(asked) == 40
