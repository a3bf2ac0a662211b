"""The Stack Auth stand-in: what the project offers, people who sign in with the password they had, and the real SDK."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

from bot.rehearsal.standins.stackauth import Generation, Json, StackAuthStandin
from bot.rehearsal.standins.stackauth.signin import MFA_SIGN_IN, totp

PROJECT = "6f0c9a52-53a1-4f0e-9a5b-5d5f7d5f9d10"
KEY = "ssk_rehearsal"
SERVER = {"x-stack-access-type": "server", "x-stack-project-id": PROJECT, "x-stack-secret-server-key": KEY}
CLIENT = {"x-stack-access-type": "client", "x-stack-project-id": PROJECT, "x-stack-publishable-client-key": "pck_app"}
SIGN_IN = "/api/v1/auth/password/sign-in"
CURRENT = "/api/v1/projects/current"
MISMATCH = (400, "EMAIL_PASSWORD_MISMATCH")
NODE_PROJECT = "CUTOVER_STACK_JS"
LONGEST_SDK_SECONDS = 60
SDK_WALK = """
import { StackServerApp } from "@stackframe/js";
const [baseUrl, projectId, secretServerKey] = process.argv.slice(1);
const app = new StackServerApp({
  baseUrl, projectId, secretServerKey, publishableClientKey: "pck_app", tokenStore: null,
});
const created = await app.createUser({
  primaryEmail: "Ada@Example.com", primaryEmailAuthEnabled: true, primaryEmailVerified: true,
  password: "correct", displayName: "Ada", serverMetadata: { supabase: { id: "s1" } },
});
await app.createUser({ displayName: "Bea" });
const listed = [];
let cursor;
do {
  const page = await app.listUsers({ limit: 1, cursor });
  listed.push(...page.map((user) => user.displayName));
  cursor = page.nextCursor ?? undefined;
} while (cursor !== undefined);
const read = await app.getUser(created.id);
await read.update({ displayName: "Ada L.", clientMetadata: { seen: true } });
const changed = await app.getUser(created.id);
await changed.delete();
console.log(JSON.stringify({
  id: created.id, email: read.primaryEmail, verified: read.primaryEmailVerified, password: read.hasPassword,
  metadata: read.serverMetadata, listed: listed.sort(), name: changed.displayName, seen: changed.clientMetadata,
  gone: await app.getUser(created.id),
}));
process.exit(0);
"""


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost, prefix=b"2a")).decode()


@pytest.fixture
async def standin() -> AsyncIterator[StackAuthStandin]:
    standin = StackAuthStandin(PROJECT, KEY, oauth_providers=("google", "apple"))
    await standin.start()
    yield standin
    await standin.stop()


async def asked(standin: StackAuthStandin, method: str, path: str, **given: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=standin.url, timeout=10, verify=False) as client:
        return await client.request(method, path, **given)


async def signed_in(standin: StackAuthStandin, email: str, password: str) -> httpx.Response:
    return await asked(standin, "POST", SIGN_IN, headers=CLIENT, json={"email": email, "password": password})


async def patched(standin: StackAuthStandin, user_id: str, **changes: Json) -> None:
    answer = await asked(standin, "PATCH", f"/api/v1/users/{user_id}", headers=SERVER, json=changes)
    assert answer.status_code == 200, answer.text


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a known error, whose header must agree with its body."""
    code = answer.json()["code"]
    assert answer.headers["x-stack-known-error"] == code
    return answer.status_code, code


# What the project offers


@pytest.mark.parametrize("who", [SERVER, CLIENT])
async def test_the_project_tells_what_it_offers(standin: StackAuthStandin, who: dict[str, str]) -> None:
    """The whole answer, the same to a server and to a client, with the providers in order."""
    answer = await asked(standin, "GET", CURRENT, headers=who)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "id": PROJECT,
            "display_name": "A project",
            "config": {
                "sign_up_enabled": True,
                "credential_enabled": True,
                "magic_link_enabled": True,
                "passkey_enabled": False,
                "client_team_creation_enabled": False,
                "client_user_deletion_enabled": False,
                "allow_user_api_keys": False,
                "allow_team_api_keys": False,
                "enabled_oauth_providers": [{"id": "apple"}, {"id": "google"}],
            },
        },
    )


