"""What a thaw would set, by the same rules as `queries/thaw_restore.sql`. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bot.supabase.freeze.kit import GATE
from bot.supabase.freeze.layers import UNKNOWN, Layers, Prior


@dataclass(frozen=True, kw_only=True)
class ThawPlan:
    """What a thaw would do. `sets` is what would be set again, None when there is nothing to set; `acts` is False when
    there is nothing of a freeze at all.
    """

    sets: Prior | None
    acts: bool


def plan_thaw(layers: Layers, fallback: Prior | None) -> ThawPlan:
    """`fallback` is what `freeze-prior.json` says; the comment's word goes before it."""
    file = fallback if fallback is not None and fallback.known else None
    noted = layers.noted
    lost = file is not None and layers.current.read_only and not file.read_only and not layers.thawed
    if layers.current.hook == GATE or noted is not None or lost:
        return ThawPlan(sets=noted if noted is not None and noted.known else file or UNKNOWN, acts=True)
    return ThawPlan(sets=None, acts=layers.thawed)


def settings_of(prior: Prior) -> str:
    """As a clause for people."""
    default = "is not set" if prior.default is None else f"is {prior.default}"
    hook = "no pre-request hook is set" if prior.hook is None else f"the pre-request hook is {prior.hook or 'empty'}"
    return f"default_transaction_read_only {default} for the database and {hook} for authenticator in it"
