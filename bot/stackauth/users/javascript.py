"""Pure: what becomes of JSON in the service: JavaScript reads it, and its database writes it.

- A number is a double, written in its fewest digits: a whole number past 2**53 may come back with others. The database
  keeps 16 digits of it at least, some releases no more; what is near the largest double becomes null there, and what is
  near the smallest may become 0.
- Nesting of some 120 levels makes the service fail; `DEEPEST` are carried.
- A key `__proto__` is gone without a word: to JavaScript it is no key of the object.

So `as_javascript` takes out what the service would not hold, and says what was lost. Whether a number that came back
is the one that was sent is asked of `is_same`, which forgives the digits that may be lost.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from bot.stackauth.users.exported import DEEPEST

NO_KEY = "__proto__"
LARGEST = 1e308
"""From here on a number may be null in the service."""
_SMALLEST = 1e-300
_KEPT_DIGITS = 16
_LARGEST_EXACT = 2**53
_FIFTEEN_DIGITS = 5e-15


def as_javascript(value: Any, losses: set[str], depth: int = 1) -> Any:
    """The value as the service will hold it. Adds to `losses` the reasons for what did, or may, not survive."""
    if isinstance(value, dict | list):
        if depth > DEEPEST:
            losses.add("metadata-cut")
            return None
        if isinstance(value, list):
            return [as_javascript(item, losses, depth + 1) for item in value]
        if NO_KEY in value:
            losses.add("metadata-cut")
        return {key: as_javascript(item, losses, depth + 1) for key, item in value.items() if key != NO_KEY}
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    number = _double(value)
    if isinstance(value, Decimal) or Decimal(repr(number)) != value or _may_lose_digits(number):
        losses.add("metadata-rounded")
    if math.isinf(number):
        return None
    return int(number) if number.is_integer() else number


def is_same(wanted: float, found: float) -> bool:
    """Equal to 15 significant digits, which every release of the service keeps."""
    return math.isclose(wanted, found, rel_tol=_FIFTEEN_DIGITS, abs_tol=_SMALLEST)


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
