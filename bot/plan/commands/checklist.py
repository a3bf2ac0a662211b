"""`tick` and `untick`: what members state about the items of a checklist. It approves nothing."""

from __future__ import annotations

from bot.plan import events as e
from bot.plan.checklist import Item
from bot.plan.commands.utterance import Reply, Said
from bot.plan.evidence import offer
from bot.plan.fold import after
from bot.plan.inputs import Refusal
from bot.plan.run import Run
from bot.plan.texts import checklists


def tick(run: Run, said: Said) -> Reply | Refusal:
    """The last one puts the gate on offer."""
    key = said.argument.casefold()
    item = _item(run, said, key)
    if isinstance(item, Refusal):
        return item
    if item.state != "open":
        return Refusal(sentence=checklists.ticked_already(key, item))
    ticked = e.ItemTicked(at=said.now, checkpoint=run.at, item=key, user=said.user, ts=said.message.ts)
    then = after(run, ticked)
    return checklists.ticked(said.user, key, then.open_items, run.gate), [ticked, *offered_if_complete(then, said)]


def untick(run: Run, said: Said) -> Reply | Refusal:
    """Nobody approves what is not so any more: the offer that rests on the list is void."""
    key = said.argument.casefold()
    item = _item(run, said, key)
    if isinstance(item, Refusal):
        return item
    if item.state == "open":
        return Refusal(sentence=checklists.not_ticked(key))
    unticked = e.ItemUnticked(at=said.now, checkpoint=run.at, item=key, user=said.user, ts=said.message.ts)
    if run.offer is None:
        return checklists.unticked(said.user, key, was_offered=False), [unticked]
    why = f"the item {key} of its checklist was taken back"
    void = e.CheckpointVoided(at=said.now, checkpoint=run.at, offer=run.offer.number, why=why)
    return checklists.unticked(said.user, key, was_offered=True), [void, unticked]


def offered_if_complete(run: Run, said: Said) -> list[e.Event]:
    return [] if run.open_items else [offer(run, run.gate, said.now)]


def _item(run: Run, said: Said, key: str) -> Item | Refusal:
    if run.checklist is None:
        return Refusal(sentence=checklists.no_checklist(run.gate))
    if key not in run.checklist.items:
        return Refusal(sentence=checklists.no_such_item(run.checklist.items))
    if not said.is_about_the_checklist(run):
        return Refusal(sentence=checklists.older_than_checklist(run.gate, key))
    return run.checklist.items[key]
