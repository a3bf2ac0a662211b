"""The Stack Auth stand-in, asked over the wire by httpx: what it stores, lists and refuses, and how it fails."""

import asyncio
import email.utils
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from bot.rehearsal.standins.stackauth import JsonObject, Refusal, StackAuthStandin

PROJECT = "6f0c9a52-53a1-4f0e-9a5b-5d5f7d5f9d10"
KEY = "ssk_rehearsal"
HASH = "$2a$10$" + "abcdefghijklmnopqrstuv" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ01234"
USERS = "/api/v1/users"
NEW_DUPLICATE = "CONTACT_CHANNEL_ALREADY_USED_FOR_AUTH_BY_SOMEONE_ELSE"
EVERY_KEY = {
    *("id", "primary_email", "primary_email_verified", "primary_email_auth_enabled", "display_name"),
    *("profile_image_url", "signed_up_at_millis", "last_active_at_millis", "has_password", "otp_auth_enabled"),
    *("passkey_auth_enabled", "auth_with_email", "requires_totp_mfa", "client_metadata", "client_read_only_metadata"),
    *("server_metadata", "oauth_providers", "selected_team", "selected_team_id", "is_anonymous", "is_restricted"),
    *("restricted_reason", "restricted_by_admin", "restricted_by_admin_reason"),
    *("restricted_by_admin_private_details", "country_code", "risk_scores"),
}


def headers(family: str = "x-stack", **changes: str | None) -> dict[str, str]:
    """A server's headers; a change of None leaves that one out."""
    named = {"access_type": "server", "project_id": PROJECT, "secret_server_key": KEY, **changes}
    return {f"{family}-{name.replace('_', '-')}": value for name, value in named.items() if value is not None}


def client_of(standin: StackAuthStandin, sent: dict[str, str]) -> httpx.AsyncClient:
    """A plain client; reading the machine's certificates for each would be most of the time these tests take."""
    return httpx.AsyncClient(base_url=standin.url, headers=sent, timeout=5, verify=False)


class Project:
    """One stand-in and the client that talks to it."""

    def __init__(self, standin: StackAuthStandin, client: httpx.AsyncClient) -> None:
        self.standin = standin
        self.client = client

    async def create(self, **body: Any) -> httpx.Response:
        return await self.client.post(USERS, json=body)

    async def listed(self, **query: Any) -> list[str]:
        """The display names of one page."""
        answer = await self.client.get(USERS, params=query)
        assert answer.status_code == 200, answer.text
        return [item["display_name"] for item in answer.json()["items"]]

    def fill(self, count: int, **body: Any) -> list[str]:
        """Users named by number, without requests; returns the names in the order of the list."""
        ids = [self.standin.add_user({"display_name": f"n{number}", **body}).id for number in range(count)]
        users = sorted((self.standin.users[user_id] for user_id in ids), key=lambda u: (u.signed_up_at_millis, u.id))
        return [str(user.display_name) for user in users]


Opener = Callable[..., Any]


@pytest.fixture
async def opened() -> AsyncIterator[Opener]:
    """Opens projects of any settings and closes them all."""
    projects: list[Project] = []

    async def open_project(**settings: Any) -> Project:
        standin = StackAuthStandin(PROJECT, KEY, **settings)
        await standin.start()
        project = Project(standin, client_of(standin, headers()))
        projects.append(project)
        return project

    yield open_project
    for project in projects:
        await project.client.aclose()
        await project.standin.stop()


@pytest.fixture
async def project(opened: Opener) -> Project:
    result = await opened()
    assert isinstance(result, Project)
    return result


