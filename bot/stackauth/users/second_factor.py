"""Pure: the secret of the authenticator app, in the service's form. Other second factors are not migrated."""

from __future__ import annotations

import base64

from bot.stackauth.users.exported import ExportedUser


def totp_secret(user: ExportedUser, reasons: dict[str, None]) -> str | None:
    """In base64; of several apps the one used last. Adds the reasons for what stays behind."""
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
