"""A bad night in Slack: what was said is heard, and what is reported is there, each exactly once."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from bot.rehearsal.night import Night, until
from bot.rehearsal.standins.slack import Message
from tests import clusters
from tests.night.playing import (
    assert_handed_over,
    assert_nothing_twice,
    fast_night,
    journal,
    mapped,
    pass_gate,
    play,
    play_on,
    posts,
    restarted,
    shows,
    told,
)

Wanted = Callable[[Message], bool]
_A_FEW = 5


def _lose_answers(night: Night, *wanted: Wanted, kill: tuple[Wanted, ...] = ()) -> list[str]:
    """Slack stores one post of each kind that is wanted and breaks the connection; for `kill`, the bot dies besides,
    between its post and the line in its journal. The keys of those posts, as it happens.
    """
    lost: list[str] = []
    left = [*wanted, *kill]

    def loses(message: Message) -> bool:
        found = next((one for one in left if message.payload and one(message)), None)
        if found is None:
            return False
        left.remove(found)
        lost.append(message.payload["key"])
        if found in kill:
            assert night.bot is not None
            night.bot.kill()
        # The switch is spent by the post that this one is asked about; for the next it is set again.
        asyncio.get_running_loop().call_soon(night.slack.drop_after_next_post, loses)
        return True

    night.slack.drop_after_next_post(loses)
    return lost


def _of(kind: str, checkpoint: str | None = None) -> Wanted:
    return lambda m: m.event_type == f"cutover_{kind}" and checkpoint in {None, m.payload["checkpoint"]}


def _answers(night: Night, ts: str) -> int:
    return sum(str(m.payload.get("key", "")).endswith(f"/answer/{ts}") for m in night.slack.messages)


async def _heard_after_a_gap(night: Night) -> None:
    """Said in vain, and heard all the same: an event lost, a socket that is renewed, one that breaks, a bot that is
    away.
    """
    slack = night.slack
    for breaks in (slack.send_disconnect, slack.kill_sockets):
        opened = slack.connections_opened
        slack.lose_next_events(2)  # a mention is an event of its own
        ts = night.says("linus", "@cutover status")
        breaks()
        assert (await night.answer_to(ts)).payload["status"] == "done"
        await slack.wait_until(lambda opened=opened: slack.connections_opened > opened, 180)
    await night.kill_bot()
    ts = night.says("linus", "frozen")
    deleted = night.says("ada", "frozen")
    slack.delete(deleted)
    edited = night.says("ada", "Is it frozen? I wonder what the weather is like, too.")
    slack.edit(edited, "frozen")
    await night.start_bot()
    assert (await night.answer_to(ts)).payload["status"] == "refused"
    # Once the bot has answered something later, what it could have made of these has been made.
    later = await night.answer_to(night.says("linus", "@cutover status"))
    assert later.payload["status"] == "done"
    assert (_answers(night, deleted), _answers(night, edited)) == (0, 0)
    assert [p["status"] for p in posts(night, "cutover_checkpoint")] == ["waiting"]


async def test_what_slack_loses_is_found_and_nothing_is_said_twice(tmp_path: Path) -> None:
    """Lost events, lost answers, errors, HTML, rate limits, kills right after a post, as the export begins and among
    the users, a header and a checkpoint deleted by somebody: each post is there once, each user is there once.
    """
    reminders = {"CUTOVER__REMINDERS__MINUTES": "0.02"}
    async with fast_night(tmp_path / "night", posts_per_second=8, settings=reminders, **clusters.SMALL_NIGHT) as night:
        slack = night.slack
        lost = _lose_answers(
            night,
            _of("run"),
            _of("checkpoint", "freeze"),
            _of("alarm"),
            _of("answer"),
            _of("finding"),
            _of("summary", "export"),
            kill=(_of("checkpoint", "export"), _of("summary", "")),
        )
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        await _heard_after_a_gap(night)
        await night.freeze()
        slack.fail_next("chat.postMessage", "internal_error")
        slack.fail_next("chat.update", "internal_error")
        slack.fail_next("conversations.replies", "drop")
        await pass_gate(night, "freeze")
        said = next(m.ts for m in reversed(slack.messages) if m.text == "frozen")
        slack.redeliver(said)

        async with restarted(night):
            await night.kill_bot()
            for gate, fault in (("export", "html_500"), ("users", "text_503")):
                await shows(night, gate, "waiting")
                slack.fail_next("chat.postMessage", "ratelimited")
                slack.fail_next("chat.postMessage", fault)
                if gate == "users":
                    for kind in ("run", "checkpoint"):
                        slack.delete([m for m in slack.messages if m.event_type == f"cutover_{kind}"][-1].ts)
                await pass_gate(night, gate)
                if gate == "export":
                    await until(lambda: len(night.stack.users) > _A_FEW, 180)
                    await night.kill_bot()
            code = await play_on(night)
        await assert_handed_over(night, code, users=night.users)
        assert {outcome for outcome, _ in mapped(night.directory).values()} == {"created"}
        assert len(lost) == 8
        assert {m.payload["key"].split("/")[1] for m in slack.messages if m.deleted and m.payload} == {
            "header",
            "checkpoint",
        }
        assert _answers(night, said) == 1
        assert [_answers(night, m.ts) for m in slack.messages if m.user == "U0LINUS"] == [1, 1, 1, 1]
        assert [p["checkpoint"] for p in posts(night, "cutover_checkpoint")] == ["freeze", "export", "users"]
        assert {call.answer for call in slack.calls if call.method == "chat.postMessage"} >= {
            "internal_error",
            "html_500",
            "text_503",
            "ratelimited",
            "dropped after it was stored",
        }
        _assert_reminded(night, seconds=1.2)


def _assert_reminded(night: Night, *, seconds: float) -> None:
    """The first not before `seconds`, each next one after twice as long; and all are done. A bot that was away or slow
    passes over those that it missed.
    """
    offered: datetime | None = None
    events = journal(night)
    reminded = [event for event in events if event["type"] == "reminder-due"]
    assert reminded
    for event in events:
        at = datetime.fromisoformat(event["at"])
        if event["type"] == "checkpoint-offered":
            offered, last = at, 0
        elif event["type"] == "reminder-due":
            assert offered is not None
            nth = event["nth"]
            assert nth > last
            last = nth
            assert (at - offered).total_seconds() >= seconds * (2**nth - 1)
    alarms = [p for p in posts(night, "cutover_alarm") if "/waits/" in p["key"]]
    assert len(alarms) == len(reminded)
    assert {p["status"] for p in alarms} == {"done"}


@pytest.mark.all
async def test_a_lost_event_is_heard_within_the_half_minute(tmp_path: Path) -> None:
    """While a gate waits, the history is read every 30 seconds, so that a word whose event was lost is answered."""
    async with fast_night(tmp_path / "night") as night:
        await night.start_bot()
        await shows(night, "freeze", "waiting")
        night.slack.lose_next_events()
        ts = night.says("linus", "frozen")
        assert (await night.answer_to(ts)).payload["status"] == "refused"
        assert (await told(night, "linus", "@cutover status"))[0] == "done"
        assert _answers(night, ts) == 1
        assert_nothing_twice(night)


@pytest.mark.all
async def test_a_night_at_slacks_own_pace(tmp_path: Path) -> None:
    """At one post a second nothing is dropped and the night ends well."""
    async with fast_night(tmp_path / "night", posts_per_second=1) as night:
        await night.start_bot()
        code = await play(night)
        await assert_handed_over(night, code, users=night.users)
        assert "ratelimited" in {call.answer for call in night.slack.calls}
        expected = {d["key"] for d in journal(night) if d["type"] == "post-intended"}
        shared = {file.id for file in night.slack.files}  # a file is no message with metadata
        files = {d["key"] for d in journal(night) if d["type"] == "posted" and d["ts"] in shared}
        assert {key.rpartition("/")[2] for key in files} == {"way-back", "attention"}
        assert expected == files | {m.payload["key"] for m in night.slack.messages if m.payload}
