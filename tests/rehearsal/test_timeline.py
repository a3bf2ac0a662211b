"""How long the night takes, read from the channel."""

from typing import Any

from bot.rehearsal.page.timeline import stretches
from bot.rehearsal.standins.slack import Message
from bot.rehearsal.standins.slack.workspace import Version

_RUN = "20261130-aaaa"


def _metadata(kind: str, checkpoint: str, status: str) -> dict[str, Any]:
    payload = {"run_id": _RUN, "checkpoint": checkpoint, "status": status}
    return {"event_type": kind, "event_payload": payload}


_HEADER = Message(channel="C0", ts="99.000000", user="U0BOT", metadata=_metadata("cutover_run", "", "waiting"))


def _gate(name: str, *states: tuple[str, float], title: str = "") -> Message:
    """Its states, each with the second in which it began."""
    *past, (status, since) = states
    heading = {"type": "header", "text": {"type": "plain_text", "text": title or f"Checkpoint 1 of 3: {name.title()}"}}
    return Message(
        channel="C0",
        ts=f"{int(states[0][1])}.000000",
        user="U0BOT",
        blocks=[heading],
        metadata=_metadata("cutover_checkpoint", name, status),
        since=since,
        past=tuple(
            Version(text="", blocks=[], metadata=_metadata("cutover_checkpoint", name, was), since=at)
            for was, at in past
        ),
    )


def test_waiting_checking_and_the_step_behind_are_distinguished() -> None:
    """A refusal counts once however often its message is edited, and the step lasts until the next checkpoint."""
    freeze = _gate(
        "freeze",
        ("waiting", 100),
        ("verifying", 130),
        ("refused", 135),
        ("refused", 140),
        ("verifying", 160),
        ("passed", 168),
        title="Checkpoint 1 of 3: Freeze, attempt 2",
    )
    export = _gate("export", ("waiting", 180))
    first, second = stretches([_HEADER, freeze, export], now=200)
    assert (first.title, first.waited, first.checked, first.refused) == ("Freeze", 55, 13, 1)
    assert (first.passed, first.step) == (168, 12)
    assert (second.title, second.waited, second.passed, second.step) == ("Export", 20, None, None)


def test_the_last_step_ends_with_the_closing_and_a_gate_posted_anew_is_one() -> None:
    """The handover lasts until the closing summary; a void message and the one that follows are one checkpoint."""
    void = _gate("users", ("waiting", 100), ("void", 120))
    anew = _gate("users", ("waiting", 121), ("verifying", 131), ("passed", 141))
    closing = Message(
        channel="C0", ts="150.000000", user="U0BOT", metadata=_metadata("cutover_summary", "", "done"), since=150
    )
    (one,) = stretches([_HEADER, void, anew, closing], now=500)
    assert (one.posted, one.waited, one.checked, one.step) == (100, 30, 10, 9)


def test_only_the_newest_run_counts() -> None:
    """What an aborted run took is not added to the next one's."""
    other = _metadata("cutover_run", "", "waiting")
    other["event_payload"]["run_id"] = "20261130-bbbb"
    header = Message(channel="C0", ts="300.000000", user="U0BOT", metadata=other)
    assert stretches([_HEADER, _gate("freeze", ("waiting", 100)), header], now=500) == []
