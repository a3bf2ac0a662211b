"""Who may: asked of Slack at the moment somebody speaks, remembered nowhere, failing closed.

Three answers: an approver, a full member of this workspace who is no approver, or neither. Only plain full members
are either: no bots, no guests, no deactivated people, nobody of another workspace. When Slack does not answer, in
time or in full, nothing is known and nobody may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import ValidationError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import ServiceError
from bot.plan.commands import Standing
from bot.slack.calls import asked
from bot.slack.payloads import Person

_PATIENCE_SECONDS = 10
_SLACKBOT = "USLACKBOT"
"""Says what reminders were told to say, and does not call itself a bot."""
_UNKNOWN = Standing(known=False, member=False, approver=False, why="Slack did not tell me who you are")


async def standing(
    client: AsyncWebClient, user: str, team: str, *, approvers: Sequence[str], own_team: str
) -> Standing:
    """`team` is the author's workspace as the message named it, "" when it named none. Never raises for Slack's
    sake.
    """
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            answer = await asked(client.users_info(user=user), "tell who spoke")
        person = Person.model_validate(answer.get("user"))
    except (ServiceError, TimeoutError, ValidationError):
        return _UNKNOWN
    if person.id != user:
        return _UNKNOWN
    return _judged(person, team, approvers, own_team)


def _judged(person: Person, team: str, approvers: Sequence[str], own_team: str) -> Standing:
    def stranger(why: str) -> Standing:
        return Standing(known=True, member=False, approver=False, why=why)

    if person.deleted:
        return stranger("your account is deactivated")
    if person.is_bot or person.is_app_user or person.id == _SLACKBOT:
        return stranger("bots have no say here")
    if person.is_stranger or person.team_id != own_team or team not in {"", own_team}:
        return stranger("you belong to another workspace")
    if person.is_restricted or person.is_ultra_restricted:
        return stranger("you are a guest in this workspace")
    if person.is_invited_user:
        return stranger("you were invited to this workspace and have not joined it yet")
    if None in {person.is_bot, person.is_restricted, person.is_ultra_restricted}:
        return _UNKNOWN
    if person.id not in approvers:
        return Standing(known=True, member=True, approver=False, why="you are not among the approvers")
    return Standing(known=True, member=True, approver=True)
