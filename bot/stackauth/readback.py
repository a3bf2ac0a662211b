"""What the service really holds: every mapped user read back and compared, field by field, with what was exported.

The mapping and the attention list on disk say who was carried over and with which reasons, since these files are what
the import uses; the bundle says what each user should look like; the service's list, hidden users included, says what
is there. Of each user in the list a short digest a field is kept (some 200 bytes a user), and the bundle is walked
against it. The evidence counts by field and names at most a few Supabase ids, never what a field holds.

A hash cannot be read back, only that there is a password; that is said. Users that were matched unchanged from an
earlier night belong to people who may have used them since: how they differ is told, and does not block.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.artifacts import files, mapping
from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.run import Run
from bot.ports import Progress, Report
from bot.stackauth.api import StackAuth, User
from bot.stackauth.exported import Bundle
from bot.stackauth.matching import held
from bot.stackauth.migrate import translations
from bot.stackauth.pace import Pace
from bot.stackauth.patience import Patient
from bot.stackauth.translate import MARKER, Claims, Translation, adapted, as_javascript

_GIVE_UP_SECONDS = 120
_SHOWN = 3
_YIELD_EVERY = 200
_BY_THE_TARGET = {"email-taken-in-target", "magic-link-off", "refused-by-target"}
_OF_THE_RUN = {"run", "updatedBy", "reasons"}
"""What the marker says of nights, not of the user."""
_LIKENESS = (
    "primary_email",
    "primary_email_verified",
    "primary_email_auth_enabled",
    "otp_auth_enabled",
    "has_password",
    "oauth_providers",
    "display_name",
    "profile_image_url",
    "client_metadata",
    "server_metadata",
    "is_anonymous",
    "restricted_by_admin",
    "restricted_by_admin_reason",
)
_MEND = "Look at these users in Stack Auth and in auth_users.json, mend them there, then say the word again."


class ReadBack:
    """The examiner `users-read-back`: yields the findings `users-exactly-once` and `users-read-back`."""

    def __init__(self, directory: Path, service: StackAuth) -> None:
        self._directory = directory
        self._service = service

    async def examine(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """Raises RecordDamaged and what the service raises when it stays away."""
        mapped = await asyncio.to_thread(_mapped, self._directory)
        bundle = await asyncio.to_thread(Bundle.open, self._directory)
        claims = await asyncio.to_thread(lambda: Claims.of(bundle.users()))
        total = 2 * len(mapped.stack_ids)

        def tell(done: int, note: str) -> None:
            report(Progress(step="users-read-back", done=min(done, total), total=total, unit="looks", note=note))

        there = _There()
        patient = Patient(self._service, Pace(), give_up_seconds=_GIVE_UP_SECONDS)
        async for shown in patient.everybody():
            there.see(shown)
            tell(there.seen, "reading the users back")
        yield _exactly_once(mapped, there)
        comparison = _Comparison()
        for n, user in enumerate(translations(bundle, claims, run.run_id), 1):
            comparison.compare(user, mapped, there)
            if n % _YIELD_EVERY == 0:
                tell(len(mapped.stack_ids) + n, "comparing field by field")
                await asyncio.sleep(0)
        yield comparison.finding()


async def identify(service: StackAuth) -> None:
    """The service is there and takes project and key. Raises ServiceRefused or ServiceUnreachable, with the mend."""
    await service.probe()


async def preflight(service: StackAuth) -> AsyncIterator[Finding]:
    """What can be known of the target before a night without changing it. Raises as `identify`."""
    await identify(service)
    yield passed("stack-auth-key", "Stack Auth answers, knows the project and takes the secret server key.")
    yield warned(
        "stack-auth-webhooks",
        "Every user that is created fires the project's `user.created` webhook, and a request cannot prevent it.",
        "Tell whoever receives the project's webhooks, or switch them off for the night.",
    )


# -- what is on disk, and what is there -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Mapped:
    """The files, by Supabase id. `reasons` are those that change what a user looks like in the target."""

    stack_ids: Mapping[str, str]
    outcomes: Mapping[str, str]
    reasons: Mapping[str, frozenset[str]]


def _mapped(directory: Path) -> _Mapped:
    stack_ids: dict[str, str] = {}
    outcomes: dict[str, str] = {}
    for entry in mapping.read(directory / files.MAPPING):
        if isinstance(entry, mapping.Mapped):
            stack_ids[entry.supabase_user_id] = entry.stack_auth_user_id
            outcomes[entry.supabase_user_id] = entry.outcome
    reasons: dict[str, frozenset[str]] = {}
    for attention in mapping.read_attention(directory / files.ATTENTION):
        if attention.reason in _BY_THE_TARGET | {"identity-added-since", "not-updated"}:
            reasons[attention.id] = reasons.get(attention.id, frozenset()) | {attention.reason}
    return _Mapped(stack_ids=stack_ids, outcomes=outcomes, reasons=reasons)


@dataclass
class _There:
    """The service's list, boiled down."""

    seen: int = 0
    by_stack_id: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    bearers: Counter[str] = field(default_factory=Counter)
    """How many users bear a Supabase id in their marker."""
    passwords: set[str] = field(default_factory=set)
    """Stack Auth ids of those who have one."""

    def see(self, user: User) -> None:
        self.seen += 1
        if (ours := held(user)) is None:
            return
        self.bearers[ours[0]] += 1
        self.by_stack_id[user.id] = _likeness(user.model_dump())
        if user.has_password:
            self.passwords.add(user.id)


