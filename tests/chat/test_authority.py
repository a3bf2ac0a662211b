"""Who may: what users.info says at that moment decides, and silence decides against."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import ServiceRefused
from bot.plan.findings import Finding, passed, warned
from bot.plan.inputs import Permission
from bot.plan.texts import sentences
from bot.rehearsal.standins.slack import DEFAULT_SCOPES
from bot.slack import authority
from bot.slack.calls import identify
from bot.slack.channel import SlackChannel
from bot.slack.client import connect
from bot.slack.preflight import clock, preflight
from bot.slack.render.escape import mrkdwn

ADA, BOB = "U0ADA", "U0BOB"


def to_them(permission: Permission) -> Permission:
    """Without what is said of them to others, which has a test of its own."""
    return replace(permission, reason="", open=False)


OWN = "T0REHEARSAL"


async def test_an_approver_may_say_the_word(channel: SlackChannel) -> None:
    """A listed full member of this workspace is an approver."""
    assert to_them(await channel.permission(ADA, OWN, [ADA], [])) == Permission(known=True, member=True, approver=True)


async def test_a_member_who_is_not_listed_gets_that_answer(channel: SlackChannel) -> None:
    """A full member may ask, and is no approver."""
    permission = to_them(await channel.permission(BOB, OWN, [ADA], []))
    assert permission == Permission(known=True, member=True, approver=False, why="you are not among the approvers")
    assert mrkdwn(sentences.not_entitled("frozen", permission.why, [ADA])) == (
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
    assert to_them(await channel.permission(ADA, OWN, [ADA], [])) == Permission(
        known=True, member=False, approver=False, why=why
    )


async def test_the_workspace_on_the_message_counts_too(channel: SlackChannel) -> None:
    """A message that names another workspace is a stranger's, whatever users.info says; one that names none is not."""
    stranger = to_them(await channel.permission(ADA, "T0OTHER", [ADA], []))
    assert stranger == Permission(known=True, member=False, approver=False, why="you belong to another workspace")
    assert (await channel.permission(ADA, "", [ADA], [])).approver


@pytest.mark.parametrize("fault", ["internal_error", "html_500", "text_503", "drop", "user_not_found", "invalid_auth"])
async def test_when_slack_does_not_tell_nobody_may(channel: SlackChannel, slack: Any, fault: str) -> None:
    """Whatever keeps Slack from answering, nothing is known and nobody may."""
    slack.fail_next("users.info", fault, times=2)  # a GET whose connection broke is sent again by the HTTP library
    assert to_them(await channel.permission(ADA, OWN, [ADA], [])) == Permission(
        known=False, member=False, approver=False, why="Slack did not tell me who you are"
    )


@pytest.mark.parametrize("flag", ["is_shared", "is_ext_shared"])
async def test_nobody_has_a_say_in_a_channel_that_was_shared_since(
    channel: SlackChannel, slack: Any, flag: str
) -> None:
    """The run began in a channel of this workspace alone; strangers can be in it now."""
    setattr(slack.channel, flag, True)
    assert to_them(await channel.permission(ADA, OWN, [ADA], [])) == Permission(
        known=True, member=False, approver=False, why="this channel is shared with another workspace"
    )


@pytest.mark.parametrize("fault", ["internal_error", "html_500", "drop", "channel_not_found"])
async def test_when_slack_does_not_tell_of_the_channel_nobody_may(
    channel: SlackChannel, slack: Any, fault: str
) -> None:
    """Whether strangers are in it is not known then."""
    slack.fail_next("conversations.info", fault, times=2)
    assert not (await channel.permission(ADA, OWN, [ADA], [])).known


async def test_nothing_is_remembered(channel: SlackChannel, slack: Any) -> None:
    """Somebody who was an approver a moment ago and is deactivated now may not."""
    assert (await channel.permission(ADA, OWN, [ADA], [])).approver
    slack.people[ADA] = replace(slack.people[ADA], deleted=True)
    assert not (await channel.permission(ADA, OWN, [ADA], [])).approver
    assert [call.method for call in slack.calls].count("users.info") == 2


