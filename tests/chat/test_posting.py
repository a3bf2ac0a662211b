"""Posts: sent once, looked for when nobody knows, edited to the newest, refused with a fix."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.errors import MessageLost, OutcomeUnknown, ServiceRefused, ServiceUnreachable
from bot.plan import events as e
from bot.plan.decide import open_run
from bot.plan.fold import after
from bot.plan.inputs import Open
from bot.plan.posts import Post, Prose
from bot.plan.text import say
from bot.ports import Channel, Headway, Progress
from bot.slack.calls import identify
from bot.slack.channel import SlackChannel
from bot.slack.client import connect
from bot.slack.inbound.previous_run import unfinished_run

HEAD = (7, "f" * 64)


def posts(slack: Any) -> list[Any]:
    return [message for message in slack.messages if message.bot_id == slack.bot_id]


async def test_a_post_is_where_it_belongs_and_says_what_it_is(night: Any, slack: Any) -> None:
    """The header and a checkpoint are at top level, with the metadata that other tools read."""
    await night.post_all()
    header, gate = posts(slack)
    run_id = "20241124-ab12"
    assert header.metadata == {
        "event_type": "cutover_run",
        "event_payload": {"run_id": run_id, "key": f"{run_id}/header", "checkpoint": "", "status": "waiting"},
    }
    assert gate.metadata == {
        "event_type": "cutover_checkpoint",
        "event_payload": {
            "run_id": run_id,
            "key": f"{run_id}/checkpoint/freeze/1",
            "checkpoint": "freeze",
            "status": "waiting",
        },
    }
    assert header.thread_ts is None and gate.thread_ts is None


async def test_a_finding_is_in_the_thread_of_its_checkpoint(night: Any, slack: Any, story: Any) -> None:
    """Details do not crowd the channel."""
    await night.post_all()
    night.happens(*story.gate_passes(night.run, story.frozen))
    await night.post_all()
    assert posts(slack)[-1].thread_ts == posts(slack)[1].ts
    assert posts(slack)[-1].payload["check"] == "fresh-session-refused"
    assert posts(slack)[-1].payload["status"] == "passed"


async def test_a_post_that_was_stored_though_no_answer_came_is_found(night: Any, slack: Any) -> None:
    """After an unknown outcome the caller looks, finds the post by its key, and nothing is posted twice."""
    key = night.run.gate_key
    await night.post("20241124-ab12/header")
    slack.drop_after_next_post()
    with pytest.raises(OutcomeUnknown) as unknown:
        await night.post(key)
    assert str(unknown.value) == (
        "Slack was asked to post a message and gave no answer that can be trusted (it ended the connection); "
        "it may have been done all the same; look before it is repeated."
    )
    assert await night.channel.find(night.run, key) == posts(slack)[-1].ts
    assert len(posts(slack)) == 2


async def test_a_reply_of_unknown_fate_is_looked_for_in_its_thread(night: Any, slack: Any, story: Any) -> None:
    """Replies are not in the history."""
    await night.post_all()
    night.happens(*story.gate_passes(night.run, story.frozen))
    key = list(night.run.deliveries)[-1]
    slack.drop_after_next_post()
    with pytest.raises(OutcomeUnknown):
        await night.post(key)
    assert await night.channel.find(night.run, key) == posts(slack)[-1].ts


async def test_even_the_header_can_be_looked_for(night: Any, slack: Any) -> None:
    """Before the header is posted the search begins at the time the run was opened."""
    slack.drop_after_next_post()
    key = "20241124-ab12/header"
    with pytest.raises(OutcomeUnknown):
        await night.post(key)
    assert await night.channel.find(night.run, key) == posts(slack)[-1].ts


@pytest.mark.parametrize("fault", ["internal_error", "fatal_error", "html_500", "text_503", "drop"])
async def test_a_post_that_was_not_stored_is_not_found(night: Any, slack: Any, fault: str) -> None:
    """Slack's own trouble is an unknown outcome too; looking says that the post is not there."""
    await night.post("20241124-ab12/header")
    slack.fail_next("chat.postMessage", fault)
    with pytest.raises(OutcomeUnknown):
        await night.post(night.run.gate_key)
    assert await night.channel.find(night.run, night.run.gate_key) is None
    assert len(posts(slack)) == 1
    calls = [call for call in slack.calls if call.method == "chat.postMessage"]
    assert len(calls) == 2, "nothing but a rate limit is tried again"


