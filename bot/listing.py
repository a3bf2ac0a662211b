"""Lists for people that end in "and 3 more" where they are long. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def more(count: int, what: str = "") -> str:
    """`what` is what they are."""
    return f"and {count:,} more {what}".rstrip()


def and_more(shown: Sequence[T], total: int, what: str = "") -> list[T | str]:
    """What is shown of `total`, and behind it how many there are besides."""
    return list(shown) if len(shown) >= total else [*shown, more(total - len(shown), what)]


def listed(items: Iterable[str], most: int, *, total: int | None = None, separator: str = ", ", what: str = "") -> str:
    """In one line, `most` of them by name: `a, b and 3 more`, or `a; b; and 3 more`. `total` is how many there are,
    where not all of them are given.
    """
    every = list(items)
    rest = (len(every) if total is None else total) - min(most, len(every))
    if rest <= 0:
        return separator.join(every)
    link = "; " if separator == "; " else " "
    return f"{separator.join(every[:most])}{link}{more(rest, what)}"
