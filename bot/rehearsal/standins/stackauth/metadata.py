"""What the service's database keeps of the JSON that people write: seen at the real one, release of April 2026.

A number is kept to 16 significant digits, and one that then overflows a double becomes null. A key `__proto__` is gone
without a word. JSON of 124 levels or more makes the service fail, always. A whole number below 2**63 is kept as it is.
"""

from decimal import Decimal

from .answers import Breakdown, Json

TOO_DEEP = 124
_WHOLE_NUMBERS_END = 2**63
_LARGEST = float("inf")


def kept(value: Json) -> Json:
    """The metadata as every later answer shows them. Raises Breakdown."""
    if _depth(value) >= TOO_DEEP:
        raise Breakdown(retried=False)
    return _kept(value)


def _depth(value: Json) -> int:
    level, depth = [value], 0
    while level := [inner for outer in level for inner in _inside(outer)]:
        depth += 1
    return depth


def _inside(value: Json) -> list[Json]:
    """An empty object or list is a level too: it holds its end."""
    if isinstance(value, dict):
        return [*value.values(), None]
    return [*value, None] if isinstance(value, list) else []


def _kept(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _kept(item) for key, item in value.items() if key != "__proto__"}
    if isinstance(value, list):
        return [_kept(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int) and abs(value) < _WHOLE_NUMBERS_END:
        return value
    rounded = float(f"{float(value):.15e}")
    if abs(rounded) == _LARGEST:
        return None
    return int(Decimal(repr(rounded))) if rounded.is_integer() else rounded
