"""Pure: the request that brings a user who is there up to date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.stackauth.client.api import User
from bot.stackauth.migrate.existing import ADOPTED_BY, LEFT_OUT_BY
from bot.stackauth.users.translate import MARKER, SECOND_FACTOR, marked_with

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


def change_of(body: Mapping[str, Any], before: User, *, first_run: str, this_run: str) -> dict[str, Any] | None:
    """The request that makes the user what `body` would have created; None when no request can. What is gone is
    cleared; accounts at providers are left alone, since a change cannot carry them. The marker keeps the run that
    created the user, and whose it has become.
    """
    kept = {key: value for key, value in _marker_in(before).items() if key in _KEPT}
    change = {**_CLEARED, **marked_with(body, run=first_run, updatedBy=this_run, **kept)}
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


def _marker_in(user: User) -> Mapping[str, Any]:
    metadata = user.server_metadata
    marker = metadata.get(MARKER) if isinstance(metadata, dict) else None
    return marker if isinstance(marker, dict) else {}
