"""The plan of a run as a value: its gates in order. The journal's first event holds it, and the run keeps it.

No other code knows where a gate is: what freezes, what seals and what follows is asked here.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from bot.plan.gate import Gate


class Plan(BaseModel):
    """One gate freezes, a later one seals; names, signals and steps are each used once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gates: tuple[Gate, ...]

    @property
    def first(self) -> Gate:
        return self.gates[0]

    @property
    def last(self) -> Gate:
        return self.gates[-1]

    @property
    def freezing(self) -> Gate:
        return next(gate for gate in self.gates if gate.freezes)

    @property
    def sealing(self) -> Gate:
        return next(gate for gate in self.gates if gate.seals)

    @property
    def ending_the_window(self) -> Gate | None:
        """None where users are let in with the seal."""
        return next((gate for gate in self.gates if gate.ends_window), None)

    @property
    def has_checklists(self) -> bool:
        return any(gate.checklist for gate in self.gates)

    @property
    def signals(self) -> Mapping[str, Gate]:
        return {gate.signal: gate for gate in self.gates}

    @property
    def leading_to_the_seal(self) -> tuple[Gate, ...]:
        """The gates before the seal whose steps handle the data."""
        return tuple(gate for gate in self.before(self.sealing.name) if gate.step)

    def gate(self, name: str) -> Gate:
        """Raises KeyError for a name that is not in the plan."""
        return self.gates[self._index(name)]

    def position(self, name: str) -> int:
        """Counted from 1, for people."""
        return self._index(name) + 1

    def with_step(self, step: str) -> Gate:
        """The gate whose step this is. Raises KeyError when there is none."""
        for gate in self.gates:
            if step and gate.step == step:
                return gate
        raise KeyError(step)

    def before(self, name: str) -> tuple[Gate, ...]:
        return self.gates[: self._index(name)]

    def behind(self, name: str) -> tuple[Gate, ...]:
        return self.gates[self._index(name) + 1 :]

    def following(self, name: str) -> Gate | None:
        """None behind the last."""
        return next(iter(self.behind(name)), None)

    def _index(self, name: str) -> int:
        for index, gate in enumerate(self.gates):
            if gate.name == name:
                return index
        raise KeyError(name)
