"""Pure: what a user should look like in the service, and in which fields one that is there differs from it.

Of each user a short digest a field is kept, in which equal is equal to JavaScript, so that a million users can be
compared without holding what they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from bot.stackauth.people.translate import MARKER, SECOND_FACTOR, Translation, adapted, as_javascript
from bot.stackauth.service.api import User

BY_THE_TARGET = frozenset(
    {
        "email-taken-in-target",
        "identity-taken-in-target",
        "magic-link-off",
        "refused-by-target",
        "totp-not-carried",
    }
)
"""Reasons for which less was asked of the service."""
FIELDS = (
    "primary_email",
    "primary_email_verified",
    "primary_email_auth_enabled",
    "otp_auth_enabled",
    "has_password",
    "requires_totp_mfa",
    "oauth_providers",
    "display_name",
    "profile_image_url",
    "client_metadata",
    "server_metadata",
    "is_anonymous",
    "restricted_by_admin",
    "restricted_by_admin_reason",
)
_OF_THE_RUN = {"run", "updatedBy", "reasons"}
"""What the marker says of nights, not of the user."""
_BYTES = 8


def likeness_of(user: User) -> bytes:
    """`_BYTES` a field, in the order of `FIELDS`."""
    return _likeness(user.model_dump())


def likeness_wanted(user: Translation, reasons: Collection[str]) -> bytes:
    """Of the user as the service should show it."""
    body = adapted(user.body, BY_THE_TARGET.intersection(reasons))
    shown: dict[str, Any] = {
        "primary_email_verified": False,
        "primary_email_auth_enabled": False,
        "otp_auth_enabled": False,
        "is_anonymous": False,
        "restricted_by_admin": False,
        "oauth_providers": [],
        **body,
        "has_password": "password_hash" in body,
        "requires_totp_mfa": SECOND_FACTOR in body,
    }
    return _likeness(shown)


def differing(user: Translation, reasons: Collection[str], found: bytes) -> Iterator[str]:
    """The fields in which the user who was found is not the one that was wanted."""
    wanted = likeness_wanted(user, reasons)
    for n, name in enumerate(FIELDS):
        place = slice(n * _BYTES, (n + 1) * _BYTES)
        excused = (name == "oauth_providers" and "identity-added-since" in reasons) or (
            name == "profile_image_url" and _is_uploaded(user) and found[place] != _NONE
        )
        if wanted[place] != found[place] and not excused:
            yield name


def _likeness(shown: Mapping[str, Any]) -> bytes:
    return b"".join(_short(_comparable(name, shown.get(name))) for name in FIELDS)


def _comparable(name: str, value: Any) -> Any:
    if name == "oauth_providers":
        return sorted((account["id"], account["account_id"], account.get("email") or "") for account in value)
    if name == "server_metadata" and isinstance(value, dict) and isinstance(value.get(MARKER), dict):
        value = {**value, MARKER: {key: item for key, item in value[MARKER].items() if key not in _OF_THE_RUN}}
    return as_javascript(value, set())


def _short(value: Any) -> bytes:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).digest()[:_BYTES]


_NONE = _short(None)


def _is_uploaded(user: Translation) -> bool:
    """A picture that came whole is stored by the service, under an address of its own making."""
    return str(user.body.get("profile_image_url", "")).startswith("data:")
