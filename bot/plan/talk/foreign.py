"""Text that is not ours (what people typed, what a database calls things), made fit to stand in a sentence of ours.

Slack's mark-up can notify a whole channel, and marks of direction can turn a sentence round. So such text is made one
line, cut, stripped of what is not to be seen, and its three control characters are written as Slack wants them.
"""

from __future__ import annotations

import unicodedata

_MOST = 200
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "\u02cb"}
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn"}


def shown(text: str, most: int = _MOST) -> str:
    """One line of at most `most` characters, to stand in a code span: there it pings nobody and formats nothing. ""
    when nothing is to be seen.
    """
    seen = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in _HIDDEN)
    line = " ".join(seen.split())
    line = f"{line[: most - 1]}…" if len(line) > most else line
    return "".join(_ESCAPED.get(c, c) for c in line)
