"""The look at the target: whether everybody will be able to sign in to it, before anybody is created."""

import pytest

from bot.errors import ServiceRefused
from bot.plan.findings import Verdict
from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.rate import RateLimiter
from bot.stackauth.client.retry import RetryingClient
from bot.stackauth.preflight import method_findings, project_settings
from bot.stackauth.users.exported import ExportedUser
from bot.stackauth.users.requirements import AuthRequirements
from bot.stackauth.users.sign_in import sign_in_methods_of


def requirements_of(*users: ExportedUser) -> AuthRequirements:
    requirements = AuthRequirements()
    for user in users:
        requirements.add(user, sign_in_methods_of(user))
    return requirements


def person(rows, n, *identities, **columns):
    return ExportedUser(row=rows.user(n, **columns), identities=identities)


@pytest.fixture
def everyone(rows):
    """One of each way in, and some who have none."""
    return requirements_of(
        person(rows, 1),
        person(rows, 2, encrypted_password=rows.bcrypt.replace("$10$", "$06$")),
        person(rows, 3, encrypted_password=None),
        person(rows, 4, rows.identity(4, "google", "4"), rows.identity(4, "github", "4"), encrypted_password=None),
        person(rows, 5, encrypted_password="$argon2id$v=19$x"),
        person(rows, 6, encrypted_password="$fbscrypt$x", email=None),
        person(rows, 7, encrypted_password="pbkdf2"),
        person(rows, 9, encrypted_password='{"key_id": "k"}', email=None),
        person(rows, 8, rows.identity(8, "google", "8"), deleted_at="2024-01-01T00:00:00+00:00"),
    )


def test_what_people_sign_in_with_is_counted(everyone):
    """Hashes by kind and cost, also those that cannot be migrated; of a deleted user nothing."""
    assert (everyone.passwords, everyone.magic_links) == (2, 3)
    assert everyone.accounts == {"google": 1, "github": 1}
    assert everyone.hashes == {
        "bcrypt of cost 10": 1,
        "bcrypt of cost 6": 1,
        "argon2": 1,
        "scrypt": 1,
        "an unknown kind": 1,
        "encrypted": 1,
    }


async def findings(make, service, requirements):
    async with StackAuth(service.url, make.project, make.key) as client:
        return list(method_findings(await project_settings(RetryingClient(client, RateLimiter())), requirements))


async def test_a_project_that_has_it_all_passes(make, everyone):
    """And says what was looked for."""
    [finding] = await findings(make, await make.service(), everyone)
    assert finding.verdict is Verdict.PASS
    assert finding.evidence == (
        "The Stack Auth project has what users sign in with: passwords, magic links, github, google."
    )


@pytest.mark.parametrize(
    ("given", "verdict", "evidence"),
    [
        (
            {"password_enabled": False},
            Verdict.FAIL,
            "Passwords are off in the Stack Auth project, with which 2 users signed in.",
        ),
        (
            {"oauth_providers": ("google",)},
            Verdict.FAIL,
            "The Stack Auth project does not have github, with which 1 user signed in.",
        ),
        (
            {"otp_enabled": False},
            Verdict.WARN,
            "Magic links are off in the Stack Auth project, and without them 3 users cannot sign in.",
        ),
    ],
)
async def test_what_it_lacks_is_reported_with_its_fix(make, everyone, given, verdict, evidence):
    """How many it concerns, and what to switch on."""
    [finding] = await findings(make, await make.service(**given), everyone)
    assert (finding.verdict, finding.evidence) == (verdict, evidence)
    assert finding.fix


async def test_a_service_that_does_not_tell_is_a_warning(make, everyone):
    """Such as an older one, or one behind a proxy: then people look themselves."""
    service = await make.service()
    service.faults.when(lambda body: None)
    async with StackAuth(f"{service.url}/elsewhere", make.project, make.key) as client:
        [finding] = method_findings(await project_settings(RetryingClient(client, RateLimiter())), everyone)
    assert finding.verdict is Verdict.WARN
    assert "passwords, magic links, github, google" in finding.fix


@pytest.mark.parametrize("given", [{"password_enabled": False}, {"oauth_providers": ("github",)}])
async def test_nobody_is_created_in_a_project_that_would_lock_people_out(another_night, rows, given):
    """Not even those who would be well."""
    night = await another_night(**given)
    others = [rows.user(n, encrypted_password=None) for n in range(1, 30)]
    night.export([*others, rows.user(30)], [rows.identity(30, "google", "30")])
    with pytest.raises(ServiceRefused, match="no user was created"):
        await night.migrate()
    assert not night.service.users
