"""The reminder that Slack keeps for the end of the retention, and what a purge takes back from Slack."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import OutcomeUnknown, ServiceError
from bot.plan import events as e
from bot.plan.findings import Finding
from bot.plan.fold import after
from bot.plan.outbox import owe
from bot.plan.posts import Attached, Post
from bot.plan.run import Run
from bot.plan.text import say
from bot.rehearsal.standins.slack import Channel, File, SlackStandin
from bot.slack.channel import SlackChannel
from bot.slack.leavings import take_back
from tests.chat.conftest import ADA, Story

SOON = datetime.now(UTC) + timedelta(days=80)


def _run(at: datetime = SOON, **changes: Any) -> Run:
    """A run with a reminder that is to be left."""
    now = datetime.now(UTC)
    run = after(Story().begun(**changes), e.RetentionReminderIntended(at=now, post_at=at))
    return after(run, e.BotStarted(at=now, away_since=now))


async def test_slack_keeps_it_and_posts_it_on_the_day(channel: SlackChannel, slack: SlackStandin) -> None:
    """Once, in the channel, with the run's name and what to do; no bot is needed by then."""
    run = _run()
    left = await channel.leave_reminder(run)
    [kept] = slack.scheduled
    assert (kept.id, kept.post_at) == (left, int(SOON.timestamp()))
    assert await channel.find_reminder(run) == left
    slack.pass_time(SOON.timestamp() - 1)
    assert slack.messages == []
    slack.pass_time(SOON.timestamp())
    [message] = slack.messages
    assert message.thread_ts is None
    assert run.run_id in message.text
    assert "`cutover purge`" in message.text
    assert slack.scheduled == []


async def test_of_an_unknown_outcome_it_is_found_by_time_and_run(
    channel: SlackChannel, slack: SlackStandin, client: AsyncWebClient
) -> None:
    """Not one for another time, nor that of another run; over any number of pages."""
    for day in range(40):
        await client.chat_scheduleMessage(
            channel=slack.channel.id, post_at=int((SOON + timedelta(days=day % 3, hours=day)).timestamp()), text="other"
        )
    run = _run()
    assert await channel.find_reminder(run) is None
    await channel.leave_reminder(_run(run_id="20241124-ffff"))
    await channel.leave_reminder(_run(SOON + timedelta(seconds=1)))
    assert await channel.find_reminder(run) is None
    slack.fail_next("chat.scheduleMessage", "drop")
    with pytest.raises(OutcomeUnknown):
        await channel.leave_reminder(run)
    left = await channel.leave_reminder(run)
    assert await channel.find_reminder(run) == left


async def test_one_that_has_come_while_the_bot_was_away_is_not_left_again(
    channel: SlackChannel, slack: SlackStandin
) -> None:
    """It is in the channel, and Slack's list knows it no more."""
    at = datetime.now(UTC) + timedelta(seconds=30)
    await channel.leave_reminder(_run(at))
    slack.pass_time(at.timestamp())
    past = after(_run(at), e.BotStarted(at=at + timedelta(days=1), away_since=at))
    assert await channel.find_reminder(past) == ""
    other = after(_run(at, run_id="20241124-ffff"), e.BotStarted(at=at + timedelta(days=1), away_since=at))
    assert await channel.find_reminder(other) is None


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (datetime.now(UTC) + timedelta(days=121), "time_too_far"),
        (datetime.now(UTC) - timedelta(minutes=1), "time_in_past"),
    ],
)
async def test_what_slack_does_not_take_is_a_warning_with_what_to_do(
    channel: SlackChannel, at: datetime, code: str
) -> None:
    """A night does not end over a reminder."""
    finding = await channel.leave_reminder(_run(at))
    assert isinstance(finding, Finding)
    assert (finding.check, finding.verdict) == ("retention-reminder", "warn")
    assert code in finding.evidence
    assert "cutover purge" in finding.fix


async def test_a_list_that_slack_refuses_is_a_warning(channel: SlackChannel, slack: SlackStandin) -> None:
    """Nobody knows then whether it was left, and it is not left twice."""
    slack.fail_next("chat.scheduledMessages.list", "access_denied")
    found = await channel.find_reminder(_run())
    assert isinstance(found, Finding)
    assert "does not tell whether it has it" in found.evidence


