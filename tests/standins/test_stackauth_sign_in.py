"""The Stack Auth stand-in: what the project offers, and people who sign in with the password they had."""

import time
from collections.abc import AsyncIterator
from typing import Any

import bcrypt
import httpx
import pytest

from bot.rehearsal.standins.stackauth import StackAuthStandin

PROJECT = "6f0c9a52-53a1-4f0e-9a5b-5d5f7d5f9d10"
KEY = "ssk_rehearsal"
SERVER = {"x-stack-access-type": "server", "x-stack-project-id": PROJECT, "x-stack-secret-server-key": KEY}
CLIENT = {"x-stack-access-type": "client", "x-stack-project-id": PROJECT, "x-stack-publishable-client-key": "pck_app"}
SIGN_IN = "/api/v1/auth/password/sign-in"
CURRENT = "/api/v1/projects/current"


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4, prefix=b"2a")).decode()


@pytest.fixture
async def standin() -> AsyncIterator[StackAuthStandin]:
    standin = StackAuthStandin(PROJECT, KEY, oauth_providers=("google", "apple"))
    await standin.start()
    yield standin
    await standin.stop()


async def asked(standin: StackAuthStandin, method: str, path: str, **given: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=standin.url, timeout=5, verify=False) as client:
        return await client.request(method, path, **given)


async def signed_in(standin: StackAuthStandin, email: str, password: str) -> httpx.Response:
    return await asked(standin, "POST", SIGN_IN, headers=CLIENT, json={"email": email, "password": password})


@pytest.mark.parametrize("who", [SERVER, CLIENT])
async def test_the_project_tells_what_it_offers(standin: StackAuthStandin, who: dict[str, str]) -> None:
    """To servers and to clients, and to nobody without a key."""
    answer = await asked(standin, "GET", CURRENT, headers=who)
    assert answer.status_code == 200
    config = answer.json()["config"]
    assert (config["credential_enabled"], config["magic_link_enabled"]) == (True, True)
    assert config["enabled_oauth_providers"] == [{"id": "apple"}, {"id": "google"}]
    nobody = {name: value for name, value in who.items() if "key" not in name}
    assert (await asked(standin, "GET", CURRENT, headers=nobody)).status_code == 401
    assert (await asked(standin, "PATCH", CURRENT, headers=who, json={})).status_code == 405


async def test_a_carried_hash_signs_in(standin: StackAuthStandin) -> None:
    """With the password it was made of, in any spelling of the address; it counts as activity."""
    user = standin.add_user(
        {"primary_email": "ada@example.com", "primary_email_auth_enabled": True, "password_hash": hashed("correct")}
    )
    user.last_active_at_millis = 0
    answer = await signed_in(standin, " Ada@Example.com", "correct")
    assert answer.status_code == 200
    assert answer.json()["user_id"] == user.id
    assert abs(user.last_active_at_millis - time.time() * 1000) < 60_000


@pytest.mark.parametrize(
    ("email", "password"),
    [("ada@example.com", "wrong"), ("eve@example.com", "correct"), ("ada@example.com", ""), ("quiet@example.com", "x")],
)
async def test_nobody_else_signs_in(standin: StackAuthStandin, email: str, password: str) -> None:
    """A wrong password, an address of nobody, and one that is not used for signing in look the same."""
    standin.add_user(
        {"primary_email": "ada@example.com", "primary_email_auth_enabled": True, "password_hash": hashed("correct")}
    )
    standin.add_user({"primary_email": "quiet@example.com", "password_hash": hashed("x")})
    answer = await signed_in(standin, email, password)
    assert answer.status_code == 400
    assert answer.headers["x-stack-known-error"] == answer.json()["code"] == "EMAIL_PASSWORD_MISMATCH"


async def test_a_hash_of_nothing_never_signs_in(standin: StackAuthStandin) -> None:
    """It has the form of one, which is all that is asked of it when it is stored."""
    given = {"primary_email": "ada@example.com", "primary_email_auth_enabled": True}
    standin.add_user({**given, "password_hash": "$2a$10$" + "abcdefghijklmnopqrstuv" + "A" * 31})
    assert (await signed_in(standin, "ada@example.com", "A")).status_code == 400


async def test_with_passwords_off_nobody_signs_in() -> None:
    """Whatever they know."""
    standin = StackAuthStandin(PROJECT, KEY, password_enabled=False)
    await standin.start()
    answer = await signed_in(standin, "ada@example.com", "correct")
    await standin.stop()
    assert answer.json()["code"] == "PASSWORD_AUTHENTICATION_NOT_ENABLED"


async def test_a_sign_in_has_an_address_and_a_password(standin: StackAuthStandin) -> None:
    """And nothing else."""
    for body in ({"email": "a@example.com"}, {"email": "", "password": "x"}, {"email": "a", "password": "x", "n": 1}):
        answer = await asked(standin, "POST", SIGN_IN, headers=CLIENT, json=body)
        assert answer.json()["code"] == "SCHEMA_ERROR"
