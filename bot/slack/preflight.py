"""What `cutover doctor` asks of Slack: tokens, scopes, channel, and whether every approver could approve.

Whether there are enough people in the user groups is asked once more when a run is opened.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime, timedelta

from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import CheckFailed, ServiceUnreachable
from bot.plan.clocks import FIX, Comparison
from bot.plan.findings import Finding, failed, passed, warned
from bot.slack import authority
from bot.slack.calls import Identity, asked, identify, shown_time, understood
from bot.slack.payloads import PinCount

MOST_PINS = 100
"""That Slack allows in a channel."""


async def preflight(
    client: AsyncWebClient,
    *,
    channel: str,
    app_token: str | None,
    approvers: Sequence[str],
    groups: Sequence[str] = (),
    people_needed: int = 1,
    heard: Callable[[], None] = lambda: None,
) -> AsyncIterator[Finding]:
    """`people_needed` is how many different approvers the night takes at least. `heard` is called when Slack has
    answered about one of many.

    Raises ServiceError when Slack cannot be reached or refuses token, scope or channel."""
    identity = await identify(client, channel=channel, app_token=app_token, groups=groups)
    mode = "Socket Mode" if app_token is not None else "HTTP"
    yield passed(
        "slack-connection", f"Slack knows the bot as {identity.bot_user}, in the channel {channel}, by {mode}."
    )
    yield _scopes(identity)
    yield await _pins(client, channel)
    if groups:
        yield await _groups(client, identity, groups, approvers, people_needed)
    if not approvers:
        return
    cannot: list[str] = []
    for user in approvers:
        permission = await authority.permission(client, user, identity.team, approvers=approvers, identity=identity)
        heard()
        if not permission.approver:
            cannot.append(f"{user} ({permission.reason})")
    if cannot:
        yield failed(
            "slack-approvers",
            f"These approvers could open no gate: {', '.join(cannot)}.",
            "Name full members of this workspace in approvers.users.",
        )
    else:
        yield passed(
            "slack-approvers", f"Each of the {len(approvers)} approvers is a full member and could open a gate."
        )


async def clock(client: AsyncWebClient, now: Callable[[], datetime]) -> AsyncIterator[Finding]:
    """Slack's clock against ours. Raises ServiceError."""
    check = "slack-clock"
    asked = now()
    theirs = await shown_time(client)
    if theirs is None:
        yield warned(check, "Slack's answer does not say what time it is there.", FIX)
        return
    compared = Comparison(asked=asked, theirs=theirs, answered=now(), grain=timedelta(seconds=1))
    if compared.apart:
        yield warned(check, compared.told("Slack's"), FIX)
    else:
        yield passed(check, compared.told("Slack's"))


async def _pins(client: AsyncWebClient, channel: str) -> Finding:
    """The history tells how many there are, so that no further scope is asked for."""
    check = "slack-pins"
    fix = "unpin a message that nobody needs, or do without a pinned header: the night goes on"
    found = await asked(client.conversations_history(channel=channel, limit=1), "show the channel's pins")
    pins = understood(PinCount, found, "how many pins there are").pin_count
    if pins is None:
        return warned(check, f"Slack did not say how many pins the channel has; it allows {MOST_PINS}.", fix)
    if pins >= MOST_PINS:
        return warned(check, f"The channel has {pins} pins, as many as Slack allows: the header cannot be pinned.", fix)
    return passed(check, f"The channel has {pins} of at most {MOST_PINS} pins, so the header can be pinned.")