async def test_another_apps_post_with_our_key_is_not_ours(night: Any, slack: Any) -> None:
    """Anybody may post our metadata: the author counts."""
    await night.post("20241124-ab12/header")
    payload = {"run_id": "20241124-ab12", "key": night.run.gate_key, "checkpoint": "freeze", "status": "waiting"}
    metadata = {"event_type": "cutover_checkpoint", "event_payload": payload}
    slack.say_as_bot("B0OTHER", "Checkpoint 1", metadata=metadata)
    assert await night.channel.find(night.run, night.run.gate_key) is None


async def test_nothing_listening_is_not_an_unknown_outcome(night: Any, slack: Any) -> None:
    """When the connection could not be made nothing was sent, and the post may simply be sent later."""
    await slack.stop()
    with pytest.raises(ServiceUnreachable):
        await night.post("20241124-ab12/header")


async def test_a_rate_limit_is_obeyed(night: Any, slack: Any) -> None:
    """A 429 says that nothing was done: the same post goes out again after the time Slack asks for."""
    slack.fail_next("chat.postMessage", "ratelimited")
    before = asyncio.get_running_loop().time()
    await night.post("20241124-ab12/header")
    assert asyncio.get_running_loop().time() - before >= 1
    assert [c.answer for c in slack.calls if c.method == "chat.postMessage"] == ["ratelimited", "ok"]
    assert len(posts(slack)) == 1


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (
            "not_in_channel",
            "The bot is not in the channel of the run (not_in_channel); nothing was changed in Slack; "
            "type /invite @cutover in the channel.",
        ),
        (
            "is_archived",
            "The channel of the run is archived (is_archived); nothing was changed in Slack; "
            "unarchive it, or set slack.channel to the id of another channel.",
        ),
        (
            "token_revoked",
            "Slack does not accept SLACK_BOT_TOKEN (token_revoked); nothing was changed in Slack; "
            "set SLACK_BOT_TOKEN to the Bot User OAuth Token of the app (xoxb-…, under OAuth & Permissions).",
        ),
        (
            "restricted_action",
            "The workspace forbids the bot to post a message (restricted_action); nothing was changed in Slack; "
            "let a workspace admin permit the app to post in the channel.",
        ),
        (
            "no_text",
            "Slack was asked to post a message and refused (no_text); nothing was changed in Slack; "
            "look up no_text in Slack's list of errors.",
        ),
    ],
)
async def test_a_definite_refusal_names_the_fix(night: Any, slack: Any, fault: str, sentence: str) -> None:
    """What Slack refuses outright was not done, and the sentence says how to fix it."""
    slack.fail_next("chat.postMessage", fault)
    with pytest.raises(ServiceRefused) as refused:
        await night.post("20241124-ab12/header")
    assert str(refused.value) == sentence
    assert posts(slack) == []


async def test_when_only_the_looks_are_refused_the_words_go_out(night: Any, slack: Any) -> None:
    """A mistake in the blocks must not end a night."""
    slack.fail_next("chat.postMessage", "invalid_blocks")
    await night.post("20241124-ab12/header")
    (post,) = posts(slack)
    assert post.blocks == [] and post.text.startswith("*Cutover 20241124-ab12*") and post.payload["status"] == "waiting"
    slack.fail_next("chat.update", "msg_blocks_too_long")
    header = night.run.deliveries["20241124-ab12/header"]
    await night.channel.redraw(night.run, header.post, header.ts, None, HEAD)


