"""`cutover manifest`: the Slack app to make, as the JSON that Slack's "From a manifest" takes. It contacts nobody."""

from __future__ import annotations

import json
from pathlib import Path

from bot.commands.config import require_valid
from bot.errors import UsageError
from bot.slack.manifest import manifest as made
from bot.terminal import tell

_LONGEST_NAME = 35


def manifest(config: Path | None, *, name: str, url: str | None) -> int:
    """Raises UsageError for what Slack would refuse."""
    require_valid(config)
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise UsageError(
            f"The name of a Slack app has 1 to {_LONGEST_NAME} characters",
            unchanged="nothing was printed",
            do="choose a shorter --name",
        )
    if url is not None and not url.startswith("https://"):
        raise UsageError(
            "Slack sends events to an address that begins with https://",
            unchanged="nothing was printed",
            do="name the bot's public address in --url, or omit it for Socket Mode",
        )
    tell(json.dumps(made(name, url), indent=2))
    return 0
