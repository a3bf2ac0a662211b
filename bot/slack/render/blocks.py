"""Text for Slack: made harmless, made to fit, made into blocks. Pure.

Two kinds of text. *Ours* is mrkdwn and means its marks. *Foreign* comes from a database, a service or an error and
may mean nothing by them: it goes through `bot.plan.texts.foreign` (in a sentence) or `code` (as a name) before it joins
ours, and then mentions nobody, links nowhere and formats nothing.

Everything is cut with a word about what is missing. The limits here are below Slack's, which counts in ways that it
does not document; `text`, which notifications and screen readers use, fits chat.update's limit even when posted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.plan.texts.foreign import escaped, plain

Block = dict[str, Any]

_SECTION = 2_900
_ALL_SECTIONS = 9_000
_TEXT = 3_900
_TITLE = 150
_CELL = 80
_CONTEXT = 900
_LINE = 2_800
_LEAST = 200
_TICK = "\u02cb"
_LINE_ENDS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""Control characters, and those that turn the reading direction or hide: they could make a message lie."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Foreign text is fine in its cells: they are shown as they are. Columns but the first are set to the right."""

    heading: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a message says, top to bottom. `title` is plain text or "", `paragraphs` and `footer` are our mrkdwn.

    `copied` is code that readers copy: below the paragraphs, never cut, and then the message is text alone, since a
    block would hold less of it.
    """

    title: str = ""
    paragraphs: Sequence[str] = field(default_factory=tuple)
    copied: str = ""
    table: Table | None = None
    footer: str = ""


def code(text: str) -> str:
    """A foreign name or value as code, on one line."""
    one_line = _on_one_line(text).replace("`", _TICK)
    return f"`{escaped(shortened(one_line, 200))}`" if one_line else "(empty)"


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def and_more(shown: Iterable[str], total: int, what: str) -> list[str]:
    """The lines, and how many more there are."""
    lines = list(shown)
    return lines if len(lines) >= total else [*lines, f"and {total - len(lines):,} more {what}"]


def laid_out(layout: Layout) -> tuple[str, list[Block]]:
    """The same as accessible text and as blocks, both within Slack's limits."""
    if layout.copied:
        return "\n".join([*layout.paragraphs, _fenced(layout.copied)]), []
    blocks: list[Block] = []
    title = shortened(_on_one_line(layout.title), _TITLE)
    if title:
        blocks.append({"type": "header", "text": {"type": "plain_text", "text": title, "emoji": True}})
    paragraphs = [clean for paragraph in layout.paragraphs if (clean := _UNSEEN.sub("", paragraph)).strip()]
    sections = [section for paragraph in _together(paragraphs, _ALL_SECTIONS) for section in _sections(paragraph)]
    blocks += [{"type": "section", "text": _mrkdwn(section)} for section in sections]
    tables = []
    if layout.table is not None:
        blocks.append(_table(layout.table))
        tables = ["\n".join(" · ".join(plain(_cell(cell)) for cell in row) for row in layout.table.rows)]
    footer = fitted(layout.footer, _CONTEXT)
    if footer:
        blocks.append({"type": "context", "elements": [_mrkdwn(footer)]})
    parts = [part for part in (f"*{plain(title)}*" if title else "", *paragraphs, *tables) if part]
    room = _TEXT - len(footer) - 1
    text = fitted("\n".join(_together(parts, room)), room)
    return "\n".join(filter(None, [text, footer])), blocks


def _fenced(text: str) -> str:
    """Text to be copied, as a block of code: Slack formats nothing in it. It must hold no fence of its own."""
    return f"```\n{escaped(text)}\n```"


def _mrkdwn(text: str) -> Block:
    """`verbatim`: what looks like an address, a channel or a name is no link by that."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _together(parts: Sequence[str], most: int) -> list[str]:
    """The parts in about `most` characters, taken from the longest: a long list must not push out the sentence that
    says who may go on.
    """
    fitting = list(parts)
    while (excess := sum(len(part) + 1 for part in fitting) - most) > 0:
        longest = max(range(len(fitting)), key=lambda index: len(fitting[index]))
        length = len(fitting[longest])
        if length <= _LEAST:
            break
        fitting[longest] = fitted(fitting[longest], max(_LEAST, length - excess))
    return fitting


def fitted(text: str, most: int) -> str:
    """Our mrkdwn in at most `most` characters: whole lines while there are several, then a word on how many more."""
    lines = [_cut_line(line) for line in text.split("\n")]
    if sum(len(line) + 1 for line in lines) - 1 <= most:
        return "\n".join(lines)
    kept: list[str] = []
    room = most - len("\nand 1,000,000 more lines")
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    missing = len(lines) - len(kept)
    if not kept:
        return f"{_cut(lines[0], most - 1)}…"
    return "\n".join([*kept, f"and {missing:,} more line{'s' if missing > 1 else ''}"])


def _cut_line(line: str) -> str:
    return line if len(line) <= _LINE else f"{_cut(line, _LINE - 1)}…"


def _cut(line: str, most: int) -> str:
    """Not through an entity, a mention or a piece of code, as far as that can be had."""
    short = re.sub(r"(&[a-z]*|<[^>]*)$", "", line[:most])
    return f"{short[: most - 1]}`" if short.count("`") % 2 else short


def _sections(paragraph: str) -> list[str]:
    """The paragraph in pieces that each fit a section."""
    pieces: list[str] = []
    for line in map(_cut_line, paragraph.split("\n")):
        if pieces and len(pieces[-1]) + 1 + len(line) <= _SECTION:
            pieces[-1] += f"\n{line}"
        else:
            pieces.append(line)
    return [piece for piece in pieces if piece.strip()]


def _table(table: Table) -> Block:
    rows = [table.heading, *table.rows]
    return {
        "type": "table",
        "column_settings": [{"align": "left" if not column else "right"} for column in range(len(table.heading))],
        "rows": [[{"type": "raw_text", "text": _cell(cell)} for cell in row] for row in rows],
    }


def _cell(text: str) -> str:
    return shortened(_on_one_line(text), _CELL) or "(empty)"


def _on_one_line(text: str) -> str:
    return _UNSEEN.sub("", _LINE_ENDS.sub(" ", text)).strip()
