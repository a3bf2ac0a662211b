"""One user as the service keeps it, and what a create or a change makes of it.

`new_user` and `changed_user` are pure: they take a body that passed the schema and return a user that is not yet
stored, or refuse. Their order of checks is the service's, because a client that sends two mistakes sees the first.
What only the whole set of users can tell (duplicates) is asked of the two questions handed in.
"""

import copy
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from .access import Generation
from .answers import Breakdown, Json, JsonObject, known_error, plain_refusal
from .metadata import kept
from .schema import is_bcrypt_hash

LONGEST_HASHABLE_PASSWORD = 71
_IMAGE_UPLOAD = re.compile(r"data:image/([a-z]+);base64,")
_WHOLE_IMAGE = re.compile(r"data:image/(?:png|jpg|jpeg|gif|bmp|webp);base64,[A-Za-z0-9+/]+={0,2}")
# What PostgreSQL can store in no text and no jsonb: NUL, and half a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class ProjectSettings:
    """How the project is set up; the words are the ones of its dashboard."""

    project_id: str
    generation: Generation
    password_enabled: bool
    otp_enabled: bool
    oauth_providers: Collection[str]
    require_email_verification: bool
    stores_pictures: bool = True
    """Whether there is a place for pictures that come whole; the hosted service has one."""
    personal_teams: bool = False
    """Whether each new user gets a team, which outlives the user. No answer to a server's key says so."""

    def as_json(self) -> JsonObject:
        """The project as clients and servers may see it."""
        return {
            "id": self.project_id,
            "display_name": "A project",
            "config": {
                "sign_up_enabled": True,
                "credential_enabled": self.password_enabled,
                "magic_link_enabled": self.otp_enabled,
                "passkey_enabled": False,
                "client_team_creation_enabled": False,
                "client_user_deletion_enabled": False,
                "allow_user_api_keys": False,
                "allow_team_api_keys": False,
                "enabled_oauth_providers": [{"id": provider} for provider in sorted(self.oauth_providers)],
            },
        }


@dataclass(kw_only=True)
class Channel:
    """One e-mail address of a user; the service keeps former primary addresses as non-primary ones."""

    value: str
    verified: bool
    primary: bool
    used_for_auth: bool


@dataclass(frozen=True, kw_only=True)
class OauthIdentity:
    provider: str
    account_id: str
    email: str | None


@dataclass(frozen=True, kw_only=True)
class Team:
    id: str
    display_name: str
    created_at_millis: int

    def as_json(self) -> JsonObject:
        return {
            "id": self.id,
            "display_name": self.display_name,
            "profile_image_url": None,
            "client_metadata": None,
            "client_read_only_metadata": None,
            "created_at_millis": self.created_at_millis,
            "server_metadata": None,
        }


@dataclass(kw_only=True)
class StoredUser:
    """All that the service holds, including what it never shows: `password_hash`, `password` and `totp_secret_base64`.

    `password` is a password that came plain and stays plain here, since no hash is computed. Times are milliseconds
    since 1970 UTC.
    """

    id: str
    signed_up_at_millis: int
    last_active_at_millis: int
    channels: list[Channel] = field(default_factory=list)
    oauth_identities: list[OauthIdentity] = field(default_factory=list)
    password_hash: str | None = None
    password: str | None = None
    otp_auth_enabled: bool = False
    totp_secret_base64: str | None = None
    requires_totp_mfa: bool = False
    display_name: str | None = None
    profile_image_url: str | None = None
    client_metadata: Json = None
    client_read_only_metadata: Json = None
    server_metadata: Json = None
    is_anonymous: bool = False
    restricted_by_admin: bool = False
    restricted_by_admin_reason: str | None = None
    restricted_by_admin_private_details: str | None = None
    country_code: str | None = None
    selected_team: Team | None = None
    risk_scores: JsonObject = field(default_factory=lambda: {"sign_up": {"bot": 0, "free_trial_abuse": 0}})

    @property
    def primary(self) -> Channel | None:
        return next((channel for channel in self.channels if channel.primary), None)

    @property
    def has_password(self) -> bool:
        return self.password_hash is not None or self.password is not None

    def restricted_reason(self, settings: ProjectSettings) -> str | None:
        if self.is_anonymous:
            return "anonymous"
        if settings.require_email_verification and not (self.primary and self.primary.verified):
            return "email_not_verified"
        return "restricted_by_administrator" if self.restricted_by_admin else None

    def as_json(self, settings: ProjectSettings) -> JsonObject:
        """The user as every answer shows it: all keys always there, the hash never."""
        primary, reason = self.primary, self.restricted_reason(settings)
        return {
            "id": self.id,
            "primary_email": primary.value if primary else None,
            "primary_email_verified": bool(primary and primary.verified),
            "primary_email_auth_enabled": bool(primary and primary.used_for_auth),
            "display_name": self.display_name,
            "profile_image_url": self.profile_image_url,
            "signed_up_at_millis": self.signed_up_at_millis,
            "last_active_at_millis": self.last_active_at_millis,
            "has_password": self.has_password,
            "otp_auth_enabled": self.otp_auth_enabled,
            "passkey_auth_enabled": False,
            "auth_with_email": self.has_password or self.otp_auth_enabled,
            "requires_totp_mfa": self.requires_totp_mfa,
            "client_metadata": self.client_metadata,
            "client_read_only_metadata": self.client_read_only_metadata,
            "server_metadata": self.server_metadata,
            "oauth_providers": [
                {"id": identity.provider, "account_id": identity.account_id, "email": identity.email}
                for identity in self.oauth_identities
            ],
            "selected_team": self.selected_team.as_json() if self.selected_team else None,
            "selected_team_id": self.selected_team.id if self.selected_team else None,
            "is_anonymous": self.is_anonymous,
            "is_restricted": reason is not None,
            "restricted_reason": {"type": reason} if reason else None,
            "restricted_by_admin": self.restricted_by_admin,
            "restricted_by_admin_reason": self.restricted_by_admin_reason,
            "restricted_by_admin_private_details": self.restricted_by_admin_private_details,
            "country_code": self.country_code,
            "risk_scores": self.risk_scores,
        }