async def _groups(
    client: AsyncWebClient, identity: Identity, groups: Sequence[str], approvers: Sequence[str], people_needed: int
) -> Finding:
    check = "slack-groups"
    if gone := await authority.not_living(client, groups, identity):
        return failed(
            check,
            f"These user groups would give nobody a say: {'; '.join(gone.values())}.",
            "Name user groups of this workspace that are enabled in approvers.groups (ids begin with S).",
        )
    told = {group: await authority.members(client, group) for group in groups}
    if untold := [group for group, people in told.items() if not isinstance(people, frozenset)]:
        return failed(
            check,
            f"Slack did not tell who is in these user groups, which would give nobody a say: {', '.join(untold)}.",
            "Ask again; if it stays, name people in approvers.users instead.",
        )
    people = (people for people in told.values() if isinstance(people, frozenset))
    if (why := await _too_few(client, identity, set(approvers).union(*people), people_needed)) is not None:
        return failed(check, f"{why}.", f"{_MORE_PEOPLE}.")
    return warned(
        check,
        f"The members of {len(groups)} user group{'s' if len(groups) > 1 else ''} are approvers, and whoever may "
        "edit such a group in Slack can make themselves one.",
        "let only owners and admins edit user groups (workspace settings, permissions), or name people instead",
    )


async def refuse_too_few(
    client: AsyncWebClient, identity: Identity, approvers: Sequence[str], groups: Sequence[str], people_needed: int
) -> None:
    """Before a run is opened: with today's members of the user groups, could every gate be opened? A group that gives
    nobody a say adds nobody.

    Raises CheckFailed when there are too few people, and ServiceError when Slack does not tell who there is.
    """
    gone = await authority.not_living(client, groups, identity)
    told = [await authority.members(client, group) for group in groups if group not in gone]
    people = (people for people in told if isinstance(people, frozenset))
    if (why := await _too_few(client, identity, set(approvers).union(*people), people_needed)) is None:
        return
    for untold in told:
        if not isinstance(untold, frozenset):
            raise ServiceUnreachable(
                "Slack did not tell who is in the user groups of approvers.groups",
                unchanged="nothing was started",
                do="start the bot again, or name people in approvers.users instead",
            ) from untold
    raise CheckFailed(why, unchanged="nothing was started", do=f"{_MORE_PEOPLE[0].lower()}{_MORE_PEOPLE[1:]}")


async def enough_people(
    client: AsyncWebClient, identity: Identity, approvers: Sequence[str], groups: Sequence[str], people_needed: int
) -> Finding:
    """As above, in the middle of a run: could every gate still be opened? Raises ServiceError."""
    check = "approvers"
    try:
        await refuse_too_few(client, identity, approvers, groups, people_needed)
    except CheckFailed as error:
        return failed(check, f"{error.happened}.", f"{_MORE_PEOPLE}.", waivable=True)
    return passed(check, f"Enough approvers could open every checkpoint; together they take {people_needed} people.")


_MORE_PEOPLE = "Put more full members of this workspace into the user groups, or ask for fewer approvals"


async def _too_few(client: AsyncWebClient, identity: Identity, named: Collection[str], needed: int) -> str | None:
    """Why they are too few for the night, as a clause."""
    able = await _able(client, identity, sorted(named), needed)
    if able >= needed:
        return None
    return (
        f"The night takes {needed} different approvers, and of the {len(named)} in approvers.users and the user groups "
        f"only {able} could open a gate"
    )


async def _able(client: AsyncWebClient, identity: Identity, users: Sequence[str], enough: int) -> int:
    """How many of them could open a gate; nobody more is asked about once there are enough."""
    able = 0
    for user in users:
        permission = await authority.permission(client, user, identity.team, approvers=users, identity=identity)
        able += permission.approver
        if able >= enough:
            break
    return able


def _scopes(identity: Identity) -> Finding:
    check = "slack-scopes"
    fix = "make the app anew from what `cutover manifest` prints, or add the scope and install the app again"
    if not identity.scopes:
        return warned(check, "Slack did not list the token's scopes.", "compare them with `cutover manifest`")
    if identity.lacks:
        return warned(check, f"The token lacks a scope for this: {'; '.join(identity.lacks)}.", fix)
    return passed(check, "The token has every scope that the bot uses.")
