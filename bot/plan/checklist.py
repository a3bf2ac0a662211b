"""What people attest at a gate, item by item: a tick states that something is so, and approves nothing. Values only.

A gate with a checklist is first posted with its items open. It is put on offer when every item is ticked, or accepted
open by an approver, and the list as it then is belongs to the evidence. Taking a tick back voids the offer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.plan.changed import replace

ItemState = Literal["open", "ticked", "accepted"]
ITEM = "item-"
"""Before the key of an item that is accepted open."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """`text` is what is to be attested, as the plan says it. `user` is who ticked or accepted it, "" while it is open;
    `why` is why it was accepted open.
    """

    text: str
    state: ItemState = "open"
    user: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Checklist:
    """`number` counts from 1 for each gate: a gate that is posted anew has a new list, all open. `at` is when it was
    opened.
    """

    checkpoint: str
    number: int
    items: Mapping[str, Item]
    at: datetime
    reminders: int = 0

    @property
    def open(self) -> tuple[str, ...]:
        """The keys of the items that are neither ticked nor accepted, in order."""
        return tuple(key for key, item in self.items.items() if item.state == "open")

    @property
    def is_complete(self) -> bool:
        return not self.open

    def with_item(self, key: str, state: ItemState, *, user: str = "", why: str = "") -> Checklist:
        item = replace(self.items[key], state=state, user=user, why=why)
        return replace(self, items={**self.items, key: item})
