"""The plan that a team asks for: known gates by name, its own between them, checklists on any. Pure.

    compose(("environment", "freeze", "export", "users"), own=[OwnGate(after="users", …)], checklists={…})

What cannot be a plan is said in clauses, all of them at once, each beginning with the setting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.plan.gate import Gate
from bot.plan.gates import BEFORE, BEHIND, KNOWN, THE_NIGHT
from bot.plan.plan import Plan
from bot.plan.signals import CHECKLIST_WORDS, WORDS

DEFAULT_NAMES = tuple(gate.name for gate in THE_NIGHT)
ATTESTED = "attested"
"""The examiner of what people state, at every gate that has a checklist or is a team's own."""
_NAME = re.compile(r"[a-z0-9-]+")
_SIGNAL = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


@dataclass(frozen=True, kw_only=True)
class OwnGate:
    """A team's own gate, behind the gate `after`. `title` "" is made of the name."""

    name: str
    after: str
    signal: str
    claim: str
    title: str = ""
    checklist: Mapping[str, str] = field(default_factory=dict)


class PlanRefused(ValueError):
    """`mistakes` are clauses, each beginning with the setting."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


def compose(names: Sequence[str], own: Sequence[OwnGate], checklists: Mapping[str, Mapping[str, str]]) -> Plan:
    """Raises PlanRefused. `checklists` is by gate; one of an own gate may be in it or in its entry."""
    gates: list[Gate] = []
    mistakes = [*_wrong_names(names), *_wrong_own(names, own)]
    if not mistakes:
        gates = list(_placed([KNOWN[name] for name in names], own))
        mistakes = [*_wrong_checklists(gates, checklists)]
    if mistakes:
        raise PlanRefused(mistakes)
    return Plan(gates=tuple(_with_checklist(gate, checklists.get(gate.name, {})) for gate in gates))


def _wrong_names(names: Sequence[str]) -> Iterator[str]:
    for name in dict.fromkeys(names):
        if name not in KNOWN:
            yield f"plan.gates names {name!r}, and there is no such gate; known are {', '.join(KNOWN)}"
    if all(name in KNOWN for name in names):
        order = [gate.name for gate in (*BEFORE, *THE_NIGHT, *BEHIND) if gate.name in names]
        if any(gate.name not in names for gate in THE_NIGHT):
            yield f"plan.gates must name {', '.join(DEFAULT_NAMES)}"
        elif list(names) != order:
            yield f"plan.gates is in the wrong order; the order is {', '.join(order)}"


def _wrong_own(names: Sequence[str], own: Sequence[OwnGate]) -> Iterator[str]:
    there = set(names)
    taken = {gate.signal for gate in KNOWN.values()} | {*WORDS, *CHECKLIST_WORDS}
    for gate in own:
        place = f"plan.own: the gate {gate.name!r}"
        if not _NAME.fullmatch(gate.name):
            yield f"{place} is not named with a-z, 0-9 and hyphens alone"
        elif gate.name in there or gate.name in KNOWN:
            yield f"{place} has the name of another gate"
        if gate.after not in there:
            yield f"{place} comes after {gate.after!r}, which is no gate of this plan before it"
        if not _SIGNAL.fullmatch(gate.signal):
            yield f"{place} has the signal {gate.signal!r}, which is not of a-z and 0-9 with a hyphen, as in dns-ready"
        elif gate.signal in taken:
            yield f"{place} has the signal {gate.signal!r}, which means something else"
        there.add(gate.name)
        taken.add(gate.signal)


def _placed(known: Iterable[Gate], own: Sequence[OwnGate]) -> Iterator[Gate]:
    """Each own gate behind the gate it comes after, those of one place in the order they are written."""
    for gate in known:
        yield gate
        yield from _placed([_gate(entry) for entry in own if entry.after == gate.name], own)


def _gate(own: OwnGate) -> Gate:
    title = own.title or own.name.replace("-", " ").capitalize()
    return Gate(
        name=own.name,
        title=title,
        signal=own.signal,
        claim=own.claim.rstrip("."),
        starts="posts the next checkpoint, or ends the plan",
        if_you_stop="what earlier checkpoints did stays as it is",
        examiners=(ATTESTED,),
        checklist=dict(own.checklist),
    )


def _wrong_checklists(gates: Sequence[Gate], checklists: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for gate in gates:
        for key in {**gate.checklist, **checklists.get(gate.name, {})}:
            if not _NAME.fullmatch(key):
                yield f"checkpoints.{gate.name}.checklist: the key {key!r} is not of a-z, 0-9 and hyphens alone"


def _with_checklist(gate: Gate, checklist: Mapping[str, str]) -> Gate:
    items = {**gate.checklist, **checklist}
    if not items or ATTESTED in gate.examiners:
        return gate.model_copy(update={"checklist": items})
    return gate.model_copy(update={"checklist": items, "examiners": (*gate.examiners, ATTESTED)})