def assert_refused(answer: httpx.Response, status: int, text: str) -> None:
    """A plain refusal: text, no code, no header of a known error."""
    assert (answer.status_code, answer.text) == (status, text)
    assert answer.headers["content-type"].startswith("text/plain")
    assert "x-stack-known-error" not in answer.headers


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a known error, whose headers must agree with its body."""
    body = answer.json()
    assert answer.headers["x-stack-known-error"] == body["code"]
    assert isinstance(body["error"], str)
    assert "message" not in body
    return answer.status_code, body["code"]


# What is stored


async def test_a_created_user_answers_with_every_key(project: Project) -> None:
    """A create is a 201 that shows all keys at once, with a fresh v4 id and the present time."""
    before = int(time.time() * 1000)
    answer = await project.create(primary_email="a@b.com", password_hash=HASH, primary_email_auth_enabled=True)
    user = answer.json()
    assert answer.status_code == 201
    assert user.keys() == EVERY_KEY
    assert uuid.UUID(user["id"]).version == 4
    assert before <= user["signed_up_at_millis"] == user["last_active_at_millis"] <= time.time() * 1000
    assert (user["has_password"], user["auth_with_email"], user["requires_totp_mfa"]) == (True, True, False)
    assert user["risk_scores"] == {"sign_up": {"bot": 0, "free_trial_abuse": 0}}
    assert answer.headers["cache-control"] == "no-store, max-age=0"
    assert answer.headers["x-stack-request-id"]


async def test_the_hash_is_kept_as_given_and_never_shown(project: Project) -> None:
    """The stored hash equals the sent one byte for byte, and no answer holds it."""
    answer = await project.create(primary_email="a@b.com", password_hash=HASH)
    stored = project.standin.users[answer.json()["id"]]
    assert stored.password_hash == HASH
    shown = await project.client.get(f"{USERS}/{stored.id}")
    assert HASH not in answer.text + shown.text


async def test_an_empty_body_is_a_user_without_email(project: Project) -> None:
    """Every field is optional."""
    answer = await project.create()
    assert answer.status_code == 201
    assert answer.json()["primary_email"] is None


async def test_an_email_is_kept_in_lower_case(project: Project) -> None:
    """The answer shows the address in lower case, with dots and tags."""
    answer = await project.create(primary_email="Ada.L+X@Example.COM")
    assert answer.json()["primary_email"] == "ada.l+x@example.com"


async def test_loose_types_are_coerced(project: Project) -> None:
    """A number for a string and a word for a boolean pass, as they do at the service."""
    answer = await project.create(display_name=5, otp_auth_enabled="TRUE", country_code=" us ")
    assert (answer.json()["display_name"], answer.json()["otp_auth_enabled"]) == ("5", True)
    assert answer.json()["country_code"] == "US"


async def test_an_empty_display_name_becomes_null(project: Project) -> None:
    """An empty name is no name."""
    assert (await project.create(display_name="")).json()["display_name"] is None


async def test_integers_beyond_53_bits_come_back_rounded(project: Project) -> None:
    """Metadata goes through JavaScript numbers."""
    answer = await project.create(client_metadata={"n": 2**53 + 1, "m": 2**53, "f": 1.5, "g": 2.0})
    assert answer.json()["client_metadata"] == {"n": 2**53, "m": 2**53, "f": 1.5, "g": 2}


async def test_the_database_keeps_sixteen_digits_of_a_number(project: Project) -> None:
    """Of a fraction and of a whole number past 2**63; what overflows by it is null, and no message says so."""
    sent = {"f": 0.1 + 0.2, "n": 12345678901234567890, "below": 2**62, "vast": [1.7976931348623157e308, -1.5e300]}
    shown = (await project.create(client_metadata=sent, server_metadata=sent)).json()
    kept = {"f": 0.3, "n": 12345678901234570000, "below": 4611686018427388000, "vast": [None, -15 * 10**299]}
    assert shown["client_metadata"] == shown["server_metadata"] == kept
    again = await project.client.patch(f"{USERS}/{shown['id']}", json={"client_metadata": {"f": 0.1 + 0.2}})
    assert again.json()["client_metadata"] == {"f": 0.3}, "whoever fixes it has it rounded again"


async def test_a_key_proto_is_gone_without_a_word(project: Project) -> None:
    """Wherever it is; all beside it stays."""
    answer = await project.client.post(
        USERS,
        content='{"client_metadata": {"__proto__": 1, "a": [{"b": 1, "__proto__": {"c": 2}}]}}',
        headers={"content-type": "application/json"},
    )
    assert (answer.status_code, answer.json()["client_metadata"]) == (201, {"a": [{"b": 1}]})


@pytest.mark.parametrize("name", ["client_metadata", "client_read_only_metadata", "server_metadata"])
async def test_metadata_of_124_levels_are_too_deep(project: Project, name: str) -> None:
    """One level less is kept; with it nothing is stored."""
    deep: Any = {}
    for level in range(1, 124):
        if level == 123:
            assert (await project.create(**{name: deep})).json()[name] == deep
        deep = [deep] if level % 2 else {"in": deep}
    assert (await project.create(**{name: deep})).status_code == 500
    assert len(project.standin.users) == 1


async def test_a_picture_needs_a_place(opened: Opener) -> None:
    """A service without one fails over every picture that comes whole, and takes addresses as before."""
    project = await opened(stores_pictures=False)
    assert (await project.create(profile_image_url="data:image/png;base64,AAAA")).status_code == 500
    assert project.standin.users == {}
    assert (await project.create(profile_image_url="https://a.example/p.png")).status_code == 201


@pytest.mark.parametrize(
    "picture", ["HTTPS://a.example/p.png", "ftp://a.example/p.png", "data:text/plain,x", "javascript:1", "mailto:a@b"]
)
async def test_a_picture_of_another_scheme_is_refused(project: Project, picture: str) -> None:
    """Schemes are in small letters, and there are three."""
    assert code_of(await project.create(profile_image_url=picture)) == (400, "SCHEMA_ERROR")


async def test_a_personal_team_outlives_its_user(opened: Opener) -> None:
    """It is made behind the create, which does not show it yet; no answer tells that the project makes them."""
    project = await opened(personal_teams=True)
    created = (await project.create(display_name="Ada")).json()
    assert (created["selected_team"], created["selected_team_id"]) == (None, None)
    shown = (await project.client.get(f"{USERS}/{created['id']}")).json()
    assert shown["selected_team"]["display_name"] == "Ada's Team"
    assert [shown["selected_team_id"]] == list(project.standin.teams)
    assert (await project.client.delete(f"{USERS}/{created['id']}")).json() == {"success": True}
    assert [team.display_name for team in project.standin.teams.values()] == ["Ada's Team"]
    config = (await project.client.get("/api/v1/projects/current")).json()["config"]
    assert [key for key in config if "team" in key] == ["client_team_creation_enabled", "allow_team_api_keys"]


async def test_a_picture_that_comes_whole_gets_an_address(project: Project) -> None:
    """A data image is uploaded: what is shown is not what was sent."""
    answer = await project.create(profile_image_url="data:image/png;base64,AAAA")
    assert answer.json()["profile_image_url"].startswith("https://")


async def test_totp_is_demanded_only_after_a_change(project: Project) -> None:
    """A create stores the secret alone; the same secret by PATCH switches the demand on, null off."""
    user = (await project.create(totp_secret_base64="c2VjcmV0")).json()
    assert project.standin.users[user["id"]].totp_secret_base64 == "c2VjcmV0"
    assert user["requires_totp_mfa"] is False
    for secret, demanded in (("c2VjcmV0", True), (None, False)):
        changed = await project.client.patch(f"{USERS}/{user['id']}", json={"totp_secret_base64": secret})
        assert (changed.status_code, changed.json()["requires_totp_mfa"]) == (200, demanded)


async def test_a_create_is_reported_once(project: Project) -> None:
    """One event for one create, counted by e-mail and by the source's id in the server metadata."""
    events: list[tuple[str, str]] = []
    project.standin.on_change(lambda event, user: events.append((event, user.id)))
    user = (await project.create(primary_email="a@b.com", server_metadata={"supabase": {"id": "s1"}})).json()
    assert events == [("user.created", user["id"])]
    assert project.standin.creates_by_marker == {"s1": 1}
    assert project.standin.requests == {("POST", USERS): 1}


