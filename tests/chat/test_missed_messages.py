"""What was said while nobody listened: found again by the same rule, in order, each once."""

from typing import Any

import pytest

from bot.errors import ServiceUnreachable
from bot.plan.commands import Hear
from bot.slack.payloads import plain_human_message

ADA, BOB, EVE = "U0ADA", "U0BOB", "U0EVE"
CHANNEL, BOT = "C0CUTOVER", "U0BOT"


def heard(ts: str, user: str, text: str, thread_ts: str | None = None, team: str = "T0REHEARSAL") -> Hear:
    return Hear(ts=ts, user=user, team=team, text=text, thread_ts=thread_ts, bot_user=BOT)


async def test_nothing_is_missed_before_the_header_stands(night: Any, slack: Any) -> None:
    """Without a header there is nothing that anybody could answer."""
    slack.say(ADA, "frozen")
    assert await night.channel.missed(night.run) == []


async def test_all_that_people_said_since_the_header_is_found_oldest_first(night: Any, slack: Any) -> None:
    """Top level, threads of this run and broadcast replies; what was said before, or in other threads, is not ours."""
    slack.say(ADA, "frozen")
    elsewhere = slack.say(BOB, "lunch?")
    await night.post_all()
    gate = night.run.deliveries[night.run.gate_key].ts
    first = slack.say(BOB, "frozen?", gate)
    second = slack.say(ADA, "frozen")
    third = slack.say(ADA, "really", gate, broadcast=True)
    slack.say(BOB, "pizza", elsewhere)
    stranger = slack.say(EVE, "frozen")
    assert await night.channel.missed(night.run) == [
        heard(first, BOB, "frozen?", gate),
        heard(second, ADA, "frozen"),
        heard(third, ADA, "really", gate),
        heard(stranger, EVE, "frozen", team="T0OTHER"),
    ]


async def test_bots_edits_and_deletions_say_nothing(night: Any, slack: Any) -> None:
    """The history is held to the same rule as the events."""
    await night.post_all()
    slack.say_as_bot("B0OTHER", "frozen")
    slack.say_as_bot("B0OTHER", "frozen", user=BOB)
    slack.say(ADA, "frozen", app_id="A0OTHER")
    slack.edit(slack.say(ADA, "ok"), "frozen")
    slack.delete(slack.say(ADA, "frozen"))
    assert await night.channel.missed(night.run) == []


async def test_pages_are_turned_to_the_last(night: Any, slack: Any) -> None:
    """Neither a long history nor a long thread hides anything."""
    await night.post_all()
    gate = night.run.deliveries[night.run.gate_key].ts
    said = [slack.say(BOB, str(number), gate if number % 2 else None) for number in range(450)]
    assert [hear.ts for hear in await night.channel.missed(night.run)] == said


async def test_a_deleted_checkpoint_takes_only_its_thread_along(night: Any, slack: Any) -> None:
    """What stands elsewhere is found all the same."""
    await night.post_all()
    slack.delete(night.run.deliveries[night.run.gate_key].ts)
    ts = slack.say(ADA, "frozen")
    assert [hear.ts for hear in await night.channel.missed(night.run)] == [ts]


async def test_when_the_history_cannot_be_read_the_sweep_says_so(night: Any, slack: Any) -> None:
    """An empty answer would look like silence."""
    await night.post_all()
    slack.fail_next("conversations.history", "internal_error")
    with pytest.raises(ServiceUnreachable) as unreachable:
        await night.channel.missed(night.run)
    assert str(unreachable.value) == (
        "Slack was asked to show what was said and gave no answer that can be trusted (internal_error); "
        "nothing was changed in Slack; check the network and https://slack-status.com, then try again."
    )


PLAIN = {"type": "message", "channel": CHANNEL, "user": ADA, "team": "T1", "text": "frozen", "ts": "2.000001"}


@pytest.mark.parametrize(
    "changed",
    [
        {"bot_id": "B1"},
        {"app_id": "A1"},
        {"bot_profile": {"id": "B1"}},
        {"workflow_id": "W1"},
        {"subtype": "bot_message"},
        {"subtype": "file_share"},
        {"subtype": "me_message"},
        {"subtype": "message_changed", "hidden": True},
        {"hidden": True},
        {"edited": {"user": ADA, "ts": "2.000002"}},
        {"channel": "C0OTHER"},
        {"channel": None},
        {"user": None},
        {"user": BOT},
        {"type": "app_mention"},
        {"ts": None},
        {"text": ["frozen"]},
    ],
)
def test_whatever_hints_at_no_person_is_no_person(changed: dict[str, Any]) -> None:
    """One hint is enough."""
    assert plain_human_message(PLAIN | changed, channel=CHANNEL, bot_user=BOT) is None


@pytest.mark.parametrize(
    ("changed", "team"),
    [
        ({}, "T1"),
        ({"source_team": "T2"}, "T2"),
        ({"source_team": "T2", "user_team": "T3"}, "T3"),
        ({"team": None}, ""),
    ],
)
def test_the_authors_own_workspace_is_what_counts(changed: dict[str, Any], team: str) -> None:
    """In a shared channel `team` may be ours though the author is not."""
    hear = plain_human_message(PLAIN | changed, channel=CHANNEL, bot_user=BOT)
    assert hear == heard("2.000001", ADA, "frozen", team=team)


def test_a_parent_is_not_in_its_own_thread() -> None:
    """Slack repeats the ts of a message that has replies as its thread's."""
    hear = plain_human_message(PLAIN | {"thread_ts": "2.000001"}, channel=CHANNEL, bot_user=BOT)
    assert hear is not None and hear.thread_ts is None
