"""The slash command `/cutover WORD …`: a word to the bot without a mention. Pure.

Whoever sends one sees at once, alone, that it was heard; the answer is for everybody and comes in the run's thread. It
counts in the run's channel only. A slash command cannot be sent inside a thread, and leaves no message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from pydantic import ValidationError

from bot.plan.inputs import Hear
from bot.plan.text import say
from bot.plan.texts.foreign import seen
from bot.slack.payloads import SlashCommand
from bot.slack.render import escape

log = structlog.get_logger("cutover.slack")

_ALONE = "help"
UNREADABLE = "Nothing was heard: Slack sent this in an unknown form. Mention me in the channel instead."


def elsewhere(channel: str) -> str:
    return f"Nothing was heard: the run is in {escape.channel(channel)}. Say it there."


def heard(text: str) -> str:
    return escape.mrkdwn(
        say("I heard `{text}`. My answer appears in this channel, in the run's thread.", text=seen(text))
    )


def commanded(body: Mapping[str, Any], *, channel: str, bot_user: str) -> tuple[Hear | None, str]:
    """What was said, None when it does not count; and the text for its author alone."""
    try:
        command = SlashCommand.model_validate(body)
    except ValidationError:
        log.warning("a slash command came in a form that I do not know; nothing was heard")
        return None, UNREADABLE
    if command.channel_id != channel:
        return None, elsewhere(channel)
    text, _ = escape.typed(command.text.strip() or _ALONE, bot_user=bot_user)
    said = Hear(
        ts="",
        user=command.user_id,
        team=command.team_id,
        text=text,
        thread_ts=None,
        addressed=True,
        via="command",
        request=command.trigger_id,
    )
    return said, heard(text)
