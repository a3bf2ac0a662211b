"""Text that is not ours (what people typed, what a database calls things), made fit to stand in a sentence of ours.

Slack's mark-up can notify a whole channel, and marks of direction can turn a sentence round. So such text is made one
line, cut, stripped of what is not to be seen, and its three control characters are written as Slack wants them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_MOST = 200
_MOST_LISTED = 20
_MOST_EACH = 150
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "\u02cb"}
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn"}
_FORMATS = {"*": "\u2217", "~": "\u223c"}
_ITALIC = re.compile(r"(?<!\w)_|_(?!\w)")
_CODE = re.compile(r"(`[^`]+`)")


def defused(text: str, most: int = 1500) -> str:
    """A sentence of ours with foreign names in it, as one line: its code spans stay, and nothing in it pings, formats
    or turns round.
    """
    parts = _CODE.split(_seen(text, most))  # the odd ones are code, and stay fit to be copied
    return "".join(f"`{_escaped(part[1:-1])}`" if n % 2 else _without_formats(part) for n, part in enumerate(parts))


def some(texts: Iterable[str]) -> list[str]:
    """Such sentences, short and not too many, so that what is said below them is not pushed out of a message."""
    each = [defused(text, _MOST_EACH) for text in texts]
    more = len(each) - _MOST_LISTED
    return each if more <= 0 else [*each[:_MOST_LISTED], f"and {more} more"]


def shown(text: str, most: int = _MOST) -> str:
    """One line of at most `most` characters, to stand in a code span: there it pings nobody and formats nothing. ""
    when nothing is to be seen.
    """
    return _escaped(_seen(text, most))


def _escaped(text: str) -> str:
    return "".join(_ESCAPED.get(c, c) for c in text)


def _without_formats(text: str) -> str:
    return "".join(_FORMATS.get(c, c) for c in _escaped(_ITALIC.sub("\u02cd", text)))


def _seen(text: str, most: int) -> str:
    seen = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in _HIDDEN)
    line = " ".join(seen.split())
    return f"{line[: most - 1]}…" if len(line) > most else line
