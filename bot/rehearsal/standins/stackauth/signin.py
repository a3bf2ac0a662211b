"""Signing in with a password, as an app's client does it: whoever was migrated can try the password they had.

The order is the service's: the form of the body, whether passwords are on at all, then address and password as one
question, so that nobody learns which of the two was wrong. The comparison is real bcrypt and takes its time by design
(50 ms at the usual cost); it looks at nothing but its arguments, so that it may run beside the event loop. Who has a
second factor gets a code for the attempt, and comes in by that and the code of their authenticator app.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import bcrypt

from .answers import Json, JsonObject, known_error
from .schema import SECOND_FACTOR_FIELDS, SIGN_IN_FIELDS, Rule, checked
from .users import ProjectSettings, StoredUser

SIGN_IN = "/api/v1/auth/password/sign-in"
MFA_SIGN_IN = "/api/v1/auth/mfa/sign-in"
BYTES_BCRYPT_READS = 72
_CODE_SECONDS = 30
_ATTEMPT_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """Who is in. The access token opens `/users/me`, the other nothing."""

    user_id: str
    access_token: str
    refresh_token: str

    def as_json(self) -> JsonObject:
        return {"access_token": self.access_token, "refresh_token": self.refresh_token, "user_id": self.user_id}


def credentials(body: Json, present: bool, problems: list[str]) -> tuple[str, str]:
    """Address and password; the address as the service stores it."""
    email, password = _texts(body, present, problems, SIGN_IN_FIELDS)
    return email.strip().lower(), password


def second_factor(body: Json, present: bool, problems: list[str]) -> tuple[str, str]:
    """The app's code and that of the attempt."""
    _, code, attempt = _texts(body, present, problems, SECOND_FACTOR_FIELDS)
    return code, attempt


def _texts(body: Json, present: bool, problems: list[str], fields: Mapping[str, Rule]) -> tuple[str, ...]:
    data = checked(body, present, fields, problems)
    problems.extend(f"body.{name} must be defined" for name in fields if name not in data)
    return tuple(str(data.get(name, "")) for name in fields)


class SignIn:
    """Holds the attempts that wait for a second factor, and whose each token is. `now` is in seconds since 1970."""

    def __init__(self, settings: ProjectSettings, *, now: Callable[[], float]) -> None:
        self._settings = settings
        self._now = now
        self._attempts: dict[str, tuple[str, float]] = {}
        self._holders: dict[str, str] = {}

    def by_password(self, user: StoredUser | None, password: str) -> SignedIn:
        """Compares the real hash. `user` is whoever signs in by that address."""
        if not self._settings.password_enabled:
            raise known_error(400, "PASSWORD_AUTHENTICATION_NOT_ENABLED", "Password sign-in is off in this project.")
        if user is None or not _matches(user, password):
            raise known_error(400, "EMAIL_PASSWORD_MISMATCH", "Wrong e-mail or password.")
        if user.requires_totp_mfa:
            attempt = secrets.token_urlsafe(24)
            self._attempts[attempt] = (user.id, self._now())
            sentence = "Multi-factor authentication is required for this user."
            raise known_error(400, "MULTI_FACTOR_AUTHENTICATION_REQUIRED", sentence, {"attempt_code": attempt})
        return self._in(user.id)

    def by_code(self, users: Mapping[str, StoredUser], code: str, attempt: str) -> SignedIn:
        """An attempt serves once, and a wrong code costs it nothing."""
        user_id, began = self._attempts.get(attempt, ("", 0.0))
        user = users.get(user_id)
        if user is None or user.totp_secret_base64 is None:
            raise known_error(404, "VERIFICATION_CODE_NOT_FOUND", "There is no such attempt to sign in.")
        if self._now() - began > _ATTEMPT_SECONDS:
            raise known_error(400, "VERIFICATION_CODE_EXPIRED", "The attempt to sign in is too old.")
        if code != totp(base64.b64decode(user.totp_secret_base64), self._now()):
            raise known_error(400, "INVALID_TOTP_CODE", "The code is not the authenticator app's.")
        del self._attempts[attempt]
        return self._in(user.id)

    def holder(self, access_token: str, users: Mapping[str, StoredUser]) -> StoredUser:
        """Whose token it is."""
        if not access_token:
            raise known_error(400, "CANNOT_GET_OWN_USER_WITHOUT_USER", "'me' needs the access token of a user.")
        user = users.get(self._holders.get(access_token, ""))
        if user is None:
            raise known_error(401, "UNPARSABLE_ACCESS_TOKEN", "The access token is nobody's.")
        return user

    def _in(self, user_id: str) -> SignedIn:
        access_token = secrets.token_urlsafe(24)
        self._holders[access_token] = user_id
        return SignedIn(user_id=user_id, access_token=access_token, refresh_token=secrets.token_urlsafe(24))


def totp(secret: bytes, at: float) -> str:
    """RFC 6238 with SHA-1, six digits and half minutes, as authenticator apps have it."""
    digest = hmac.digest(secret, int(at // _CODE_SECONDS).to_bytes(8), hashlib.sha1)
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4]) & 0x7FFFFFFF) % 1_000_000:06}"


def _matches(user: StoredUser, password: str) -> bool:
    if user.password_hash is None:
        return user.password == password
    try:
        # What follows the bytes that bcrypt reads is dropped by the service's library and refused by this one.
        return bcrypt.checkpw(password.encode()[:BYTES_BCRYPT_READS], user.password_hash.encode())
    except ValueError:  # of the form of a hash, and the hash of nothing
        return False
