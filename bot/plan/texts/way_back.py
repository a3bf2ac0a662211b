"""The SQL that thaws, as the channel shows it: a file, or, where none can be attached, code in as many pieces as
messages need.

People copy it from the thread when nothing else of Cutover is left, so nothing in it is ever cut. It is divided between
lines, after a `COMMIT;` where one is near, and the pieces joined with a line end are the whole again. What cannot be
shown as code in a message (a line longer than one, a fence in the text itself) is not shown at all: a sentence says
where it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.plan.text import Text, say

MOST = 3_400
"""Characters a piece, as a channel writes them: with its sentence and fences it fits a message that can be edited."""
_ENTITY = 5
"""Characters of the longest entity that a channel may write one of these as."""
_AS_ENTITIES = frozenset("&<>")
FENCE = "```"
SAYS = say(
    "*The way back:* this SQL unfreezes Supabase, with or without me. Copy all of it, paste it into the SQL editor or "
    "psql as role `postgres`, and run it once."
)
NOT_SHOWN = say(
    "The SQL that thaws Supabase does not fit a message. `cutover freeze-sql --thaw` prints it, on any machine, "
    "without a connection."
)


def pieces(sql: str) -> Sequence[str]:
    """The SQL in its order; joined by line ends they are the whole. Empty when it cannot be shown as code."""
    lines = sql.rstrip("\n").split("\n")
    if FENCE in sql or any(_width(line) > MOST for line in lines):
        return ()
    found: list[str] = []
    while lines:
        end = _that_fit(lines)
        found.append("\n".join(lines[:end]))
        lines = lines[end:]
    return found


def _that_fit(lines: Sequence[str]) -> int:
    """How many of the lines the next piece takes."""
    size, fitting, committed = 0, 0, 0
    for line in lines:
        size += _width(line) + 1
        if size > MOST + 1:
            return committed or fitting
        fitting += 1
        if line.strip() == "COMMIT;":
            committed = fitting
    return fitting


def _width(line: str) -> int:
    return len(line) + (_ENTITY - 1) * sum(character in _AS_ENTITIES for character in line)


def part(n: int, of: int) -> Text:
    """What is above a piece."""
    if of == 1:
        return say("Copy all of it.")
    if n == 1:
        return say("Part 1 of {of}: copy all {of}, paste them one below the other, and run them together.", of=of)
    return say("Part {n} of {of}: paste it below part {before}.", n=n, of=of, before=n - 1)
