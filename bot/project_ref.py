"""Which project an address, a key or a connection string is of, read without asking anybody."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

_POOLERS = ".pooler.supabase.com"
_DOMAINS = {"supabase.co", "supabase.in", "supabase.red"}


def host_ref(url: str) -> str | None:
    """The project ref in `https://REF.supabase.co`; None for another kind of address."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return None
    ref, _, domain = host.partition(".")
    return ref if ref and domain in _DOMAINS else None


def claim(key: str, name: Literal["ref", "role"]) -> str | None:
    """What a legacy key, a JWT, says of itself; None where it does not say (`sb_secret_…`). Nothing is verified."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(key.split(".")[1] + "==="))
    except (IndexError, ValueError, binascii.Error):
        return None
    value = claims.get(name) if isinstance(claims, dict) else None
    return value if isinstance(value, str) and value else None


def direct_ref(parts: Mapping[str, Any]) -> str | None:
    """The project ref in the direct host `db.REF.supabase.co`; None for another kind of host. `parts` are a connection
    string's, by libpq's names.
    """
    host = str(parts.get("host") or "")
    return host_ref(f"https://{host.removeprefix('db.')}") if host.startswith("db.") else None


def is_pooler(parts: Mapping[str, Any]) -> bool:
    """Whether the host is one of Supabase's poolers."""
    return str(parts.get("host") or "").endswith(_POOLERS)


def dsn_ref(parts: Mapping[str, Any]) -> str | None:
    """The project ref in a connection string: in the direct host, or in the pooler's user `postgres.REF`."""
    user, dot, pooled = str(parts.get("user") or "").partition(".")
    return direct_ref(parts) or (pooled if is_pooler(parts) and dot and user else None)


def disagreement(refs: Mapping[str, str]) -> str | None:
    """What is wrong with settings of different projects, as a clause; None where all that can be read is one. `refs`
    are project refs by setting.
    """
    if len(set(refs.values())) <= 1:
        return None
    told = ", ".join(f"{setting} says {ref}" for setting, ref in refs.items())
    return f"the settings name different Supabase projects ({told})"


ONE_PROJECT = "take connection string, URL and keys from one project"
"""What to do about a disagreement, as a clause."""
