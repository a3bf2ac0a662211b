"""Pure: the requests that make a translated user a user of the service.

first_request     creates the user
update_request    brings one up to date who is there
reduced           what is left of either when the service had reasons against the complete one
address_release   takes the sign-in from an address that another user has now
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bot.stackauth.client.models import User
from bot.stackauth.users.metadata import MARKER, marker_in, with_marker
from bot.stackauth.users.translate import SECOND_FACTOR

ADOPTED_BY, LEFT_OUT_BY = "adoptedBy", "leftOutBy"
"""Keys of the marker; see `adoption`."""
_KEPT = (ADOPTED_BY, LEFT_OUT_BY)
"""What a change leaves in the marker as it is."""
_CLEARED: Mapping[str, Any] = {
    "primary_email": None,
    "display_name": None,
    "profile_image_url": None,
    "client_metadata": None,
    "otp_auth_enabled": False,
    "restricted_by_admin": False,
}
_DROPPABLE = {"picture-not-carried": "profile_image_url", "client-metadata-not-carried": "client_metadata"}
"""The reason -> what people write themselves and the service may fail over, though all else of the user is well."""

ADDRESS_TAKEN = frozenset({"email-taken-in-target", "email-moved"})
"""Reasons with which the address is migrated, but not for signing in."""
_WITHOUT_ACCOUNTS = frozenset({"identity-taken-in-target", "identity-moved", "identity-added-since"})
"""Reasons with which a request has no accounts: then a verified address without a password gets the magic link."""


def first_request(body: Mapping[str, Any]) -> dict[str, Any]:
    """The first request for a user. A second factor is demanded only when a change has it; until then the marker
    has no digest, and whoever finds the user after a crash brings it up to date.
    """
    if SECOND_FACTOR not in body:
        return dict(body)
    return with_marker({key: value for key, value in body.items() if key != SECOND_FACTOR}, digest="")


def update_request(body: Mapping[str, Any], before: User, *, first_run: str, this_run: str) -> dict[str, Any] | None:
    """The request that makes the user what `body` would create; None when no request can. What is gone is
    cleared; accounts at providers are left alone, since a change cannot have them. The marker keeps the run that
    created the user, and whose it has become.
    """
    kept = {key: value for key, value in (marker_in(before.server_metadata) or {}).items() if key in _KEPT}
    change = {**_CLEARED, **with_marker(body, run=first_run, updatedBy=this_run, **kept)}
    change.pop("oauth_providers", None)
    if before.requires_totp_mfa:
        change.setdefault(SECOND_FACTOR, None)
    if change.pop("is_anonymous", False) is not before.is_anonymous:
        if not before.is_anonymous:
            return None
        change["is_anonymous"] = False
    if "password_hash" not in body:
        if before.has_password:
            change["password"] = None
    elif not before.has_password and change["primary_email"] is None:
        return None  # the service fails over a first password without an address
    return change


def droppable(body: Mapping[str, Any]) -> set[str]:
    """The reasons with which the same user is tried once more, with all that people sign in with, before an empty user
    takes its place.
    """
    return {reason for reason, name in _DROPPABLE.items() if body.get(name)}


def reduced(body: Mapping[str, Any], reasons: Collection[str]) -> dict[str, Any]:
    """The request without what these reasons are about. They are in its marker, so that a reader of the list alone
    knows them. With no reasons it is the request itself.
    """
    left = dict(body)
    if "refused-by-target" in reasons:
        left = {k: v for k, v in body.items() if k in {"is_anonymous", "restricted_by_admin"}}
        kept = body["server_metadata"][MARKER]
        left["server_metadata"] = {MARKER: {k: kept[k] for k in ("id", "createdAt", "run", "digest")}}
    if not _WITHOUT_ACCOUNTS.isdisjoint(reasons):
        left.pop("oauth_providers", None)
        if _signs_in_by_nothing_else(left):
            left["otp_auth_enabled"] = True
    if "primary_email" in left and not ADDRESS_TAKEN.isdisjoint(reasons):
        left["primary_email_auth_enabled"] = False
        left.pop("otp_auth_enabled", None)
    if "magic-link-off" in reasons:
        left.pop("otp_auth_enabled", None)
    if "totp-not-carried" in reasons:
        left.pop(SECOND_FACTOR, None)
    for reason, name in _DROPPABLE.items():
        if reason in reasons:
            left.pop(name, None)
    return with_marker(left, reasons=sorted(reasons)) if reasons else left


def _signs_in_by_nothing_else(body: Mapping[str, Any]) -> bool:
    """Than by its address, which is verified."""
    by_email = body.get("primary_email_verified") and body.get("primary_email_auth_enabled")
    return bool(by_email) and "password_hash" not in body


def address_release(before: User) -> dict[str, Any]:
    """Its marker has no digest, so that whoever finds the user after a crash brings it up to date."""
    change: dict[str, Any] = {"primary_email_auth_enabled": False}
    if marker_in(before.server_metadata) is None:
        return change
    return with_marker({**change, "server_metadata": before.server_metadata}, digest="")
