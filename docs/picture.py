"""docs/night.svg: the essential messages of a rehearsal as a picture.

    COLUMNS=3000 .venv/bin/cutover rehearse --auto > night.txt
    .venv/bin/python -m docs.picture night.txt

Nothing is made up: each line of the picture is one of the transcript, found by its beginning in this order. What is
left out in between is not marked, long lines are folded, and the two emoji are signs that every font has. The picture
names no host: fonts are the reader's own.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

_WIDTH = 108
_LINES = (
    r"\S+ cutover \[\w+\]  Checkpoint 1 of 3",
    r"To do:",
    r"1\. Read",
    r"2\. Run",
    r"3\. Switch",
    r"4\. Say",
    r"Who may say it: ",
    r"Evidence ",
    r"$",
    r"\S+ Linus  frozen",
    r"    \S+ cutover \[refused\]  Nothing was started: you",
    r"$",
    r"— Ada sets",
    r"\S+ Ada  Frozen!",
    r"    \S+ cutover \[refused\]  ❌ freeze-layers",
    r"    \S+ cutover \[passed\]  ✅ session-refuses-writes",
    r"    \S+ cutover \[refused\]  ❌ api-refuses-writes",
    r"$",
    r"\S+ Ada  frozen",
    r"    \S+ cutover \[passed\]  ✅ freeze-layers",
    r"    \S+ cutover \[passed\]  ✅ api-refuses-writes",
    r"    \S+ cutover \[passed\]  ✅ old-sessions",
    r"    \S+ cutover \[passed\]  ✅ quiet-window",
    r"\S+ ✎ checkpoint freeze is now passed",
    r"$",
    r"— the bot is killed in",
    r"    \S+ cutover \[done\]  I was away",
    r"$",
    r"\S+ cutover \[\w+\]  Checkpoint 2 of 3",
    r"The largest tables: ",
    r"Not in the bundle: ",
    r"If you stop here: ",
    r"Evidence ",
    r"$",
    r"\S+ Grace  exported",
    r"    \S+ cutover \[passed\]  ✅ files-whole",
    r"\S+ ✎ checkpoint export is now passed",
    r"$",
    r"\S+ cutover \[done\]  Cutover \S+ handed over",
    r"Exported: ",
    r"Users: ",
    r"The digest over everything: ",
)
_STATUS = {"refused": "red", "passed": "green", "done": "green", "waiting": "yellow"}
_THEME = TerminalTheme(
    (250, 250, 248),
    (45, 45, 50),
    [
        (45, 45, 50),
        (190, 40, 40),
        (25, 120, 60),
        (150, 95, 0),
        (40, 80, 170),
        (130, 50, 130),
        (0, 110, 130),
        (90, 90, 95),
    ],
)


def excerpt(transcript: Sequence[str]) -> Iterator[str]:
    """The lines of the picture. Raises ValueError naming the first that the transcript does not have."""
    at = 0
    for beginning in _LINES:
        if beginning == "$":
            yield ""
            continue
        found = next((n for n in range(at, len(transcript)) if re.match(beginning, transcript[n])), None)
        if found is None:
            raise ValueError(f"the transcript has no line that begins with {beginning} after line {at}")
        line, at = transcript[found], found + 1
        yield f"{line} {transcript[at]}" if line.endswith("over everything:") else line


def drawn(lines: Sequence[str]) -> str:
    """As SVG."""
    console = Console(width=_WIDTH, record=True, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    for line in lines:
        indent = "    " if line.startswith("    ") else ""
        for n, piece in enumerate(_styled(line.strip()).wrap(console, _WIDTH - len(indent))):
            console.print(Text(indent if n == 0 or indent else "") + piece)
    svg = console.export_svg(title="The channel of a rehearsal, shortened", theme=_THEME)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!-- Generated.*?-->\s*", "", svg)
    return re.sub(r"Fira Code, ?monospace", "ui-monospace, Menlo, Consolas, monospace", svg)


def _styled(line: str) -> Text:
    text = Text(line.replace("✅", "✓").replace("❌", "✗"))
    if line.startswith("—"):
        text.stylize("italic magenta")
    text.highlight_regex(r"^\d\d:\d\d:\d\d", "white")
    text.highlight_regex(r"(?<=\d )(?:Ada|Grace|Linus)\b", "bold blue")
    text.highlight_regex(r"(?<=\d )cutover\b", "bold")
    for status, colour in _STATUS.items():
        text.highlight_regex(rf"\[{status}\]|is now {status}$", colour)
    text.highlight_regex(r"^[A-Z][\w ]+:(?= )", "bold")
    return text


def main(arguments: Sequence[str]) -> int:
    transcript = [line.rstrip() for line in Path(arguments[0]).read_text(encoding="utf-8").splitlines()]
    (Path(__file__).parent / "night.svg").write_text(drawn(list(excerpt(transcript))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