async def test_a_user_added_in_process_meets_the_same_rules(project: Project) -> None:
    """The door for tests is no way around the schema."""
    with pytest.raises(Refusal):
        project.standin.add_user({"id": "mine"})
    assert project.standin.users == {}


# Who is asking


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"access_type": None, "project_id": None, "secret_server_key": None}, 400, "ACCESS_TYPE_REQUIRED"),
        ({"access_type": None}, 400, "PROJECT_KEY_WITHOUT_ACCESS_TYPE"),
        ({"access_type": "root", "project_id": None}, 400, "INVALID_ACCESS_TYPE"),
        ({"project_id": None, "secret_server_key": "wrong"}, 400, "ACCESS_TYPE_WITHOUT_PROJECT_ID"),
        ({"project_id": "other", "secret_server_key": "wrong"}, 400, "CURRENT_PROJECT_NOT_FOUND"),
        ({"secret_server_key": None}, 401, "SERVER_AUTHENTICATION_REQUIRED"),
        ({"secret_server_key": "wrong", "branch_id": "other"}, 401, "INVALID_SECRET_SERVER_KEY"),
        ({"access_type": "client"}, 401, "INSUFFICIENT_ACCESS_TYPE"),
        ({"access_type": "admin"}, 401, "ADMIN_AUTHENTICATION_REQUIRED"),
        ({"branch_id": "other"}, 400, "BRANCH_DOES_NOT_EXIST"),
    ],
)
@pytest.mark.parametrize("family", ["x-stack", "x-hexclave"])
async def test_wrong_headers_are_refused_in_order(
    project: Project, family: str, changes: dict[str, str | None], status: int, code: str
) -> None:
    """Each fault of the headers has its code in both families, comes before the schema, and stores nothing."""
    async with client_of(project.standin, headers(family, **changes)) as client:
        answer = await client.post(USERS, json={"unknown": 1})
    assert code_of(answer) == (status, code)
    assert answer.headers["x-hexclave-known-error"] == code
    assert project.standin.users == {}


async def test_the_old_generation_knows_one_family_of_headers(opened: Opener) -> None:
    """The old service reads and writes x-stack-* alone."""
    project = await opened(generation="old")
    async with client_of(project.standin, headers("x-hexclave")) as client:
        answer = await client.get(USERS)
    assert code_of(answer) == (400, "ACCESS_TYPE_REQUIRED")
    assert "x-hexclave-known-error" not in answer.headers


