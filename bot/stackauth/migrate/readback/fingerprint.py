"""Pure: what a user should look like in the service, and in which fields one that is there differs from it.

Of each user a short digest a field is kept, in which equal is equal to JavaScript, so that a million users can be
compared without holding what they are. The numbers in metadata are kept apart, after the digests, since the service may
give them back with fewer digits than it was given: equal to 15 of them is equal.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from bot.stackauth.client.models import User
from bot.stackauth.migrate.requests import reduced
from bot.stackauth.users.metadata import LARGEST, MARKER, as_stored, is_same_number
from bot.stackauth.users.translate import SECOND_FACTOR, Translation

BY_THE_TARGET = frozenset(
    {
        "client-metadata-not-carried",
        "email-moved",
        "email-taken-in-target",
        "identity-moved",
        "identity-taken-in-target",
        "magic-link-off",
        "picture-not-carried",
        "refused-by-target",
        "totp-not-carried",
    }
)
"""Reasons for which less was asked of the service."""
ACCOUNTS_SINCE = frozenset({"identity-added-since", "identity-changed-since", "identity-removed-since"})
"""Reasons that say how the accounts of a user who was there already are others than those exported."""
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
_OF_THE_RUN = {"run", "updatedBy", "reasons", "source", "adoptedBy", "leftOutBy"}
"""What the marker says of nights, not of the user."""
_BYTES = 8
_COUNT = struct.Struct(">I")
_WITH_NUMBERS = ("client_metadata", "server_metadata")
_A_NUMBER = "\0"
"""In a number's place where metadata are digested: no text in a database holds it."""


def fingerprint_of(user: User) -> bytes:
    """`_BYTES` a field, in the order of `FIELDS`; then of each field with numbers how many there are, and they."""
    shown = {name: getattr(user, name) for name in FIELDS}
    shown["oauth_providers"] = [vars(account) for account in user.oauth_providers]
    return _fingerprint(shown)


def expected_fingerprint(user: Translation, reasons: Collection[str]) -> bytes:
    """Of the user as the service should show it."""
    body = reduced(user.body, (BY_THE_TARGET | ACCOUNTS_SINCE).intersection(reasons))
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
    return _fingerprint(shown)


def differing(user: Translation, reasons: Collection[str], found: bytes, *, updated: bool) -> Iterator[str]:
    """The fields in which the user who was found is not the one that was expected. What was never sent is not compared:
    one who was `updated` has the accounts of an earlier night, since a change has none.
    """
    expected = expected_fingerprint(user, reasons)
    numbers_expected, numbers_found = _numbers_in(expected), _numbers_in(found)
    for n, name in enumerate(FIELDS):
        place = slice(n * _BYTES, (n + 1) * _BYTES)
        excused = (name == "oauth_providers" and (updated or not ACCOUNTS_SINCE.isdisjoint(reasons))) or (
            name == "profile_image_url" and _is_uploaded(user) and found[place] != _NONE
        )
        same = expected[place] == found[place] and _are_same(
            numbers_expected.get(name, ()), numbers_found.get(name, ())
        )
        if not same and not excused:
            yield name


def _fingerprint(shown: Mapping[str, Any]) -> bytes:
    digests: list[bytes] = []
    numbers: list[bytes] = []
    for name in FIELDS:
        value = _comparable(name, shown.get(name))
        if name in _WITH_NUMBERS:
            apart: list[float] = []
            value = _without_numbers(value, apart)
            numbers.append(_COUNT.pack(len(apart)) + struct.pack(f">{len(apart)}d", *apart))
        digests.append(_short(value))
    return b"".join(digests + numbers)


def _comparable(name: str, value: Any) -> Any:
    if name == "oauth_providers":
        return sorted((account["id"], account["account_id"], account.get("email") or "") for account in value)
    if name == "server_metadata" and isinstance(value, dict) and isinstance(value.get(MARKER), dict):
        value = {**value, MARKER: {key: item for key, item in value[MARKER].items() if key not in _OF_THE_RUN}}
    return as_stored(value, set())


def _without_numbers(value: Any, apart: list[float]) -> Any:
    """The value with a mark in the place of each number, which goes to `apart`; null where the service may have it."""
    if isinstance(value, dict):
        return {key: _without_numbers(value[key], apart) for key in sorted(value)}
    if isinstance(value, list):
        return [_without_numbers(item, apart) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if abs(value) >= LARGEST:
        return None
    apart.append(float(value))
    return _A_NUMBER


def _numbers_in(fingerprint: bytes) -> dict[str, tuple[float, ...]]:
    """By field."""
    at, found = len(FIELDS) * _BYTES, {}
    for name in _WITH_NUMBERS:
        [count] = _COUNT.unpack_from(fingerprint, at)
        found[name] = struct.unpack_from(f">{count}d", fingerprint, at + _COUNT.size)
        at += _COUNT.size + count * struct.calcsize(">d")
    return found


def _are_same(expected: tuple[float, ...], found: tuple[float, ...]) -> bool:
    return len(expected) == len(found) and all(map(is_same_number, expected, found))


def _short(value: Any) -> bytes:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).digest()[:_BYTES]


_NONE = _short(None)


def _is_uploaded(user: Translation) -> bool:
    """A picture that came whole is stored by the service, under an address of its own making."""
    return str(user.body.get("profile_image_url", "")).startswith("data:")
