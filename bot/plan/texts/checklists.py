"""The sentences about checklists: what answers `tick`, `untick` and `accept item-KEY`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.plan.checklist import Item
from bot.plan.gate import Gate
from bot.plan.text import Person, Text, joined, say
from bot.plan.texts.foreign import codes


def checklist_open(gate: Gate, items: Sequence[str]) -> Text:
    return say(
        "Nothing was started: the checklist of the {gate} checkpoint is not complete. Open: {keys}. When it is, the "
        "checkpoint is posted with its evidence; then say `{word}`.",
        gate=gate.title,
        keys=_keys(items),
        word=gate.signal,
    )


def ticked(user: str, key: str, still_open: Sequence[str], gate: Gate) -> Text:
    return say("{who} ticked `{key}`. {then}", who=Person(user), key=key, then=_then(still_open, gate))


def item_accepted(key: str, still_open: Sequence[str], gate: Gate) -> Text:
    return say(
        "Accepted: `{key}` may stay open. Your reason is part of the evidence. {then}",
        key=key,
        then=_then(still_open, gate),
    )


def _then(still_open: Sequence[str], gate: Gate) -> Text:
    if still_open:
        return say("Still open: {keys}.", keys=_keys(still_open))
    return say(
        "The checklist is complete: the {gate} checkpoint is posted now, and waits for `{word}`.",
        gate=gate.title,
        word=gate.signal,
    )


def unticked(user: str, key: str, *, was_offered: bool) -> Text:
    return joined(
        [
            say("{who} took the tick of `{key}` back.", who=Person(user), key=key),
            "The checkpoint that was on offer is void; it is posted again when the checklist is complete."
            if was_offered
            else "",
        ]
    )


def ticked_already(key: str, item: Item) -> Text:
    return say(
        "Nothing was changed: `{key}` is {how} already, by {who}.",
        key=key,
        how="ticked" if item.state == "ticked" else "accepted open",
        who=Person(item.user),
    )


def not_ticked(key: str) -> Text:
    return say("Nothing was changed: `{key}` is not ticked.", key=key)


def no_checklist(gate: Gate) -> Text:
    return say("Nothing was changed: the {gate} checkpoint has no checklist.", gate=gate.title)


def no_such_item(known: Iterable[str]) -> Text:
    return say("Nothing was changed: the checklist has no such item. It has {keys}.", keys=_keys(known))


def older_than_checklist(gate: Gate, key: str) -> Text:
    return say(
        "Nothing was changed: your message is older than this checklist of the {gate} checkpoint. Read it and say "
        "`tick {key}` again.",
        gate=gate.title,
        key=key,
    )


def why_item(key: str) -> Text:
    return say(
        "Nothing was accepted: say why it may stay open, as in `accept item-{key}: the provider confirmed it`.",
        key=key,
    )


def _keys(keys: Iterable[str]) -> Text:
    return joined(codes(keys), by=", ")
