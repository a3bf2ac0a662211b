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
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn"}
_TICK = "\u02cb"
_MARKS = str.maketrans({"`": _TICK, "*": "\u2217", "~": "\u223c"})
_OUTER_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_LINK = re.compile(r"<https?://[^<>|]*\|([^<>|]*)>")
_CODE = re.compile(r"(`[^`\n]+`)")


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescaped(text: str) -> str:
    """What somebody typed, of which Slack has escaped three characters and made links of what looks like an address:
    a table's name may well.
    """
    typed = _LINK.sub(r"\1", text)
    return typed.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def plain(text: str) -> str:
    """Within a sentence of ours; its lines stay lines."""
    return _OUTER_UNDERSCORE.sub("\uff3f", escaped(text).translate(_MARKS))


def prose(text: str) -> str:
    """A sentence of our own edges that quotes foreign names: code between backticks stays code, so that it can be
    copied as it is, and all else is plain.
    """
    parts = _CODE.split(text)  # the odd ones are code
    return "".join(escaped(part) if n % 2 else plain(part) for n, part in enumerate(parts))


def defused(text: str, most: int = 1500) -> str:
    """Such a sentence as one line, without what is not to be seen."""
    return prose(seen(text, most))


def some(texts: Iterable[str]) -> list[str]:
    """Such sentences, short and not too many, so that what is said below them is not pushed out of a message."""
    each = [defused(text, _MOST_EACH) for text in texts]
    more = len(each) - _MOST_LISTED
    return each if more <= 0 else [*each[:_MOST_LISTED], f"and {more} more"]


def shown(text: str, most: int = _MOST) -> str:
    """One line of at most `most` characters, to stand in a code span: there it pings nobody and formats nothing. ""
    when nothing is to be seen.
    """
    return escaped(seen(text, most)).replace("`", _TICK)


def seen(text: str, most: int) -> str:
    """One line of at most `most` characters, without what is not to be seen or turns the reading round."""
    kept = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in _HIDDEN)
    line = " ".join(kept.split())
    return f"{line[: most - 1]}…" if len(line) > most else line
