"""Pure: the name and the picture that people gave themselves, as the service takes them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bot.stackauth.users.exported import ExportedUser

LONGEST_NAME = 256
"""In UTF-16 units, as JavaScript counts."""
_LONGEST_PICTURE = 1_000_000
_NAMES = ("display_name", "full_name", "name", "user_name", "preferred_username")
_PICTURES = ("avatar_url", "picture")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_WEB_ADDRESS = re.compile(rf"https?://({_LABEL}(?:\.{_LABEL})*)(?::(\d{{1,5}}))?(?:[/?#]\S*)?")
_WHOLE_IMAGE = re.compile(r"data:image/(?:png|jpg|jpeg|gif|bmp|webp);base64,[A-Za-z0-9+/]+={0,2}")


def add_profile(user: ExportedUser, body: dict[str, Any], reasons: dict[str, None]) -> None:
    """Adds both to the request, and the reasons for what is lost."""
    metadata = user.row.get("raw_user_meta_data")
    if not isinstance(metadata, dict):
        return
    if name := _first_text(metadata, _NAMES):
        body["display_name"] = _cut(name)
        if body["display_name"] != name:
            reasons["display-name-cut"] = None
    if picture := _first_text(metadata, _PICTURES):
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
