"""A list for people that ends in "and 3 more" where it is long. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def listed(items: Iterable[str], most: int, *, separator: str = ", ", what: str = "") -> str:
    """In one line, `most` of them by name: `a, b and 3 more`, or `a; b; and 3 more`. `what` is what they are."""
    every = list(items)
    rest = len(every) - most
    if rest <= 0:
        return separator.join(every)
    link = "; " if separator == "; " else " "
    return f"{separator.join(every[:most])}{link}{_more(rest, what)}"


def listed_lines(lines: Sequence[str], most: int, *, what: str = "") -> list[str]:
    """A line each, and one more that says how many are left."""
    rest = len(lines) - most
    return [*lines[:most], _more(rest, what)] if rest > 0 else list(lines)


def _more(rest: int, what: str) -> str:
    return f"and {rest:,} more{f' {what}' if what else ''}"
