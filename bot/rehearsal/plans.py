"""The plans that can be rehearsed: the settings that ask for each, over a night's own."""

from __future__ import annotations

import json
from typing import Literal

from bot.rehearsal.night import Night

PlanName = Literal["default", "whole"]
_EVERY_GATE = ("environment", "readiness", "freeze", "export", "users", "live", "stable")
_OWN = {
    "name": "import",
    "after": "users",
    "signal": "import-checked",
    "claim": "the bundle is imported, and the new product's own checks pass",
    "title": "Import",
    "checklist": {"rows-counted": "The rows were counted there", "smoke-test": "Somebody has signed in and ordered"},
}
_READINESS = {"on-call": "Two people are on call until morning", "dns-ttl": "The DNS TTL is 60 s"}


def settings_of(plan: PlanName, night: Night) -> dict[str, str]:
    """For a night whose stand-ins run: the whole plan asks the public page whether the new system is live."""
    if plan == "default":
        return {}
    return {
        "CUTOVER__PLAN__GATES": json.dumps(_EVERY_GATE),
        "CUTOVER__PLAN__OWN": json.dumps([_OWN]),
        "CUTOVER__CHECKPOINTS__READINESS__CHECKLIST": json.dumps(_READINESS),
        "CUTOVER__CHECKPOINTS__LIVE__URLS": json.dumps([{"url": night.notice.url, "text": "Open as always"}]),
        "CUTOVER__CHECKPOINTS__STABLE__HOURS": "0",  # a rehearsal waits for no second day
    }