async def test_a_revoked_key_is_refused_from_then_on(project: Project) -> None:
    """Revoking works between two requests, and can be taken back."""
    assert (await project.create()).status_code == 201
    project.standin.revoke_key()
    assert code_of(await project.create()) == (401, "INVALID_SECRET_SERVER_KEY")
    project.standin.restore_key()
    assert (await project.create()).status_code == 201


async def test_health_needs_no_key(project: Project) -> None:
    """Anybody may ask whether it lives."""
    async with client_of(project.standin, {}) as client:
        assert (await client.get("/health")).status_code == 200


# The form of a request


async def test_broken_bodies_are_reported_before_the_key(opened: Opener) -> None:
    """The body is parsed first: bad JSON or an unknown type is BODY_PARSING_ERROR even with a wrong key."""
    project = await opened()
    bad = headers(secret_server_key="wrong")
    cases = [("application/json", b"{"), ("application/json", b"NaN"), ("text/csv", b"a"), ("Application/JSON", b"{}")]
    for kind, content in cases:
        answer = await project.client.post(USERS, content=content, headers={**bad, "content-type": kind})
        assert code_of(answer) == (400, "BODY_PARSING_ERROR")
    answer = await project.client.post(
        USERS, content=b"{}", headers={"content-type": "application/json; charset=utf-8"}
    )
    assert answer.status_code == 201


async def test_a_body_without_a_type_is_missing(project: Project) -> None:
    """Without a content type the body is not looked at."""
    answer = await project.client.post(USERS, content=b"{}")
    assert code_of(answer) == (400, "SCHEMA_ERROR")


async def test_all_problems_are_listed_at_once(project: Project) -> None:
    """A schema error names every problem, one line each, the same in the details."""
    answer = await project.client.post(
        f"{USERS}?colour=red", json={"primary_email": "", "password_hash": None, "id": "x", "phone": "1"}
    )
    assert code_of(answer) == (400, "SCHEMA_ERROR")
    assert answer.json()["error"] == (
        "Request validation failed on POST /api/v1/users:\n"
        "  - body contains unknown properties: id, phone\n"
        "  - body.primary_email must not be empty\n"
        "  - body.password_hash cannot be null\n"
        "  - query contains unknown properties: colour"
    )
    assert answer.json()["details"] == {"message": answer.json()["error"]}
    assert project.standin.users == {}


@pytest.mark.parametrize(
    "body",
    [
        *({key: "x"} for key in ("id", "user_id", "signed_up_at", "signed_up_at_millis", "created_at", "phone")),
        *({key: None} for key in ("selected_team_id", "last_active_at_millis")),
        *({key: None} for key in ("primary_email_verified", "primary_email_auth_enabled", "otp_auth_enabled")),
        *({"primary_email": text} for text in ("", " a@b.com", "a@b.com ", "a@bücher.de", "é@b.com", "nobody")),
        {"display_name": "x" * 257},
        {"display_name": {"first": "Ada"}},
        {"password": "x" * 71},
        {"password_hash": ""},
        {"otp_auth_enabled": "yes"},
        {"totp_secret_base64": "abc"},
        {"profile_image_url": ""},
        {"profile_image_url": "http://a b"},
        {"profile_image_url": "https://a.b/" + "x" * 1_000_000},
        {"oauth_providers": [{"id": "google"}]},
        {"oauth_providers": [{"id": "google", "account_id": "1", "provider_type": "x"}]},
        {"restricted_by_admin_reason": "banned"},
        {"country_code": "USA"},
        {"risk_scores": {"sign_up": {"bot": 101, "free_trial_abuse": 0}}},
        [],
        None,
    ],
    ids=lambda body: repr(body)[:40],
)
async def test_a_body_of_the_wrong_form_is_refused(project: Project, body: JsonObject) -> None:
    """What the schema does not know or allow is a SCHEMA_ERROR, and nothing is stored."""
    answer = await project.client.post(USERS, json=body)
    assert code_of(answer) == (400, "SCHEMA_ERROR")
    assert project.standin.users == {}


@pytest.mark.parametrize("email", ["a@localhost", "o'neil+tag@x-y.example", "a@b"])
async def test_unusual_emails_are_accepted(project: Project, email: str) -> None:
    """The service's idea of an e-mail is wider than common sense."""
    assert (await project.create(primary_email=email)).status_code == 201


