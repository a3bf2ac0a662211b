"""Pure: an exported user becomes the request that creates it, and the reasons why something stays behind.

The rules.
- The address is trimmed and lower-cased, and verified exactly if `email_confirmed_at` is set (`confirmed_at` would be
  set by a confirmed phone too). It signs in (`primary_email_auth_enabled`) if there is something to sign in with: a
  password, a magic link, or a provider beside a verified address. Never otherwise, so that an address nobody can use
  does not block its owner. No address is ever made up.
- A bcrypt hash goes as it is; NULL and '' both mean "no password"; every other hash stays behind.
- A magic link is switched on for a verified address where no password and no provider goes along.
- Accounts at providers go along where both sides know a person by the same id, and the export has it. One account a
  provider; the one used last stays. Passkeys stay behind. An address or an account that two users have belongs to one
  of them (`conflicts`).
- Name, picture and metadata: `profile`, `metadata`.
- Bans become restrictions. Deleted users become empty, restricted users, so that nothing of them is migrated; anonymous
  users stay anonymous; users of a company's single sign-on get no sign-in method. All get a target user, so that
  references to them have a target.

The digest is over everything migrated but the run, so that a later night sees whether a user has changed. It covers the
hash; 256 bits of SHA-256 over it tell nothing about it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.stackauth.users.conflicts import Conflicts
from bot.stackauth.users.exported import Bundle, ExportedUser
from bot.stackauth.users.metadata import MARKER, add_metadata, new_marker
from bot.stackauth.users.profile import add_profile
from bot.stackauth.users.second_factor import totp_secret
from bot.stackauth.users.sign_in import SignInMethods, account_in, is_usable, sign_in_methods_of

SECOND_FACTOR = "totp_secret_base64"
_SPEAK_FOR_THEMSELVES = {"phone-only", "sso-user", "anonymous", "deleted", "email-refused", "email-taken-by-another"}


@dataclass(frozen=True, kw_only=True)
class Translation:
    """`body` creates the user. `reasons` are names of `reasons.REASONS`, each once, in the order of their finding.
    `digest` is hex, over all that is migrated but the run. `email` is what the mapping shows. `accounts` are all that
    Supabase has for the user at providers of the target, as provider and id, with those that stay behind for another
    that was used later.
    """

    id: str
    body: Mapping[str, Any]
    reasons: tuple[str, ...]
    digest: str
    accounts: frozenset[tuple[str, str]] = frozenset()
    address: str | None = None
    """As Supabase has it, whether or not it is migrated: how people find the user again."""

    @property
    def email(self) -> str | None:
        email: str | None = self.body.get("primary_email")
        return email


def translate(user: ExportedUser, *, run_id: str, at: datetime, conflicts: Conflicts) -> Translation:
    """`at` is the instant of the export: bans that ended before it are over."""
    reasons: dict[str, None] = {}
    body: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    accounts: set[tuple[str, str]] = set()
    if user.row.get("deleted_at") is not None:
        reasons["deleted"] = None
        body |= {"restricted_by_admin": True, "restricted_by_admin_reason": "Deleted in Supabase"}
        body["server_metadata"] = {MARKER: new_marker(user)}
    else:
        if user.unread:
            reasons["sign-in-data-unread"] = None
        accounts = {account_in(identity) for identity in user.identities if is_usable(identity)}
        accounts = {account for account in accounts if conflicts.account_is_of(*account, user.id)}
        _sign_in(user, conflicts, body, kept, reasons)
        _ban(user, at, body, reasons)
        add_profile(user, body, reasons)
        add_metadata(user, body, kept, reasons)
    digest = _digest(body)
    body["server_metadata"][MARKER] |= {"run": run_id, "digest": digest}
    found = tuple(reasons)
    address = user.row.get("email")
    return Translation(
        id=user.id,
        body=body,
        reasons=found,
        digest=digest,
        accounts=frozenset(accounts),
        address=address if isinstance(address, str) and address.strip() else None,
    )


def translate_all(
    bundle: Bundle, conflicts: Conflicts, run_id: str, only: Callable[[str], bool] = lambda user_id: True
) -> Iterator[Translation]:
    """Everybody in the bundle whom `only` names by Supabase id, in the order of the file."""
    at, users = bundle.metadata.exported_at, bundle.users()
    return (translate(user, run_id=run_id, at=at, conflicts=conflicts) for user in users if only(user.id))


# -- signing in -------------------------------------------------------------------------------------------------------


def _sign_in(
    user: ExportedUser, conflicts: Conflicts, body: dict[str, Any], kept: dict[str, Any], reasons: dict[str, None]
) -> None:
    row, methods = user.row, sign_in_methods_of(user)
    by_email = methods.by_email
    if row.get("is_anonymous"):
        reasons["anonymous"] = None
        body["is_anonymous"] = True
    if row.get("is_sso_user"):
        reasons["sso-user"] = None
    accounts = _migrated_accounts(user, methods, conflicts, reasons)
    email = methods.address
    if email is not None:
        if by_email and not conflicts.address_is_of(email, user.id):
            reasons["email-taken-by-another"] = None
            by_email = False
        body["primary_email"] = email
        body["primary_email_verified"] = methods.verified
        body["primary_email_auth_enabled"] = by_email
        if by_email and methods.verified and methods.password is None and not accounts:
            body["otp_auth_enabled"] = True
    elif (row.get("email") or "").strip():
        reasons["email-refused"] = None
        kept["email"] = row["email"]
    if row.get("phone"):
        kept["phone"] = row["phone"]
        reasons["phone-not-carried" if row.get("email") or accounts else "phone-only"] = None
    if methods.password is not None:
        body["password_hash"] = methods.password
    elif row.get("encrypted_password"):
        reasons["hash-not-bcrypt"] = None
    if accounts:
        body["oauth_providers"] = accounts
    _other_ways(user, body, reasons)
    if not by_email and not accounts and not reasons.keys() & _SPEAK_FOR_THEMSELVES:
        reasons["no-sign-in-method"] = None


def _migrated_accounts(
    user: ExportedUser, methods: SignInMethods, conflicts: Conflicts, reasons: dict[str, None]
) -> list[dict[str, str]]:
    identities = [i for i in user.identities if i["provider"] not in {"email", "phone"}]
    lost = [i["provider"] for i in identities if not is_usable(i)]
    if any(not (user.row.get("is_sso_user") and name.startswith("sso:")) for name in lost):
        reasons["identity-not-carried"] = None
    accounts = methods.accounts
    usable = [i for i in identities if is_usable(i)]
    if len(usable) > len(accounts):
        reasons["second-identity-not-carried"] = None
    migrated = [a for a in accounts.values() if conflicts.account_is_of(a["id"], a["account_id"], user.id)]
    if len(migrated) < len(accounts):
        reasons["identity-taken-by-another"] = None
    return sorted(migrated, key=lambda account: account["id"])


def _other_ways(user: ExportedUser, body: dict[str, Any], reasons: dict[str, None]) -> None:
    """Second factors, and passkeys, which stay behind."""
    if (secret := totp_secret(user, reasons)) is not None:
        body[SECOND_FACTOR] = secret
    if user.passkeys:
        reasons["passkey-not-carried"] = None


def _ban(user: ExportedUser, at: datetime, body: dict[str, Any], reasons: dict[str, None]) -> None:
    until = user.row.get("banned_until")
    if isinstance(until, str) and _is_later(until, at):
        reasons["banned"] = None
        body |= {"restricted_by_admin": True, "restricted_by_admin_reason": f"Banned in Supabase until {until}"}


def _is_later(timestamp: str, at: datetime) -> bool:
    """PostgreSQL's timestamps reach further than Python's: infinity, years before Christ and after 9999."""
    if timestamp.endswith("BC") or timestamp.startswith("-"):
        return False
    try:
        time = datetime.fromisoformat(timestamp)
    except ValueError:
        return True
    return (time if time.tzinfo else time.replace(tzinfo=UTC)) > at


def _digest(body: Mapping[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