FOR_SERVERS_ALONE = frozenset(
    {
        "primary_email_auth_enabled",
        "last_active_at_millis",
        "server_metadata",
        "restricted_by_admin",
        "restricted_by_admin_reason",
        "restricted_by_admin_private_details",
        "country_code",
        "risk_scores",
    }
)
"""Keys that users are not shown of themselves."""

EmailTaken = Callable[[str], bool]
IdentityTaken = Callable[[str, str], bool]
# A body that passed the schema: its values have the types of their rules, which no annotation can follow.
CheckedBody = dict[str, Any]


def new_user(
    body: CheckedBody,
    settings: ProjectSettings,
    *,
    user_id: str,
    now_millis: int,
    email_taken: EmailTaken,
    identity_taken: IdentityTaken,
) -> StoredUser:
    """The user that this create asks for, not yet stored."""
    check_password(body)
    email = _normal_email(body.get("primary_email"))
    verified, used_for_auth = body.get("primary_email_verified", False), body.get("primary_email_auth_enabled", False)
    _check_email(email, verified, used_for_auth)
    if used_for_auth and email is not None and email_taken(email):
        raise _duplicate(email, settings.generation)
    user = StoredUser(id=user_id, signed_up_at_millis=now_millis, last_active_at_millis=now_millis)
    _set_plain_fields(user, body, settings)
    user.is_anonymous = body.get("is_anonymous", False)
    user.totp_secret_base64 = body.get("totp_secret_base64")  # the secret alone: only a change switches the demand on
    for provider in body.get("oauth_providers", []):
        _add_identity(user, provider, settings, identity_taken)
    if email is not None:
        user.channels.append(Channel(value=email, verified=verified, primary=True, used_for_auth=used_for_auth))
    _set_password(user, body, settings)
    _set_otp(user, body, settings)
    return user


def changed_user(
    old: StoredUser, body: CheckedBody, settings: ProjectSettings, *, now_millis: int, email_taken: EmailTaken
) -> StoredUser:
    """The user that this change makes of `old`, which stays as it was."""
    user = copy.deepcopy(old)
    primary = user.primary
    email_named = "primary_email" in body
    email = _normal_email(body["primary_email"]) if email_named else primary.value if primary else None
    removed = email_named and email is None
    verified = not removed and body.get("primary_email_verified", bool(primary and primary.verified))
    used_for_auth = not removed and body.get("primary_email_auth_enabled", bool(primary and primary.used_for_auth))
    _check_email(email, verified, used_for_auth)
    if used_for_auth and email is not None and (primary is None or primary.value != email) and email_taken(email):
        raise _duplicate(email, settings.generation)
    if email_named:
        _move_primary(user, email, body.get("primary_email_verified"), used_for_auth)
    elif primary is not None:
        primary.verified, primary.used_for_auth = verified, used_for_auth
    _set_otp(user, body, settings)
    if body.get("passkey_auth_enabled"):
        raise plain_refusal(400, "Cannot manually enable passkey auth.")
    if body.get("selected_team_id") is not None:
        raise plain_refusal(400, "User is not a member of the team")
    if "selected_team_id" in body:
        user.selected_team = None
    if not user.has_password and user.primary is None and _sets_a_password(body):
        raise Breakdown(retried=False)
    _set_password(user, body, settings)
    if user.is_anonymous and body.get("is_anonymous") is False:
        user.is_anonymous, user.signed_up_at_millis = False, now_millis
    if "totp_secret_base64" in body:
        user.totp_secret_base64 = body["totp_secret_base64"]
        user.requires_totp_mfa = user.totp_secret_base64 is not None
    _set_plain_fields(user, body, settings)
    return user