async def test_an_edit_shows_the_run_as_it_is(night: Any, slack: Any, story: Any) -> None:
    """Text, blocks and metadata all move to the newest state, and the message stays the same one."""
    await night.post_all()
    night.happens(*story.gate_passes(night.run, story.frozen))
    gate = night.run.deliveries[night.run.gate_key]
    await night.channel.redraw(night.run, gate.post, gate.ts, None, HEAD)
    shown = slack.message(gate.ts)
    assert shown.payload["status"] == "passed"
    assert "*Status:* ✅ passed, approved by `U0ADA`" in shown.text
    header = night.run.deliveries["20241124-ab12/header"]
    progress = Progress(step="export", done=12, total=43, unit="tables")
    headway = Headway(progress=progress, per_second=1.5, seconds_left=20.7)
    await night.channel.redraw(night.run, header.post, header.ts, headway, HEAD)
    assert "*Progress:* `export`: 12 of 43 tables, 1.5/s, about 21 s left" in slack.message(header.ts).text
    assert slack.message(header.ts).payload["status"] == "running"


async def test_editing_a_message_that_is_gone_is_refused_in_our_words(night: Any, slack: Any) -> None:
    """Somebody deleted the header; the bot says so instead of posting another."""
    ts = await night.post("20241124-ab12/header")
    slack.delete(ts)
    header = night.run.deliveries["20241124-ab12/header"]
    with pytest.raises(ServiceRefused) as refused:
        await night.channel.redraw(night.run, header.post, ts, None, HEAD)
    assert str(refused.value) == (
        "A message of the run is no longer in the channel (message_not_found); nothing was changed in Slack; "
        "leave the bot's messages where they are; `cutover status` shows the run."
    )


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_slack_makes_no_link_and_calls_nobody_by_what_we_say(night: Any, slack: Any, method: str) -> None:
    """What looks like an address, a channel or a call to everybody stays as it was written, posted and edited."""
    said = "see https://evil.example and #cutover, @channel"
    await night.post_all()
    prose = Post(key="prose", kind="cutover_answer", checkpoint="", status="done", thread=None, body=Prose(say(said)))
    ts = await night.channel.post(night.run, prose, None, HEAD)
    if method == "chat.update":
        await night.channel.redraw(night.run, prose, ts, None, HEAD)
    stored = slack.message(ts)
    assert (stored.text, stored.blocks[0]["text"]["text"]) == (said, said)
    calls = [call for call in slack.calls if call.method == method]
    assert {call.arguments["parse"] for call in calls} == {"none"}
    assert all(part["verbatim"] for call in calls for part in _mrkdwn(call.arguments["blocks"]))


def _mrkdwn(part: Any) -> list[Any]:
    if isinstance(part, list):
        return [found for one in part for found in _mrkdwn(one)]
    if not isinstance(part, dict):
        return []
    return [part] if part.get("type") == "mrkdwn" else [found for one in part.values() for found in _mrkdwn(one)]


async def test_a_message_that_slack_fails_over_goes_out_by_its_words(night: Any, slack: Any) -> None:
    """Slack has refused whole payloads by `internal_error` for weeks: after two looks that found nothing the text goes
    alone, with the same metadata. The next edit tries the looks again, once.
    """
    key = "20241124-ab12/header"
    slack.fail_next("chat.postMessage", "internal_error", 2)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await night.post(key)
        assert await night.channel.find(night.run, key) is None
    ts = await night.post(key)
    assert slack.message(ts).blocks == [] and slack.message(ts).payload["key"] == key
    header = night.run.deliveries[key]
    slack.fail_next("chat.update", "internal_error")
    with pytest.raises(OutcomeUnknown):
        await night.channel.redraw(night.run, header.post, ts, None, HEAD)
    await night.channel.redraw(night.run, header.post, ts, None, HEAD)
    assert slack.message(ts).blocks == []
    await night.channel.redraw(night.run, header.post, ts, None, HEAD)
    assert slack.message(ts).blocks != []


async def test_slacks_passing_trouble_costs_no_message_its_looks(night: Any, slack: Any) -> None:
    """One that was stored after all, or a connection that broke, says nothing against the blocks."""
    key = "20241124-ab12/header"
    slack.fail_next("chat.postMessage", "internal_error")
    with pytest.raises(OutcomeUnknown):
        await night.post(key)
    for fault in ("drop", "text_503", "html_500"):
        slack.fail_next("chat.postMessage", fault)
        with pytest.raises(OutcomeUnknown):
            await night.post(key)
        assert await night.channel.find(night.run, key) is None
    assert slack.message(await night.post(key)).blocks != []


