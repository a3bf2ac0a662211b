"""Whether a migrated hash signs in: the canary, with the password that it had at Supabase, at Stack Auth.

A hash cannot be read back, so that everything else about the users proves only that there is one. One user who signs in
as people will, and is answered as the very user who was migrated, proves that the service compares what it was given.
The canary is a user of the source made for this (`bot.supabase.preflight.canary`); no sentence holds its address or its
password.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.artifacts import files, mapping
from bot.concurrency import run_blocking
from bot.errors import CutoverError
from bot.obstacles import RESTART
from bot.plan.checks import unmade
from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.run import Run
from bot.plan.texts.sentences import waiving
from bot.ports import Progress, Report
from bot.regular_files import unread
from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.errors import RequestRefused
from bot.stackauth.client.password_sign_in import SignInAnswer, sign_in
from bot.stackauth.client.rate import RateLimiter
from bot.stackauth.client.retry import RetryingClient

_CHECK = "canary-signs-in"
_MFA = "MULTI_FACTOR_AUTHENTICATION_REQUIRED"
_REFUSED: Mapping[str, tuple[str, str]] = {
    "EMAIL_PASSWORD_MISMATCH": (
        "Stack Auth does not accept the canary's address and password.",
        "Check in user-attention.json and in Stack Auth that the canary has a password and signs in by its address. "
        f"If CANARY_PASSWORD is wrong or older than the export, correct it, then {RESTART}.",
    ),
    "PASSWORD_AUTHENTICATION_NOT_ENABLED": (
        "Password sign-in is off in the Stack Auth project. Nobody can sign in with a password.",
        "Switch on e-mail and password sign-in in the project's auth methods, then say the word again.",
    ),
    "SCHEMA_ERROR": (
        "Stack Auth does not accept the form of the canary's address or password: it takes at most 70 characters.",
        f"Choose a canary with a shorter password, then {RESTART}.",
    ),
    "INVALID_PUBLISHABLE_CLIENT_KEY": (
        "Stack Auth does not accept STACK_AUTH_PUBLISHABLE_KEY.",
        f"Set it to the publishable client key (pck_…) of this project, then {RESTART}.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Canary:
    """`base_url` and `project_id` are the target's."""

    email: str
    password: str
    publishable_key: str
    base_url: str
    project_id: str


class CanarySignsIn:
    """The examiner `canary`: yields the finding `canary-signs-in`. `why_not` says what is not set; "" with a canary."""

    def __init__(
        self, directory: Path, service: StackAuth, canary: Canary | None, why_not: str, *, give_up_seconds: float = 60
    ) -> None:
        self._directory = directory
        self._client = RetryingClient(service, RateLimiter(), give_up_seconds=give_up_seconds)
        self._canary = canary
        self._why_not = why_not

    async def examine(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        if self._canary is None:
            yield warned(
                _CHECK,
                f"Not tried: {self._why_not} not set. Nothing proves that people can sign in with their old password.",
                "Sign in by hand as somebody whose password you know, before you open the new system.",
            )
            return
        if run.opened.users_mode != "create":
            yield warned(_CHECK, "Not tried: this run only matches users and migrates no password.")
            return
        report(Progress(step="canary", done=0, total=0, unit="checks", note="signing in as the canary"))
        try:
            yield await self._tried(self._canary)
        except CutoverError as error:
            yield unmade(_CHECK, error)
        except OSError as error:
            yield unmade(_CHECK, unread("user-mapping.json", error))

    async def _tried(self, canary: Canary) -> Finding:
        wanted = await run_blocking(lambda: _mapped_to(self._directory, canary.email))
        if not wanted:
            return _not_proven(
                "No user in user-mapping.json has the address in CANARY_EMAIL.",
                f"Set CANARY_EMAIL and CANARY_PASSWORD to a user of the export, then {RESTART}.",
            )
        answered = await self._client.ask(
            lambda: sign_in(
                canary.base_url,
                canary.project_id,
                canary.publishable_key,
                email=canary.email,
                password=canary.password,
            )
        )
        if answered.code == _MFA:
            return passed(
                _CHECK,
                "Stack Auth accepts the canary's old password and asks for its second factor, which was not tried.",
            )
        if answered.user_id is None:
            return _not_proven(*_why(answered))
        if answered.user_id not in wanted:
            return _not_proven(
                "The canary signs in as another Stack Auth user than the one it is mapped to.",
                "Find both users in Stack Auth and in user-attention.json, and decide which of the two the canary is.",
            )
        return await self._signed_in(answered.user_id)

    async def _signed_in(self, stack_id: str) -> Finding:
        found = "The canary signs in to Stack Auth with its old password, as the user it is mapped to."
        try:
            there = await self._client.ask(lambda: self._client.service.get(stack_id))
        except RequestRefused:
            return passed(_CHECK, found)
        if there.restricted_by_admin:
            found += " It is restricted, as all banned users are: Stack Auth refuses its next requests."
        elif not there.primary_email_verified:
            found += " Its address is not verified: if the project requires that, Stack Auth refuses its next requests."
        return passed(_CHECK, found)


def _why(answered: SignInAnswer) -> tuple[str, str]:
    if answered.code in _REFUSED:
        return _REFUSED[answered.code]
    code = answered.code or "without a code"
    return (
        f"Stack Auth did not sign the canary in ({answered.status}, {code}).",
        f"Check the project in Stack Auth and the canary's settings. After a change of settings, {RESTART}.",
    )


def _not_proven(evidence: str, fix: str) -> Finding:
    return failed(_CHECK, evidence, f"{fix} Or let it pass: {waiving(_CHECK)}.", waivable=True)


def _mapped_to(directory: Path, email: str) -> set[str]:
    """Everybody with the address, which two may share in other letters; by Stack Auth id. Blocks meanwhile."""
    address = email.strip().lower()
    entries = mapping.read(directory / files.MAPPING)
    return {
        entry.stack_auth_user_id for entry in entries if isinstance(entry, mapping.Mapped) and entry.email == address
    }
