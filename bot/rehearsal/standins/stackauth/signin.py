"""Signing in with a password, as an app's client does it: whoever was carried over can try the password they had.

The order is the service's: the form of the body, whether passwords are on at all, then address and password as one
question, so that nobody learns which of the two was wrong. The comparison is real bcrypt and takes its time by design
(50 ms at the usual cost); it looks at nothing but its arguments, so that it may run beside the event loop.
"""

import secrets
from dataclasses import dataclass

import bcrypt

from .answers import Json, JsonObject, known_error
from .schema import SIGN_IN_FIELDS, checked
from .users import ProjectSettings, StoredUser

BYTES_BCRYPT_READS = 72


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """Who is in. The tokens open nothing."""

    user_id: str
    access_token: str
    refresh_token: str

    def as_json(self) -> JsonObject:
        return {"access_token": self.access_token, "refresh_token": self.refresh_token, "user_id": self.user_id}


def credentials(body: Json, present: bool, problems: list[str]) -> tuple[str, str]:
    """Address and password; the address as the service stores it."""
    data = checked(body, present, SIGN_IN_FIELDS, problems)
    problems.extend(f"body.{name} must be defined" for name in SIGN_IN_FIELDS if name not in data)
    return str(data.get("email", "")).strip().lower(), str(data.get("password", ""))


def sign_in(user: StoredUser | None, password: str, settings: ProjectSettings) -> SignedIn:
    """Compares the real hash. `user` is whoever signs in by that address."""
    if not settings.password_enabled:
        raise known_error(400, "PASSWORD_AUTHENTICATION_NOT_ENABLED", "Password sign-in is off in this project.")
    if user is None or not _matches(user, password):
        raise known_error(400, "EMAIL_PASSWORD_MISMATCH", "Wrong e-mail or password.")
    return SignedIn(user_id=user.id, access_token=secrets.token_urlsafe(24), refresh_token=secrets.token_urlsafe(24))


def _matches(user: StoredUser, password: str) -> bool:
    if user.password_hash is None:
        return user.password == password
    try:
        # What follows the bytes that bcrypt reads is dropped by the service's library and refused by this one.
        return bcrypt.checkpw(password.encode()[:BYTES_BCRYPT_READS], user.password_hash.encode())
    except ValueError:  # of the form of a hash, and the hash of nothing
        return False
