"""A gate whose checklist is open: its items, who ticked which, and a button for each. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.plan import posts
from bot.plan.checklist import Checklist, Item
from bot.plan.run import Run
from bot.slack.render import buttons
from bot.slack.render.blocks import Block, Layout, code
from bot.slack.render.header import parties

_MARKS = {"open": "◻️", "ticked": "✅", "accepted": "⚠️"}


def checklist(run: Run, body: posts.Checklist, status: str, anchor: str) -> Layout:
    gate, listed = run.plan.gate(body.checkpoint), run.checklists[body.checkpoint]
    position = f"{run.plan.position(gate.name)} of {len(run.plan.gates)}"
    again = f", list {body.number}" if body.number > 1 else ""
    if listed.number != body.number:
        paragraphs = [_state(status, listed)]
    else:
        paragraphs = [
            _state(status, listed),
            parties(run),
            f"*What must be true:* {gate.claim}.",
            "\n".join(_line(key, item) for key, item in listed.items.items()),
            "*What to do:* any full member of this channel ticks an item with its button, or with `tick KEY` said to "
            "me; `untick KEY` takes a tick back. An approver may let an item stay open: `accept item-KEY: why`. "
            f"When no item is open, this checkpoint is posted with its evidence, and waits for `{gate.signal}`.",
            f"*If you stop here:* {gate.if_you_stop}.",
        ]
    title = f"Checkpoint {position}: {gate.title}, checklist{again}"
    return Layout(title=title, paragraphs=paragraphs, footer=f"Run {code(run.run_id)} · {anchor}")


def _state(status: str, listed: Checklist) -> str:
    match status:
        case "waiting":
            return f"*Status:* ⏳ waiting: {len(listed.open)} of {len(listed.items)} items open"
        case "passed":
            return "*Status:* ✅ complete; the checkpoint is posted below"
        case _:
            return "*Status:* ✖️ void: a newer message takes its place, or the run ended"


def _line(key: str, item: Item) -> str:
    by = f", by <@{item.user}>" if item.user else ""
    why = f": {code(item.why)}" if item.why else ""
    state = "accepted open" if item.state == "accepted" else item.state
    return f"{_MARKS[item.state]} {code(key)} {code(item.text)} ({state}{by}{why})"


def beside(run: Run, body: posts.Checklist) -> Sequence[Block]:
    """A button for each item, as long as the list is the one at hand: to tick it, or to take the tick back."""
    listed = run.checklist
    if listed is None or (listed.checkpoint, listed.number) != (body.checkpoint, body.number):
        return ()
    if run.is_passed(body.checkpoint):
        return ()
    name = posts.list_name(body.checkpoint, body.number)
    return buttons.of_items(run, name, {key: item.state == "open" for key, item in listed.items.items()})
