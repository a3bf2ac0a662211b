"""What a waiver is for: what was found, and no more than that. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from bot.plan.events import CheckWaived
from bot.plan.findings import Finding, blocks


def waives(waiver: CheckWaived, finding: Finding) -> bool:
    """It was given for just this finding. One from before waivers were bound was given for none that is known."""
    return (waiver.check, waiver.digest) == (finding.check, finding.digest)


def waives_any(waiver: CheckWaived, findings: Iterable[Finding]) -> bool:
    """It is to be shown with these findings: it was given for a failing one of them or, from before waivers were bound,
    for their check.
    """
    return any(
        blocks([finding]) and (waives(waiver, finding) or (waiver.check, waiver.digest) == (finding.check, ""))
        for finding in findings
    )
