"""What `cutover doctor` asks of Slack: tokens, scopes, channel, and whether every approver could approve."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Sequence

from slack_sdk.web.async_client import AsyncWebClient

from bot.plan.findings import Finding, failed, passed, warned
from bot.slack import authority
from bot.slack.calls import Identity, identify


async def preflight(
    client: AsyncWebClient,
    *,
    channel: str,
    app_token: str | None,
    approvers: Sequence[str],
    groups: Sequence[str] = (),
) -> AsyncIterator[Finding]:
    """Raises ServiceError when Slack cannot be reached or refuses token, scope or channel."""
    identity = await identify(client, channel=channel, app_token=app_token, groups=groups)
    mode = "Socket Mode" if app_token is not None else "HTTP"
    yield passed(
        "slack-connection", f"Slack knows the bot as {identity.bot_user}, in the channel {channel}, by {mode}."
    )
    yield _scopes(identity)
    if groups:
        yield _groups(groups, await authority.living_groups(client, identity.team))
    if not approvers:
        return
    cannot: list[str] = []
    for user in approvers:
        standing = await authority.standing(client, user, identity.team, approvers=approvers, own_team=identity.team)
        if not standing.approver:
            cannot.append(f"{user} ({standing.why or 'Slack did not tell'})")
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


def _groups(groups: Sequence[str], living: Container[str]) -> Finding:
    check = "slack-groups"
    if gone := [group for group in groups if group not in living]:
        return failed(
            check,
            f"These user groups are unknown, disabled or deleted, and would give nobody a say: {', '.join(gone)}.",
            "Name user groups of this workspace that are enabled in approvers.groups (ids begin with S).",
        )
    return warned(
        check,
        f"The members of {len(groups)} user group{'s' if len(groups) > 1 else ''} are approvers, and whoever may "
        "edit such a group in Slack can make themselves one.",
        "let only owners and admins edit user groups (workspace settings, permissions), or name people instead",
    )


def _scopes(identity: Identity) -> Finding:
    check = "slack-scopes"
    mend = "make the app anew from what `cutover manifest` prints, or add the scope and install the app again"
    if not identity.scopes:
        return warned(check, "Slack did not list the token's scopes.", "compare them with `cutover manifest`")
    if identity.lacks:
        return warned(check, f"The token lacks a scope for this: {'; '.join(identity.lacks)}.", mend)
    return passed(check, "The token has every scope that the bot uses.")