# The rules beyond the form


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            {"password": "secret", "password_hash": "nonsense"},
            "Cannot set both password and password_hash at the same time.",
        ),
        (
            {"password_hash": "nonsense", "primary_email_auth_enabled": True},
            "Invalid password hash. Make sure it's a supported algorithm in Modular Crypt Format.",
        ),
        (
            {"primary_email_auth_enabled": True, "primary_email_verified": True},
            "primary_email_auth_enabled cannot be true without primary_email",
        ),
        (
            {"primary_email_verified": True, "oauth_providers": [{"id": "myspace", "account_id": "1"}]},
            "primary_email_verified cannot be true without primary_email",
        ),
        (
            {"oauth_providers": [{"id": "myspace", "account_id": "1"}], "password": "secret"},
            "OAuth provider myspace not found",
        ),
        ({"password": "secret", "otp_auth_enabled": True}, "Password auth not enabled in the project"),
        ({"password_hash": HASH}, "Password auth not enabled in the project"),
        ({"otp_auth_enabled": True}, "OTP auth not enabled in the project"),
    ],
)
async def test_the_first_mistake_is_reported_in_plain_text(opened: Opener, body: JsonObject, text: str) -> None:
    """Each body has at least one mistake; the service's order decides which is reported, and nothing is stored."""
    project = await opened(password_enabled=False, otp_enabled=False)
    assert_refused(await project.create(**body), 400, text)
    assert project.standin.users == {}


@pytest.mark.parametrize(
    "password_hash",
    [
        "$2x$10$" + HASH[7:],
        "$2$10$" + HASH[7:],
        "$2a$03$" + HASH[7:],
        "$2a$17$" + HASH[7:],
        HASH[:-1],
        HASH + "\n",
        HASH + "a",
        HASH[:-1] + "!",
        "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
        "$fbscrypt$v=1,n=14,r=8,p=1$salt$hash",
    ],
)
async def test_other_hashes_are_refused(project: Project, password_hash: str) -> None:
    """Only whole bcrypt hashes of a bearable cost pass."""
    answer = await project.create(password_hash=password_hash)
    assert_refused(answer, 400, "Invalid password hash. Make sure it's a supported algorithm in Modular Crypt Format.")
    assert project.standin.users == {}


@pytest.mark.parametrize("prefix", ["$2a$04$", "$2b$10$", "$2y$16$"])
async def test_every_bcrypt_flavour_is_kept(project: Project, prefix: str) -> None:
    """The three live prefixes pass, from cost 4 to 16."""
    user = (await project.create(password_hash=prefix + HASH[7:])).json()
    assert project.standin.users[user["id"]].password_hash == prefix + HASH[7:]


@pytest.mark.parametrize("body", [{"password": "é" * 36}, {"display_name": "a\0b"}, {"client_metadata": {"a": ["\0"]}}])
async def test_what_the_server_chokes_on_is_a_generic_500(project: Project, body: JsonObject) -> None:
    """72 bytes of password, or a NUL that the database cannot hold, is a 500 that stored nothing."""
    answer = await project.create(**body)
    assert answer.status_code == 500
    assert answer.text.startswith("Something went wrong.")
    assert project.standin.users == {}


@pytest.mark.parametrize(("generation", "code"), [("new", NEW_DUPLICATE), ("old", "USER_EMAIL_ALREADY_EXISTS")])
async def test_an_email_signs_in_one_user_alone(opened: Opener, generation: str, code: str) -> None:
    """The second user who would sign in with an address is refused, by the code of the generation."""
    project = await opened(generation=generation)
    first = await project.create(primary_email="a@b.com", primary_email_auth_enabled=True)
    second = await project.create(primary_email="A@B.com", primary_email_auth_enabled=True)
    assert code_of(second) == (409, code)
    assert second.json()["details"]["would_work_if_email_was_verified"] is False
    assert list(project.standin.users) == [first.json()["id"]]


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (False, False)])
async def test_an_email_may_repeat_unless_both_sign_in_with_it(project: Project, first: bool, second: bool) -> None:
    """Without sign-in on both sides the same address makes two users."""
    for auth_enabled in (first, second):
        answer = await project.create(primary_email="a@b.com", primary_email_auth_enabled=auth_enabled)
        assert answer.status_code == 201
    assert [user.primary.value for user in project.standin.users.values() if user.primary] == ["a@b.com"] * 2


async def test_a_taken_identity_is_a_500_with_nothing_stored(opened: Opener) -> None:
    """The same account at a provider, or two accounts of one provider, fail late and generically."""
    project = await opened(conflict_seconds=0.0)
    ada = {"id": "google", "account_id": "1", "email": "not checked"}
    assert (await project.create(oauth_providers=[ada])).json()["oauth_providers"] == [ada]
    for providers in ([ada], [{"id": "github", "account_id": 2}, {"id": "github", "account_id": 3}]):
        answer = await project.create(oauth_providers=providers)
        assert (answer.status_code, answer.headers["content-type"]) == (500, "text/plain; charset=utf-8")
    assert len(project.standin.users) == 1
    other = await project.create(oauth_providers=[{"id": "github", "account_id": 1}])
    assert other.json()["oauth_providers"] == [{"id": "github", "account_id": "1", "email": None}]


# Lists