async def test_names_are_known_before_anybody_speaks(client: AsyncWebClient, slack: Any) -> None:
    """Of everybody whom Slack knows, in their order; whoever it does not tell of is left out, and nothing is raised."""
    assert await authority.names(client, [BOB, "U0NOBODY", ADA]) == {BOB: "Bob", ADA: "Ada"}
    slack.fail_next("users.info", "html_500", times=2)
    assert await authority.names(client, [ADA]) == {}


async def test_names_that_do_not_come_in_time_are_done_without(client: AsyncWebClient, slack: Any) -> None:
    """A start waits for none of them for long."""
    slack.fail_next("users.info", "hang")
    assert await authority.names(client, [ADA], patience_seconds=0.5) == {}


# -- user groups ------------------------------------------------------------------------------------------------------


NOT_LISTED = "you are not among the approvers"


async def test_a_member_of_a_listed_group_is_an_approver(channel: SlackChannel, slack: Any) -> None:
    """Asked at that moment and remembered nowhere: who was removed a second ago may not."""
    slack.groups["S0OPS"] = [BOB]
    assert to_them(await channel.permission(BOB, OWN, [ADA], ["S0OPS"])) == Permission(
        known=True, member=True, approver=True
    )
    slack.groups["S0OPS"] = []
    permission = to_them(await channel.permission(BOB, OWN, [ADA], ["S0OPS"]))
    assert permission == Permission(known=True, member=True, approver=False, why=NOT_LISTED)
    assert [call.method for call in slack.calls].count("usergroups.users.list") == 2


async def test_one_group_is_enough_whatever_is_wrong_with_another(channel: SlackChannel, slack: Any) -> None:
    """A group that was deleted takes nothing from the members of one that lives."""
    slack.groups["S0OPS"] = [BOB]
    assert (await channel.permission(BOB, OWN, [ADA], ["S0GONE", "S0OPS"])).approver


async def test_a_listed_user_needs_no_group(channel: SlackChannel, slack: Any) -> None:
    """Slack is not even asked about groups."""
    assert (await channel.permission(ADA, OWN, [ADA], ["S0OPS"])).approver
    assert "usergroups.list" not in [call.method for call in slack.calls]


@pytest.mark.parametrize(
    "flags", [{"is_restricted": True}, {"deleted": True}, {"is_bot": True}, {"team_id": "T0OTHER"}]
)
async def test_a_group_makes_nobody_a_full_member(channel: SlackChannel, slack: Any, flags: dict[str, Any]) -> None:
    """Guests, bots, the deactivated and strangers have no say, though the group names them."""
    slack.groups["S0OPS"] = [BOB]
    slack.people[BOB] = replace(slack.people[BOB], **flags)
    permission = await channel.permission(BOB, OWN, [ADA], ["S0OPS"])
    assert (permission.member, permission.approver) == (False, False)


async def test_a_group_that_is_unknown_or_disabled_gives_no_say(channel: SlackChannel, slack: Any) -> None:
    """It is named, so that somebody can fix the settings; Slack still tells the disabled one's members."""
    slack.groups["S0OPS"] = [BOB]
    slack.disabled_groups.add("S0OPS")
    permission = to_them(await channel.permission(BOB, OWN, [ADA], ["S0OPS", "S0NONE"]))
    assert permission == Permission(
        known=True,
        member=True,
        approver=False,
        why="the user group `S0OPS` is unknown, disabled or deleted; "
        "the user group `S0NONE` is unknown, disabled or deleted",
    )


