"""A gate with its evidence: what people are asked to approve, and the short digest that binds their approval to it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from bot.plan.checkpoints import EXPORT, FREEZE, USERS
from bot.plan.events import CheckpointOffered
from bot.plan.run import Run

_DIGEST_LENGTH = 12


def evidence(run: Run, checkpoint: str) -> dict[str, Any]:
    """JSON values. Everything whose change must void an approval stands in here."""
    opened = run.opened
    shown: dict[str, Any] = {
        "source": f"{opened.parties.source_ref}/{opened.parties.source_database}",
        "target": opened.parties.target_project,
    }
    if checkpoint == FREEZE.name:
        return {**shown, "approvers": list(opened.entitlement.may)}
    if run.waivers:
        checks = dict.fromkeys(w.check for w in run.waivers)
        shown["waived"] = {c: list(dict.fromkeys(w.user for w in run.waivers if w.check == c)) for c in checks}
    assert run.freeze is not None and run.export is not None
    shown |= {"frozenAt": run.freeze["frozenAt"], "lsn": run.freeze["lsn"], "metadataSha256": run.export.sha256}
    if checkpoint == EXPORT.name:
        return shown | {"tables": run.export.tables, "rows": run.export.rows, "bytes": run.export.bytes}
    assert checkpoint == USERS.name and run.users is not None
    counts = run.users.model_dump(include={"users", "created", "matched", "updated", "unmapped", "attention_users"})
    attention = {reason: a.digest for reason, a in sorted(run.users.attention.items())}
    return shown | counts | {"mappingSha256": run.users.mapping_sha256, "attention": attention}


def offer(run: Run, checkpoint: str, now: datetime) -> CheckpointOffered:
    """The next offer of gate `checkpoint`: a new message, never an edit of an earlier one."""
    number = 1 + max((n for name, n in run.offers if name == checkpoint), default=0)
    shown = evidence(run, checkpoint)
    bound = json.dumps([run.run_id, checkpoint, number, shown], sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(bound.encode()).hexdigest()[:_DIGEST_LENGTH]
    return CheckpointOffered(at=now, checkpoint=checkpoint, offer=number, evidence=shown, digest=digest)
