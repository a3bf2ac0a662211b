"""What each answer of the service means."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from aiohttp import web

from bot.errors import CutoverError, ServiceRefused, ServiceUnintelligible, ServiceUnreachable
from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.errors import NoAnswer, RateLimited, RequestRefused
from bot.stackauth.client.models import user_in
from bot.stackauth.client.responses import retry_after_seconds
from bot.stackauth.preflight import identify, preflight

MARK = "secret.person@example.com"


@pytest.fixture(params=["new", "old"])
async def service(request, make):
    """A service of either generation."""
    return await make.service(generation=request.param)


@pytest.fixture
async def client(service, make) -> AsyncIterator[StackAuth]:
    """Its client, with little patience."""
    async with StackAuth(service.url, make.project, make.key, timeout_seconds=1.0, page=2) as made:
        yield made


async def test_a_user_is_created_changed_and_read(client):
    """What was sent is what is read."""
    made = await client.create({"primary_email": "a@example.com", "client_metadata": {"x": [1, None, "é"]}})
    assert (made.primary_email, made.client_metadata) == ("a@example.com", {"x": [1, None, "é"]})
    changed = await client.change(made.id, {"display_name": "Ada"})
    assert await client.get(made.id) == changed
    assert changed.display_name == "Ada"


async def test_metadata_of_any_shape_is_read(service, client):
    """Whatever people have written about themselves: deeply nested, or half a character."""
    deep: list[object] = []
    for _ in range(250):
        deep = [deep]
    made = await client.create({"client_metadata": {}})
    service.users[made.id].client_metadata = {"deep": deep}  # as the app's own server may have put it there
    users, _ = await client.page(None)
    assert [user.client_metadata for user in users] == [{"deep": deep}]
    half = {**made.model_dump(), "client_metadata": "\ud83d"}
    assert user_in(httpx.Response(200, text=json.dumps(half)), reads=True).client_metadata == "\ud83d"


@pytest.mark.parametrize("newest_first", [False, True])
async def test_a_list_has_everybody_hidden_ones_too(service, client, newest_first):
    """Page by page, whichever row the cursor names; a row at a seam may come twice."""
    made = [service.add_user({"is_anonymous": n % 2 == 0, "restricted_by_admin": n % 3 == 0}).id for n in range(7)]
    found, cursor, pages = [], None, 0
    while cursor is not None or pages == 0:
        users, cursor = await client.page(cursor, newest_first=newest_first)
        found += [user.id for user in users]
        pages += 1
    assert sorted(set(found)) == sorted(made)
    assert pages == 4


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"secret_key": "ssk_wrong"},
            "Stack Auth does not accept the secret key (INVALID_SECRET_SERVER_KEY); nothing was changed by this "
            "request; check STACK_AUTH_SECRET_KEY: a secret server key (ssk_…) of this project that was not revoked.",
        ),
        (
            {"project_id": "22222222-2222-4222-8222-222222222222"},
            "Stack Auth does not know the project (CURRENT_PROJECT_NOT_FOUND); nothing was changed by this request; "
            "check STACK_AUTH_PROJECT_ID and STACK_AUTH_API_URL.",
        ),
        (
            {"path": "/somewhere/else"},
            "STACK_AUTH_API_URL does not lead to the users API of Stack Auth (HTTP 404); nothing was changed by this "
            "request; set it to the base address, without /api/v1.",
        ),
    ],
)
async def test_a_wrong_setting_is_reported_with_its_fix(service, make, given, sentence):
    """One sentence each, the same whether we look or create, and nobody is created."""
    settings = {"project_id": make.project, "secret_key": make.key, **given}
    base = service.url + settings.pop("path", "")
    async with StackAuth(base, **settings) as wrong:
        for request in (identify(wrong), wrong.create({})):
            with pytest.raises(ServiceRefused) as refused:
                await request
            assert str(refused.value) == sentence
            assert not isinstance(refused.value, RequestRefused)
    assert not service.users


async def test_nobody_at_home_is_unreachable(service, client):
    """No connection, so nothing can have happened: not even a create is in doubt."""
    await service.stop()
    with pytest.raises(ServiceUnreachable, match=r"^Stack Auth could not be reached \(connection refused\)"):
        await client.create({})


@pytest.mark.parametrize(
    ("fault", "ended", "stored"),
    [
        ("500-before", True, 0),
        ("500-after", True, 1),
        ("drop-before", False, 0),
        ("drop-after", False, 1),
        ("hang-after", False, 1),
        ("502-html", False, 0),
    ],
)
async def test_a_create_without_a_trustworthy_answer_is_in_doubt(service, client, fault, ended, stored):
    """Whether it had its effect cannot be told from the answer, so both are the same error."""
    service.faults.next(fault)
    with pytest.raises(NoAnswer) as unknown:
        await client.create({"primary_email": MARK})
    assert unknown.value.ended is ended
    assert len(service.users) == stored


@pytest.mark.parametrize("fault", ["500-before", "drop-after", "hang-after", "502-html"])
async def test_a_read_without_an_answer_may_be_repeated(service, client, fault):
    """It changes nothing, so it is merely unreachable."""
    service.faults.next(fault)
    with pytest.raises(ServiceUnreachable):
        await client.page(None)


@pytest.mark.parametrize(
    ("fault", "least", "most"), [("429-seconds", 7, 7), ("429-date", 7, 9), ("429-html", None, None)]
)
async def test_too_many_requests_in_every_shape(service, client, fault, least, most):
    """With seconds, with a date, and without a word."""
    service.retry_after_seconds = 7
    service.faults.next(fault)
    with pytest.raises(RateLimited) as limited:
        await client.create({})
    if least is None:
        assert limited.value.retry_after is None
    else:
        assert least <= limited.value.retry_after <= most
    assert not service.users


@pytest.mark.parametrize("value", ["", "soon", "-5", "nan", "inf", "Wed, 99 Foo", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_retry_after_that_says_nothing_is_nothing(value):
    """Nor does a moment that has passed."""
    assert retry_after_seconds(value, "Fri, 02 Jan 2026 03:04:05 GMT") is None


async def test_a_taken_address_is_reported_by_either_code(service, client):
    """The two generations have different ones."""
    service.add_user({"primary_email": MARK, "primary_email_auth_enabled": True})
    with pytest.raises(RequestRefused) as refused:
        await client.create({"primary_email": MARK, "primary_email_auth_enabled": True})
    assert refused.value.meaning == "email-taken"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            {"primary_email": "a@b", "password_hash": "$2a$10$" + "a" * 53},
            "Password sign-in is off in the Stack Auth project, so it takes no password; "
            "nothing was changed by this request; switch on e-mail and password sign-in in the project's auth methods.",
        ),
        (
            {"oauth_providers": [{"id": "twitch", "account_id": "1"}]},
            "Users sign in with twitch, which the Stack Auth project does not have; nothing was changed by this "
            "request; add it to the project's auth methods (shared keys are enough for now): accounts cannot be "
            "added later.",
        ),
    ],
)
async def test_what_the_project_lacks_is_reported_with_its_fix(make, body, sentence):
    """A setting that a person can switch on in a minute holds the run; no user loses anything by it."""
    service = await make.service(password_enabled=False)
    async with StackAuth(service.url, make.project, make.key) as client:
        with pytest.raises(ServiceRefused) as refused:
            await client.create(body)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        ({"phone": "1"}, "not-accepted"),
        ({"password_hash": "no hash"}, "not-accepted"),
        ({"primary_email": "a@b", "otp_auth_enabled": True}, "magic-link-off"),
    ],
)
async def test_other_refusals_are_about_the_one_request(make, body, meaning):
    """By a code or by plain text."""
    service = await make.service(otp_enabled=False)
    async with StackAuth(service.url, make.project, make.key) as client:
        with pytest.raises(RequestRefused) as refused:
            await client.create(body)
    assert refused.value.meaning == meaning


async def test_no_error_tells_who_it_was_about(service, client):
    """Neither its sentence nor anything it was raised from holds an address or a hash."""
    secret = "$2a$10$" + "PLANTED" + "a" * 46
    service.add_user({"primary_email": MARK, "primary_email_auth_enabled": True})
    body = {"primary_email": MARK, "primary_email_auth_enabled": True, "password_hash": secret}
    for fault in (None, "500-before", "drop-before", "502-html", "429-html", "hang-after"):
        if fault:
            service.faults.next(fault)
            body["primary_email_auth_enabled"] = False
        with pytest.raises(CutoverError) as raised:
            await client.create(body)
        error = raised.value
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
        for planted in (MARK, "PLANTED"):
            assert planted not in f"{error}{error!r}{vars(error)}"


async def test_a_page_in_front_of_the_service_is_not_believed(make):
    """An answer 200 that is no list of users stops everything."""

    async def welcome(request: web.Request) -> web.Response:
        return web.Response(text="<html>Welcome to the hotel</html>", content_type="text/html")

    async with StackAuth(await make.server(welcome), make.project, make.key) as client:
        with pytest.raises(ServiceUnintelligible):
            await client.page(None)
        with pytest.raises(NoAnswer):
            await client.create({})
        with pytest.raises(ServiceUnintelligible):
            await identify(client)


async def test_the_look_before_a_night_changes_nothing(service, client):
    """It shows that the key works and warns of the webhooks."""
    findings = [finding async for finding in preflight(client)]
    assert [(finding.check, finding.verdict.value) for finding in findings] == [
        ("stack-auth-key", "pass"),
        ("stack-auth-webhooks", "warn"),
    ]


async def test_the_look_before_a_night_sees_personal_teams(make):
    """Where the newest user has one; of a project whose users have none nothing is claimed."""
    service = await make.service(personal_teams=True)
    async with StackAuth(service.url, make.project, make.key) as client:
        assert "stack-auth-teams" not in [finding.check async for finding in preflight(client)]
        service.add_user({"display_name": "Ada", "restricted_by_admin": True})
        [finding] = [finding async for finding in preflight(client) if finding.check == "stack-auth-teams"]
        assert finding.verdict.value == "warn"
        assert finding.evidence == (
            "Stack Auth creates a personal team for each new user (the newest user has one), and keeps the team when "
            "the user is deleted."
        )
    assert {method for method, _ in service.requests} == {"GET"}
