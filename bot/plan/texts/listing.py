"""Lists for people that end in "and 3 more" where they are long. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from bot.plan.texts.amounts import counted

T = TypeVar("T")


def more(count: int, one: str = "") -> str:
    """`one` is what each of them is: `and 1 more table`, `and 2 more tables`."""
    return f"and {counted(count, f'more {one}')}" if one else f"and {count:,} more"


def and_more(shown: Sequence[T], total: int, one: str = "") -> list[T | str]:
    """What is shown of `total`, and behind it how many there are besides."""
    return list(shown) if len(shown) >= total else [*shown, more(total - len(shown), one)]


def listed(items: Iterable[str], most: int, *, total: int | None = None, separator: str = ", ", one: str = "") -> str:
    """In one line, `most` of them by name: `a, b and 3 more`, or `a; b; and 3 more`. `total` is how many there are,
    where not all of them are given.
    """
    every = list(items)
    rest = (len(every) if total is None else total) - min(most, len(every))
    if rest <= 0:
        return separator.join(every)
    link = "; " if separator == "; " else " "
    return f"{separator.join(every[:most])}{link}{more(rest, one)}"
