"""The text of an array as PostgreSQL writes it: `{a,"b c",NULL}`, with bounds as `[0:1]={a,b}`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ARRAY = re.compile(r"(?:(?:\[-?\d+:-?\d+\])+=)?\{.*\}", re.DOTALL)
_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^{},"\\]+)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def is_array(text: str) -> bool:
    return _ARRAY.fullmatch(text) is not None


def elements(text: str) -> Iterator[str]:
    """Those that are not NULL, of all dimensions, one after the other."""
    for quoted, plain in _ELEMENT.findall(text[text.index("{") :]):
        if not plain:
            yield _ESCAPED.sub(r"\1", quoted)
        elif plain.upper() != "NULL":
            yield plain
