"""Pure: what an exported user can sign in with at the target: an address, a password, accounts at providers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.stackauth.users.exported import ExportedUser

PROVIDERS: Mapping[str, str] = {
    "apple": "apple",
    "discord": "discord",
    "facebook": "facebook",
    "github": "github",
    "gitlab": "gitlab",
    "google": "google",
    "linkedin": "linkedin",
    "linkedin_oidc": "linkedin",
    "spotify": "spotify",
    "twitch": "twitch",
    "twitter": "x",
    "x": "x",
}
"""Supabase's provider -> Stack Auth's, where both take the same id of a person at the provider. Azure and Bitbucket are
not here because they do not: their people would become strangers."""


_BCRYPT = re.compile(r"\$2[aby]\$(?:0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_EMAIL = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*")


@dataclass(frozen=True, kw_only=True)
class SignInMethods:
    """What the user can sign in with. `address` is as the target holds it, `accounts` are by the target's provider;
    `by_email` says that the address signs in, once the user has it.
    """

    address: str | None
    verified: bool
    accounts: Mapping[str, dict[str, str]]
    password: str | None
    magic_link: bool
    by_email: bool


def sign_in_methods_of(user: ExportedUser) -> SignInMethods:
    row = user.row
    closed = bool(row.get("is_sso_user")) or bool(row.get("is_anonymous"))
    given = row.get("encrypted_password") or None
    password = given if isinstance(given, str) and _BCRYPT.fullmatch(given) else None
    address, accounts = _address_of(user), _accounts_of(user)
    verified = row.get("email_confirmed_at") is not None
    has_email = address is not None and not closed
    return SignInMethods(
        address=address,
        verified=verified,
        accounts=accounts,
        password=password,
        magic_link=has_email and verified and password is None and not accounts,
        by_email=has_email and (password is not None or verified),
    )


def _address_of(user: ExportedUser) -> str | None:
    """The address as the target holds it; None where there is none or the target takes none of this form."""
    given = user.row.get("email")
    if not isinstance(given, str) or not given.isascii():
        return None
    email = given.strip().lower()
    return email if _EMAIL.fullmatch(email) else None


def _accounts_of(user: ExportedUser) -> dict[str, dict[str, str]]:
    """By the target's provider, the account used last: what may be migrated if nobody else has it. An account without
    the provider's id of the person is nobody's.
    """
    found: dict[str, tuple[tuple[str, str], dict[str, str]]] = {}
    for identity in user.identities:
        if not is_usable(identity):
            continue
        provider, account_id = account_in(identity)
        account = {"id": provider, "account_id": account_id}
        data = identity.get("identity_data")
        if isinstance(data, dict) and isinstance(data.get("email"), str) and data["email"]:
            account["email"] = data["email"]
        rank = (_last_used(identity), str(identity.get("id") or ""))
        if provider not in found or rank > found[provider][0]:
            found[provider] = (rank, account)
    return {provider: account for provider, (_, account) in found.items()}


def is_usable(identity: Mapping[str, Any]) -> bool:
    """The target has the provider, and the export the provider's id of the person."""
    return identity["provider"] in PROVIDERS and bool(str(identity.get("provider_id") or "").strip())


def account_in(identity: Mapping[str, Any]) -> tuple[str, str]:
    """Of a usable identity: the target's provider, and the person's id there."""
    return PROVIDERS[identity["provider"]], str(identity["provider_id"])


def _last_used(identity: Mapping[str, Any]) -> str:
    """Supabase sets `last_sign_in_at` when an account is linked and never again; each sign-in moves `updated_at`."""
    return max(str(identity.get("last_sign_in_at") or ""), str(identity.get("updated_at") or ""))
