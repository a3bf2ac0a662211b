"""Until when what holds the data of people is kept, as `status` and `doctor` show it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.artifacts.retention import Holding, holdings
from bot.plan.findings import Finding, passed, warned
from bot.plan.run import Run
from bot.plan.texts.listing import listed

_SHOWN = 6


def told(held: Sequence[Holding], now: datetime) -> list[str]:
    """A line for each, the nearest date first; for many, the first of them and how many there are besides."""
    lines = [f"{_until(holding, now)}: {holding.named}" for holding in held[:_SHOWN]]
    return lines if len(held) <= _SHOWN else [*lines, f"and {len(held) - _SHOWN:,} more, later"]


def as_json(held: Sequence[Holding]) -> list[dict[str, Any]]:
    """For other programs; it may grow."""
    return [
        {
            "kind": holding.kind,
            "path": holding.folder,
            "runId": holding.run_id or None,
            "until": holding.until.isoformat(),
            "files": len(holding.files),
            "bytes": holding.bytes,
        }
        for holding in held
    ]


def finding(directory: Path, run: Run | None, now: datetime) -> Finding:
    """Raises nothing for a directory that is not there: it holds nothing."""
    check = "personal-data"
    held = holdings(directory, run) if directory.is_dir() else []
    if not held:
        return passed(check, f"No data of people is in {directory}.")
    said = f"Data of people in {directory}: {listed(told(held, now), _SHOWN, separator='; ')}."
    if any(holding.until <= now for holding in held):
        return warned(check, said, "Run `cutover purge`: it removes what is past its date.")
    return passed(check, said)


def _until(holding: Holding, now: datetime) -> str:
    when = f"{holding.until:%Y-%m-%d}"
    return f"kept until {when}" if holding.until > now else f"to be purged since {when}"
