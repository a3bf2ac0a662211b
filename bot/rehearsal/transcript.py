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

_MENTION = re.compile(r"<@(\w+)>")
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
            self._console.print(self._message(message))
        elif message.payload.get("status") != before.payload.get("status"):
            self._console.print(self._moved(message))
        elif (progress := _progress(message)) and progress != _progress(before):
            self._console.print(Text(f"{datetime.now(UTC):%H:%M:%S} … {self._plain(progress)}", style="dim"))

    def _message(self, message: Message) -> Padding:
        line = Text()
        author = self._names.get(message.user or "", "cutover")
        line.append(f"{_clock(message)} ", style="dim")
        line.append(author, style="bold magenta" if message.payload else "bold blue")
        status = str(message.payload.get("status", ""))
        if status:
            line.append(f" [{status}]", style=_STATUS_STYLES.get(status, ""))
        line.append("  ")
        line.append(self._plain(message.text))
        return Padding(line, (0, 0, 0, 4) if message.thread_ts else (1, 0, 0, 0))

    def _moved(self, message: Message) -> Text:
        status = str(message.payload["status"])
        what = str(message.payload["checkpoint"] or "run")
        if message.event_type == "cutover_checkpoint":
            what = f"checkpoint {what}"
        line = Text(f"{datetime.now(UTC):%H:%M:%S} ", style="dim")
        line.append(f"✎ {what} is now ", style="dim")
        line.append(status, style=_STATUS_STYLES.get(status, ""))
        return line

    def _plain(self, text: str) -> str:
        named = _MENTION.sub(lambda found: "@" + self._names.get(found[1], found[1]), text)
        return html.unescape(re.sub(r"(?<!\w)[*`]|[*`](?!\w)", "", named))


def _progress(message: Message) -> str:
    found = _PROGRESS.search(message.text)
    return found[1] if found else ""


def _clock(message: Message) -> str:
    return f"{datetime.fromtimestamp(float(message.ts), UTC):%H:%M:%S}"
