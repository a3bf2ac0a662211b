"""A plan as the witness knows it: the names of its gates in order, their signals and lists. What follows from that is
reasoned here by the contract, and nothing of it is asked of the plan.

`PLANS` draws plans: the usual one most often, then any legal choice of known gates with own ones between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

from bot.plan.compose import OwnGate, compose
from bot.plan.plan import Plan

from .histories import PLAN

STEPS = {"freeze": "export", "export": "users", "users": "handover", "stable": "release"}
"""The work behind each gate that has any."""
HANDLE_DATA = ("freeze", "export")
"""Whoever opened all of these may not hand over, where the settings want another person for that."""
WORDS = {
    "environment": "env-ready",
    "readiness": "cutover-ready",
    "freeze": "frozen",
    "export": "exported",
    "users": "users-mapped",
    "live": "cutover-complete",
    "stable": "stabilized",
}
OWN = {"dns": "dns-switched", "sample": "rows-read", "phones": "phone-lines-open"}
ITEMS = {"ttl": "DNS TTL is 60 s", "on-call": "somebody is on call", "notice-up": "the notice is up"}


@dataclass(frozen=True)
class Chart:
    """`lists` holds the keys of the checklist of each gate that has one."""

    names: tuple[str, ...]
    lists: Mapping[str, tuple[str, ...]]

    @property
    def signals(self) -> dict[str, str]:
        return {name: {**WORDS, **OWN}[name] for name in self.names}

    @property
    def last(self) -> str:
        return self.names[-1]

    def items(self, gate: str) -> tuple[str, ...]:
        return self.lists.get(gate, ())

    def before(self, gate: str) -> tuple[str, ...]:
        return self.names[: self.names.index(gate)]

    def behind(self, gate: str) -> tuple[str, ...]:
        return self.names[self.names.index(gate) + 1 :]

    def is_before_the_freeze(self, gate: str) -> bool:
        return gate in self.before("freeze")

    def is_behind_the_seal(self, gate: str) -> bool:
        return gate in self.behind("users")


def composed(names: tuple[str, ...], own: tuple[tuple[str, str], ...], lists: Mapping[str, int]) -> tuple[Plan, Chart]:
    """The plan of these known gates, of own ones, each with the gate it comes after, and of so many items by gate."""
    keys = {gate: tuple(ITEMS)[:many] for gate, many in lists.items() if many}
    order = list(names)
    for name, after in reversed(own):  # of those behind one gate, the first written comes first
        order.insert(order.index(after) + 1, name)
    gates = [OwnGate(name=name, after=after, signal=OWN[name], claim="it is so") for name, after in own]
    plan = compose(names, gates, {gate: {key: ITEMS[key] for key in its} for gate, its in keys.items()})
    chart = Chart(names=tuple(order), lists=keys)
    assert tuple(gate.name for gate in plan.gates) == chart.names
    return plan, chart


USUAL = (PLAN, Chart(names=("freeze", "export", "users"), lists={}))
WHOLE = composed(
    tuple(WORDS), (("dns", "readiness"), ("sample", "export"), ("phones", "users")), {"freeze": 1, "dns": 2}
)


@st.composite
def _any_plan(draw: st.DrawFn) -> tuple[Plan, Chart]:
    around = draw(st.sets(st.sampled_from(["environment", "readiness", "live", "stable"])))
    names = tuple(name for name in WORDS if name in around or name in {"freeze", "export", "users"})
    chosen = draw(st.permutations(list(OWN)))[: draw(st.integers(0, 3))]
    own = [(name, draw(st.sampled_from(names))) for name in chosen]
    gates = [*names, *(name for name, _ in own)]
    lists = {gate: draw(st.sampled_from([0, 1, 0, 2, 3])) for gate in gates}
    return composed(names, tuple(own), lists)


PLANS = st.one_of(st.just(USUAL), _any_plan(), _any_plan())
