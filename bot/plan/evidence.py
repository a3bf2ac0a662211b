"""A gate with its evidence: what people are asked to approve, and the short digest that binds their approval to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bot.plan.checklist import Item
from bot.plan.events import ChecklistOpened, CheckpointOffered
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
    if gate.checklist:
        shown["checklist"] = {key: _attested(item) for key, item in run.checklists[gate.name].items.items()}
    return shown


def _attested(item: Item) -> dict[str, str]:
    why = {"why": item.why} if item.why else {}
    return {"text": item.text, "state": item.state, "by": item.user, **why}


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
    "freeze-record": _freeze,
    "bundle": _bundle,
    "table-counts": _tables,
    "user-counts": _users,
    "sums": _handover,
}


def put_forward(run: Run, gate: Gate, now: datetime) -> ChecklistOpened | CheckpointOffered:
    """The gate comes before people: on offer, or with a checklist that leads to its offer, all open."""
    if not gate.checklist:
        return offer(run, gate, now)
    before = run.checklists.get(gate.name)
    return ChecklistOpened(at=now, checkpoint=gate.name, number=before.number + 1 if before else 1)


def offer(run: Run, gate: Gate, now: datetime) -> CheckpointOffered:
    """Its next offer: a new message, never an edit of an earlier one."""
    number = 1 + max((n for name, n in run.offers if name == gate.name), default=0)
    shown = evidence(run, gate)
    bound = json.dumps([run.run_id, gate.name, number, shown], sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(bound.encode()).hexdigest()[:_DIGEST_LENGTH]
    return CheckpointOffered(at=now, checkpoint=gate.name, offer=number, evidence=shown, digest=digest)