async def test_an_edit_that_fails_in_passing_is_not_taken_for_done(night: Any, slack: Any) -> None:
    """`update_failed` passes: the edit is tried again, or a gate would show for ever what it was."""
    ts = await night.post("20241124-ab12/header")
    header = night.run.deliveries["20241124-ab12/header"]
    slack.fail_next("chat.update", "update_failed")
    with pytest.raises(OutcomeUnknown):
        await night.channel.redraw(night.run, header.post, ts, None, HEAD)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("too_many_pins", "the channel has as many pins as Slack allows"),
        ("restricted_action", "the workspace does not let the bot pin messages"),
        ("not_pinnable", "Slack says that it cannot be pinned"),
        ("permission_denied", "Slack does not pin it"),
    ],
)
async def test_a_header_that_cannot_be_pinned_is_a_warning(night: Any, slack: Any, code: str, why: str) -> None:
    """The night goes on, and people read why and what they can do."""
    ts = await night.post("20241124-ab12/header")
    slack.fail_next("pins.add", code)
    finding = await night.channel.pin(ts)
    assert (finding.check, finding.verdict) == ("slack-pins", "warn")
    assert finding.evidence == f"The header of this run is not pinned: {why} (`{code}`). All else goes on as before."
    assert finding.fix == (
        "Pin the header yourself if you want it at hand, after unpinning another message where pins are full."
    )
    assert slack.pins == []


async def test_a_full_list_of_pins_is_what_slack_says_it_is(night: Any, slack: Any) -> None:
    """A hundred messages; the next is refused, and told as that."""
    client = connect(slack.bot_token, slack.api_url)
    for number in range(100):
        await client.pins_add(channel=slack.channel.id, timestamp=slack.say("U0ADA", str(number)))
    finding = await night.channel.pin(await night.post("20241124-ab12/header"))
    assert "(`too_many_pins`)" in finding.evidence
    assert len(slack.pins) == 100


async def test_pinning_twice_is_pinning_once(night: Any, slack: Any) -> None:
    """Pinning is idempotent."""
    ts = await night.post("20241124-ab12/header")
    assert await night.channel.pin(ts) is None
    assert await night.channel.pin(ts) is None
    assert slack.pins == [ts]


def test_this_machine_is_not_reached_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in is called directly; the real Slack by the way the environment says."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert connect("xoxb-1", "http://127.0.0.1:1/api/").proxy is None
    assert connect("xoxb-1", "https://slack.com/api/").proxy == "http://proxy.example:3128"


async def test_the_channel_is_what_the_conductor_needs(channel: SlackChannel) -> None:
    """SlackChannel keeps the port's promise of methods."""
    port: Channel = channel
    assert port is channel


async def test_a_checkpoint_that_somebody_deleted_is_posted_anew(night: Any, slack: Any, story: Any) -> None:
    """What belongs into its thread is below the new one. A reply that Slack put into the channel instead, since the
    parent was gone just then, is found there and not posted twice.
    """
    await night.post_all()
    gate = night.run.deliveries[night.run.gate_key]
    slack.delete(gate.ts)
    night.happens(*story.gate_passes(night.run, story.frozen))
    key = next(key for key, d in night.run.deliveries.items() if not d.ts)
    for lost in (
        night.post(key),
        night.channel.pin(gate.ts),
        night.channel.redraw(night.run, gate.post, gate.ts, None, HEAD),
    ):
        with pytest.raises(MessageLost):
            await lost
    night.happens(e.PostLost(at=night.run.last_at, key=gate.post.key, ts=gate.ts))
    anew = await night.post(gate.post.key)
    [told] = [message for message in posts(slack) if message.payload.get("key") == key]
    assert (told.ts, told.thread_ts) == (await night.channel.find(night.run, key), None)
    below = Post(
        key="next", kind="cutover_answer", checkpoint="", status="done", thread=gate.post.key, body=Prose(say("…"))
    )
    assert slack.message(await night.channel.post(night.run, below, None, HEAD)).thread_ts == anew != gate.ts
    said = slack.say("U0ADA", "frozen", anew)
    assert [hear.ts async for hear in night.channel.missed(night.run)] == [said]