@pytest.mark.parametrize("method", ["usergroups.list", "usergroups.users.list"])
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("internal_error", "Slack did not tell me who is in the approvers' user groups, so try again in a minute"),
        ("drop", "Slack did not tell me who is in the approvers' user groups, so try again in a minute"),
        ("text_503", "Slack did not tell me who is in the approvers' user groups, so try again in a minute"),
        ("no_permission", "Slack refused to tell me who is in the approvers' user groups (no_permission)"),
    ],
)
async def test_when_slack_does_not_tell_of_a_group_it_gives_no_say(
    channel: SlackChannel, slack: Any, method: str, fault: str, why: str
) -> None:
    """The person stays a member, and hears why."""
    slack.groups["S0OPS"] = [BOB]
    slack.fail_next(method, fault, times=2)  # a GET whose connection broke is sent again by the HTTP library
    permission = to_them(await channel.permission(BOB, OWN, [ADA], ["S0OPS"]))
    assert permission == Permission(known=True, member=True, approver=False, why=why)


async def test_without_the_scope_a_group_gives_no_say(start: Any) -> None:
    """The scope can be taken away in the middle of a night."""
    slack = await start(groups={"S0OPS": [BOB]}, scopes=DEFAULT_SCOPES - {"usergroups:read"})
    client = connect(slack.bot_token, slack.api_url)
    identity = await identify(client, channel=slack.channel.id, app_token=slack.app_token)
    channel = SlackChannel(client, channel=slack.channel.id, identity=identity)
    permission = await channel.permission(BOB, OWN, [ADA], ["S0OPS"])
    assert permission.why == (
        "I may not ask Slack who is in the approvers' user groups (the scope usergroups:read is missing)"
    )
    assert not permission.approver


async def test_the_scope_is_asked_for_only_where_there_are_groups(start: Any) -> None:
    """A bot without groups starts without it; one with groups does not."""
    slack = await start(scopes=DEFAULT_SCOPES - {"usergroups:read"})
    client = connect(slack.bot_token, slack.api_url)
    await identify(client, channel=slack.channel.id, app_token=None)
    with pytest.raises(ServiceRefused) as refused:
        await identify(client, channel=slack.channel.id, app_token=None, groups=["S0OPS"])
    assert str(refused.value) == (
        "SLACK_BOT_TOKEN lacks a permission: usergroups:read; nothing was changed in Slack; "
        "add usergroups:read to the app's bot scopes (OAuth & Permissions) and install the app again."
    )


