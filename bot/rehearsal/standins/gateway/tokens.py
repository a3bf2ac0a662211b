"""The keys of a project: JSON Web Tokens (HS256) signed and checked by hand, as the services share one secret."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

_ISSUED = 1_700_000_000
_EXPIRES = 4_000_000_000


class TokenRefused(Exception):
    """Not a token of this project, or one that has expired; the text says which."""


class Signer:
    """Makes and checks tokens with the project's secret."""

    def __init__(self, secret: str, ref: str) -> None:
        self._secret = secret.encode()
        self._ref = ref

    def project_key(self, role: str) -> str:
        """Return the long-lived key of `anon` or `service_role`; the same for the same secret, ref and role."""
        return self.sign({"iss": "supabase", "ref": self._ref, "role": role, "iat": _ISSUED, "exp": _EXPIRES})

    def sign(self, claims: dict[str, Any]) -> str:
        """Return the token."""
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{signed}.{_text(self._signature(signed))}"

    def claims_of(self, token: str) -> dict[str, Any]:
        """Return what a valid token says; TokenRefused if it is not."""
        parts = token.split(".")
        if len(parts) != 3:
            raise TokenRefused(f"Expected 3 parts in JWT; got {len(parts)}")
        try:
            header, claims, signature = json.loads(_bytes(parts[0])), json.loads(_bytes(parts[1])), _bytes(parts[2])
        except ValueError:
            raise TokenRefused("JWT cryptographic operation failed") from None
        if header.get("alg") != "HS256" or not hmac.compare_digest(
            self._signature(f"{parts[0]}.{parts[1]}"), signature
        ):
            raise TokenRefused("No suitable key or wrong key type")
        if not isinstance(claims, dict):
            raise TokenRefused("Parsing claims failed")
        if claims.get("exp", _EXPIRES) < time.time():
            raise TokenRefused("JWT expired")
        return claims

    def _signature(self, signed: str) -> bytes:
        return hmac.new(self._secret, signed.encode(), hashlib.sha256).digest()


def _encode(value: dict[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
