"""A gate with its evidence: what people are asked to approve, and the short digest that binds their approval to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bot.plan.events import CheckpointOffered
from bot.plan.gate import EvidencePart, Gate
from bot.plan.run import Run

_DIGEST_LENGTH = 12


def evidence(run: Run, gate: Gate) -> dict[str, Any]:
    """JSON values. Everything whose change must void an approval is in here."""
    opened = run.opened
    shown: dict[str, Any] = {
        "source": f"{opened.parties.source_ref}/{opened.parties.source_database}",
        "target": opened.parties.target_project,
    }
    before = {earlier.name for earlier in run.plan.before(gate.name)}
    if waivers := [waiver for waiver in run.waivers if waiver.checkpoint in before]:
        checks = dict.fromkeys(w.check for w in waivers)
        shown["waived"] = {c: list(dict.fromkeys(w.user for w in waivers if w.check == c)) for c in checks}
    for part in gate.evidence:
        shown |= _PARTS[part](run)
    return shown


def _freeze(run: Run) -> dict[str, Any]:
    assert run.freeze is not None
    return {"frozenAt": run.freeze["frozenAt"], "lsn": run.freeze["lsn"]}


def _bundle(run: Run) -> dict[str, Any]:
    assert run.export is not None
    return {"metadataSha256": run.export.sha256}


def _tables(run: Run) -> dict[str, Any]:
    assert run.export is not None
    return {"tables": run.export.tables, "rows": run.export.rows, "bytes": run.export.bytes}


def _users(run: Run) -> dict[str, Any]:
    assert run.users is not None
    counts = run.users.model_dump(include={"users", "created", "matched", "updated", "unmapped", "attention_users"})
    attention = {reason: a.digest for reason, a in sorted(run.users.attention.items())}
    return counts | {"mappingSha256": run.users.mapping_sha256, "attention": attention}


def _handover(run: Run) -> dict[str, Any]:
    assert run.handover is not None
    return {"digest": run.handover.digest}


_PARTS: Mapping[EvidencePart, Callable[[Run], dict[str, Any]]] = {
    "approvers": lambda run: {"approvers": list(run.opened.entitlement.may)},
    "freeze": _freeze,
    "bundle": _bundle,
    "tables": _tables,
    "users": _users,
    "handover": _handover,
}


def offer(run: Run, checkpoint: str, now: datetime) -> CheckpointOffered:
    """The next offer of gate `checkpoint`: a new message, never an edit of an earlier one."""
    number = 1 + max((n for name, n in run.offers if name == checkpoint), default=0)
    shown = evidence(run, run.plan.gate(checkpoint))
    bound = json.dumps([run.run_id, checkpoint, number, shown], sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(bound.encode()).hexdigest()[:_DIGEST_LENGTH]
    return CheckpointOffered(at=now, checkpoint=checkpoint, offer=number, evidence=shown, digest=digest)
