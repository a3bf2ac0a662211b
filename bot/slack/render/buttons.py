"""The buttons of a gate: how they look, and what it means that one was pressed. Pure.

A button says the same as the word typed, in the same way. Its value names run, word and evidence, so that a press is
about what stood beside it, however long the message had been on somebody's screen. Only a gate that is open has
buttons; the confirm dialog says what a press starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.plan.gate import Gate
from bot.plan.inputs import Hear
from bot.plan.offer import Offer
from bot.plan.run import Run
from bot.slack.payloads import Press
from bot.slack.render.blocks import Block, shortened

log = structlog.get_logger("cutover.slack")

SIGNAL = "cutover_signal"
FREEZE_NOW = "cutover_freeze"
ITEM = "cutover_item"
"""With a number behind it, since Slack wants another name for each button of a message."""
ACTIONS = re.compile(rf"{SIGNAL}|{FREEZE_NOW}|{ITEM}_\d+")
"""The names of all our buttons."""
_CONFIRM_TEXT = 300
_FREEZE_WORD = "freeze"


class Value(BaseModel):
    """What a button carries, as JSON: the word that a press says, and beside which evidence."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    run: str
    digest: str
    word: str


def beside(run: Run, offer: Offer) -> Sequence[Block]:
    """The buttons of this offer as it is now: a block, or none."""
    if (offer.checkpoint, offer.number) != run.current or offer.status not in {"waiting", "refused"}:
        return ()
    gate = run.plan.gate(offer.checkpoint)
    elements = [_signal(run, offer, gate)]
    if gate.freezes and run.opened.rules.freeze_mode == "bot":
        elements.append(_freeze(run, offer))
    return ({"type": "actions", "elements": elements},)


def of_items(run: Run, list_name: str, items: Mapping[str, bool]) -> Sequence[Block]:
    """A button for each item of a checklist, by its key; True to tick it, False to take the tick back."""
    elements = []
    for number, (key, ticks) in enumerate(items.items(), 1):
        word = f"{'tick' if ticks else 'untick'} {key}"
        value = Value(run=run.run_id, digest=list_name, word=word).model_dump_json()
        elements.append({"type": "button", "action_id": f"{ITEM}_{number}", "text": _plain(word), "value": value})
    return ({"type": "actions", "elements": elements},)


def _signal(run: Run, offer: Offer, gate: Gate) -> Block:
    several = f" It takes {offer.needed} people." if offer.needed > 1 else ""
    confirm = f"You say: {gate.claim}.\nIt {gate.starts}.{several} Evidence: {offer.digest}."
    return _button(
        SIGNAL, gate.signal, _value(run, offer, gate.signal), _confirm(f"Say “{gate.signal}”?", confirm, "Say it")
    )


def _freeze(run: Run, offer: Offer) -> Block:
    source = run.opened.parties.source_ref
    told = (
        f"The bot freezes {source} at once: nothing can be saved there until a thaw. Then “{run.gate.signal}” is still"
    )
    confirm = _confirm("Freeze Supabase now?", f"{told} to be said. Evidence: {offer.digest}.", "Freeze it")
    button = _button(FREEZE_NOW, "Freeze Supabase now", _value(run, offer, _FREEZE_WORD), confirm | {"style": "danger"})
    return button | {"style": "danger"}


def _button(action: str, text: str, value: str, confirm: Block) -> Block:
    return {"type": "button", "action_id": action, "text": _plain(text), "value": value, "confirm": confirm}


def _confirm(title: str, text: str, yes: str) -> Block:
    return {
        "title": _plain(title),
        "text": _plain(shortened(text, _CONFIRM_TEXT)),
        "confirm": _plain(yes),
        "deny": _plain("Not yet"),
    }


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def _value(run: Run, offer: Offer, word: str) -> str:
    return Value(run=run.run_id, digest=offer.digest, word=word).model_dump_json()


def is_press(body: Mapping[str, Any]) -> bool:
    """It tells that one of our buttons was pressed, as far as its name goes."""
    actions = body.get("actions")
    if body.get("type") != "block_actions" or not isinstance(actions, list):
        return False
    return any(isinstance(action, dict) and ACTIONS.fullmatch(str(action.get("action_id"))) for action in actions)


def pressed(body: Mapping[str, Any], *, channel: str, run_id: str) -> Hear | None:
    """What somebody said by pressing a button in `channel`; None, with a line in the log, when it is not about this
    run or makes no sense.

    It is in no thread: the answer goes to the gate at hand, also when an old button was pressed.
    """
    try:
        press = Press.model_validate(body)
        (action,) = press.actions
        value = Value.model_validate_json(action.value)
    except (ValidationError, ValueError):
        log.warning("a button was pressed whose value I cannot read; nothing was heard")
        return None
    if value.run != run_id or press.channel.id != channel:
        log.warning("a button of another run or channel was pressed; nothing was heard", run=value.run)
        return None
    return Hear(
        ts="",
        user=press.user.id,
        team=press.user.team_id,
        text=value.word,
        thread_ts=None,
        addressed=True,
        via="button",
        request=press.trigger_id,
        digest=value.digest,
    )
