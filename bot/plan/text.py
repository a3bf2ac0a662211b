"""What people read, in neutral parts: no channel's markup is known here, and none can be made of what is put in.

A `Text` is lines of parts. A plain string is our own words; a name, a number or a command is `Code`; a person is a
`Person`, who is called only where the sentence says so and else shown by name and id; what others wrote is in
`Code` or is `Foreign`. Who shows a
text (`bot.slack.render`, `bot.report`, a terminal) decides how a part looks there, and makes every string harmless.

    say("{who} said {word}.", who=called("U1"), word=Code("frozen"))
    say("Say `retry` to me.")                      backticks in a template make code, stars make it strong
    say("*Held.* Why: `{why}`", why=…)             a field within marks becomes part of them
    say("Left out:\n{each}", each=items(…))        a text of several lines keeps its lines; "• " begins an item

Only templates have marks: a value with stars, backticks or brackets in it is just these characters. Texts are values:
equal when they say the same, and JSON for the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from string import Formatter
from typing import Literal

ITEM = "• "
TICK = "\u02cb"
"""What stands for a backtick where one would end code."""


@dataclass(frozen=True)
class Person:
    """By their id. `call` notifies them. `name` is what they are called, made fit to be shown
    (`bot.plan.texts.foreign.person_name`), "" where that is not known; two are the same whatever they are called.
    """

    id: str
    call: bool = False
    name: str = field(default="", compare=False)
    kind: Literal["person"] = "person"


@dataclass(frozen=True)
class Group:
    """People by the id of their group. `call` notifies them all."""

    id: str
    call: bool = False
    kind: Literal["group"] = "group"


@dataclass(frozen=True)
class Code:
    """A name, a value or a command, to be copied as it is."""

    text: str
    kind: Literal["code"] = "code"


@dataclass(frozen=True)
class Strong:
    text: str
    kind: Literal["strong"] = "strong"


@dataclass(frozen=True)
class Foreign:
    """What others wrote, within a sentence of ours."""

    text: str
    kind: Literal["foreign"] = "foreign"


Part = str | Person | Group | Code | Strong | Foreign


@dataclass(frozen=True)
class Line:
    """`item`: one of a list."""

    parts: tuple[Part, ...] = ()
    item: bool = False


@dataclass(frozen=True)
class Text:
    lines: tuple[Line, ...] = ()

    def __bool__(self) -> bool:
        return any(line.parts for line in self.lines)


Value = Part | Text | int | float | datetime
"""What may be in a template. Numbers and times may be formatted there, as in `{rows:,}`."""


class _Builder:
    """Lines in their normal form: strings that meet are one, and none is empty."""

    def __init__(self) -> None:
        self._lines: list[tuple[list[Part], bool]] = []

    def line(self, *, item: bool) -> None:
        self._lines.append(([], item))

    def put(self, value: Value, spec: str = "") -> None:
        if not self._lines:
            self.line(item=False)
        if isinstance(value, Text):
            self._splice(value)
            return
        part: Part = format(value, spec) if isinstance(value, str | int | float | datetime) else value
        parts, _ = self._lines[-1]
        if isinstance(part, str) and (not part or (parts and isinstance(parts[-1], str))):
            if part:
                parts[-1] = f"{parts[-1]}{part}"
        else:
            parts.append(part)

    def _splice(self, text: Text) -> None:
        """Goes on in the line at hand, unless that is empty and the text begins with an item."""
        for n, line in enumerate(text.lines):
            parts, item = self._lines[-1]
            if n:
                self.line(item=line.item)
            elif line.item and not parts and not item:
                self._lines[-1] = (parts, True)
            for part in line.parts:
                self.put(part)

    def built(self) -> Text:
        return Text(tuple(Line(tuple(parts), item) for parts, item in self._lines))


def say(template: str, /, **values: Value) -> Text:
    """The template with its fields filled in. Raises KeyError for a field without a value."""
    built = _Builder()
    mark, marked = "", ""
    for kind, what, spec in _tokens(template):
        match kind:
            case "line":
                built.line(item=bool(what))
            case "mark" if mark == what:
                built.put(_MARKS[what](marked))
                mark, marked = "", ""
            case "mark" if not mark:
                mark = what
            case "field" if not mark:
                built.put(values[what], spec)
            case "field":
                marked += _bare(values[what], spec)
            case _ if mark:
                marked += what
            case _:
                built.put(what)
    if mark:
        raise ValueError(f"a mark is not closed: {template}")
    return built.built()


_MARKS = {"`": Code, "*": Strong}


@cache
def _tokens(template: str) -> tuple[tuple[str, str, str], ...]:
    """Of our own templates there are as many as the code has; each is taken apart once."""
    found = [("line", ITEM if template.startswith(ITEM) else "", "")]
    for literal, name, spec, _ in Formatter().parse(template.removeprefix(ITEM)):
        words = ""
        for n, piece in enumerate(literal.split("\n")):
            if n:
                found.append(("line", ITEM if piece.startswith(ITEM) else "", ""))
            for character in piece.removeprefix(ITEM) if n else piece:
                if character in _MARKS:
                    found += [("words", words, ""), ("mark", character, "")]
                    words = ""
                else:
                    words += character
            found.append(("words", words, ""))
            words = ""
        if name is not None:
            found.append(("field", name, spec or ""))
    return tuple(token for token in found if token[0] != "words" or token[1])


def _bare(value: Value, spec: str) -> str:
    match value:
        case Code() | Strong() | Foreign():
            return value.text
        case Person() | Group():
            return value.id
        case Text():
            return plain(value)
        case _:
            return format(value, spec)


def called(id_: str) -> Person | Group:
    """Somebody who is notified: a person, or all people of a group."""
    return Group(id_, call=True) if id_.startswith("S") else Person(id_, call=True)


def named(text: Text, names: Mapping[str, str]) -> Text:
    """The text with the names of people who are in it by their id alone, as far as they are known, by id."""

    def part_named(part: Part) -> Part:
        return replace(part, name=names.get(part.id, "")) if isinstance(part, Person) and not part.name else part

    return Text(tuple(replace(line, parts=tuple(map(part_named, line.parts))) for line in text.lines))


def joined(values: Iterable[Value], by: str = " ", last: str | None = None) -> Text:
    """In one line; what is empty is left out. `last` comes before the last of several, in the place of `by`."""
    built = _Builder()
    kept = [value for value in values if not isinstance(value, str | Text) or value]
    for n, value in enumerate(kept):
        if n:
            built.put(by if last is None or n < len(kept) - 1 else last)
        built.put(value)
    return built.built()


def stacked(*texts: Text) -> Text:
    """Below each other; what is empty is left out."""
    return Text(tuple(line for text in texts if text for line in text.lines))


def items(values: Iterable[Value]) -> Text:
    """A list, each an item of one line."""
    return Text(tuple(Line(_one_line(value), item=True) for value in values))


def _one_line(value: Value) -> tuple[Part, ...]:
    return tuple(part for line in joined([value]).lines for part in line.parts)


def plain(text: Text, quotes: str = "``") -> str:
    """Without any markup, for terminals, logs and pages; code is between `quotes`, an opening and a closing one."""
    return "\n".join(
        f"{ITEM if line.item else ''}{''.join(_plain(part, quotes) for part in line.parts)}" for line in text.lines
    )


def _plain(part: Part, quotes: str) -> str:
    match part:
        case str():
            return part
        case Person(id_, name=name) if name:
            return f"{name} ({id_})"
        case Person() | Group():
            return f"@{part.id}"
        case Code():
            return f"{quotes[0]}{part.text}{quotes[1]}"
        case _:
            return part.text
