"""The line that leads: for every state that a person can see there is one, and it offers only what the channel says."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from bot.rehearsal.console import Source
from bot.rehearsal.page.hints import Scene, hint
from bot.rehearsal.standins.slack import Message

_SOFT, _HARD = Source(is_read_only=True), Source(is_read_only=True, is_hooked=True)


def _post(kind: str, checkpoint: str, status: str, *buttons: tuple[str, str]) -> Message:
    elements = [{"type": "button", "action_id": a, "text": {"type": "plain_text", "text": t}} for a, t in buttons]
    return Message(
        channel="C0",
        ts="1.000001",
        user="U0BOT",
        blocks=[{"type": "actions", "elements": elements}] if elements else [],
        metadata={"event_type": kind, "event_payload": {"checkpoint": checkpoint, "status": status}},
    )


def _scene(checkpoint: str, status: str, *, header: str = "waiting", word: str = "its-word", **seen: Any) -> Scene:
    shown = status in {"waiting", "refused"}
    gate = _post("cutover_checkpoint", checkpoint, status, *([("cutover_signal", word)] if shown else []))
    scene = Scene(
        messages=[_post("cutover_run", "", header), gate], bot="running", source=Source(), notice=False, users=0
    )
    return dataclasses.replace(scene, **seen)


@pytest.mark.parametrize(
    ("scene", "words", "tab", "text"),
    [
        (_scene("freeze", "waiting", word="frozen"), "too early", "supabase", "frozen"),
        (_scene("freeze", "refused", word="frozen"), "as it should be", "supabase", ""),
        (_scene("freeze", "waiting", word="frozen", source=_SOFT), "soft freeze", "supabase", ""),
        (_scene("freeze", "waiting", word="frozen", source=_HARD), "switch the notice on", "notice", ""),
        (_scene("freeze", "refused", word="frozen", source=_HARD, notice=True), "Say `frozen`", "", "frozen"),
        (_scene("freeze", "verifying"), "is checking", "", ""),
        (_scene("freeze", "passed", header="running"), "being exported", "bot", ""),
        (_scene("export", "waiting", word="exported"), "Compare the counts", "", "exported"),
        (_scene("export", "passed", header="running"), "being created", "users", ""),
        (_scene("users", "waiting"), "Read the Users checkpoint", "", ""),
        (_scene("users", "waiting", open_reasons=["sso", "banned"]), "2 reasons", "", "@cutover accept sso banned"),
        (_scene("users", "waiting", open_reasons=[], word="users-mapped"), "Every reason", "", "users-mapped"),
        (_scene("users", "waiting", to_decide=[("a1", "b2")]), "same person", "", "@cutover decide a1 match b2"),
        (_scene("environment", "refused"), "cutover practice", "bot", ""),
        (_scene("live", "refused", notice=True), "switch it off", "notice", ""),
        (_scene("live", "refused"), "❌ finding", "", ""),
        (_scene("stable", "waiting", word="stabilized"), "Say `stabilized`", "", "stabilized"),
        (_scene("users", "waiting", header="held"), "held", "", "@cutover retry"),
        (_scene("users", "void", header="aborted"), "aborted", "bot", ""),
        (_scene("users", "passed", header="done"), "Every checkpoint", "bot", ""),
        (_scene("users", "waiting", bot="killed"), "started again", "bot", ""),
        (_scene("users", "waiting", bot="ended"), "has ended", "bot", ""),
        (_scene("users", "waiting", messages=[]), "is starting", "", ""),
        (_scene("freeze", "waiting", word=""), "at work", "", ""),
        (_scene("freeze", "void", header="aborted", bot="ended"), "open the next run", "bot", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_state_has_its_line(scene: Scene, words: str, tab: str, text: str) -> None:
    """What to do next, where, and the words for it, which are those on the gate's own button."""
    led = hint(scene)
    assert words in led.says
    assert (led.tab, led.text) == (tab, text)
    assert bool(led.who) == bool(led.text)


def test_a_checklist_is_ticked_item_by_item() -> None:
    """The first item that is open is offered, in the words of its button."""
    buttons = [("cutover_item_1", "untick dns-ttl"), ("cutover_item_2", "tick on-call"), ("cutover_item_3", "tick x")]
    gate = _post("cutover_checkpoint", "readiness", "waiting", *buttons)
    led = hint(dataclasses.replace(_scene("x", "waiting"), messages=[_post("cutover_run", "", "waiting"), gate]))
    assert (led.says[:7], led.text) == ("2 items", "@cutover tick on-call")


def test_what_was_decided_is_to_be_carried_out() -> None:
    """Once somebody has said it of each, the next word is `retry`."""
    scene = _scene("users", "waiting", to_decide=[("a1", "b2")])
    said: Sequence[Message] = [
        *scene.messages,
        Message(channel="C0", ts="2.000001", user="U0ADA", text="<@U0BOT> decide a1 match b2"),
    ]
    assert hint(dataclasses.replace(scene, messages=said)).text == "@cutover retry"
