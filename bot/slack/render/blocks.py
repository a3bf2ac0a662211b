"""A message's text made to fit Slack, and made into blocks. Pure.

Everything is cut with a word about what is missing. The limits here are below Slack's, which counts in ways that it
does not document; `text`, which notifications and screen readers use, fits chat.update's limit even when posted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bot.plan.text import Line, Strong, Text, joined, named, stacked
from bot.plan.texts.listing import more
from bot.slack.render import escape
from bot.slack.render.escape import on_one_line

Block = dict[str, Any]

_SECTION = 2_900
_ALL_SECTIONS = 9_000
_TEXT = 3_900
_TITLE = 150
_CELL = 80
_CONTEXT = 900
_LINE = 2_800
_LEAST = 200


@dataclass(frozen=True, kw_only=True)
class Table:
    """Foreign text is fine in its cells: they are shown as they are. Columns but the first are set to the right."""

    heading: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a message says, top to bottom. `title` may be "".

    `copied` is code that readers copy: below the paragraphs, never cut, and then the message is text alone, since a
    block would hold less of it.
    """

    title: str = ""
    paragraphs: Sequence[Text] = ()
    copied: str = ""
    table: Table | None = None
    footer: Text = field(default_factory=Text)

    def naming(self, names: Mapping[str, str]) -> Layout:
        """With the names of people, by id, as far as they are known."""
        return replace(self, paragraphs=[named(paragraph, names) for paragraph in self.paragraphs])


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def laid_out(layout: Layout) -> tuple[str, list[Block]]:
    """The same as accessible text and as blocks, both within Slack's limits."""
    if layout.copied:
        return "\n".join([*map(escape.mrkdwn, layout.paragraphs), escape.fenced(layout.copied)]), []
    blocks: list[Block] = []
    title = shortened(on_one_line(layout.title).strip(), _TITLE)
    if title:
        blocks.append({"type": "header", "text": {"type": "plain_text", "text": title, "emoji": True}})
    paragraphs = [_cut_lines(paragraph) for paragraph in layout.paragraphs if escape.mrkdwn(paragraph).strip()]
    sections = [section for paragraph in _together(paragraphs, _ALL_SECTIONS) for section in _sections(paragraph)]
    blocks += [{"type": "section", "text": _mrkdwn(section)} for section in sections]
    tables = []
    if layout.table is not None:
        blocks.append(_table(layout.table))
        tables = [stacked(*(joined(map(_cell, row), by=" · ") for row in layout.table.rows))]
    footer = escape.mrkdwn(fitted(layout.footer, _CONTEXT))
    if footer:
        blocks.append({"type": "context", "elements": [_mrkdwn(footer)]})
    parts = [part for part in (joined([Strong(title)] if title else []), *paragraphs, *tables) if part]
    room = _TEXT - len(footer) - 1
    text = escape.mrkdwn(fitted(stacked(*_together(parts, room)), room))
    return "\n".join(filter(None, [text, footer])), blocks


def _mrkdwn(text: str) -> Block:
    """`verbatim`: what looks like an address, a channel or a name is no link by that."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _length(text: Text) -> int:
    return len(escape.mrkdwn(text))


def _together(parts: Sequence[Text], most: int) -> list[Text]:
    """The parts in about `most` characters, taken from the longest: a long list must not push out the sentence that
    says who may go on.
    """
    fitting = list(parts)
    lengths = [_length(part) for part in fitting]
    while (excess := sum(lengths) + len(lengths) - most) > 0:
        longest = max(range(len(fitting)), key=lengths.__getitem__)
        length = lengths[longest]
        if length <= _LEAST:
            break
        fitting[longest] = fitted(fitting[longest], max(_LEAST, length - excess))
        lengths[longest] = min(_length(fitting[longest]), length - 1)
    return fitting


def fitted(text: Text, most: int) -> Text:
    """In at most `most` characters: whole lines while there are several, then a word on how many more."""
    text = _cut_lines(text)
    if _length(text) <= most:
        return text
    kept: list[Line] = []
    room = most - len("\nand 1,000,000 more lines")
    for line in text.lines:
        room -= len(escape.line(line)) + 1
        if room < 0:
            break
        kept.append(line)
    if not kept:
        return Text((escape.cut(text.lines[0], most),))
    missing = len(text.lines) - len(kept)
    return Text((*kept, Line((more(missing, "line"),))))


def _cut_lines(text: Text) -> Text:
    return Text(tuple(escape.cut(line, _LINE) for line in text.lines))


def _sections(paragraph: Text) -> list[str]:
    """The paragraph in pieces that each fit a section."""
    pieces: list[str] = []
    for line in map(escape.line, paragraph.lines):
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
    return shortened(on_one_line(text).strip(), _CELL) or "(empty)"
