"""What `cutover doctor` asks of Slack: tokens, scopes, channel, and whether every approver could approve."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from slack_sdk.web.async_client import AsyncWebClient

from bot.plan.findings import Finding, failed, passed
from bot.slack import authority
from bot.slack.calls import identify


async def preflight(
    client: AsyncWebClient, *, channel: str, app_token: str | None, approvers: Sequence[str]
) -> AsyncIterator[Finding]:
    """Raises ServiceError when Slack cannot be reached or refuses token, scope or channel."""
    identity = await identify(client, channel=channel, app_token=app_token)
    mode = "Socket Mode" if app_token is not None else "HTTP"
    yield passed(
        "slack-connection", f"Slack knows the bot as {identity.bot_user}, in the channel {channel}, by {mode}."
    )
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
