"""Who may: asked of Slack at the moment somebody speaks, remembered nowhere, failing closed.

Three answers: an approver, a full member of this workspace who is no approver, or neither. Only plain full members
are either: no bots, no guests, no deactivated people, nobody of another workspace, whatever group they are in. When
Slack does not answer, in time or in full, nothing is known and nobody may.

In an Enterprise Grid one person can belong to many workspaces, and users.info may name any of them as theirs: whoever
has ours among their `enterprise_user.teams` belongs to us, and nobody else does. A message may name the organisation
as its author's workspace, and a user group may be the organisation's.

In a channel that is shared with another workspace nobody has a say. A run does not start in one; that it has become one
since is asked at each word too.

An approver is listed by id or is in a listed user group. Groups are asked about only when the id is not listed. A group
gives a say while Slack lists it as ours and enabled, and names the person among its members; what it answers about the
members of a disabled group is not documented, so the list of groups is always asked too. Whatever is wrong with one
group, or with Slack's answer about it, is wrong with that group alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import ServiceError
from bot.plan.inputs import Permission
from bot.slack.calls import Identity, Refused, asked, understood
from bot.slack.payloads import Conversation, GroupMembers, Person, UserGroup, UserGroups

_PATIENCE_SECONDS = 10
_SLACKBOT = "USLACKBOT"
"""Posts the text of people's reminders, and does not call itself a bot."""


def _no_say(why: str, reason: str) -> Permission:
    """`why` is said to them, `reason` of them."""
    return Permission(known=True, member=False, approver=False, why=why, reason=reason)


_UNKNOWN = Permission(
    known=False,
    member=False,
    approver=False,
    why="Slack did not tell me who you are",
    reason="Slack did not tell who they are",
)
_SHARED = _no_say("this channel is shared with another workspace", "the channel is shared with another workspace")
_DEACTIVATED = _no_say("your account is deactivated", "the account is deactivated")
_BOT = _no_say("bots have no say here", "it is a bot's account")
_STRANGER = _no_say("you belong to another workspace", "they belong to another workspace")
_GUEST = _no_say("you are a guest in this workspace", "they are a guest in this workspace")
_INVITED = _no_say(
    "you were invited to this workspace and have not joined it yet",
    "they were invited to this workspace and have not joined it yet",
)
_APPROVER = Permission(known=True, member=True, approver=True)
_NO_APPROVER = Permission(
    known=True,
    member=True,
    approver=False,
    why="you are not among the approvers",
    reason="they are no longer among the approvers",
)


async def standing_in(
    client: AsyncWebClient,
    channel: str,
    user: str,
    team: str,
    *,
    approvers: Sequence[str],
    groups: Sequence[str],
    identity: Identity,
) -> Permission:
    """The permission of somebody who spoke in `channel`. Never raises for Slack's sake."""
    shared, standing_there = await asyncio.gather(
        _is_shared(client, channel),
        permission(client, user, team, approvers=approvers, groups=groups, identity=identity),
    )
    if shared is None:
        return _UNKNOWN
    return _SHARED if shared else standing_there


