"""The grammar of `accept NAME…[: why]`: which names were said, and why. Pure.

    sso phone-only: they know                  two names, and a why for both
    unreadable:public.orders: it is old        a name may hold a colon; a why follows a colon and a space
    `unreadable:public.my logs`: nobody reads  a name in backticks is just what is between them
    unreadable:public.my logs: nobody reads    else the longest known name that is there is meant

Whatever is neither a known name nor a why is left over, and then nothing is to be accepted at all: a wrong name must
not become a reason, nor the beginning of a longer name that name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.plan.text import TICK

_TABLE = "unreadable:"
_ENDS = re.compile(r"$|[ ,]|:(?:$| )")
_WHY = re.compile(r":(?:$| )")
_QUOTED = re.compile(r"([^\s`,]*)`([^`]+)`")
_CODE = re.compile(r"`[^`]+`")


@dataclass(frozen=True, kw_only=True)
class Named:
    """`left_over` is what was said in place of a name, as far as a colon; with some, the names do not count."""

    names: tuple[str, ...]
    left_over: str = ""
    why: str = ""
    has_why: bool = False


def named(argument: str, known: Iterable[str]) -> Named:
    forms = _forms(known)
    rest = argument.strip()
    if rest.count("`") % 2:  # the other one was taken off with the marks around the whole message
        rest = "".join(rest.rsplit("`", 1))
    names: list[str] = []
    while rest := rest.lstrip(" ,"):
        if _WHY.match(rest):
            return Named(names=tuple(names), why=_plain(rest[1:]), has_why=True)
        found = _quoted(rest, forms) if _QUOTED.match(rest) else _longest(rest, forms)
        if found is None:
            colon = _WHY.search(_CODE.sub(lambda code: "x" * len(code[0]), rest))
            end = colon.start() if colon else len(rest)
            why = _plain(rest[end + 1 :])
            return Named(names=tuple(names), left_over=_plain(rest[:end]), why=why, has_why=colon is not None)
        name, rest = found
        if name not in names:
            names.append(name)
    return Named(names=tuple(names))


def _forms(known: Iterable[str]) -> Mapping[str, str]:
    """The names by what people can type for them, the longest first; without those that nobody could tell apart."""
    forms = [(_form(" ".join(name.replace("`", TICK).split())), name) for name in known]
    times = Counter(form for form, _ in forms)
    return {form: name for form, name in sorted(forms, key=lambda f: -len(f[0])) if times[form] == 1}


def _form(text: str) -> str:
    """Tables are told apart by case; all other names are not."""
    if text[: len(_TABLE)].casefold() == _TABLE:
        return _TABLE + text[len(_TABLE) :]
    return text.casefold()


def _quoted(rest: str, forms: Mapping[str, str]) -> tuple[str, str] | None:
    quoted = _QUOTED.match(rest)
    assert quoted is not None
    name = forms.get(_form(quoted[1] + quoted[2].strip()))
    behind = rest[quoted.end() :]
    return (name, behind) if name is not None and _ENDS.match(behind) else None


def _longest(rest: str, forms: Mapping[str, str]) -> tuple[str, str] | None:
    for form, name in forms.items():
        if _form(rest[: len(form)]) == form and _ENDS.match(rest, len(form)):
            return name, rest[len(form) :]
    return None


def _plain(text: str) -> str:
    return text.replace("`", "").strip(" ,")
