"""JSON nested deeper than a parser follows: PostgreSQL stores it, and anybody who writes metadata can make it."""

from __future__ import annotations


def without_depths(text: str, deepest: int) -> str:
    """The JSON text with null for everything nested deeper than so many levels."""
    kept: list[str] = []
    depth, in_string, start, at = 0, False, 0, 0
    while at < len(text):
        character = text[at]
        if in_string:
            if character == "\\":
                at += 1
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth == deepest + 1:
                kept.append(text[start:at] + "null")
        elif character in "]}":
            if depth == deepest + 1:
                start = at + 1
            depth -= 1
        at += 1
    kept.append(text[start:])
    return "".join(kept)
