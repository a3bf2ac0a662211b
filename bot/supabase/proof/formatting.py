"""How findings list things and name answers."""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN = 10


def listed(told: Sequence[str]) -> str:
    more = len(told) - _SHOWN
    return "; ".join(told[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def answer(code: str) -> str:
    return f"is answered with {code}" if code else "is accepted"


def counted(number: int, one: str) -> str:
    return f"{number} {one}{'' if number == 1 else 's'}"
