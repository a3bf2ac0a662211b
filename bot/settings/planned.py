"""The plan that the settings ask for."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from bot.plan.compose import OwnGate, compose
from bot.plan.gates import KNOWN
from bot.plan.plan import Plan
from bot.settings.shape import Settings


def plan_of(settings: Settings) -> Plan:
    """Raises PlanRefused."""
    own = [
        OwnGate(
            name=gate.name,
            after=gate.after,
            signal=gate.signal,
            claim=gate.claim,
            title=gate.title,
            checklist=gate.checklist,
        )
        for gate in settings.plan.own
    ]
    checkpoints = settings.checkpoints.each
    checklists = {name: checkpoint.checklist for name, checkpoint in checkpoints.items() if checkpoint.checklist}
    return compose(settings.plan.gates, own, checklists)


def of_no_gate(settings: Settings, plan: Plan) -> Iterator[str]:
    """Sections that set something for a gate which is not in the plan: it would count for nothing."""
    names = [gate.name for gate in plan.gates]
    for name, checkpoint in settings.checkpoints.each.items():
        if name not in names and (name not in KNOWN or checkpoint != type(checkpoint)()):
            near = difflib.get_close_matches(name, names, 1, 0.75)
            if near and name not in KNOWN:
                yield f"Unknown setting `checkpoints.{name}`; did you mean `checkpoints.{near[0]}`?"
            else:
                yield f"checkpoints.{name} is of no gate of this plan; its gates are {', '.join(names)}"