def _exactly_once(mapped: _Mapped, there: _There) -> Finding:
    targets = Counter(mapped.stack_ids.values())
    shared = sum(1 for count in targets.values() if count > 1)
    missing = [id_ for id_, stack_id in mapped.stack_ids.items() if stack_id not in there.by_stack_id]
    twins = [id_ for id_ in mapped.stack_ids if there.bearers[id_] > 1]
    if not (shared or missing or twins):
        return passed(
            "users-exactly-once",
            f"Each of the {len(targets):,} mapped users stands in Stack Auth exactly once, and no two share one.",
        )
    parts = []
    if missing:
        parts.append(f"{len(missing):,} mapped users are not in Stack Auth ({_some(missing)})")
    if twins:
        parts.append(f"{len(twins):,} Supabase users are borne by more than one user there ({_some(twins)})")
    if shared:
        parts.append(f"{shared:,} Stack Auth users are mapped more than once")
    mend = "Find out who deleted or copied users in Stack Auth; delete the copies that are not in user-mapping.json."
    return failed("users-exactly-once", "; ".join(parts) + ".", mend)


# -- field by field ---------------------------------------------------------------------------------------------------


class _Comparison:
    def __init__(self) -> None:
        self._compared = self._passwords = 0
        self._missing: list[str] = []
        self._wrong: dict[str, list[str]] = {}
        self._since: dict[str, list[str]] = {}
        self._wrong_users: set[str] = set()
        self._since_users: set[str] = set()

    def compare(self, user: Translation, mapped: _Mapped, there: _There) -> None:
        stack_id = mapped.stack_ids.get(user.id)
        reasons = mapped.reasons.get(user.id, frozenset())
        if stack_id is None or "not-updated" in reasons:
            return
        found = there.by_stack_id.get(stack_id)
        if found is None:
            self._missing.append(user.id)
            return
        self._compared += 1
        self._passwords += stack_id in there.passwords
        expected = _likeness(_expected(user, reasons & _BY_THE_TARGET))
        matched = mapped.outcomes[user.id] == "matched"
        by_field, users = (self._since, self._since_users) if matched else (self._wrong, self._wrong_users)
        for name, was, is_now in zip(_LIKENESS, expected, found, strict=True):
            excused = (name == "oauth_providers" and "identity-added-since" in reasons) or (
                name == "profile_image_url" and _uploaded(user) and is_now != _NONE
            )
            if was != is_now and not excused:
                by_field.setdefault(name, []).append(user.id)
                users.add(user.id)

    def finding(self) -> Finding:
        plain = f"A password hash cannot be read back: of {self._passwords:,} users it is known that there is one."
        if self._missing or self._wrong:
            parts = []
            if self._wrong:
                parts.append(
                    f"{len(self._wrong_users):,} of {self._compared:,} users read back differ: {_fields(self._wrong)}"
                )
            if self._missing:
                parts.append(f"{len(self._missing):,} could not be read back ({_some(self._missing)})")
            return failed("users-read-back", f"{'; '.join(parts)}. {plain}", _MEND)
        if self._since:
            return warned(
                "users-read-back",
                f"{self._compared:,} users were read back. {len(self._since_users):,} from an earlier night differ by "
                f"now: {_fields(self._since)}. All others hold what was exported. {plain}",
                "Nothing, if people have used these accounts since; else look at them in Stack Auth.",
            )
        return passed(
            "users-read-back",
            f"{self._compared:,} users were read back from Stack Auth; every field holds what was exported. {plain}",
        )


def _expected(user: Translation, reasons: frozenset[str]) -> dict[str, Any]:
    """The user as the service should show it."""
    body = adapted(user.body, reasons)
    shown: dict[str, Any] = {
        "primary_email_verified": False,
        "primary_email_auth_enabled": False,
        "otp_auth_enabled": False,
        "is_anonymous": False,
        "restricted_by_admin": False,
        "oauth_providers": [],
        **body,
        "has_password": "password_hash" in body,
    }
    return shown


def _likeness(shown: Mapping[str, Any]) -> tuple[bytes, ...]:
    """One short digest a field, in the order of `_LIKENESS`, in which equal is equal to JavaScript."""
    return tuple(_short(_comparable(name, shown.get(name))) for name in _LIKENESS)


def _comparable(name: str, value: Any) -> Any:
    if name == "oauth_providers":
        return sorted((account["id"], account["account_id"], account.get("email") or "") for account in value)
    if name == "server_metadata" and isinstance(value, dict) and isinstance(value.get(MARKER), dict):
        value = {**value, MARKER: {key: item for key, item in value[MARKER].items() if key not in _OF_THE_RUN}}
    return as_javascript(value, set())


def _short(value: Any) -> bytes:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).digest()[:8]


_NONE = _short(None)


def _uploaded(user: Translation) -> bool:
    """A picture that came whole is stored by the service, under an address of its own making."""
    return str(user.body.get("profile_image_url", "")).startswith("data:")


def _fields(by_field: Mapping[str, list[str]]) -> str:
    return ", ".join(f"{name} {len(ids):,} ({_some(ids)})" for name, ids in sorted(by_field.items()))


def _some(ids: list[str]) -> str:
    more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more