async def test_the_project_says_which_methods_are_off() -> None:
    """Password and magic link are listed separately, and a project may have no provider."""
    for password, otp in ((True, False), (False, True)):
        standin = StackAuthStandin(PROJECT, KEY, password_enabled=password, otp_enabled=otp, oauth_providers=())
        await standin.start()
        config = (await asked(standin, "GET", CURRENT, headers=SERVER)).json()["config"]
        await standin.stop()
        assert (config["credential_enabled"], config["magic_link_enabled"]) == (password, otp)
        assert config["enabled_oauth_providers"] == []


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        ({}, (400, "ACCESS_TYPE_REQUIRED")),
        ({**SERVER, "x-stack-secret-server-key": "wrong"}, (401, "INVALID_SECRET_SERVER_KEY")),
        ({**SERVER, "x-stack-secret-server-key": ""}, (401, "SERVER_AUTHENTICATION_REQUIRED")),
        ({**CLIENT, "x-stack-publishable-client-key": ""}, (401, "CLIENT_AUTHENTICATION_REQUIRED")),
        ({**CLIENT, "x-stack-publishable-client-key": KEY}, (401, "INVALID_PUBLISHABLE_CLIENT_KEY")),
        ({**CLIENT, "x-stack-project-id": "other"}, (400, "CURRENT_PROJECT_NOT_FOUND")),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", CURRENT), ("POST", SIGN_IN)])
async def test_a_client_s_endpoints_ask_for_a_key(
    standin: StackAuthStandin, method: str, path: str, sent: dict[str, str], refusal: tuple[int, str]
) -> None:
    """Whoever has none, or another's, is refused before the body is looked at."""
    answer = await asked(standin, method, path, headers=sent, json=None if method == "GET" else {"unknown": 1})
    assert code_of(answer) == refusal


async def test_a_client_s_key_opens_no_users(standin: StackAuthStandin) -> None:
    """The list of users stays a server's."""
    assert code_of(await asked(standin, "GET", "/api/v1/users", headers=CLIENT)) == (401, "INSUFFICIENT_ACCESS_TYPE")


async def test_the_project_is_read_alone_and_without_a_query(standin: StackAuthStandin) -> None:
    """Any other method, and any key of a query, is refused."""
    changed = await asked(standin, "PATCH", CURRENT, headers=SERVER, json={})
    assert (changed.status_code, changed.text) == (405, "Method not allowed")
    answer = await asked(standin, "GET", f"{CURRENT}?limit=1&colour=red", headers=SERVER)
    assert code_of(answer) == (400, "SCHEMA_ERROR")
    assert answer.json()["error"] == (
        f"Request validation failed on GET {CURRENT}:\n  - query contains unknown properties: limit, colour"
    )


# Who signs in


@pytest.mark.parametrize("who", [SERVER, CLIENT])
@pytest.mark.parametrize("prefix", ["$2a", "$2b", "$2y"])
async def test_a_carried_hash_signs_in(standin: StackAuthStandin, who: dict[str, str], prefix: str) -> None:
    """With the password it was made of, whatever the letters of the address; it counts as activity."""
    password_hash = prefix + hashed("correct")[3:]
    user = standin.add_user(
        {"primary_email": "ada@example.com", "primary_email_auth_enabled": True, "password_hash": password_hash}
    )
    user.last_active_at_millis = 0
    before = int(time.time() * 1000)
    body = {"email": "Ada@EXAMPLE.com", "password": "correct"}
    answer = await asked(standin, "POST", SIGN_IN, headers=who, json=body)
    assert (answer.status_code, answer.json().keys()) == (200, {"access_token", "refresh_token", "user_id"})
    assert answer.json()["user_id"] == user.id
    assert before <= user.last_active_at_millis <= time.time() * 1000
    assert user.signed_up_at_millis <= before


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.com", "Correct"),
        ("ada@example.com", "correct "),
        ("ada@example.com", ""),
        ("eve@example.com", "correct"),
        ("quiet@example.com", "x"),
        ("magic@example.com", ""),
    ],
)
async def test_nobody_else_signs_in(standin: StackAuthStandin, email: str, password: str) -> None:
    """A wrong password, an address of nobody, one not used for signing in and one without a password look the same."""
    for user in (
        {"primary_email": "ada@example.com", "primary_email_auth_enabled": True, "password_hash": hashed("correct")},
        {"primary_email": "quiet@example.com", "password_hash": hashed("x")},
        {"primary_email": "magic@example.com", "primary_email_auth_enabled": True, "otp_auth_enabled": True},
    ):
        standin.add_user({**user})
    active = {user.id: user.last_active_at_millis for user in standin.users.values()}
    assert code_of(await signed_in(standin, email, password)) == MISMATCH
    assert {user.id: user.last_active_at_millis for user in standin.users.values()} == active


