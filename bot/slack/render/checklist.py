"""A gate whose checklist is open: its items, who ticked which, and a button for each. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.plan import posts
from bot.plan.checklist import Checklist, Item
from bot.plan.run import Run
from bot.plan.text import Person, Text, say, stacked
from bot.plan.texts.amounts import counted
from bot.plan.texts.foreign import seen
from bot.slack.render import buttons
from bot.slack.render.blocks import Block, Layout
from bot.slack.render.header import parties

_MARKS = {"open": "◻️", "ticked": "✅", "accepted": "⚠️"}


def checklist(run: Run, body: posts.Checklist, status: str, anchor: Text) -> Layout:
    gate, listed = run.plan.gate(body.checkpoint), run.checklists[body.checkpoint]
    position = f"{run.plan.position(gate.name)} of {len(run.plan.gates)}"
    again = f", list {body.number}" if body.number > 1 else ""
    paragraphs = [_state(status, listed)]
    if listed.number == body.number:
        paragraphs += [
            parties(run),
            say("*What must be true:* {claim}.", claim=gate.claim),
            stacked(*(_line(key, item) for key, item in listed.items.items())),
            say(
                "*What to do:* any full member of this channel ticks an item with its button, or with `tick KEY` said "
                "to me; `untick KEY` takes a tick back. An approver may let an item stay open: `accept item-KEY: why`. "
                "When no item is open, this checkpoint is posted with its evidence, and waits for `{word}`.",
                word=gate.signal,
            ),
            say("*If you stop here:* {left}.", left=gate.if_you_stop),
        ]
    title = f"Checkpoint {position}: {gate.title}, checklist{again}"
    footer = say("Run `{run}` · {anchor}", run=run.run_id, anchor=anchor)
    return Layout(title=title, paragraphs=paragraphs, footer=footer)


def _state(status: str, listed: Checklist) -> Text:
    match status:
        case "waiting":
            return say(
                "*Status:* ⏳ waiting: {open} of {all} open",
                open=len(listed.open),
                all=counted(len(listed.items), "item"),
            )
        case "passed":
            return say("*Status:* ✅ complete; the checkpoint is posted below")
        case _:
            return say("*Status:* ✖️ void: a newer message follows, or the run has ended")


def _line(key: str, item: Item) -> Text:
    return say(
        "{mark} `{key}` `{text}` ({state}{by}{why})",
        mark=_MARKS[item.state],
        key=seen(key),
        text=seen(item.text),
        state="accepted open" if item.state == "accepted" else item.state,
        by=say(", by {who}", who=Person(item.user)) if item.user else "",
        why=say(": `{why}`", why=seen(item.why)) if item.why else "",
    )


def beside(run: Run, body: posts.Checklist) -> Sequence[Block]:
    """A button for each item, as long as the list is the one at hand: to tick it, or to take the tick back."""
    listed = run.checklist
    if listed is None or (listed.checkpoint, listed.number) != (body.checkpoint, body.number):
        return ()
    if run.is_passed(body.checkpoint):
        return ()
    name = posts.list_name(body.checkpoint, body.number)
    return buttons.of_items(run, name, {key: item.state == "open" for key, item in listed.items.items()})