@pytest.mark.parametrize("generation", ["new", "old"])
@pytest.mark.parametrize("desc", ["false", "true"])
async def test_pages_cover_everybody_once_in_order(opened: Opener, generation: str, desc: str) -> None:
    """Passing the cursor back untouched shows each user once, oldest first or newest first."""
    project = await opened(generation=generation)
    names = project.fill(7)
    seen: list[str] = []
    query = {"limit": "3", "desc": desc}
    sizes = []
    while True:
        page = (await project.client.get(USERS, params=query)).json()
        assert page["is_paginated"] is True
        seen += [item["display_name"] for item in page["items"]]
        sizes.append(len(page["items"]))
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            break
        last = page["items"][-1]["id"]
        assert (cursor == last) == (generation == "new")
        query["cursor"] = cursor
    assert seen == (names[::-1] if desc == "true" else names)
    assert sizes == [3, 3, 1]


async def test_a_full_last_page_has_no_cursor(project: Project) -> None:
    """A page that ends with the last user does not promise another; neither does a list without limit."""
    project.fill(3)
    for query in ({"limit": "3"}, {}):
        answer = await project.client.get(USERS, params=query)
        assert answer.json()["pagination"] == {"next_cursor": None}
        assert len(answer.json()["items"]) == 3


async def test_hidden_users_are_listed_only_when_asked_for(opened: Opener) -> None:
    """Anonymous, restricted and (where verification is required) unverified users are not in the default list."""
    project = await opened(require_email_verification=True)
    people: list[JsonObject] = [
        {"display_name": "whole", "primary_email": "w@x.com", "primary_email_verified": True},
        {"display_name": "unverified", "primary_email": "u@x.com"},
        {
            "display_name": "banned",
            "primary_email": "b@x.com",
            "primary_email_verified": True,
            "restricted_by_admin": True,
        },
        {"display_name": "anonymous", "is_anonymous": True},
    ]
    for body in people:
        project.standin.add_user(body)
    assert set(await project.listed()) == {"whole"}
    assert set(await project.listed(include_restricted="true")) == {"whole", "unverified", "banned"}
    assert len(await project.listed(include_anonymous="true")) == 4


async def test_reasons_of_restriction_are_shown(project: Project) -> None:
    """A restricted user says why."""
    banned = (await project.create(restricted_by_admin=True, restricted_by_admin_reason="spam")).json()
    assert (banned["is_restricted"], banned["restricted_reason"]) == (True, {"type": "restricted_by_administrator"})
    assert banned["restricted_by_admin_reason"] == "spam"
    anonymous = (await project.create(is_anonymous=True)).json()
    assert anonymous["restricted_reason"] == {"type": "anonymous"}


@pytest.mark.parametrize("generation", ["new", "old"])
async def test_a_cursor_of_nobody_ends_the_list(opened: Opener, generation: str) -> None:
    """Its user was deleted meanwhile: an empty page without a next one, though users are left."""
    project = await opened(generation=generation)
    project.fill(5)
    cursor = (await project.client.get(USERS, params={"limit": 2})).json()["pagination"]["next_cursor"]
    await project.client.delete(f"{USERS}/{cursor}")
    page = (await project.client.get(USERS, params={"limit": 2, "cursor": cursor})).json()
    assert (page["items"], page["pagination"]["next_cursor"]) == ([], None)


