"""Who may: what users.info says at that moment decides, and silence decides against."""

from dataclasses import replace
from typing import Any

import pytest

from bot.plan.commands import Standing
from bot.plan.talk import sentences
from bot.slack.channel import SlackChannel

ADA, BOB = "U0ADA", "U0BOB"
OWN = "T0REHEARSAL"


async def test_an_approver_may_say_the_word(channel: SlackChannel) -> None:
    """A listed full member of this workspace is an approver."""
    assert await channel.standing(ADA, OWN, [ADA], []) == Standing(known=True, member=True, approver=True)


async def test_a_member_who_is_not_listed_is_told_so(channel: SlackChannel) -> None:
    """A full member may ask, and is no approver."""
    standing = await channel.standing(BOB, OWN, [ADA], [])
    assert standing == Standing(known=True, member=True, approver=False, why="you are not among the approvers")
    assert sentences.not_entitled("frozen", standing.why, [ADA]) == (
        "Nothing was started: you are not among the approvers. <@U0ADA> may say `frozen`."
    )


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"is_restricted": True}, "you are a guest in this workspace"),
        ({"is_ultra_restricted": True}, "you are a guest in this workspace"),
        ({"deleted": True}, "your account is deactivated"),
        ({"is_bot": True}, "bots have no say here"),
        ({"is_app_user": True}, "bots have no say here"),
        ({"is_stranger": True}, "you belong to another workspace"),
        ({"team_id": "T0OTHER"}, "you belong to another workspace"),
        ({"is_invited_user": True}, "you were invited to this workspace and have not joined it yet"),
    ],
)
async def test_only_plain_full_members_have_a_say(
    channel: SlackChannel, slack: Any, flags: dict[str, Any], why: str
) -> None:
    """Each other kind of account is refused with its own sentence, even when its id is listed."""
    slack.people[ADA] = replace(slack.people[ADA], **flags)
    assert await channel.standing(ADA, OWN, [ADA], []) == Standing(known=True, member=False, approver=False, why=why)


async def test_the_workspace_on_the_message_counts_too(channel: SlackChannel) -> None:
    """A message that names another workspace is a stranger's, whatever users.info says; one that names none is not."""
    stranger = await channel.standing(ADA, "T0OTHER", [ADA], [])
    assert stranger == Standing(known=True, member=False, approver=False, why="you belong to another workspace")
    assert (await channel.standing(ADA, "", [ADA], [])).approver


@pytest.mark.parametrize("fault", ["internal_error", "html_500", "text_503", "drop", "user_not_found", "invalid_auth"])
async def test_when_slack_does_not_tell_nobody_may(channel: SlackChannel, slack: Any, fault: str) -> None:
    """Whatever keeps Slack from answering, nothing is known and nobody may."""
    slack.fail_next("users.info", fault, times=2)  # a GET whose connection broke is sent again by the HTTP library
    assert await channel.standing(ADA, OWN, [ADA], []) == Standing(
        known=False, member=False, approver=False, why="Slack did not tell me who you are"
    )


async def test_nothing_is_remembered(channel: SlackChannel, slack: Any) -> None:
    """Somebody who was an approver a moment ago and is deactivated now may not."""
    assert (await channel.standing(ADA, OWN, [ADA], [])).approver
    slack.people[ADA] = replace(slack.people[ADA], deleted=True)
    assert not (await channel.standing(ADA, OWN, [ADA], [])).approver
    assert [call.method for call in slack.calls].count("users.info") == 2
