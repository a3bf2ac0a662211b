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
    evidence=("freeze-record", "bundle", "table-counts"),
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
    evidence=("freeze-record", "bundle", "user-counts"),
    seals=True,
)
ENVIRONMENT = Gate(
    name="environment",
    title="Environment",
    signal="env-ready",
    claim="every account, permission and tool that the night needs is there, and the export was practised",
    starts="asks every question of `cutover doctor` again, then posts the next checkpoint",
    if_you_stop="nothing was changed by this run, and nothing is frozen",
    examiners=("environment", "practised"),
    evidence=("approvers",),
)
READINESS = Gate(
    name="readiness",
    title="Readiness",
    signal="cutover-ready",
    claim="the window is long enough, the people are there, and the notice can be switched on",
    starts="holds the window against the time needed and counts the approvers, then posts the next checkpoint",
    if_you_stop="nothing was changed by this run, and nothing is frozen",
    examiners=("window-fits", "approvers"),
    evidence=("approvers",),
)
LIVE = Gate(
    name="live",
    title="Live",
    signal="cutover-complete",
    claim="the new system answers users, and nothing was written to Supabase since the freeze",
    starts="asks the new system's addresses and proves the freeze once more, then lets the window end",
    if_you_stop="the bundle is handed over and stays as it is; Supabase stays frozen and watched",
    examiners=("live-urls", "freeze-holds"),
    evidence=("freeze-record", "sums"),
    ends_window=True,
)
STABLE = Gate(
    name="stable",
    title="Stable",
    signal="stabilized",
    claim="the new system has run long enough that nobody will go back",
    starts="looks how long it has been live and whether Supabase moved since, then ends the watch",
    if_you_stop="the new system is live; Supabase stays frozen and watched until somebody ends it",
    examiners=("hours-live", "still-since-live"),
    step="release",
    evidence=("sums",),
    releases=True,
)
THE_NIGHT = (FREEZE, EXPORT, USERS)
"""Every plan has these, in this order."""
BEFORE = (ENVIRONMENT, READINESS)
BEHIND = (LIVE, STABLE)
KNOWN = {gate.name: gate for gate in (*BEFORE, *THE_NIGHT, *BEHIND)}
DEFAULT = Plan(gates=THE_NIGHT)