@pytest.mark.parametrize(
    ("generation", "query"),
    [
        *(("new", query) for query in ({"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"limit": ""})),
        ("old", {"limit": "0"}),
        *(
            ("new", query)
            for query in ({"order_by": "last_active_at"}, {"query": "a@b.com"}, {"only_anonymous": "true"})
        ),
        ("new", {"cursor": "first"}),
        ("new", {"desc": "1"}),
        ("new", {"email": "a@b.com"}),
    ],
)
async def test_a_query_of_the_wrong_form_is_refused(opened: Opener, generation: str, query: dict[str, str]) -> None:
    """Limits out of bounds and unknown keys are schema errors."""
    project = await opened(generation=generation)
    assert code_of(await project.client.get(USERS, params=query)) == (400, "SCHEMA_ERROR")


async def test_above_a_thousand_users_the_new_generation_wants_a_limit(opened: Opener) -> None:
    """Without limit, the new service refuses where the old one sends everything."""
    new, old = await opened(), await opened(generation="old")
    new.fill(1000)
    assert len(await new.listed()) == 1000
    new.fill(1)
    assert_refused(await new.client.get(USERS), 400, "limit is required when more than 1000 users match")
    assert len(await new.listed(limit="1000")) == 1000
    old.fill(1001)
    assert len(await old.listed()) == 1001
    assert len(await old.listed(limit="5000")) == 1001


# One user


async def test_a_user_is_read_changed_and_deleted(project: Project) -> None:
    """GET, PATCH and DELETE work by id; the second delete finds nobody."""
    user = (await project.create(display_name="Ada")).json()
    path = f"{USERS}/{user['id']}"
    assert (await project.client.get(path)).json() == user
    changed = await project.client.patch(path, json={"display_name": "Bea", "server_metadata": [1]})
    assert (changed.status_code, changed.json()) == (200, {**user, "display_name": "Bea", "server_metadata": [1]})
    gone = await project.client.delete(path)
    assert (gone.status_code, gone.json()) == (200, {"success": True})
    for answer in (
        await project.client.delete(path),
        await project.client.get(path),
        await project.client.patch(path, json={}),
    ):
        assert code_of(answer) == (404, "USER_NOT_FOUND")
    assert project.standin.users == {}
    assert project.standin.requests["GET", "/api/v1/users/{id}"] == 2


async def test_a_path_that_is_no_id_is_a_schema_error(project: Project) -> None:
    """Ids are UUIDs; `me` needs a user's token."""
    assert code_of(await project.client.get(f"{USERS}/42")) == (400, "SCHEMA_ERROR")
    assert code_of(await project.client.get(f"{USERS}/me")) == (400, "CANNOT_GET_OWN_USER_WITHOUT_USER")


@pytest.mark.parametrize("body", [{"oauth_providers": []}, {"is_anonymous": True}, {"id": "x"}])
async def test_a_change_refuses_what_only_a_create_may_say(project: Project, body: JsonObject) -> None:
    """Identities are given at creation; nobody becomes anonymous."""
    user = (await project.create(display_name="Ada")).json()
    answer = await project.client.patch(f"{USERS}/{user['id']}", json=body)
    assert code_of(answer) == (400, "SCHEMA_ERROR")
    assert (await project.client.get(f"{USERS}/{user['id']}")).json() == user


async def test_a_change_meets_the_rules_of_a_create(opened: Opener) -> None:
    """A taken address, a bad hash, a method that is off: refused, and the user stays as it was."""
    project = await opened(otp_enabled=False, conflict_seconds=0.0)
    await project.create(primary_email="taken@x.com", primary_email_auth_enabled=True)
    user = (await project.create(primary_email="mine@x.com", primary_email_auth_enabled=True)).json()
    sleeper = (await project.create(primary_email="taken@x.com")).json()
    path = f"{USERS}/{user['id']}"
    assert code_of(await project.client.patch(path, json={"primary_email": "taken@x.com"})) == (409, NEW_DUPLICATE)
    late = await project.client.patch(f"{USERS}/{sleeper['id']}", json={"primary_email_auth_enabled": True})
    assert late.status_code == 500
    for body in ({"password_hash": "x"}, {"otp_auth_enabled": True}, {"passkey_auth_enabled": True}):
        answer = await project.client.patch(path, json={**body, "display_name": "changed"})
        assert (answer.status_code, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert (await project.client.get(path)).json() == user
    assert (await project.client.get(f"{USERS}/{sleeper['id']}")).json() == sleeper


async def test_a_new_address_leaves_the_old_one_taken(project: Project) -> None:
    """A former primary address stays with the user, and stays taken for sign-in."""
    user = (await project.create(primary_email="old@x.com", primary_email_auth_enabled=True, display_name="Ada")).json()
    changed = await project.client.patch(f"{USERS}/{user['id']}", json={"primary_email": "New@x.com"})
    assert changed.json()["primary_email"] == "new@x.com"
    assert (changed.json()["primary_email_auth_enabled"], changed.json()["primary_email_verified"]) == (True, False)
    stored = project.standin.users[user["id"]]
    assert [(channel.value, channel.primary) for channel in stored.channels] == [
        ("old@x.com", False),
        ("new@x.com", True),
    ]
    again = await project.create(primary_email="old@x.com", primary_email_auth_enabled=True)
    assert code_of(again) == (409, NEW_DUPLICATE)


async def test_a_deleted_user_frees_address_and_identity(project: Project) -> None:
    """After a delete the same create works again."""
    body: JsonObject = {
        "primary_email": "a@b.com",
        "primary_email_auth_enabled": True,
        "oauth_providers": [{"id": "google", "account_id": "1"}],
    }
    first = (await project.create(**body)).json()
    await project.client.delete(f"{USERS}/{first['id']}")
    assert (await project.create(**body)).status_code == 201


async def test_other_paths_and_methods_are_refused(project: Project) -> None:
    """What is not built says so."""
    assert (await project.client.get("/api/v1/teams")).status_code == 404
    assert (await project.client.put(USERS, json={})).status_code == 405


# Faults


async def test_each_429_has_its_own_manners(project: Project) -> None:
    """Seconds with JSON, a date without body, or a page of HTML without any hint; nothing is stored."""
    project.standin.retry_after_seconds = 7
    for kind in ("429-seconds", "429-date", "429-html"):
        project.standin.faults.next(kind)
    before = time.time()
    seconds, date, html = [await project.create() for _ in range(3)]
    assert [answer.status_code for answer in (seconds, date, html)] == [429, 429, 429]
    assert (seconds.headers["retry-after"], seconds.json()) == ("7", {"message": "Too many requests"})
    assert before + 7 <= email.utils.parsedate_to_datetime(date.headers["retry-after"]).timestamp() <= time.time() + 8
    assert date.content == b""
    assert "retry-after" not in html.headers
    assert html.text.startswith("<html>")
    assert project.standin.users == {}
    assert (await project.create()).status_code == 201


@pytest.mark.parametrize(("kind", "status"), [("500-before", 500), ("502-html", 502)])
async def test_a_failure_before_stores_nothing(project: Project, kind: Any, status: int) -> None:
    """The fault strikes before the work."""
    project.standin.faults.next(kind)
    assert (await project.create()).status_code == status
    assert project.standin.users == {}


@pytest.mark.parametrize(("kind", "stored"), [("drop-before", 0), ("drop-after", 1)])
async def test_a_dropped_connection_tells_nothing(project: Project, kind: Any, stored: int) -> None:
    """The caller sees the same broken connection whether the work was done or not."""
    project.standin.faults.next(kind)
    with pytest.raises(httpx.RemoteProtocolError):
        await project.create(primary_email="a@b.com")
    assert len(project.standin.users) == stored


async def test_a_500_after_leaves_the_user_behind(project: Project) -> None:
    """The text is that of any 500, but the user is there."""
    project.standin.faults.next("500-after")
    answer = await project.create(primary_email="a@b.com")
    assert answer.status_code == 500
    assert answer.text.startswith("Something went wrong.")
    assert [user.primary.value for user in project.standin.users.values() if user.primary] == ["a@b.com"]


async def test_an_answer_that_never_comes(project: Project) -> None:
    """The user is stored while the connection stays open and silent, until the stand-in stops."""
    stored = asyncio.Event()
    project.standin.on_change(lambda event, user: stored.set())
    project.standin.faults.next("hang-after")
    waiting = asyncio.create_task(project.create())
    await asyncio.wait_for(stored.wait(), 180)
    assert (await project.client.get("/health")).status_code == 200
    assert not waiting.done()
    await project.standin.stop()
    with pytest.raises(httpx.RemoteProtocolError):
        await waiting
    assert len(project.standin.users) == 1


async def test_a_refusal_is_not_spoiled(project: Project) -> None:
    """A fault after the work waits for a request that does some."""
    project.standin.faults.next("500-after")
    assert code_of(await project.create(id="x")) == (400, "SCHEMA_ERROR")
    assert (await project.create()).status_code == 500
    assert (await project.create()).status_code == 201


async def test_faults_may_skip_and_choose_a_method(project: Project) -> None:
    """A fault can wait for the third create and leave reads alone."""
    project.standin.faults.next("502-html", skip=2, method="POST")
    statuses = [(await project.create()).status_code for _ in range(4)]
    assert statuses == [201, 201, 502, 201]
    assert (await project.client.get(USERS)).status_code == 200


async def test_a_share_of_requests_fails_by_the_seed(opened: Opener) -> None:
    """Two stand-ins of one seed fail the same requests, some but not all, until cleared."""
    runs = []
    for _ in range(2):
        project = await opened(seed=5)
        project.standin.faults.share("502-html", 0.5)
        runs.append([(await project.create()).status_code for _ in range(20)])
        project.standin.faults.clear()
        assert (await project.create()).status_code == 201
    assert runs[0] == runs[1]
    assert set(runs[0]) == {201, 502}


async def test_a_predicate_picks_its_victims(project: Project) -> None:
    """A fault may look at the body, and may revoke the key for good."""
    project.standin.faults.when(
        lambda body: "key-revoked" if isinstance(body, dict) and body.get("display_name") == "Eve" else None
    )
    statuses = [(await project.create(display_name=name)).status_code for name in ("Ada", "Eve", "Bea")]
    assert statuses == [201, 401, 401]


async def test_the_limit_per_second_answers_429(opened: Opener) -> None:
    """Above the limit every second refusal says when to come back, and the rest say nothing."""
    project = await opened(requests_per_second=2)
    refused: list[httpx.Response] = []
    stored = 0
    while len(refused) < 4:
        answer = await project.create()
        stored += answer.status_code == 201
        refused += [answer] if answer.status_code == 429 else []
    assert ["retry-after" in answer.headers for answer in refused] == [True, False, True, False]
    assert len(project.standin.users) == stored >= 2


async def test_users_survive_a_restart_of_the_stand_in(project: Project) -> None:
    """Stopped and started again in one process, it holds the same users on a new port."""
    await project.create()
    await project.standin.stop()
    await project.standin.start()
    async with client_of(project.standin, headers()) as client:
        assert len((await client.get(USERS)).json()["items"]) == 1
