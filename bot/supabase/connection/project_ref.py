"""Which project an address or a key is of, read without asking anybody."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Literal
from urllib.parse import urlsplit


def host_ref(url: str) -> str | None:
    """The project ref in `https://REF.supabase.co`; None for another kind of address."""
    host = urlsplit(url).hostname or ""
    ref, _, domain = host.partition(".")
    return ref if ref and domain in {"supabase.co", "supabase.in", "supabase.red"} else None


def claim(key: str, name: Literal["ref", "role"]) -> str | None:
    """What a legacy key, a JWT, says of itself; None where it does not say (`sb_secret_…`). Nothing is verified."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(key.split(".")[1] + "==="))
    except (IndexError, ValueError, binascii.Error):
        return None
    value = claims.get(name) if isinstance(claims, dict) else None
    return value if isinstance(value, str) and value else None