async def _is_shared(client: AsyncWebClient, channel: str) -> bool | None:
    """None when Slack does not tell."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            answer = await asked(client.conversations_info(channel=channel), "show the channel")
        return Conversation.model_validate(answer.get("channel")).has_strangers
    except (ServiceError, TimeoutError, ValidationError):
        return None


async def permission(
    client: AsyncWebClient,
    user: str,
    team: str,
    *,
    approvers: Sequence[str],
    groups: Sequence[str] = (),
    identity: Identity,
) -> Permission:
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
    judged = _judged(person, team, identity)
    if judged is None:
        judged = _APPROVER if user in approvers else await _by_groups(client, user, groups, identity)
    return replace(judged, name=person.called)


async def names(
    client: AsyncWebClient, users: Sequence[str], *, patience_seconds: float = _PATIENCE_SECONDS
) -> Mapping[str, str]:
    """What these people are called, by id, as far as Slack tells in time. Never raises for Slack's sake: a name lets
    people read who may act, and gives nobody a say.
    """
    known = dict[str, str]()

    async def ask(user: str) -> None:
        with contextlib.suppress(ServiceError, ValidationError):
            answer = await asked(client.users_info(user=user), "tell who somebody is")
            person = Person.model_validate(answer.get("user"))
            if person.id == user:
                known[user] = person.called

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience_seconds):
            await asyncio.gather(*map(ask, users))
    return {user: known[user] for user in users if known.get(user)}


def _judged(person: Person, team: str, identity: Identity) -> Permission | None:
    """None for a plain full member of this workspace."""
    if person.deleted:
        return _DEACTIVATED
    if person.is_bot or person.is_app_user or person.id == _SLACKBOT:
        return _BOT
    workspaces = _workspaces(person)
    if workspaces is None:
        return _UNKNOWN
    if person.is_stranger or identity.team not in workspaces or team not in {"", *identity.homes, *workspaces}:
        return _STRANGER
    if person.is_restricted or person.is_ultra_restricted:
        return _GUEST
    if person.is_invited_user:
        return _INVITED
    if None in {person.is_bot, person.is_restricted, person.is_ultra_restricted}:
        return _UNKNOWN
    return None


def _workspaces(person: Person) -> frozenset[str] | None:
    """Those that they belong to, all of them for a member of an organisation; None when Slack names none."""
    if person.enterprise_user is not None:
        return frozenset(person.enterprise_user.teams)
    return frozenset({person.team_id}) if person.team_id else None


async def _by_groups(client: AsyncWebClient, user: str, groups: Sequence[str], identity: Identity) -> Permission:
    """Of a plain full member who is not listed by id: one group that has them is enough, whatever is wrong with the
    others.
    """
    if not groups:
        return _NO_APPROVER
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            wrong = await not_living(client, groups, identity)
    except (ServiceError, TimeoutError) as error:
        return _open(_why_not_told(error))
    living = [group for group in groups if group not in wrong]
    answers = await asyncio.gather(*(members(client, group) for group in living))
    if any(isinstance(answer, frozenset) and user in answer for answer in answers):
        return _APPROVER
    untold = [_why_not_told(answer) for answer in answers if not isinstance(answer, frozenset)]
    if untold:
        return _open("; ".join([*wrong.values(), *untold]))
    if wrong:
        why = "; ".join(wrong.values())
        return Permission(known=True, member=True, approver=False, why=why, reason=why)
    return _NO_APPROVER


async def not_living(client: AsyncWebClient, groups: Sequence[str], identity: Identity) -> Mapping[str, str]:
    """Which of them give nobody a say, and why, as clauses: those that are not ours, not enabled, or come in a form
    that makes no sense. Raises ServiceError when Slack lists none.
    """
    answer = await asked(client.usergroups_list(), "list the user groups")
    listed = {_id(raw): raw for raw in understood(UserGroups, answer, "which user groups there are").usergroups}
    wrong: dict[str, str] = {}
    for group in groups:
        try:
            found = UserGroup.model_validate(listed[group]) if group in listed else None
        except ValidationError:
            wrong[group] = f"Slack described the user group `{group}` in a form that its documentation does not know"
            continue
        if found is None or found.date_delete or found.is_external or found.team_id not in identity.homes:
            wrong[group] = f"the user group `{group}` is unknown, disabled or deleted"
    return wrong


def _id(raw: Any) -> str:
    return str(raw.get("id", "")) if isinstance(raw, dict) else ""


async def members(client: AsyncWebClient, group: str) -> frozenset[str] | ServiceError | TimeoutError:
    """Ids, also of those who may have no say; or why Slack did not tell, in time or in a form that makes sense."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            answer = await asked(client.usergroups_users_list(usergroup=group), "list the members of a user group")
            return frozenset(understood(GroupMembers, answer, "who is in a user group").users)
    except (ServiceError, TimeoutError) as error:
        return error


def _why_not_told(error: ServiceError | TimeoutError) -> str:
    if isinstance(error, Refused) and error.code == "missing_scope":
        return "I may not ask Slack who is in the approvers' user groups (the scope usergroups:read is missing)"
    if isinstance(error, Refused):
        return f"Slack refused to tell me who is in the approvers' user groups ({error.code})"
    return "Slack did not tell me who is in the approvers' user groups, so try again in a minute"


def _open(why: str) -> Permission:
    """A member of whom it is not known whether they are an approver, and who therefore is none now."""
    return Permission(known=True, member=True, approver=False, why=why, reason=why, open=True)
