"""An exported user beside the one in the service that the mapping names, and what may be lost of metadata."""

import base64
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot.rehearsal.standins.stackauth.users import StoredUser
from tests.users.random_people import Nested, Person, as_json

SAME_PERSON = {
    **{name: name for name in ("apple", "discord", "facebook", "github", "gitlab", "google", "linkedin", "spotify")},
    **{"linkedin_oidc": "linkedin", "twitch": "twitch", "twitter": "x", "x": "x"},
}
"""Supabase's provider -> Stack Auth's, where both know a person by the same id."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An exported user beside the one in the service that the mapping names."""

    person: Person
    stored: StoredUser
    reasons: frozenset[str]

    @property
    def address(self) -> str | None:
        given = self.person.row["email"]
        return given.strip().lower() if given else None

    @property
    def accounts(self) -> set[tuple[str, str]]:
        """Of Supabase, by Stack Auth's names."""
        return {account for row in self.person.identities if (account := account_in(row)) is not None}

    @property
    def held(self) -> set[tuple[str, str]]:
        return {(account.provider, account.account_id) for account in self.stored.oauth_identities}

    @property
    def apps(self) -> list[dict[str, Any]]:
        return [f for f in self.person.factors if (f["factor_type"], f["status"]) == ("totp", "verified")]

    @property
    def signs_in_by_address(self) -> bool:
        return any(channel.used_for_auth and channel.value == self.address for channel in self.stored.channels)


def account_in(identity: dict[str, Any]) -> tuple[str, str] | None:
    """None for what the service could not recognise anybody by."""
    provider, account = SAME_PERSON.get(identity["provider"]), str(identity["provider_id"] or "")
    return (provider, account) if provider and account.strip() else None


def borne(user: StoredUser) -> str:
    """The Supabase id of a user of ours; "" of somebody else."""
    marker = user.server_metadata.get("supabase") if isinstance(user.server_metadata, dict) else None
    return str(marker["id"]) if isinstance(marker, dict) else ""


def email_in(identity: dict[str, Any]) -> str:
    data = identity["identity_data"]
    given = data.get("email") if isinstance(data, dict) else None
    return given if isinstance(given, str) else ""


def from_base32(secret: str | None) -> str | None:
    try:
        return base64.b64encode(base64.b32decode((secret or "").upper())).decode()
    except ValueError:
        return None


# -- metadata ---------------------------------------------------------------------------------------------------------

_SURELY_KEPT = 95
_NEVER_KEPT = 124


def differences(given: Any, found: Any, losses: set[str], where: str, depth: int = 1) -> Iterator[str]:
    """What the service holds otherwise than it may; what it may lose goes to `losses`, by its reason."""
    match given:
        case Nested(levels):
            yield from _depth_differs(levels, found, losses, where, depth)
        case dict():
            if "__proto__" in given:
                losses.add("metadata-cut")
            if not isinstance(found, dict) or found.keys() != given.keys() - {"__proto__"}:
                yield f"{where} has other keys: {found!r:.100}"
                return
            for key in found:
                yield from differences(given[key], found[key], losses, f"{where}.{key}", depth + 1)
        case list():
            if not isinstance(found, list) or len(found) != len(given):
                yield f"{where} is no such list: {found!r:.100}"
                return
            for n, item in enumerate(given):
                yield from differences(item, found[n], losses, f"{where}[{n}]", depth + 1)
        case bool() | str() | None:
            if given != found or type(given) is not type(found):
                yield f"{where} is {found!r:.100}"
        case _:
            yield from _number_differs(Decimal(as_json(given)), found, losses, where)


def _depth_differs(levels: int, found: Any, losses: set[str], where: str, depth: int) -> Iterator[str]:
    kept = 0
    while isinstance(found, list):
        kept, found = kept + 1, found[0] if found else None
    if kept + depth >= _NEVER_KEPT or kept < min(levels, _SURELY_KEPT - depth):
        yield f"{where} has {kept} of {levels} levels"
    if kept < levels:
        losses.add("metadata-cut")


def _number_differs(given: Decimal, found: Any, losses: set[str], where: str) -> Iterator[str]:
    if found is None and abs(given) >= Decimal("1e308"):
        losses.add("metadata-rounded")
    elif isinstance(found, bool) or not isinstance(found, int | float):
        yield f"{where} is {found!r:.100} for {given}"
    elif Decimal(repr(found)) != given:
        losses.add("metadata-rounded")
        if not math.isclose(found, float(given), rel_tol=5e-15, abs_tol=1e-300):
            yield f"{where} is {found} for {given}"


def is_cut(row: dict[str, Any]) -> bool:
    """Whether something in the metadata is as the service does not hold it: a key of JavaScript's own, or depths."""
    text = as_json([row["raw_user_meta_data"], row["raw_app_meta_data"]])
    return "__proto__" in text or "[" * _SURELY_KEPT in text