def check_password(body: CheckedBody) -> None:
    """Refuse a password or hash that could not be kept; it takes no look at the user."""
    if "password" in body:
        if "password_hash" in body:
            raise plain_refusal(400, "Cannot set both password and password_hash at the same time.")
        if body["password"] is not None and len(body["password"].encode(errors="replace")) > LONGEST_HASHABLE_PASSWORD:
            raise Breakdown(retried=False)
    elif "password_hash" in body and not is_bcrypt_hash(body["password_hash"]):
        raise plain_refusal(400, "Invalid password hash. Make sure it's a supported algorithm in Modular Crypt Format.")


def _normal_email(email: str | None) -> str | None:
    return email.strip().lower() if email is not None else None


def _check_email(email: str | None, verified: bool, used_for_auth: bool) -> None:
    if email is None and used_for_auth:
        raise plain_refusal(400, "primary_email_auth_enabled cannot be true without primary_email")
    if email is None and verified:
        raise plain_refusal(400, "primary_email_verified cannot be true without primary_email")


def _duplicate(email: str, generation: Generation) -> Exception:
    if generation == "old":
        details: JsonObject = {"email": email, "would_work_if_email_was_verified": False}
        return known_error(409, "USER_EMAIL_ALREADY_EXISTS", f'A user with email "{email}" already exists.', details)
    details = {"type": "email", "contact_channel_value": email, "would_work_if_email_was_verified": False}
    code = "CONTACT_CHANNEL_ALREADY_USED_FOR_AUTH_BY_SOMEONE_ELSE"
    return known_error(409, code, f"Another account signs in with this email ({email}).", details)


def _set_plain_fields(user: StoredUser, body: CheckedBody, settings: ProjectSettings) -> None:
    for key in ("client_metadata", "client_read_only_metadata", "server_metadata"):
        if key in body:
            setattr(user, key, kept(body[key]))
    for key in ("country_code", "risk_scores"):
        if key in body:
            setattr(user, key, body[key])
    if "display_name" in body:
        user.display_name = body["display_name"] or None
    if "restricted_by_admin" in body:
        user.restricted_by_admin = body["restricted_by_admin"]
    for key in ("restricted_by_admin_reason", "restricted_by_admin_private_details"):
        if not user.restricted_by_admin:
            setattr(user, key, None)
        elif key in body:
            setattr(user, key, body[key] or None)
    if "profile_image_url" in body:
        user.profile_image_url = _kept_image(body["profile_image_url"], user.id, settings)
    if any(_unstorable(value) for value in body.values()):
        raise Breakdown(retried=False)


def _kept_image(image: str | None, user_id: str, settings: ProjectSettings) -> str | None:
    """A picture that came whole is uploaded, and the user shows its new address; with no place for it the service
    fails.
    """
    upload = _IMAGE_UPLOAD.match(image) if image is not None else None
    if image is None or upload is None:
        return image
    if _WHOLE_IMAGE.fullmatch(image) is None:
        raise plain_refusal(400, "Invalid base64 image")
    if not settings.stores_pictures:
        raise Breakdown(retried=False)
    return f"https://images.invalid/user-profile-images/{user_id}.{upload.group(1)}"


def _unstorable(value: Json) -> bool:
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is not None
    if isinstance(value, list):
        return any(_unstorable(item) for item in value)
    if isinstance(value, dict):
        return any(_unstorable(key) or _unstorable(item) for key, item in value.items())
    return False


def _add_identity(
    user: StoredUser, provider: CheckedBody, settings: ProjectSettings, identity_taken: IdentityTaken
) -> None:
    name, account_id = provider["id"], provider["account_id"]
    if name not in settings.oauth_providers:
        raise plain_refusal(400, f"OAuth provider {name} not found")
    if identity_taken(name, account_id) or any(identity.provider == name for identity in user.oauth_identities):
        raise Breakdown(retried=True)
    user.oauth_identities.append(OauthIdentity(provider=name, account_id=account_id, email=provider.get("email")))


def _sets_a_password(body: CheckedBody) -> bool:
    return body.get("password") is not None or "password_hash" in body


def _set_password(user: StoredUser, body: CheckedBody, settings: ProjectSettings) -> None:
    if _sets_a_password(body):
        if not user.has_password and not settings.password_enabled:
            raise plain_refusal(400, "Password auth not enabled in the project")
        user.password, user.password_hash = body.get("password"), body.get("password_hash")
    elif "password" in body:
        user.password = user.password_hash = None


def _set_otp(user: StoredUser, body: CheckedBody, settings: ProjectSettings) -> None:
    wanted = body.get("otp_auth_enabled", user.otp_auth_enabled)
    if wanted and not user.otp_auth_enabled and not settings.otp_enabled:
        raise plain_refusal(400, "OTP auth not enabled in the project")
    user.otp_auth_enabled = wanted


def _move_primary(user: StoredUser, email: str | None, verified: bool | None, used_for_auth: bool) -> None:
    for channel in user.channels:
        channel.primary = False
    if email is None:
        return
    known = next((channel for channel in user.channels if channel.value == email), None)
    if known is None:
        known = Channel(value=email, verified=False, primary=True, used_for_auth=used_for_auth)
        user.channels.append(known)
    known.primary, known.used_for_auth = True, used_for_auth
    if verified is not None:
        known.verified = verified
