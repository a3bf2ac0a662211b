"""One question put to the world, and its answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

UNREADABLE = "unreadable"
"""The fact of a failed finding that lists the tables (`schema.table`) which our role may not read."""

MOVED = "moved"
"""The fact of a failed finding that lists, as clauses, what is no longer as the freeze record says: it is drift."""
UNASKED = "unasked"
"""The fact of a warning that says what is not proven since a service could not be asked."""


class Verdict(StrEnum):
    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


class Finding(BaseModel):
    """The answer of one check.

    `check` is a kebab-case name, listed in docs/checks.md. `evidence` is a sentence saying what was seen, never an
    address of a person, a secret or a row. `fix` says how to make it pass and is empty exactly when there is nothing
    to fix. `facts` are values that later steps and gates build on (the freeze record, baselines); they are
    journaled, not shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    verdict: Verdict
    evidence: str
    fix: str = ""
    facts: dict[str, Any] = {}
    waivable: bool = False
    """Approvers may let a gate pass in spite of it; never where data could be lost behind it."""

    @property
    def digest(self) -> str:
        """What a waiver is bound to: the SHA-256 of all that was found, what is not shown included."""
        found = self.model_dump(mode="json", include={"check", "verdict", "evidence", "fix", "facts"})
        return hashlib.sha256(json.dumps(found, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def passed(check: str, evidence: str, **facts: Any) -> Finding:
    return Finding(check=check, verdict=Verdict.PASS, evidence=evidence, facts=facts)


def warned(check: str, evidence: str, fix: str = "", **facts: Any) -> Finding:
    return Finding(check=check, verdict=Verdict.WARN, evidence=evidence, fix=fix, facts=facts)


def failed(check: str, evidence: str, fix: str, *, waivable: bool = False, **facts: Any) -> Finding:
    return Finding(check=check, verdict=Verdict.FAIL, evidence=evidence, fix=fix, facts=facts, waivable=waivable)


def blocks(findings: Iterable[Finding]) -> bool:
    """True when any finding fails; warnings are shown and do not block."""
    return any(finding.verdict is Verdict.FAIL for finding in findings)


def unasked(findings: Iterable[Finding]) -> bool:
    """True when something is not proven since a service could not be asked."""
    return any(UNASKED in finding.facts for finding in findings)