async def test_an_address_of_two_is_the_one_s_who_signs_in_with_it(standin: StackAuthStandin) -> None:
    """The other has the address, and no way in."""
    standin.add_user({"primary_email": "ada@example.com", "password_hash": hashed("other's")})
    right = standin.add_user(
        {"primary_email": "ada@example.com", "primary_email_auth_enabled": True, "password_hash": hashed("right")}
    )
    assert code_of(await signed_in(standin, "ada@example.com", "other's")) == MISMATCH
    assert (await signed_in(standin, "ada@example.com", "right")).json()["user_id"] == right.id


async def test_a_change_of_the_hash_changes_the_password(standin: StackAuthStandin) -> None:
    """The old one is of no use any more; with the address closed for sign-in, neither is the new one."""
    user = standin.add_user(
        {"primary_email": "ada@example.com", "primary_email_auth_enabled": True, "password_hash": hashed("old")}
    )
    await patched(standin, user.id, password_hash=hashed("new"))
    assert code_of(await signed_in(standin, "ada@example.com", "old")) == MISMATCH
    assert (await signed_in(standin, "ada@example.com", "new")).status_code == 200
    await patched(standin, user.id, primary_email_auth_enabled=False)
    assert code_of(await signed_in(standin, "ada@example.com", "new")) == MISMATCH


OWN = "/api/v1/users/me"


async def test_who_has_a_second_factor_comes_in_by_its_code(standin: StackAuthStandin) -> None:
    """Once a change has switched it on: the password leads to an attempt, and the app's code ends it."""
    given = {"primary_email": "ada@example.com", "primary_email_auth_enabled": True, "password_hash": hashed("right")}
    user = standin.add_user({**given, "totp_secret_base64": "SGVsbG8h3q2+7w=="})
    assert (await signed_in(standin, "ada@example.com", "right")).status_code == 200
    await patched(standin, user.id, totp_secret_base64="SGVsbG8h3q2+7w==")
    assert code_of(await signed_in(standin, "ada@example.com", "wrong")) == MISMATCH
    asked_for = await signed_in(standin, "ada@example.com", "right")
    assert code_of(asked_for) == (400, "MULTI_FACTOR_AUTHENTICATION_REQUIRED")

    async def with_code(code: str, attempt: str) -> httpx.Response:
        sent = {"type": "totp", "totp": code, "code": attempt}
        return await asked(standin, "POST", MFA_SIGN_IN, headers=CLIENT, json=sent)

    attempt = asked_for.json()["details"]["attempt_code"]
    now = totp(b"Hello!\xde\xad\xbe\xef", time.time())
    assert code_of(await with_code("12345", attempt)) == (400, "INVALID_TOTP_CODE")
    assert code_of(await with_code(now, "nothing")) == (404, "VERIFICATION_CODE_NOT_FOUND")
    answer = await with_code(totp(b"Hello!\xde\xad\xbe\xef", time.time()), attempt)
    assert (answer.status_code, answer.json()["user_id"]) == (200, user.id)
    assert code_of(await with_code(now, attempt)) == (404, "VERIFICATION_CODE_NOT_FOUND")
    assert code_of(await asked(standin, "POST", MFA_SIGN_IN, headers=CLIENT, json={"totp": "1"})) == (
        400,
        "SCHEMA_ERROR",
    )


