"""Pure: metadata as the service will hold it, and the marker in it.

User metadata becomes client metadata, app metadata becomes server metadata. Beside it, under `supabase`, is the
*marker*: the Supabase id, the run, a digest of what was migrated, and what the service has no place for.

JavaScript reads JSON there, and a database writes it:

- A number is a double, written in its fewest digits: a whole number past 2**53 may come back with others. The database
  keeps 16 digits of it at least, some releases no more; what is near the largest double becomes null there, and what is
  near the smallest may become 0.
- Nesting of some 120 levels makes the service fail; `DEEPEST` are migrated.
- A key `__proto__` is gone without a word: to JavaScript it is no key of the object.

So `as_stored` takes out what the service would not hold, and says what was lost. Whether a number that came back is the
one that was sent is asked of `is_same_number`, which forgives the digits that may be lost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bot.stackauth.users.exported import DEEPEST, ExportedUser

MARKER = "supabase"
_NO_KEY = "__proto__"
LARGEST = 1e308
"""From here on a number may be null in the service."""
_SMALLEST = 1e-300
_KEPT_DIGITS = 16
_LARGEST_EXACT = 2**53
_FIFTEEN_DIGITS = 5e-15


# -- the marker -------------------------------------------------------------------------------------------------------


def new_marker(user: ExportedUser) -> dict[str, Any]:
    return {"id": user.id, "createdAt": user.row.get("created_at")}


def marker_in(server_metadata: Any) -> Mapping[str, Any] | None:
    """The marker of a user of the service; None where there is none."""
    marker = server_metadata.get(MARKER) if isinstance(server_metadata, dict) else None
    return marker if isinstance(marker, dict) else None


def with_marker(body: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """The request with more in its marker."""
    metadata = body["server_metadata"]
    return {**body, "server_metadata": {**metadata, MARKER: {**metadata[MARKER], **fields}}}


# -- both metadata ----------------------------------------------------------------------------------------------------


def add_metadata(user: ExportedUser, body: dict[str, Any], kept: dict[str, Any], reasons: dict[str, None]) -> None:
    """Adds both to the request, and the reasons for what is lost. `kept` goes to the marker."""
    row = user.row
    marker = new_marker(user) | kept
    if row.get("role") not in {None, "", "authenticated"}:
        marker["role"] = row["role"]
    if row.get("is_super_admin"):
        marker["superAdmin"] = True
    losses: set[str] = {"metadata-cut"} if user.cut else set()
    if row.get("raw_user_meta_data") is not None:
        body["client_metadata"] = as_stored(row["raw_user_meta_data"], losses)
    app = as_stored(row.get("raw_app_meta_data"), losses)
    if app is None or (isinstance(app, dict) and MARKER not in app):
        body["server_metadata"] = {**(app or {}), MARKER: marker}
    else:
        reasons["app-metadata-moved"] = None
        body["server_metadata"] = {MARKER: {**marker, "appMetadata": app}}
    reasons.update(dict.fromkeys(sorted(losses)))


def as_stored(value: Any, losses: set[str], depth: int = 1) -> Any:
    """The value as the service will hold it. Adds to `losses` the reasons for what did, or may, not survive."""
    if isinstance(value, dict | list):
        if depth > DEEPEST:
            losses.add("metadata-cut")
            return None
        if isinstance(value, list):
            return [as_stored(item, losses, depth + 1) for item in value]
        if _NO_KEY in value:
            losses.add("metadata-cut")
        return {key: as_stored(item, losses, depth + 1) for key, item in value.items() if key != _NO_KEY}
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    number = _double(value)
    if isinstance(value, Decimal) or Decimal(repr(number)) != value or _may_lose_digits(number):
        losses.add("metadata-rounded")
    if math.isinf(number):
        return None
    return int(number) if number.is_integer() else number


def is_same_number(expected: float, found: float) -> bool:
    """Equal to 15 significant digits, which every release of the service keeps."""
    return math.isclose(expected, found, rel_tol=_FIFTEEN_DIGITS, abs_tol=_SMALLEST)


def _double(value: int | float | Decimal) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _may_lose_digits(number: float) -> bool:
    if number.is_integer() and abs(number) <= _LARGEST_EXACT:
        return False
    if math.isinf(number) or not _SMALLEST < abs(number) < LARGEST:
        return True
    return len(Decimal(repr(number)).normalize().as_tuple().digits) > _KEPT_DIGITS