async def test_what_belongs_below_a_post_that_stays_away_is_in_the_channel(night: Any, slack: Any, story: Any) -> None:
    """Once, also when no answer came."""
    await night.post_all()
    gate = night.run.gate_key
    for _ in range(4):
        ts = night.run.deliveries[gate].ts or await night.post(gate)
        slack.delete(ts)
        night.happens(e.PostLost(at=night.run.last_at, key=gate, ts=ts))
    night.happens(*story.gate_passes(night.run, story.frozen))
    key = next(key for key, d in night.run.deliveries.items() if not d.ts)
    slack.drop_after_next_post()
    with pytest.raises(OutcomeUnknown):
        await night.post(key)
    ts = await night.channel.find(night.run, key)
    [told] = [message for message in posts(slack) if message.payload.get("key") == key]
    assert (told.ts, told.thread_ts) == (ts, None)


@pytest.mark.parametrize("ahead", [timedelta(minutes=6), timedelta(hours=14), timedelta(days=-1)])
async def test_a_header_that_was_stored_though_no_answer_came_is_found_whatever_our_clock_says(
    slack: Any, channel: SlackChannel, ahead: timedelta
) -> None:
    """Our clock may be hours from Slack's: it is the run and the key that tell a header, or a second one is posted."""
    for n in range(3):
        slack.say("U0ADA", f"as every night {n}")
    command = Open(
        run_id="20241124-ab12",
        parties=e.Parties(source_ref="abcdefgh", source_database="postgres", target_project="p-1"),
        channel=slack.channel.id,
        approvers=("U0ADA",),
        retain_days=90,
        accepted_ahead=(),
    )
    run = after(None, *open_run(command, datetime.now(UTC) + ahead))
    header = next(iter(run.deliveries.values())).post
    slack.drop_after_next_post()
    with pytest.raises(OutcomeUnknown):
        await channel.post(run, header, None, HEAD)
    assert await channel.find(run, header.key) == posts(slack)[-1].ts


@pytest.mark.parametrize("code", ["edit_window_closed", "cant_update_message"])
async def test_a_message_that_can_no_longer_be_edited_is_lost_and_not_found_again(
    night: Any, slack: Any, code: str
) -> None:
    """It is still there, and is not taken for the one that takes its place."""
    ts = await night.post("20241124-ab12/header")
    header = night.run.deliveries["20241124-ab12/header"]
    slack.fail_next("chat.update", code)
    with pytest.raises(MessageLost):
        await night.channel.redraw(night.run, header.post, ts, None, HEAD)
    night.happens(e.PostLost(at=night.run.last_at, key=header.post.key, ts=ts))
    assert await night.channel.find(night.run, header.post.key) is None
    anew = await night.post(header.post.key)
    assert await night.channel.find(night.run, header.post.key) == anew


async def test_the_newest_header_is_the_one_that_counts_however_long_the_history_is(start: Any) -> None:
    """Slack's first page holds the oldest: a run that has ended since must not look unfinished, nor the other way."""
    slack = await start(largest_page=3)
    client = connect(slack.bot_token, slack.api_url)
    identity = await identify(client, channel=slack.channel.id, app_token=None)

    async def posts_header(run_id: str, status: str) -> None:
        header = {"event_type": "cutover_run", "event_payload": {"run_id": run_id, "status": status}}
        await client.chat_postMessage(channel=slack.channel.id, text="Cutover", metadata=header)
        for number in range(4):
            slack.say("U0ADA", str(number))

    for run_id, status, unfinished in (
        ("20241124-aaaa", "waiting", "20241124-aaaa"),
        ("20241124-bbbb", "held", "20241124-bbbb"),
        ("20241124-cccc", "done", ""),
    ):
        await posts_header(run_id, status)
        now = datetime.now(UTC)
        assert await unfinished_run(client, slack.channel.id, bot_id=identity.bot_id, now=now) == unfinished