def test_the_code_is_that_of_the_standard() -> None:
    """The six last digits of the examples in RFC 6238."""
    secret = b"12345678901234567890"
    assert [totp(secret, at) for at in (59, 1111111109, 20000000000)] == ["287082", "081804", "353130"]


@pytest.mark.parametrize("restricted", [False, True])
async def test_a_restricted_user_gets_tokens_that_open_nothing(standin: StackAuthStandin, restricted: bool) -> None:
    """The sign-in passes; the first question is refused, unless it says that it is meant."""
    user = standin.add_user(
        {
            "primary_email": "ada@example.com",
            "primary_email_auth_enabled": True,
            "password_hash": hashed("right"),
            "server_metadata": {"secret": 1},
            "restricted_by_admin": restricted,
        }
    )
    token = (await signed_in(standin, "ada@example.com", "right")).json()["access_token"]
    mine = {**CLIENT, "x-stack-access-token": token}
    answer = await asked(standin, "GET", OWN, headers=mine)
    if restricted:
        assert code_of(answer) == (403, "RESTRICTED_USER_NOT_ALLOWED")
        assert answer.json()["details"] == {"restricted_reason": {"type": "restricted_by_administrator"}}
        answer = await asked(standin, "GET", OWN, headers={**mine, "x-stack-allow-restricted-user": "true"})
    assert (answer.status_code, answer.json()["id"]) == (200, user.id)
    assert "server_metadata" not in answer.json()
    assert code_of(await asked(standin, "GET", OWN, headers=CLIENT)) == (400, "CANNOT_GET_OWN_USER_WITHOUT_USER")
    strange = {**CLIENT, "x-stack-access-token": "strange"}
    assert code_of(await asked(standin, "GET", OWN, headers=strange)) == (401, "UNPARSABLE_ACCESS_TOKEN")


async def test_a_plain_password_signs_in(standin: StackAuthStandin) -> None:
    """In any script, and only whole."""
    standin.add_user({"primary_email": "ada@example.com", "primary_email_auth_enabled": True, "password": "pässwörd"})
    assert (await signed_in(standin, "ada@example.com", "pässwörd")).status_code == 200
    assert code_of(await signed_in(standin, "ada@example.com", "passwörd")) == MISMATCH


async def test_only_the_bytes_that_bcrypt_reads_count(standin: StackAuthStandin) -> None:
    """A hash knows 72 bytes of its password: the service drops the rest of what it is given."""
    given = {"primary_email": "ada@example.com", "primary_email_auth_enabled": True}
    standin.add_user({**given, "password_hash": hashed("é" * 36)})
    assert (await signed_in(standin, "ada@example.com", "é" * 40)).status_code == 200
    assert code_of(await signed_in(standin, "ada@example.com", "é" * 35)) == MISMATCH


async def test_a_hash_of_nothing_never_signs_in(standin: StackAuthStandin) -> None:
    """It has the form of one, which is all that is asked of it when it is stored."""
    given = {"primary_email": "ada@example.com", "primary_email_auth_enabled": True}
    standin.add_user({**given, "password_hash": "$2a$10$" + "abcdefghijklmnopqrstuv" + "A" * 31})
    assert code_of(await signed_in(standin, "ada@example.com", "A")) == MISMATCH


async def test_with_passwords_off_nobody_signs_in() -> None:
    """Whatever they know; a body of the wrong form is still told first."""
    standin = StackAuthStandin(PROJECT, KEY, password_enabled=False)
    await standin.start()
    answer = await signed_in(standin, "ada@example.com", "correct")
    malformed = await signed_in(standin, "", "correct")
    await standin.stop()
    assert code_of(answer) == (400, "PASSWORD_AUTHENTICATION_NOT_ENABLED")
    assert code_of(malformed) == (400, "SCHEMA_ERROR")


