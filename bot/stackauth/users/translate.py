"""Pure: an exported user becomes the request that creates it, and the reasons why something stays behind.

The rules.
- The address is trimmed and lower-cased, and verified exactly if `email_confirmed_at` is set (`confirmed_at` would be
  set by a confirmed phone too). It signs in (`primary_email_auth_enabled`) if there is something to sign in with: a
  password, a magic link, or a provider beside a verified address. Never otherwise, so that an address nobody can use
  does not block its owner. No address is ever made up.
- A bcrypt hash goes as it is; NULL and '' both mean "no password"; every other hash stays behind.
- A magic link is switched on for a verified address where no password and no provider goes along.
- Accounts at providers go along where both sides know a person by the same id, and the export has it. One account a
  provider; the one used last stays. Passkeys stay behind. An address or an account that two users claim belongs to one
  of them (`Claims`).
- User metadata becomes client metadata, app metadata becomes server metadata; beside it, under `supabase`, stand the
  marker (Supabase id, run, digest of what was carried) and what the target has no place for: sign-up time, phone,
  refused address, a role other than the ordinary one. What the target would not hold of metadata is taken out before
  (`javascript`).
- Bans become restrictions. Deleted users become empty, restricted users, so that nothing of them is moved on; anonymous
  users stay anonymous; users of a company's single sign-on get no way in. All get a target user, so that references to
  them have a target.

The digest is over everything carried but the run, so that a later night sees whether a user has changed. It covers
the hash; 256 bits of SHA-256 over it tell nothing about it.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.stackauth.users.conflicts import Claims
from bot.stackauth.users.exported import ExportedUser
from bot.stackauth.users.javascript import as_javascript
from bot.stackauth.users.sign_in import WayIn, account_in, is_usable, way_in_of

MARKER = "supabase"
SECOND_FACTOR = "totp_secret_base64"
LONGEST_NAME = 256
"""In UTF-16 units, as JavaScript counts."""
_LONGEST_PICTURE = 1_000_000

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_WEB_ADDRESS = re.compile(rf"https?://({_LABEL}(?:\.{_LABEL})*)(?::(\d{{1,5}}))?(?:[/?#]\S*)?")
_WHOLE_IMAGE = re.compile(r"data:image/(?:png|jpg|jpeg|gif|bmp|webp);base64,[A-Za-z0-9+/]+={0,2}")
_SPEAK_FOR_THEMSELVES = {"phone-only", "sso-user", "anonymous", "deleted", "email-refused", "email-taken-by-another"}


@dataclass(frozen=True, kw_only=True)
class Translation:
    """`body` creates the user. `attentions` are names of `reasons.REASONS`, each once, in the order of their finding.
    `digest` is hex, over all that is carried but the run. `email` is what the mapping shows. `accounts` are all that
    Supabase has for the user at providers of the target, as provider and id, with those that stay behind for another
    that was used later.
    """

    id: str
    body: Mapping[str, Any]
    attentions: tuple[str, ...]
    digest: str
    accounts: frozenset[tuple[str, str]] = frozenset()

    @property
    def email(self) -> str | None:
        email: str | None = self.body.get("primary_email")
        return email


def translate(user: ExportedUser, *, run_id: str, at: datetime, claims: Claims) -> Translation:
    """`at` is the instant of the export: bans that ended before it are over."""
    reasons: dict[str, None] = {}
    body: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    accounts: set[tuple[str, str]] = set()
    if user.row.get("deleted_at") is not None:
        reasons["deleted"] = None
        body |= {"restricted_by_admin": True, "restricted_by_admin_reason": "Deleted in Supabase"}
        body["server_metadata"] = {MARKER: _marker(user)}
    else:
        accounts = {account_in(identity) for identity in user.identities if is_usable(identity)}
        accounts = {account for account in accounts if claims.give_account(*account, user.id)}
        _sign_in(user, claims, body, kept, reasons)
        _ban(user, at, body, reasons)
        _profile(user, body, reasons)
        _metadata(user, body, kept, reasons)
    digest = _digest(body)
    body["server_metadata"][MARKER] |= {"run": run_id, "digest": digest}
    found = tuple(reasons)
    return Translation(id=user.id, body=body, attentions=found, digest=digest, accounts=frozenset(accounts))


# -- signing in -------------------------------------------------------------------------------------------------------


def _sign_in(
    user: ExportedUser, claims: Claims, body: dict[str, Any], kept: dict[str, Any], reasons: dict[str, None]
) -> None:
    row, way_in = user.row, way_in_of(user)
    by_email = way_in.by_email
    if row.get("is_anonymous"):
        reasons["anonymous"] = None
        body["is_anonymous"] = True
    if row.get("is_sso_user"):
        reasons["sso-user"] = None
    accounts = _carried_accounts(user, way_in, claims, reasons)
    email = way_in.address
    if email is not None:
        if by_email and not claims.give_address(email, user.id):
            reasons["email-taken-by-another"] = None
            by_email = False
        body["primary_email"] = email
        body["primary_email_verified"] = way_in.verified
        body["primary_email_auth_enabled"] = by_email
        if by_email and way_in.verified and way_in.password is None and not accounts:
            body["otp_auth_enabled"] = True
    elif (row.get("email") or "").strip():
        reasons["email-refused"] = None
        kept["email"] = row["email"]
    if row.get("phone"):
        kept["phone"] = row["phone"]
        reasons["phone-not-carried" if row.get("email") or accounts else "phone-only"] = None
    if way_in.password is not None:
        body["password_hash"] = way_in.password
    elif row.get("encrypted_password"):
        reasons["hash-not-bcrypt"] = None
    if accounts:
        body["oauth_providers"] = accounts
    _other_ways(user, body, reasons)
    if not by_email and not accounts and not reasons.keys() & _SPEAK_FOR_THEMSELVES:
        reasons["no-sign-in-method"] = None


def _carried_accounts(
    user: ExportedUser, way_in: WayIn, claims: Claims, reasons: dict[str, None]
) -> list[dict[str, str]]:
    identities = [i for i in user.identities if i["provider"] not in {"email", "phone"}]
    lost = [i["provider"] for i in identities if not is_usable(i)]
    if any(not (user.row.get("is_sso_user") and name.startswith("sso:")) for name in lost):
        reasons["identity-not-carried"] = None
    accounts = way_in.accounts
    usable = [i for i in identities if is_usable(i)]
    if len(usable) > len(accounts):
        reasons["second-identity-not-carried"] = None
    carried = [a for a in accounts.values() if claims.give_account(a["id"], a["account_id"], user.id)]
    if len(carried) < len(accounts):
        reasons["identity-taken-by-another"] = None
    return sorted(carried, key=lambda account: account["id"])


def _other_ways(user: ExportedUser, body: dict[str, Any], reasons: dict[str, None]) -> None:
    """Second factors, and passkeys, which stay behind."""
    if (secret := _totp(user, reasons)) is not None:
        body[SECOND_FACTOR] = secret
    if user.passkeys:
        reasons["passkey-not-carried"] = None


def _totp(user: ExportedUser, reasons: dict[str, None]) -> str | None:
    """The secret of the authenticator app, in base64; of several apps the one used last."""
    verified = [factor for factor in user.factors if factor.get("status") == "verified"]
    if any(factor.get("factor_type") != "totp" for factor in verified):
        reasons["second-factor-not-carried"] = None
    apps = [factor for factor in verified if factor.get("factor_type") == "totp"]
    if not apps:
        return None
    last = max(apps, key=lambda app: (str(app.get("last_challenged_at") or ""), str(app.get("updated_at") or "")))
    secret = _from_base32(last.get("secret"))
    if secret is None:
        reasons["totp-not-carried"] = None
    elif len(apps) > 1:
        reasons["second-totp-not-carried"] = None
    return secret


def _from_base32(secret: object) -> str | None:
    """None for what is no base32, as when the database keeps secrets encrypted."""
    if not isinstance(secret, str) or not secret:
        return None
    try:
        plain = base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
    except ValueError:
        return None
    return base64.b64encode(plain).decode() if plain else None


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


# -- the profile ------------------------------------------------------------------------------------------------------


def _profile(user: ExportedUser, body: dict[str, Any], reasons: dict[str, None]) -> None:
    metadata = user.row.get("raw_user_meta_data")
    if not isinstance(metadata, dict):
        return
    if name := _first_text(metadata, ("display_name", "full_name", "name", "user_name", "preferred_username")):
        body["display_name"] = _cut(name)
        if body["display_name"] != name:
            reasons["display-name-cut"] = None
    if picture := _first_text(metadata, ("avatar_url", "picture")):
        if _is_picture(picture):
            body["profile_image_url"] = picture
        else:
            reasons["picture-not-carried"] = None


def _first_text(metadata: Mapping[str, Any], keys: Iterable[str]) -> str:
    values = (metadata.get(key) for key in keys)
    return next((value.strip() for value in values if isinstance(value, str) and value.strip()), "")


def _cut(name: str) -> str:
    units = name.encode("utf-16-le")
    return name if len(units) <= 2 * LONGEST_NAME else units[: 2 * LONGEST_NAME].decode("utf-16-le", errors="ignore")


def _is_picture(address: str) -> bool:
    if len(address) > _LONGEST_PICTURE:
        return False
    if _WHOLE_IMAGE.fullmatch(address):
        return True
    if (web := _WEB_ADDRESS.fullmatch(address)) is None or int(web.group(2) or 0) > 65535:
        return False
    host = web.group(1)
    if not host.rpartition(".")[2].isdigit():
        return not any(label.lower().startswith("xn--") for label in host.split("."))
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


# -- metadata ---------------------------------------------------------------------------------------------------------


def _metadata(user: ExportedUser, body: dict[str, Any], kept: dict[str, Any], reasons: dict[str, None]) -> None:
    row = user.row
    marker = _marker(user) | kept
    if row.get("role") not in {None, "", "authenticated"}:
        marker["role"] = row["role"]
    if row.get("is_super_admin"):
        marker["superAdmin"] = True
    losses: set[str] = {"metadata-cut"} if user.cut else set()
    if row.get("raw_user_meta_data") is not None:
        body["client_metadata"] = as_javascript(row["raw_user_meta_data"], losses)
    app = as_javascript(row.get("raw_app_meta_data"), losses)
    if app is None or (isinstance(app, dict) and MARKER not in app):
        body["server_metadata"] = {**(app or {}), MARKER: marker}
    else:
        reasons["app-metadata-moved"] = None
        body["server_metadata"] = {MARKER: {**marker, "appMetadata": app}}
    reasons.update(dict.fromkeys(sorted(losses)))


def _digest(body: Mapping[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _marker(user: ExportedUser) -> dict[str, Any]:
    return {"id": user.id, "createdAt": user.row.get("created_at")}


# -- what the target had to say to it ---------------------------------------------------------------------------------

_DISPENSABLE = {"picture-not-carried": "profile_image_url", "client-metadata-not-carried": "client_metadata"}
"""The reason -> what people write themselves and the service may fail over, though all else of the user is well."""

ADDRESS_TAKEN = frozenset({"email-taken-in-target", "email-moved"})
"""Reasons with which an address is carried, but not for signing in."""
_WITHOUT_ACCOUNTS = frozenset({"identity-taken-in-target", "identity-moved", "identity-added-since"})
"""Reasons with which a request carries no accounts: then a verified address without a password gets the magic link."""


def dispensable(body: Mapping[str, Any]) -> set[str]:
    """The reasons with which the same user is tried once more, with all that people sign in with, before an empty one
    is made.
    """
    return {reason for reason, name in _DISPENSABLE.items() if body.get(name)}


def adapted(body: Mapping[str, Any], reasons: Collection[str]) -> dict[str, Any]:
    """The request that is left when the target had these reasons against the whole one; they stand in its marker, so
    that a reader of the list alone knows them. With none it is the request itself.
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
    for reason, name in _DISPENSABLE.items():
        if reason in reasons:
            left.pop(name, None)
    return marked_with(left, reasons=sorted(reasons)) if reasons else left


def _signs_in_by_nothing_else(body: Mapping[str, Any]) -> bool:
    """Than by its address, which is verified."""
    by_email = body.get("primary_email_verified") and body.get("primary_email_auth_enabled")
    return bool(by_email) and "password_hash" not in body


def unfinished(body: Mapping[str, Any]) -> dict[str, Any]:
    """The first request for a user. A second factor is demanded only when a change carries it; until then the marker
    has no digest, and whoever finds the user after a crash brings it up to date.
    """
    if SECOND_FACTOR not in body:
        return dict(body)
    return marked_with({key: value for key, value in body.items() if key != SECOND_FACTOR}, digest="")


def marked_with(body: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """The request with more in its marker."""
    metadata = body["server_metadata"]
    return {**body, "server_metadata": {**metadata, MARKER: {**metadata[MARKER], **fields}}}
