"""Whether a carried hash signs in: the canary, with the password that it had at Supabase, at Stack Auth.

A hash cannot be read back, so that everything else about the users proves only that there is one. One user who signs in
as people will, and is answered as the very user who was carried over, proves that the service compares what it was
given. The canary is a user of the source made for this (`bot.supabase.preflight.canary`); its address and its password
stand in no sentence.
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
from bot.stackauth.client.api import RequestRefused, StackAuth
from bot.stackauth.client.rate import Pace
from bot.stackauth.client.retry import Patient
from bot.stackauth.client.sign_in import Answered, sign_in

_CHECK = "canary-signs-in"
_MFA = "MULTI_FACTOR_AUTHENTICATION_REQUIRED"
_REFUSED: Mapping[str, tuple[str, str]] = {
    "EMAIL_PASSWORD_MISMATCH": (
        "Stack Auth does not accept the canary's address and password.",
        "See in user-attention.json and in Stack Auth whether the canary has its password and signs in by its address. "
        f"If CANARY_PASSWORD is wrong or older than the export, correct it, then {RESTART}.",
    ),
    "PASSWORD_AUTHENTICATION_NOT_ENABLED": (
        "Password sign-in is off in the Stack Auth project, so nobody can sign in with a password.",
        "Switch on e-mail and password sign-in in the project's auth methods, then say the word again.",
    ),
    "SCHEMA_ERROR": (
        "Stack Auth does not accept the form of the canary's address or password: it takes at most 70 characters.",
        f"Choose a canary with a shorter password, then {RESTART}.",
    ),
    "INVALID_PUBLISHABLE_CLIENT_KEY": (
        "Stack Auth does not accept STACK_AUTH_PUBLISHABLE_KEY.",
        f"Copy the publishable client key (pck_…) of this project there, then {RESTART}.",
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
        self._patient = Patient(service, Pace(), give_up_seconds=give_up_seconds)
        self._canary = canary
        self._why_not = why_not

    async def examine(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        if self._canary is None:
            yield warned(
                _CHECK,
                f"Not tried: {self._why_not} not set, so nothing proves that people sign in with their old password.",
                "Sign in by hand as somebody whose password you know, before you open the new system.",
            )
            return
        if run.opened.users_mode != "create":
            yield warned(_CHECK, "Not tried: this run only matches users, so it carries no password.")
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
        answered = await self._patient.ask(
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
                "Stack Auth accepts the canary's old password, and asks for its second factor, which was not tried.",
            )
        if answered.user_id is None:
            return _not_proven(*_why(answered))
        if answered.user_id not in wanted:
            return _not_proven(
                "The canary's address and password sign in as another user of Stack Auth than the one it is mapped to.",
                "See in user-attention.json who has the address, and in Stack Auth which of the two the person is.",
            )
        return await self._signed_in(answered.user_id)

    async def _signed_in(self, stack_id: str) -> Finding:
        found = "The canary signs in at Stack Auth with its old password, as the user it is mapped to."
        try:
            there = await self._patient.ask(lambda: self._patient.service.get(stack_id))
        except RequestRefused:
            return passed(_CHECK, found)
        if there.restricted_by_admin:
            found += " It is restricted: Stack Auth refuses what it asks for after that, as from all who were banned."
        elif not there.primary_email_verified:
            found += (
                " Its address is not verified: where the project demands that, Stack Auth refuses what it asks for."
            )
        return passed(_CHECK, found)


def _why(answered: Answered) -> tuple[str, str]:
    if answered.code in _REFUSED:
        return _REFUSED[answered.code]
    code = answered.code or "without a code"
    return (
        f"Stack Auth did not sign the canary in ({answered.status}, {code}).",
        f"Look into the project in Stack Auth; if the settings of the canary are wrong, correct them, then {RESTART}.",
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
