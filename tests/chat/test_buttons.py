"""A gate's buttons: there while it is open and never else, and each says what it starts before it does."""

import json
from dataclasses import replace
from typing import Any

import pytest
from slack_sdk.models.blocks import Block

from bot.plan import events as e
from bot.plan.evidence import offer
from bot.plan.fold import after
from bot.plan.gates import DEFAULT
from bot.plan.run import Run
from bot.rehearsal.standins.slack.limits import checked_blocks
from bot.slack.render.messages import render
from tests.chat.conftest import HEAD, NOW, Story

ADA, BOB = "U0ADA", "U0BOB"


def at_gate(story: Story, name: str, **changes: Any) -> Run:
    """The run with this gate on offer."""
    run = story.begun(**changes)
    results = {"export": story.export_result(), "users": story.users_result(attention={}, attention_users=0)}
    while run.gate.name != name:
        step = run.gate.step
        run = story.moved(run, lambda run: story.gate_passes(run, story.frozen))
        run = after(run, e.StepEnded(at=NOW, step=step, result=results[step]))
        run = after(run, offer(run, run.plan.behind(run.gate.name)[0], NOW))
    return run


def buttons_of(run: Run, key: str = "") -> list[dict[str, Any]]:
    """Of the gate at hand, or of the post with that key."""
    blocks = render(run, run.deliveries[key or run.gate_key].post, None, HEAD).blocks
    checked_blocks(list(blocks))
    assert all(block is not None for block in Block.parse_all(list(blocks)))
    return [element for block in blocks if block["type"] == "actions" for element in block["elements"]]


@pytest.mark.parametrize("gate", [gate.name for gate in DEFAULT.gates])
def test_an_open_gate_has_a_button_that_says_what_it_starts(story: Story, gate: str) -> None:
    """Whoever presses it has read the claim, what follows and the evidence's digest, whole."""
    run = at_gate(story, gate)
    (button,) = buttons_of(run)
    assert run.offer is not None
    assert button["action_id"] == "cutover_signal"
    assert button["text"]["text"] == run.gate.signal
    assert json.loads(button["value"]) == {
        "run": run.run_id,
        "digest": run.offer.digest,
        "word": run.gate.signal,
    }
    assert button["confirm"]["title"]["text"] == f"Say “{run.gate.signal}”?"
    assert button["confirm"]["text"]["text"] == (
        f"You say: {run.gate.claim}.\nIt {run.gate.starts}. Evidence: {run.offer.digest}."
    )


@pytest.mark.parametrize("gate", [gate.name for gate in DEFAULT.gates])
def test_it_says_how_many_people_it_takes(story: Story, gate: str) -> None:
    """Where one is not enough; and it still fits Slack's dialog, uncut."""
    run = at_gate(story, gate, rules=e.Rules(approvals={gate: 12}))
    (button,) = buttons_of(run)
    assert run.offer is not None
    assert f" It takes 12 people. Evidence: {run.offer.digest}." in button["confirm"]["text"]["text"]


def test_a_gate_that_is_not_open_has_none(story: Story) -> None:
    """Not while it is checked, not when it has passed, not when it is void; refused, it can be said again."""
    run = at_gate(story, "freeze")
    key = run.gate_key
    assert run.offer is not None
    said = e.SignalAccepted(at=NOW, checkpoint="freeze", digest=run.offer.digest, user=ADA, ts="1.000001")
    checked = after(run, said)
    began = after(checked, e.VerificationBegan(at=NOW, checkpoint="freeze", attempt=1))
    refused = after(began, e.CheckpointRefused(at=NOW, checkpoint="freeze", attempt=1))
    void = after(run, e.CheckpointVoided(at=NOW, checkpoint="freeze", offer=1, why="the source has moved"))
    anew = after(void, e.CheckpointOffered(at=NOW, checkpoint="freeze", offer=2, evidence={}, digest="d" * 12))
    assert buttons_of(checked, key) == buttons_of(began, key) == buttons_of(void, key) == buttons_of(anew, key) == []
    assert buttons_of(at_gate(story, "export"), key) == []
    assert [button["action_id"] for button in buttons_of(refused, key)] == ["cutover_signal"]
    assert json.loads(buttons_of(anew)[0]["value"])["digest"] == "d" * 12


def test_only_the_freeze_has_a_second_one_and_only_where_the_bot_freezes(story: Story) -> None:
    """In red, and with the name of what is frozen."""
    rules = e.Rules(freeze_mode="bot")
    signal, freeze = buttons_of(at_gate(story, "freeze", rules=rules))
    assert (signal["action_id"], freeze["action_id"]) == ("cutover_signal", "cutover_freeze")
    values = [json.loads(button["value"]) for button in (signal, freeze)]
    assert [value["word"] for value in values] == ["frozen", "freeze"]
    assert values[0] | {"word": ""} == values[1] | {"word": ""}
    assert (freeze["style"], freeze["confirm"]["style"]) == ("danger", "danger")
    assert freeze["confirm"]["text"]["text"].startswith("The bot freezes abcdefgh at once: nothing can be saved there")
    assert len(buttons_of(at_gate(story, "export", rules=rules))) == 1


def test_a_long_name_of_the_source_breaks_no_dialog(story: Story) -> None:
    """Slack would refuse the whole message; the text is cut instead."""
    run = story.begun(rules=e.Rules(freeze_mode="bot"))
    parties = run.opened.parties.model_copy(update={"source_ref": "x" * 400})
    run = replace(run, opened=run.opened.model_copy(update={"parties": parties}))
    assert len(buttons_of(run)[1]["confirm"]["text"]["text"]) == 300
