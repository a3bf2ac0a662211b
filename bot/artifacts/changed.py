"""A file of the bundle that was checked and has other bytes now: what that means, and what leads on."""

from __future__ import annotations

from pathlib import Path

from bot.errors import RecordDamaged

WITHOUT_A_COPY = "or without one say `thaw`: the run goes back to the freeze gate and exports again"
"""What else can be done about a file of the bundle that has changed, as a clause."""


def changed(path: Path) -> RecordDamaged:
    """What it means that a file which was checked has other bytes now."""
    return RecordDamaged(
        f"{path.name} is not what was exported: its bytes are others (SHA-256)",
        unchanged="nothing that has changed was used",
        do=f"put it back from a copy, {WITHOUT_A_COPY}",
    )
