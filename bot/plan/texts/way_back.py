"""The SQL that thaws, as the channel shows it: code to be copied, whole, in as many pieces as messages need.

People copy it from the thread when nothing else of Cutover is left, so nothing in it is ever cut. It is divided between
lines, after a `COMMIT;` where one is near, and the pieces joined with a line end are the whole again. What cannot be
shown as code in a message (a line longer than one, a fence in the text itself) is not shown at all: a sentence says
where it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.plan.texts.foreign import escaped

MOST = 3_400
"""Escaped characters a piece: with its sentence and its fences it fits a message that Slack lets us edit."""
FENCE = "```"
NOT_SHOWN = (
    "The SQL that thaws Supabase cannot be shown in a message. `cutover freeze-sql --thaw` prints it, on any machine, "
    "without a connection."
)


def pieces(sql: str) -> Sequence[str]:
    """The SQL in its order; joined by line ends they are the whole. Empty when it cannot be shown as code."""
    lines = sql.rstrip("\n").split("\n")
    if FENCE in sql or any(len(escaped(line)) > MOST for line in lines):
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
        size += len(escaped(line)) + 1
        if size > MOST + 1:
            return committed or fitting
        fitting += 1
        if line.strip() == "COMMIT;":
            committed = fitting
    return fitting


def says(part: int, of: int) -> str:
    """What stands above a piece."""
    if of == 1:
        return (
            "*The way back:* this SQL unfreezes Supabase, with or without me. Copy all of it, paste it into the SQL "
            "editor or psql as role `postgres`, and run it once."
        )
    if part == 1:
        return (
            f"*The way back, part 1 of {of}:* this SQL unfreezes Supabase, with or without me. Copy all {of} parts, "
            "paste them one below the other into the SQL editor or psql as role `postgres`, and run them together."
        )
    return f"*The way back, part {part} of {of}:* paste it below part {part - 1}."
