"""A gate as data: one checkpoint of a run, its signal, and what follows from it.

When the signal is given by somebody entitled, the gate's examiners try to prove the claim wrong. When nothing blocks,
the gate is passed and its step runs. `bot.plan.gates` has the entries, `bot.plan.plan` their order in a run.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

EvidencePart = Literal["approvers", "freeze-record", "bundle", "table-counts", "user-counts", "sums"]
"""What a gate's evidence is made of, beside source and target (`bot.plan.evidence`)."""


class Gate(BaseModel):
    """`examiners` run in this order and are looked up by name; so is `step`, the work that follows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    signal: str
    any_dash: bool = False
    """Any dash, space or underscore may stand for the hyphens of the signal."""
    claim: str
    """What must be true before the signal is given, as a clause."""
    starts: str
    """What the signal starts, as a clause."""
    if_you_stop: str
    """What is left in which state when the night ends here, as a clause."""
    examiners: tuple[str, ...]
    step: str = ""
    """"" when nothing runs after the gate: the next one is offered at once."""
    evidence: tuple[EvidencePart, ...] = ()
    freezes: bool = False
    """Its claim is the freeze, and what is found when it passes is the freeze record."""
    ends_guard: bool = False
    """The hard guard is held until it has passed."""
    seals: bool = False
    """Its step seals the bundle: from then on the bundle is what it is, and gates only add events."""
    changes_target: bool = False
    """Its step writes to the target."""
    ends_window: bool = False
    """Users are let in: what the window is for is over. Where no gate of a plan says so, it is over with the seal."""
    releases: bool = False
    """Its step ends the watch, which is then not for the word `release` to do."""
    checklist: dict[str, str] = {}
    """By key, what people attest before the gate is put on offer."""

    @property
    def counts_users(self) -> bool:
        """What became of the users is approved here."""
        return "user-counts" in self.evidence
