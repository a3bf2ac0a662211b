"""The gates that Cutover knows. Another one is an entry here, and its examiners and step in `bot.edges`."""

from __future__ import annotations

from bot.plan.gate import Gate
from bot.plan.plan import Plan

FREEZE = Gate(
    name="freeze",
    title="Freeze",
    signal="frozen",
    claim="Supabase refuses every write and users see the maintenance notice",
    starts="proves the freeze, then exports every table from one snapshot",
    if_you_stop="nothing was changed by this run; thaw, and users go on as before",
    examiners=("freeze-proof", "notice"),
    step="export",
    evidence=("approvers",),
    freezes=True,
)
EXPORT = Gate(
    name="export",
    title="Export",
    signal="exported",
    claim="every table is in the bundle and its counts are what you expect",
    starts="reads every file again, counts by an independent method, then creates the users in Stack Auth",
    if_you_stop="the bundle stays on disk, Stack Auth was not touched; thaw, and users go on as before",
    examiners=("files", "counts", "freeze-holds"),
    step="users",
    evidence=("freeze", "bundle", "tables"),
    ends_guard=True,
    changes_target=True,
)
USERS = Gate(
    name="users",
    title="Users",
    signal="users-mapped",
    any_dash=True,
    claim="every user is in Stack Auth or listed with a reason, and the mapping has them all",
    starts="verifies mapping and users against the export and the service, then hands over for import",
    if_you_stop="users created so far stay in Stack Auth, listed in users.jsonl; Supabase still has everything",
    examiners=("files", "mapping", "users-read-back", "references", "canary", "freeze-holds"),
    step="handover",
    evidence=("freeze", "bundle", "users"),
    seals=True,
)
THE_NIGHT = (FREEZE, EXPORT, USERS)
"""Every plan has these, in this order."""
DEFAULT = Plan(gates=THE_NIGHT)
