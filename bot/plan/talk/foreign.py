"""Text that is not ours (what people typed, what a database calls things), made fit to stand in a sentence of ours.

Slack's mark-up can notify a whole channel, and marks of direction can turn a sentence round. So such text is made one
line, cut, stripped of what is not to be seen, and its three control characters are written as Slack wants them.
"""

from __future__ import annotations

import re
import unicodedata

_MOST = 200
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "\u02cb"}
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn"}
_FORMATS = {"*": "\u2217", "~": "\u223c"}
_ITALIC = re.compile(r"(?<!\w)_|_(?!\w)")


def defused(text: str, most: int = 1500) -> str:
    """A sentence of ours with foreign names in it, as one line: its code spans stay, and nothing in it pings, formats
    or turns round.
    """
    line = _ITALIC.sub("\u02cd", _seen(text, most))
    return "".join({**_ESCAPED, **_FORMATS, "`": "`"}.get(c, c) for c in line)


def shown(text: str, most: int = _MOST) -> str:
    """One line of at most `most` characters, to stand in a code span: there it pings nobody and formats nothing. ""
    when nothing is to be seen.
    """
    return "".join(_ESCAPED.get(c, c) for c in _seen(text, most))


def _seen(text: str, most: int) -> str:
    seen = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in _HIDDEN)
    line = " ".join(seen.split())
    return f"{line[: most - 1]}…" if len(line) > most else line
