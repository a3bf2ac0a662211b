"""How findings and errors of this room write lists, foreign names, and SQL that people paste. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.plan.texts import listing
from bot.plan.texts.foreign import capitalized

_MOST = 10
_NAME_CHARACTERS = 40


def listed(clauses: Iterable[str], most: int = _MOST) -> str:
    return listing.listed(clauses, most, separator="; ")


def answer(code: str) -> str:
    """What became of a write, by the code that it was refused with; "" when it was accepted."""
    return f"fails with {code}" if code else "is accepted"


def shown(name: str) -> str:
    """An application's name fit for people: foreign text, so it is cut, made one line, and hidden where it may be an
    address.
    """
    name = " ".join(name.split())
    if "@" in name:
        return "(name hidden)"
    return (f"{name[:_NAME_CHARACTERS]}…" if len(name) > _NAME_CHARACTERS else name) or "(no name)"


def sentence(clause: str) -> str:
    """The clause of an error, such as `CutoverError.happened`, as a sentence."""
    return f"{capitalized(clause)}."


def in_a_writing_transaction(statements: Sequence[str]) -> str:
    """SQL to paste. It also works in a frozen database, in a session begun after the freeze: the default there is
    read-only, and only a transaction that says READ WRITE writes.
    """
    return f"BEGIN READ WRITE; {' '.join(statements)} COMMIT;"