# -- taken back -------------------------------------------------------------------------------------------------------


def _file(name: str, **changes: Any) -> File:
    now = int(datetime.now(UTC).timestamp())
    given = {"user": "U0BOT", "channels": ("C0CUTOVER",), "created": now}
    return File(**{"id": f"F{name}", "name": f"{name}.csv", **given, **changes})


def _left(run: Run, id_: str) -> Run:
    return after(run, e.RetentionReminderLeft(at=datetime.now(UTC), id=id_))


async def test_our_files_of_this_run_go_and_all_others_stay(
    channel: SlackChannel, slack: SlackStandin, client: AsyncWebClient
) -> None:
    """By the names of the run and of our bot, over any number of pages; and the reminder that waits."""
    run = _run()
    slack.add_channel(Channel("C0OTHER", "other"))
    ours = [_file(f"attention-{run.run_id}-{n}") for n in range(120)]
    theirs = [
        _file(f"notes-{run.run_id}", user=ADA),
        _file("attention-20241124-ffff"),
        _file(f"elsewhere-{run.run_id}", channels=("C0OTHER",)),
    ]
    for file in (*ours, *theirs):
        slack.add_file(file)
    id_ = await channel.leave_reminder(run)
    assert isinstance(id_, str)
    taken = await take_back(client, _left(run, id_))
    assert (taken.error, taken.left) == (None, ())
    assert set(taken.removed) == {*(file.id for file in ours), id_}
    assert {file.id for file in slack.files} == {file.id for file in theirs}
    assert slack.scheduled == []
    again = await take_back(client, _left(run, id_))
    assert (again.removed, again.left, again.error) == ((), (), None), "what is gone is gone"


async def test_files_that_the_journal_names_go_without_being_listed(
    slack: SlackStandin, client: AsyncWebClient
) -> None:
    """Whatever they are called, and though Slack lists none; one that is gone is gone."""
    slack.add_file(_file("of any name"))
    run = _run()
    for n, id_ in enumerate(("Fof any name", "Fnever there")):
        file = Attached(name=f"{n}.csv", says=say("The users to fix."))
        run = owe(run, Post(key=f"{n}", kind="cutover_answer", checkpoint="", status="done", thread=None, body=file))
        run = after(run, e.Posted(at=run.last_at, key=f"{n}", ts=id_, displayed_state=""))
    slack.fail_next("files.list", "missing_scope")
    taken = await take_back(client, run)
    assert taken.removed == ("Fof any name",)
    assert [left.id for left in taken.left] == [""]
    assert slack.files == []


@pytest.mark.parametrize("method", ["auth.test", "files.list", "files.delete", "chat.deleteScheduledMessage"])
@pytest.mark.parametrize("fault", ["missing_scope", "html_500", "internal_error", "invalid_auth"])
async def test_what_slack_does_not_take_back_is_named(
    channel: SlackChannel, slack: SlackStandin, client: AsyncWebClient, method: str, fault: str
) -> None:
    """Never raised; what could be taken back was, and a second try does the rest."""
    run = _run()
    slack.add_file(_file(f"attention-{run.run_id}"))
    id_ = await channel.leave_reminder(run)
    assert isinstance(id_, str)
    slack.fail_next(method, fault)
    taken = await take_back(client, _left(run, id_))
    assert isinstance(taken.error, ServiceError)
    assert [left.what for left in taken.left] == ["reminder" if method.startswith("chat") else "file"]
    assert len(taken.removed) == 1
    rest = await take_back(client, _left(run, id_))
    assert (rest.error, rest.left) == (None, ())
    assert len(rest.removed) == 1
    assert (slack.files, slack.scheduled) == ([], [])


async def test_a_reminder_that_comes_within_a_minute_is_left_to_come(
    channel: SlackChannel, slack: SlackStandin, client: AsyncWebClient
) -> None:
    """Slack does not take it back any more; it says of itself that nothing is left to do when the run was purged."""
    run = _run(datetime.now(UTC) + timedelta(seconds=30))
    id_ = await channel.leave_reminder(run)
    assert isinstance(id_, str)
    taken = await take_back(client, _left(run, id_))
    assert (taken.removed, taken.left, taken.error) == ((), (), None)
    assert "If that is done, nothing is left to do" in slack.scheduled[0].text
