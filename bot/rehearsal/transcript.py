"""The channel as a reader sees it, printed as it happens: messages, answers in their threads, edits that change what a
message says it is, and how far the header says the work has come.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from bot.rehearsal.standins.slack import Change, Message, SlackStandin

_FENCE = "```"
_INLINE = re.compile(r"(?<!\w)\*(?P<bold>[^*\n]+)\*(?!\w)|`(?P<code>[^`\n]+)`|<@(?P<person>\w+)>")
_PROGRESS = re.compile(r"^\*Progress:\* (.+)$", re.MULTILINE)
_STATUS_STYLES = {
    "waiting": "yellow",
    "verifying": "cyan",
    "running": "cyan",
    "passed": "green",
    "done": "green",
    "warned": "yellow",
    "refused": "red",
    "void": "red",
    "held": "red",
    "aborted": "red",
}


class Transcript:
    def __init__(self, console: Console, slack: SlackStandin) -> None:
        self._console = console
        self._names: Mapping[str, str] = {person.id: person.name for person in slack.people.values()}
        slack.on_change(self._changed)

    def stage(self, direction: str) -> None:
        """What happens outside the channel."""
        self._console.print(Padding(Text(f"— {direction} —", style="dim italic"), (1, 0, 0, 0)))

    def _changed(self, change: Change) -> None:
        message = change.message
        before = change.before
        if before is None:
            self._print(message)
        elif message.payload.get("status") != before.payload.get("status"):
            self._console.print(self._moved(message))
        elif (progress := _progress(message)) and progress != _progress(before):
            line = Text(f"{datetime.now(UTC):%H:%M:%S} … ", style="dim")
            self._console.print(line.append_text(self._styled(progress)))

    def _print(self, message: Message) -> None:
        """Prose is folded; code keeps every character and every line, so that it can be copied."""
        line = Text()
        author = self._names.get(message.user or "", "cutover")
        line.append(f"{_clock(message)} ", style="dim")
        line.append(author, style="bold magenta" if message.payload else "bold blue")
        status = str(message.payload.get("status", ""))
        if status:
            line.append(f" [{status}]", style=_STATUS_STYLES.get(status, ""))
        line.append("  ")
        indent = 4 if message.thread_ts else 0
        if not indent:
            self._console.print()
        for n, part in enumerate(message.text.split(_FENCE)):
            if n % 2:
                code = html.unescape(part.strip("\n")).replace("\n", "\n" + " " * indent)
                self._console.print(Text(" " * indent + code), soft_wrap=True)
            elif line.append_text(self._styled(part.strip("\n") if n else part.rstrip("\n"))):
                self._console.print(Padding(line, (0, 0, 0, indent)))
            line = Text()
        for file in message.extra.get("files", ()):
            self._console.print(Text(f"{' ' * indent}📎 {file['name']}", style="dim"))

    def _moved(self, message: Message) -> Text:
        status = str(message.payload["status"])
        what = str(message.payload["checkpoint"] or "run")
        if message.event_type == "cutover_checkpoint":
            what = f"checkpoint {what}"
        line = Text(f"{datetime.now(UTC):%H:%M:%S} ", style="dim")
        line.append(f"✎ {what} is now ", style="dim")
        line.append(status, style=_STATUS_STYLES.get(status, ""))
        return line

    def _styled(self, text: str) -> Text:
        styled, at = Text(), 0
        for found in _INLINE.finditer(text):
            styled.append(html.unescape(text[at : found.start()]))
            at = found.end()
            if found["person"]:
                styled.append("@" + self._names.get(found["person"], found["person"]))
            else:
                styled.append_text(self._inside(found))
        return styled.append(html.unescape(text[at:]))

    def _inside(self, found: re.Match[str]) -> Text:
        if found["code"]:
            return Text(html.unescape(found["code"]), style="cyan")
        bold = self._styled(found["bold"])
        bold.stylize("bold")
        return bold


def _progress(message: Message) -> str:
    found = _PROGRESS.search(message.text)
    return found[1] if found else ""


def _clock(message: Message) -> str:
    return f"{datetime.fromtimestamp(float(message.ts), UTC):%H:%M:%S}"