@pytest.mark.parametrize("fault", ["internal_error", "text_503", "hang"])
async def test_one_group_that_fails_takes_nothing_from_the_others(
    channel: SlackChannel, slack: Any, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does one that Slack never answers about; whoever is in another one is an approver."""
    monkeypatch.setattr(authority, "_PATIENCE_SECONDS", 1)
    slack.groups.update({"S0OPS": [BOB], "S0DBA": []})
    slack.fail_next("usergroups.users.list", fault, times=1)
    permission = await channel.permission(BOB, OWN, [ADA], ["S0DBA", "S0OPS"])
    assert permission == Permission(known=True, member=True, approver=True)
    assert [call.answer for call in slack.calls if call.method == "usergroups.users.list"].count("ok") == 1


async def test_a_malformed_group_gives_no_say_and_takes_none(channel: SlackChannel, slack: Any) -> None:
    """It is named to whoever it would have made an approver, and by the doctor; the other groups go on."""
    slack.groups.update({"S0OPS": [BOB], "S0ODD": [ADA]})
    slack.workspace.malformed_groups.add("S0ODD")
    assert (await channel.permission(BOB, OWN, [], ["S0ODD", "S0OPS"])).approver
    permission = await channel.permission(ADA, OWN, [], ["S0ODD", "S0OPS"])
    odd = "Slack described the user group `S0ODD` in a form that its documentation does not know"
    assert to_them(permission) == Permission(known=True, member=True, approver=False, why=odd)
    assert await _groups_found(slack, "S0ODD", "S0OPS") == (
        "fail",
        f"These user groups would give nobody a say: {odd}.",
    )


async def test_the_doctor_names_a_group_that_slack_does_not_tell_of(slack: Any) -> None:
    """And goes on with what else it has to ask."""
    slack.groups.update({"S0OPS": [BOB], "S0DBA": [ADA]})
    slack.fail_next("usergroups.users.list", "internal_error")
    assert await _groups_found(slack, "S0DBA", "S0OPS") == (
        "fail",
        "Slack did not tell who is in these user groups, which would give nobody a say: S0DBA.",
    )


# -- what is said of somebody, to others ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"deleted": True}, "the account is deactivated"),
        ({"is_restricted": True}, "they are a guest in this workspace"),
        ({"team_id": "T0OTHER"}, "they belong to another workspace"),
        ({}, "they are no longer among the approvers"),
    ],
)
async def test_it_is_said_of_them_too(channel: SlackChannel, slack: Any, flags: dict[str, Any], reason: str) -> None:
    """As a clause about somebody else: it is in the channel when an approval lapsed."""
    slack.people[BOB] = replace(slack.people[BOB], **flags)
    permission = await channel.permission(BOB, OWN, [ADA], [])
    assert (permission.approver, permission.reason, permission.open) == (False, reason, False)


async def test_whether_somebody_is_an_approver_is_open_while_slack_does_not_tell_of_a_group(
    channel: SlackChannel, slack: Any
) -> None:
    """They have no say now, and it is not said that they have none."""
    slack.groups["S0OPS"] = [BOB]
    slack.fail_next("usergroups.users.list", "internal_error")
    permission = await channel.permission(BOB, OWN, [ADA], ["S0OPS"])
    assert (permission.member, permission.approver, permission.open) == (True, False, True)


# -- Enterprise Grid --------------------------------------------------------------------------------------------------


ORG, SISTER = "E0ORG", "T0SISTER"


@pytest.fixture
async def grid(slack: Any, client: Any) -> SlackChannel:
    """The workspace is one of an organisation's."""
    slack.workspace.enterprise_id = ORG
    identity = await identify(client, channel=slack.channel.id, app_token=slack.app_token)
    assert identity.enterprise == ORG
    return SlackChannel(client, channel=slack.channel.id, identity=identity)


@pytest.mark.parametrize("home", ["", "-", SISTER], ids=["ours", "none named", "another workspace"])
@pytest.mark.parametrize("on_the_message", ["", OWN, ORG, SISTER])
async def test_whoever_has_our_workspace_among_theirs_belongs_to_us(
    grid: SlackChannel, slack: Any, home: str, on_the_message: str
) -> None:
    """Whichever of their workspaces users.info names as theirs, and whether the message names one of them or the
    organisation.
    """
    slack.people[ADA] = replace(slack.people[ADA], team_id=home, teams=(SISTER, OWN))
    assert (await grid.permission(ADA, on_the_message, [ADA], [])).approver


@pytest.mark.parametrize(
    ("teams", "on_the_message"), [((SISTER,), ORG), ((), ORG), ((SISTER, OWN), "T0OTHER"), ((SISTER, OWN), "E0OTHER")]
)
async def test_nobody_of_another_workspace_of_the_organisation_belongs_to_us(
    grid: SlackChannel, slack: Any, teams: tuple[str, ...], on_the_message: str
) -> None:
    """Nor whoever speaks from a workspace that is neither ours nor theirs."""
    slack.people[ADA] = replace(slack.people[ADA], team_id="", teams=teams)
    permission = await grid.permission(ADA, on_the_message, [ADA], [])
    assert to_them(permission) == Permission(
        known=True, member=False, approver=False, why="you belong to another workspace"
    )


async def test_of_whom_slack_names_no_workspace_nothing_is_known(channel: SlackChannel, slack: Any) -> None:
    """Outside of an organisation it always names one."""
    slack.people[ADA] = replace(slack.people[ADA], team_id="-")
    assert not (await channel.permission(ADA, OWN, [ADA], [])).known


async def test_a_user_group_of_the_organisation_counts(grid: SlackChannel, slack: Any) -> None:
    """It names the organisation in the workspace's place; one of another organisation does not count."""
    slack.groups["S0ORG"] = [BOB]
    slack.workspace.organisation_groups.add("S0ORG")
    assert (await grid.permission(BOB, OWN, [ADA], ["S0ORG"])).approver
    slack.workspace.enterprise_id = "E0OTHER"
    permission = await grid.permission(BOB, OWN, [ADA], ["S0ORG"])
    assert (permission.approver, permission.why) == (False, "the user group `S0ORG` is unknown, disabled or deleted")


# -- the doctor -------------------------------------------------------------------------------------------------------


async def _groups_found(slack: Any, *groups: str, people_needed: int = 1) -> tuple[str, str]:
    """What the doctor says of these groups: verdict and evidence."""
    client = connect(slack.bot_token, slack.api_url)
    findings = preflight(
        client, channel=slack.channel.id, app_token=None, approvers=[], groups=groups, people_needed=people_needed
    )
    (found,) = [finding async for finding in findings if finding.check == "slack-groups"]
    return found.verdict, found.evidence


async def test_the_doctor_names_groups_that_would_give_nobody_a_say(start: Any) -> None:
    """Days before, and not when the first of them says the word; that a group can be edited is reported too."""
    slack = await start(groups={"S0OPS": [BOB], "S0OLD": [BOB]})
    slack.disabled_groups.add("S0OLD")
    assert await _groups_found(slack, "S0OPS", "S0OLD", "S0TYPO") == (
        "fail",
        "These user groups would give nobody a say: the user group `S0OLD` is unknown, disabled or deleted; the user "
        "group `S0TYPO` is unknown, disabled or deleted.",
    )
    verdict, evidence = await _groups_found(slack, "S0OPS")
    assert (verdict, evidence.startswith("The members of 1 user group are approvers")) == ("warn", True)


async def test_the_doctor_counts_whether_the_groups_have_enough_people(start: Any) -> None:
    """Guests and strangers do not count, nor does one person in two groups."""
    slack = await start(groups={"S0OPS": [BOB, "U0CAT", "U0EVE"], "S0DBA": [BOB], "S0ALL": [ADA]})
    assert await _groups_found(slack, "S0OPS", "S0DBA", people_needed=2) == (
        "fail",
        "The night takes 2 different approvers, and of the 3 in approvers.users and the user groups only 1 could open "
        "a gate.",
    )
    verdict, _ = await _groups_found(slack, "S0OPS", "S0ALL", people_needed=2)
    assert verdict == "warn"


async def test_the_doctor_compares_our_clock_with_slacks(start: Any) -> None:
    """By the time in its answer, which has no fractions of a second."""
    slack = await start()
    client = connect(slack.bot_token, slack.api_url)

    async def verdict(seconds: float) -> tuple[str, str]:
        [found] = [one async for one in clock(client, lambda: datetime.now(UTC) + timedelta(seconds=seconds))]
        return found.verdict, found.evidence.partition(" Slack")[0]

    assert await verdict(0) == ("pass", "This machine's clock and")
    told, evidence = await verdict(3600)
    assert (told, evidence) == ("warn", "This machine's clock is 60 minutes ahead of")
    assert (await verdict(-30))[0] == "warn"


async def test_the_doctor_says_whether_the_header_can_be_pinned(start: Any) -> None:
    """Days before, and with no further scope: the history tells how many pins there are."""
    slack = await start()
    client = connect(slack.bot_token, slack.api_url)

    async def pins() -> Finding:
        findings = preflight(client, channel=slack.channel.id, app_token=None, approvers=[])
        (found,) = [finding async for finding in findings if finding.check == "slack-pins"]
        return found

    assert await pins() == passed("slack-pins", "The channel has 0 of at most 100 pins, so the header can be pinned.")
    for number in range(100):
        await client.pins_add(channel=slack.channel.id, timestamp=slack.say(ADA, str(number)))
    assert await pins() == warned(
        "slack-pins",
        "The channel has 100 pins, as many as Slack allows: the header cannot be pinned.",
        "unpin a message that nobody needs, or do without a pinned header: the night goes on",
    )
