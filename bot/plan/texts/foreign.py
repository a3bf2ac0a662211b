"""Text that is not ours (what people typed, what a database calls things), made fit for a sentence of ours.

Marks of direction can turn a sentence round, and a long name can push it out of a message. So such text is made one
line, stripped of what is not to be seen, and cut. It comes in as `Code`, as `Foreign`, or, where one of our own edges
wrote a sentence that quotes names between backticks, by `marked`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from bot.plan.text import Code, Foreign, Line, Text
from bot.plan.texts.listing import and_more

_MOST = 200
_MOST_NAME = 40
_MOST_SENTENCE = 1500
_MOST_LISTED = 20
_MOST_EACH = 150
_NAME = re.compile(r"[^\W\d_][._/][^\W]|[\d_`\"=:/]")
"""What a word of ours has not, and the name of something has."""
_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Cn"}
_BRACKETS = str.maketrans({"(": "[", ")": "]", "\uff08": "[", "\uff09": "]"})
_CODE = re.compile(r"`([^`\n]+)`")


def seen(text: str, most: int = _MOST) -> str:
    """One line of at most `most` characters, without what is not to be seen or turns the reading round."""
    kept = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in _HIDDEN)
    line = " ".join(kept.split())
    return f"{line[: most - 1]}…" if len(line) > most else line


def person_name(text: str) -> str:
    """What somebody calls themselves, as it may be shown beside their id; it has no brackets to put another id in."""
    return seen(text.translate(_BRACKETS), _MOST_NAME)


def code(text: str, most: int = _MOST) -> Code:
    """A foreign name or value."""
    return Code(seen(text, most))


def foreign(text: str, most: int = _MOST) -> Foreign:
    return Foreign(seen(text, most))


def codes(names: Iterable[str]) -> list[Code]:
    return [code(name) for name in names]


def marked(text: str) -> Text:
    """A sentence of our own edges that quotes foreign names: what is between backticks is code, all else is not."""
    return Text(tuple(Line(tuple(_parts(line))) for line in text.split("\n")))


def _parts(line: str) -> Iterable[Code | Foreign]:
    for n, part in enumerate(_CODE.split(line)):  # the odd ones are code
        if part:
            yield Code(part) if n % 2 else Foreign(part)


def capitalized(clause: str) -> str:
    """As a sentence begins; a name at its beginning (of a table, a file, a setting) stays as it is."""
    first = clause.partition(" ")[0]
    return clause if _NAME.search(first) else f"{clause[:1].upper()}{clause[1:]}"


def sentence(text: str, most: int = _MOST_SENTENCE) -> Text:
    """Such a sentence as one line, without what is not to be seen."""
    return marked(seen(text, most))


def some(texts: Sequence[str]) -> list[Text | str]:
    """Such sentences, short and not too many, so that what is said below them is not pushed out of a message."""
    return and_more([sentence(text, _MOST_EACH) for text in texts[:_MOST_LISTED]], len(texts))