@pytest.mark.parametrize(
    "body",
    [
        None,
        {"email": "a@example.com"},
        {"password": "x"},
        {"email": "", "password": "x"},
        {"email": "nobody", "password": "x"},
        {"email": " a@example.com", "password": "x"},
        {"email": "a@example.com", "password": None},
        {"email": "a@example.com", "password": "x" * 71},
        {"email": "a@example.com", "password": "x", "otp": 1},
    ],
    ids=lambda body: repr(body)[:60],
)
async def test_a_sign_in_has_an_address_and_a_password(standin: StackAuthStandin, body: Json) -> None:
    """And nothing else, in the form that a create asks for too."""
    answer = await asked(standin, "POST", SIGN_IN, headers=CLIENT, json=body)
    assert code_of(answer) == (400, "SCHEMA_ERROR")


async def test_a_sign_in_is_posted(standin: StackAuthStandin) -> None:
    """Any other method is refused."""
    answer = await asked(standin, "GET", SIGN_IN, headers=CLIENT)
    assert (answer.status_code, answer.text) == (405, "Method not allowed")


async def test_others_are_served_while_a_password_is_compared(standin: StackAuthStandin) -> None:
    """A change that comes meanwhile is kept, and the activity is written on top of it."""
    given = {"primary_email": "ada@example.com", "primary_email_auth_enabled": True}
    user = standin.add_user({**given, "password_hash": hashed("correct", cost=12)})
    user.last_active_at_millis = 0
    arrived = asyncio.Event()
    standin.faults.when(lambda body: arrived.set())
    comparing = asyncio.create_task(signed_in(standin, "ada@example.com", "correct"))
    await arrived.wait()
    await patched(standin, user.id, display_name="Ada")
    assert not comparing.done()
    assert standin.users[user.id].last_active_at_millis == 0
    assert (await comparing).status_code == 200
    stored = standin.users[user.id]
    assert (stored.display_name, stored.last_active_at_millis > 0) == ("Ada", True)


# The SDK that others wrote


@pytest.fixture
def node_project() -> Path:
    """The directory that the environment names; without it, or without node, the test is skipped."""
    named = os.environ.get(NODE_PROJECT)
    if named is None:
        pytest.skip(f"{NODE_PROJECT} names no node project with @stackframe/js")
    if shutil.which("node") is None:
        pytest.skip("there is no node on this machine")
    if not (Path(named) / "node_modules/@stackframe/js").is_dir():
        pytest.skip(f"{NODE_PROJECT} names a directory without node_modules/@stackframe/js")
    return Path(named)


def speaks_hexclave_alone(node_project: Path) -> bool:
    """Whether the installed SDK has left x-stack-* behind, as its own source tells."""
    sources = (node_project / "node_modules/@stackframe").rglob("interface/client-interface.js")
    return any("X-Hexclave-Access-Type" in source.read_text() for source in sources)


@pytest.mark.parametrize("generation", ["new", "old"])
async def test_the_real_sdk_is_served(node_project: Path, generation: Generation) -> None:
    """It creates, lists page by page, reads, changes and deletes, and each is what the stand-in holds."""
    if generation == "old" and speaks_hexclave_alone(node_project):
        pytest.skip("this release of the SDK sends x-hexclave-* alone, which the old generation does not know")
    standin = StackAuthStandin(PROJECT, KEY, generation=generation)
    await standin.start()
    command = ("node", "--input-type=module", "--eval", SDK_WALK, "--", standin.url, PROJECT, KEY)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=node_project, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), LONGEST_SDK_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await standin.stop()
    assert process.returncode == 0, err.decode()
    seen = json.loads(out)
    assert standin.creates_by_marker == {"s1": 1}
    assert [user.display_name for user in standin.users.values()] == ["Bea"]
    assert seen.pop("id") not in standin.users
    assert seen == {
        "email": "ada@example.com",
        "verified": True,
        "password": True,
        "metadata": {"supabase": {"id": "s1"}},
        "listed": ["Ada", "Bea"],
        "name": "Ada L.",
        "seen": {"seen": True},
        "gone": None,
    }
