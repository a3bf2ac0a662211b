"""Slack's markup, known here alone: what we say becomes mrkdwn, what people typed becomes neutral text. Pure.

A string in a text is never markup: its three control characters are written as entities, and stars, tildes, backticks
and underscores at the edge of a word become signs that look like them. Within code only a backtick would mean
something. What nobody sees or what turns a line round is taken out here once more, whoever wrote it.
"""

from __future__ import annotations

import re
from functools import lru_cache

from bot.plan.text import ITEM, TICK, Code, Foreign, Group, Line, Part, Person, Strong, Text

_MARKS = str.maketrans({"`": TICK, "*": "\u2217", "~": "\u223c"})
_OUTER_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_LINE_ENDS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""Control characters, and those that turn the reading direction or hide: they could make a message lie."""
_EMPTY = "(empty)"
_ELLIPSIS = "…"

# -- what we say ------------------------------------------------------------------------------------------------------


def escaped(text: str) -> str:
    """Slack reads no entity, mention or link in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@lru_cache(maxsize=1024)  # whether a message fits is measured piece by piece, half a dozen times over
def harmless(text: str) -> str:
    """The text on one line, of which nothing is formatted, linked or notified."""
    return _OUTER_UNDERSCORE.sub("\uff3f", escaped(on_one_line(text)).translate(_MARKS))


def on_one_line(text: str) -> str:
    return _UNSEEN.sub("", _LINE_ENDS.sub(" ", text))


def mrkdwn(text: Text) -> str:
    return "\n".join(map(line, text.lines))


def line(line: Line) -> str:
    return (ITEM if line.item else "") + "".join(map(part, line.parts))


def part(part: Part) -> str:
    match part:
        case str():
            return harmless(part)
        case Foreign(text):
            return harmless(text)
        case Code(text):
            return _code(text)
        case Strong(text):
            return f"*{strong}*" if (strong := harmless(text).strip()) else ""
        case Person(id_, call, name):
            return f"<@{id_}>" if call else f"{harmless(name)} (`{id_}`)" if name else f"`{id_}`"
        case Group(id_, call):
            return f"<!subteam^{id_}>" if call else f"`{id_}`"


@lru_cache(maxsize=1024)
def _code(text: str) -> str:
    code = escaped(on_one_line(text)).replace("`", TICK)
    return f"`{code}`" if code.strip() else _EMPTY


def channel(id_: str) -> str:
    """A link to a channel."""
    return f"<#{id_}>"


def fenced(text: str) -> str:
    """Text to be copied, as a block of code: Slack formats nothing in it. It must hold no fence of its own."""
    return f"```\n{escaped(text)}\n```"


def cut(whole: Line, most: int) -> Line:
    """The line in at most `most` characters of mrkdwn, and then with a sign that it goes on: no part is cut but code
    and words, within their marks.
    """
    if len(line(whole)) <= most:
        return whole
    kept: list[Part] = []
    room = most - len(_ELLIPSIS) - (len(ITEM) if whole.item else 0)
    for each in whole.parts:
        size = len(part(each))
        if size > room:
            if (piece := _cut(each, room)) is not None:
                kept.append(piece)
            break
        kept.append(each)
        room -= size
    return Line((*kept, _ELLIPSIS), whole.item)


def _cut(whole: Part, most: int) -> Part | None:
    """As much of the part as fits, or None."""
    if isinstance(whole, Person | Group):
        return None
    text = whole if isinstance(whole, str) else whole.text
    end = min(len(text), most)
    while end > 0:
        piece: Part = text[:end] if isinstance(whole, str) else type(whole)(text[:end])
        if (excess := len(part(piece)) - most) <= 0:
            return piece
        end -= max(1, excess // 5)
    return None


# -- what people typed ------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"<([@#!][^<>]+|[a-z][a-z0-9+.-]*:[^<>]+)>")
_ENTITY = re.compile(r"&(lt|gt|amp);")
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&"}


def typed(text: str, *, bot_user: str) -> tuple[str, bool]:
    """What somebody typed, and whether they mentioned the bot; its mention is taken out. Other mentions stay as
    "@U0…", links as what was typed or is shown of them.
    """
    addressed = False

    def read(token: re.Match[str]) -> str:
        nonlocal addressed
        target, _, shown = token[1].partition("|")
        if target == f"@{bot_user}":
            addressed = True
            return " "
        match target[:1]:
            case "@":
                return target
            case "#":
                return f"#{shown or target[1:]}"
            case "!":
                return shown or f"@{target[1:].removeprefix('subteam^')}"
            case _:
                return shown or target

    neutral = _ENTITY.sub(lambda entity: _ENTITIES[entity[1]], _TOKEN.sub(read, text))
    return (neutral.strip() if addressed else neutral), addressed
