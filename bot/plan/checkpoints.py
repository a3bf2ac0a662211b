"""The gates of the night as data.

A gate has one signal. When the signal is given by somebody entitled, the gate's examiners try to prove the claim wrong;
when nothing blocks, the gate is passed and its step runs. Another gate is one more entry here, an examiner and a step
under their names in `edges.py`; no other code knows a gate by name, but for the freeze, which the watch guards.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """`examiners` run in this order and are looked up by name; so is `step`, the work that follows."""

    name: str
    number: int
    title: str
    signal: str
    claim: str
    """What must be true before the signal is given, as a clause."""
    starts: str
    """What the signal starts, as a clause."""
    if_you_stop: str
    """What is left in which state when the night ends here, as a sentence."""
    examiners: tuple[str, ...]
    step: str


FREEZE = Checkpoint(
    name="freeze",
    number=1,
    title="Freeze",
    signal="frozen",
    claim="Supabase refuses every write and users see the maintenance notice",
    starts="proves the freeze, then exports every table from one snapshot",
    if_you_stop="nothing was changed by this run; thaw, and users go on as before",
    examiners=("freeze-proof", "notice"),
    step="export",
)
EXPORT = Checkpoint(
    name="export",
    number=2,
    title="Export",
    signal="exported",
    claim="every table is in the bundle and its counts are what you expect",
    starts="reads every file again, counts by an independent road, then creates the users in Stack Auth",
    if_you_stop="the bundle stays on disk, Stack Auth was not touched; thaw, and users go on as before",
    examiners=("files", "counts", "freeze-holds"),
    step="users",
)
USERS = Checkpoint(
    name="users",
    number=3,
    title="Users",
    signal="users-mapped",
    claim="every user is in Stack Auth or listed with a reason, and the mapping has them all",
    starts="verifies mapping and users against the export and the service, then hands over for import",
    if_you_stop="users created so far stay in Stack Auth, listed in users.jsonl; Supabase still has everything",
    examiners=("files", "mapping", "users-read-back", "references", "canary", "freeze-holds"),
    step="handover",
)
PLAN: tuple[Checkpoint, ...] = (FREEZE, EXPORT, USERS)
BY_NAME = {checkpoint.name: checkpoint for checkpoint in PLAN}
BY_STEP = {checkpoint.step: checkpoint for checkpoint in PLAN}


def following(name: str) -> Checkpoint | None:
    """The gate that is offered when the step behind gate `name` has ended; None after the last."""
    after = BY_NAME[name].number
    return PLAN[after] if after < len(PLAN) else None
