"""How many people a night takes to approve its gates. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bot.plan.plan import Plan


def people_needed(plan: Plan, approvals: Mapping[str, int], *, deny_same_person: bool) -> int:
    """How many different approvers all gates together take, so that whoever opens the others, enough are left for the
    handover. `approvals` is by checkpoint, 1 where none is named.

    Whoever opened every gate that handles the data before may not open the one that seals it, and of them there are as
    many, at most, as the earlier gate that takes the fewest.
    """
    earlier = min(approvals.get(gate.name, 1) for gate in plan.leading_to_the_seal)
    apart = earlier + approvals.get(plan.sealing.name, 1) if deny_same_person else 0
    return max(apart, *(approvals.get(gate.name, 1) for gate in plan.gates))
