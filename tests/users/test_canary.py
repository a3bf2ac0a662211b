"""The canary at the users gate: whether a carried hash is the hash of the password that people know."""

import bcrypt
import pytest
from aiohttp import web

from bot.obstacles import RESTART, STACK_AUTH_AWAY
from bot.plan.findings import Verdict
from bot.stackauth.canary import Canary, CanarySignsIn
from bot.stackauth.client.api import StackAuth

EMAIL, PASSWORD, KEY = "Person1@Example.com", "the old password", "pck_tests"
LET_PASS = "Or let it pass: `accept canary-signs-in: WHY`."


def hashed(password=PASSWORD):
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4, prefix=b"2a")).decode()


@pytest.fixture
def sing(make):
    """What the examiner finds; `email` None where no canary is set."""

    async def ask(night, *, email=EMAIL, password=PASSWORD, key=KEY, url=None):
        canary = email and Canary(
            email=email, password=password, publishable_key=key, base_url=url or night.url, project_id=make.project
        )
        async with StackAuth(night.url, make.project, make.key) as service:
            examiner = CanarySignsIn(
                night.directory, service, canary, "STACK_AUTH_PUBLISHABLE_KEY is", give_up_seconds=0.2
            )
            [finding] = [found async for found in examiner.examine(night.run(), night._report)]
        assert finding.check == "canary-signs-in"
        said = finding.model_dump_json().lower()
        assert PASSWORD not in said and "person1" not in said and "example.com" not in said
        return finding

    return ask


@pytest.fixture
async def carried(night, rows):
    """Two users of whom the first has a password that we know."""
    night.export([rows.user(1, encrypted_password=hashed()), rows.user(2)])
    await night.migrate()
    return night


async def test_the_old_password_signs_in_as_the_user_it_is_mapped_to(carried, sing):
    """Whatever the letters of the address."""
    found = await sing(carried)
    assert (found.verdict, found.evidence) == (
        Verdict.PASS,
        "The canary signs in to Stack Auth with its old password, as the user it is mapped to.",
    )


async def test_without_a_canary_it_says_that_nothing_was_tried(carried, sing):
    """And what is not set; nothing is sent."""
    before = sum(carried.service.requests.values())
    found = await sing(carried, email=None)
    assert (found.verdict, found.evidence) == (
        Verdict.WARN,
        "Not tried: STACK_AUTH_PUBLISHABLE_KEY is not set. Nothing proves that people can sign in with their old "
        "password.",
    )
    assert sum(carried.service.requests.values()) == before


async def test_a_hash_that_is_not_that_of_the_password_shuts_the_gate(carried, sing, rows):
    """It may be waived, since the setting may be what is wrong."""
    stored = carried.service.users[carried.mapped()[rows.id(1)].stack_auth_user_id]
    stored.password_hash = hashed("another")
    found = await sing(carried)
    assert (found.verdict, found.waivable) == (Verdict.FAIL, True)
    assert found.evidence == "Stack Auth does not accept the canary's address and password."
    assert found.fix.endswith(f"then {RESTART}. {LET_PASS}")


async def test_a_canary_that_was_not_exported_is_reported(carried, sing):
    """Nothing is sent for it."""
    found = await sing(carried, email="somebody@elsewhere.example")
    assert (found.verdict, found.evidence) == (
        Verdict.FAIL,
        "No user in user-mapping.json has the address in CANARY_EMAIL.",
    )


async def test_a_canary_whose_address_is_somebody_elses_there(night, sing, rows):
    """The person signs in, and as a stranger: the address is not ours in Stack Auth."""
    body = {"primary_email": "person1@example.com", "primary_email_auth_enabled": True, "password_hash": hashed()}
    night.service.add_user(body)
    night.decide(1, "create")
    night.export([rows.user(1, encrypted_password=hashed())])
    await night.migrate()
    found = await sing(night)
    assert found.verdict is Verdict.FAIL
    assert found.evidence == "The canary signs in as another Stack Auth user than the one it is mapped to."


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (
            {"banned_until": "infinity"},
            " It is restricted, as all banned users are: Stack Auth refuses its next requests.",
        ),
        (
            {"email_confirmed_at": None},
            " Its address is not verified: if the project requires that, Stack Auth refuses its next requests.",
        ),
    ],
)
async def test_a_canary_of_another_kind_proves_as_much_and_says_what_it_is(night, sing, rows, columns, told):
    """The hash is right; what the service refuses later is reported."""
    night.export([rows.user(1, encrypted_password=hashed(), **columns)])
    await night.migrate()
    found = await sing(night)
    assert (found.verdict, found.evidence) == (
        Verdict.PASS,
        f"The canary signs in to Stack Auth with its old password, as the user it is mapped to.{told}",
    )


@pytest.mark.parametrize(
    "answered",
    [
        (
            400,
            "MULTI_FACTOR_AUTHENTICATION_REQUIRED",
            Verdict.PASS,
            "Stack Auth accepts the canary's old password and asks for its second factor, which was not tried.",
        ),
        (401, "INVALID_PUBLISHABLE_CLIENT_KEY", Verdict.FAIL, "Stack Auth does not accept STACK_AUTH_PUBLISHABLE_KEY."),
        (403, "SOMETHING_NEW", Verdict.FAIL, "Stack Auth did not sign the canary in (403, SOMETHING_NEW)."),
        (404, None, Verdict.FAIL, "Stack Auth did not sign the canary in (404, without a code)."),
        (
            503,
            None,
            Verdict.FAIL,
            "This could not be checked: Stack Auth could not be reached (HTTP 503).",
        ),
    ],
)
async def test_what_the_service_answers_is_reported_plainly(carried, sing, make, answered):
    """A second factor is asked for only after the right password; everything else proves nothing."""
    status, code, verdict, told = answered

    async def answer(request: web.Request) -> web.Response:
        assert request.path == "/api/v1/auth/password/sign-in"
        assert "x-stack-secret-server-key" not in request.headers
        return web.json_response({"code": code, "error": "person1@example.com"}, status=status)

    found = await sing(carried, url=await make.server(answer))
    assert (found.verdict, found.evidence) == (verdict, told)
    assert found.waivable is (verdict is Verdict.FAIL)
    if status == 503:
        assert found.fix == f"{STACK_AUTH_AWAY.next_step} Then say the word again. {LET_PASS}"
