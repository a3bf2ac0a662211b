"""What was said while nobody listened: found again by the same rule, in order, each once."""

from dataclasses import replace
from typing import Any

import pytest

from bot.errors import ServiceUnreachable
from bot.plan.inputs import Hear
from bot.slack.calls import identify
from bot.slack.channel import SlackChannel
from bot.slack.client import connect
from bot.slack.payloads import plain_human_message
from tests.chat.conftest import HEAD, Night
from tests.plan.histories import spoken

ADA, BOB, EVE = "U0ADA", "U0BOB", "U0EVE"
CHANNEL, BOT = "C0CUTOVER", "U0BOT"


def heard(ts: str, user: str, text: str, thread_ts: str | None = None, team: str = "T0REHEARSAL") -> Hear:
    return Hear(ts=ts, user=user, team=team, thread_ts=thread_ts, **spoken(text))


async def missed(night: Any) -> list[Hear]:
    """What a sweep hands over."""
    return [hear async for hear in night.channel.missed(night.run)]


def reading(slack: Any, since: int) -> list[str]:
    """The calls of sweeps that were made after so many calls."""
    return [call.method for call in slack.calls[since:] if call.method.startswith("conversations.")]


async def test_nothing_is_missed_before_the_header_is_there(night: Any, slack: Any) -> None:
    """Without a header there is nothing that anybody could answer."""
    slack.say(ADA, "frozen")
    assert await missed(night) == []


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
    assert await missed(night) == [
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
    assert await missed(night) == []


async def test_pages_are_turned_to_the_last(start: Any, story: Any) -> None:
    """Neither a long history nor a long thread hides anything."""
    slack = await start(largest_page=40)
    client = connect(slack.bot_token, slack.api_url)
    identity = await identify(client, channel=slack.channel.id, app_token=slack.app_token)
    night = Night(run=story.begun(), channel=SlackChannel(client, channel=slack.channel.id, identity=identity))
    await night.post_all()
    gate = night.run.deliveries[night.run.gate_key].ts
    said = [slack.say(BOB, str(number), gate if number % 2 else None) for number in range(250)]
    assert [hear.ts for hear in await missed(night)] == said


async def test_a_sweep_at_rest_is_one_call_however_many_threads_there_are(night: Any, slack: Any, story: Any) -> None:
    """The history tells which threads have moved, and only these are read."""
    await night.post_all()
    gate = night.run.deliveries[night.run.gate_key]
    earlier = [await night.channel.post(night.run, gate.post, None, HEAD) for _ in range(12)]
    for ts in earlier:
        slack.say(BOB, "frozen?", ts)
    night.run = replace(night.run, deliveries={**night.run.deliveries, gate.post.key: replace(gate, lost=earlier)})
    assert len(await missed(night)) == 12
    before = len(slack.calls)
    assert await missed(night) == []
    assert reading(slack, before) == ["conversations.history"]
    moved = slack.say(ADA, "frozen", night.run.deliveries[night.run.gate_key].ts)
    before = len(slack.calls)
    assert [hear.ts for hear in await missed(night)] == [moved]
    assert reading(slack, before) == ["conversations.history", "conversations.replies"]


async def test_a_thread_that_cannot_be_read_makes_nobody_else_unheard(night: Any, slack: Any) -> None:
    """What was read is handed over, the trouble is reported, and the thread is read the next time."""
    await night.post_all()
    header, gate = (delivery.ts for delivery in night.run.deliveries.values())
    first = slack.say(ADA, "frozen", header)
    second = slack.say(BOB, "not yet", gate)
    third = slack.say(ADA, "<@U0BOT> status")
    slack.fail_next("conversations.replies", "internal_error")
    sweep = night.channel.missed(night.run)
    handed_over = {(await anext(sweep)).ts, (await anext(sweep)).ts}
    with pytest.raises(ServiceUnreachable):
        await anext(sweep)
    assert third in handed_over
    assert handed_over | {hear.ts for hear in await missed(night)} == {first, second, third}


async def test_whoever_could_not_keep_what_was_read_gets_it_again(night: Any, slack: Any) -> None:
    """A thread counts as read once all of it was taken."""
    await night.post_all()
    said = [slack.say(ADA, word, night.run.deliveries[night.run.gate_key].ts) for word in ("frozen", "hold")]
    sweep = night.channel.missed(night.run)
    assert (await anext(sweep)).ts == said[0]
    await sweep.aclose()
    assert [hear.ts for hear in await missed(night)] == said


async def test_a_deleted_checkpoint_takes_only_its_thread_along(night: Any, slack: Any) -> None:
    """What is elsewhere is found all the same."""
    await night.post_all()
    slack.delete(night.run.deliveries[night.run.gate_key].ts)
    ts = slack.say(ADA, "frozen")
    assert [hear.ts for hear in await missed(night)] == [ts]


async def test_what_was_said_below_a_checkpoint_before_it_was_deleted_is_heard(night: Any, slack: Any) -> None:
    """It leaves a tombstone, below which the replies are."""
    await night.post_all()
    gate = night.run.deliveries[night.run.gate_key].ts
    ts = slack.say(ADA, "frozen", gate)
    slack.delete(gate)
    assert [hear.ts for hear in await missed(night)] == [ts]


async def test_when_the_history_cannot_be_read_the_sweep_says_so(night: Any, slack: Any) -> None:
    """An empty answer would look like silence."""
    await night.post_all()
    slack.fail_next("conversations.history", "internal_error")
    with pytest.raises(ServiceUnreachable) as unreachable:
        await missed(night)
    assert str(unreachable.value) == (
        "Slack was asked to show what was said and gave no answer that can be trusted (internal_error); "
        "nothing was changed in Slack; check the network and https://slack-status.com, then try again."
    )


PLAIN = {"type": "message", "channel": CHANNEL, "user": ADA, "team": "T1", "text": "frozen", "ts": "1700000002.000001"}


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
        {"edited": {"user": ADA, "ts": "1700000002.000002"}},
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
    assert hear == heard("1700000002.000001", ADA, "frozen", team=team)


def test_a_parent_is_not_in_its_own_thread() -> None:
    """Slack repeats the ts of a message that has replies as its thread's."""
    hear = plain_human_message(PLAIN | {"thread_ts": "1700000002.000001"}, channel=CHANNEL, bot_user=BOT)
    assert hear is not None and hear.thread_ts is None
