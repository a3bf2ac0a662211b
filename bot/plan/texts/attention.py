"""What is said above the list of users to fix."""

from __future__ import annotations

from bot.plan.text import Text, joined, say
from bot.plan.texts.amounts import counted


def listed(users: int) -> Text:
    return say(
        "*To fix by hand:* {users}, by id, with the reason, what was migrated and what to do. For the list with "
        "addresses run `cutover attention` on the bot's machine, or `cutover attention --csv` for a spreadsheet.",
        users=counted(users, "user"),
    )


def not_attached(says: Text, why: str) -> Text:
    """`why` is a code."""
    return joined([says, say("The file could not be attached here (`{why}`).", why=why)])
