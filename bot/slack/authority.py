"""Who may: asked of Slack at the moment somebody speaks, remembered nowhere, failing closed.

Three answers: an approver, a full member of this workspace who is no approver, or neither. Only plain full members
are either: no bots, no guests, no deactivated people, nobody of another workspace, whatever group they are in. When
Slack does not answer, in time or in full, nothing is known and nobody may.

In a channel that is shared with another workspace nobody has a say. A run does not start in one; that it has become one
since is asked at each word too.

An approver is listed by id or is in a listed user group. Groups are asked about only when the id is not listed. A group
gives a say while Slack lists it as this workspace's own and enabled, and names the person among its members; what it
answers about the members of a disabled group is not documented, so the list of groups is always asked too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import ValidationError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import ServiceError
from bot.plan.commands import Standing
from bot.slack.calls import Refused, asked, understood
from bot.slack.payloads import Conversation, GroupMembers, Person, UserGroups

_PATIENCE_SECONDS = 10
_SLACKBOT = "USLACKBOT"
"""Says what reminders were told to say, and does not call itself a bot."""
_UNKNOWN = Standing(known=False, member=False, approver=False, why="Slack did not tell me who you are")


async def standing_in(
    client: AsyncWebClient,
    channel: str,
    user: str,
    team: str,
    *,
    approvers: Sequence[str],
    groups: Sequence[str],
    own_team: str,
) -> Standing:
    """The standing of somebody who spoke in `channel`. Never raises for Slack's sake."""
    shared, standing_there = await asyncio.gather(
        _is_shared(client, channel),
        standing(client, user, team, approvers=approvers, groups=groups, own_team=own_team),
    )
    if shared is None:
        return _UNKNOWN
    if shared:
        why = "this channel is shared with another workspace by now"
        return Standing(known=True, member=False, approver=False, why=why)
    return standing_there


async def _is_shared(client: AsyncWebClient, channel: str) -> bool | None:
    """None when Slack does not tell."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            answer = await asked(client.conversations_info(channel=channel), "show the channel")
        return Conversation.model_validate(answer.get("channel")).has_strangers
    except (ServiceError, TimeoutError, ValidationError):
        return None


async def standing(
    client: AsyncWebClient,
    user: str,
    team: str,
    *,
    approvers: Sequence[str],
    groups: Sequence[str] = (),
    own_team: str,
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
    judged = _judged(person, team, own_team)
    if judged is not None:
        return judged
    if user in approvers:
        return _APPROVER
    return await _by_groups(client, user, groups, own_team)


def _judged(person: Person, team: str, own_team: str) -> Standing | None:
    """None for a plain full member of this workspace."""

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
    return None


async def _by_groups(client: AsyncWebClient, user: str, groups: Sequence[str], own_team: str) -> Standing:
    """Of a plain full member who is not listed by id: one group that has them is enough, whatever is wrong with the
    others.
    """
    if not groups:
        return _NO_APPROVER
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            living = await living_groups(client, own_team)
            asking = {group: members(client, group) for group in groups if group in living}
            answers = dict(zip(asking, await asyncio.gather(*asking.values(), return_exceptions=True), strict=True))
    except (ServiceError, TimeoutError) as error:
        return _no_approver(_why_not_told(error))
    if any(isinstance(answer, frozenset) and user in answer for answer in answers.values()):
        return _APPROVER
    wrong = [f"the user group `{group}` is unknown, disabled or deleted" for group in groups if group not in living]
    for answer in answers.values():
        if isinstance(answer, ServiceError):
            wrong.append(_why_not_told(answer))
        elif isinstance(answer, BaseException):
            raise answer
    return _no_approver("; ".join(wrong)) if wrong else _NO_APPROVER


async def living_groups(client: AsyncWebClient, own_team: str) -> frozenset[str]:
    """Groups of this workspace that are not disabled; an external one is another workspace's. Raises ServiceError."""
    answer = await asked(client.usergroups_list(), "list the user groups")
    listed = understood(UserGroups, answer, "which user groups there are").usergroups
    return frozenset(
        group.id for group in listed if not group.date_delete and not group.is_external and group.team_id == own_team
    )


async def members(client: AsyncWebClient, group: str) -> frozenset[str]:
    """Ids, also of those who may have no say. Raises ServiceError."""
    answer = await asked(client.usergroups_users_list(usergroup=group), "list the members of a user group")
    return frozenset(understood(GroupMembers, answer, "who is in a user group").users)


def _why_not_told(error: ServiceError | TimeoutError) -> str:
    if isinstance(error, Refused) and error.code == "missing_scope":
        return "I may not ask Slack who is in the approvers' user groups (the scope usergroups:read is missing)"
    if isinstance(error, Refused):
        return f"Slack refused to tell me who is in the approvers' user groups ({error.code})"
    return "Slack did not tell me who is in the approvers' user groups, so try again in a minute"


def _no_approver(why: str) -> Standing:
    return Standing(known=True, member=True, approver=False, why=why)


_APPROVER = Standing(known=True, member=True, approver=True)
_NO_APPROVER = _no_approver("you are not among the approvers")
