"""Signing in with a password, as an app's client does it: whoever was carried over can try the password they had."""

import secrets

import bcrypt

from .answers import Json, JsonObject, known_error
from .schema import SIGN_IN_FIELDS, checked
from .users import ProjectSettings, StoredUser


def credentials(body: Json, present: bool, problems: list[str]) -> tuple[str, str]:
    """Address and password; the address as the service stores it."""
    data = checked(body, present, SIGN_IN_FIELDS, problems)
    problems.extend(f"body.{name} must be defined" for name in SIGN_IN_FIELDS if name not in data)
    return str(data.get("email", "")).strip().lower(), str(data.get("password", ""))


def sign_in(user: StoredUser | None, password: str, settings: ProjectSettings) -> JsonObject:
    """Compares the real hash, which takes its time. `user` is whoever signs in by that address."""
    if not settings.password_enabled:
        raise known_error(400, "PASSWORD_AUTHENTICATION_NOT_ENABLED", "Password sign-in is off in this project.")
    if user is None or not _matches(user, password):
        raise known_error(400, "EMAIL_PASSWORD_MISMATCH", "Wrong e-mail or password.")
    return {
        "access_token": secrets.token_urlsafe(24),
        "refresh_token": secrets.token_urlsafe(24),
        "user_id": user.id,
    }


def _matches(user: StoredUser, password: str) -> bool:
    if user.password_hash is None:
        return user.password is not None and secrets.compare_digest(user.password, password)
    try:
        return bcrypt.checkpw(password.encode(), user.password_hash.encode())
    except ValueError:  # of the form of a hash, and the hash of nothing; or a password too long to be anybody's
        return False
