"""A file of the bundle that has changed since it was checked: the error, and what to do."""

from __future__ import annotations

from pathlib import Path

from bot.errors import RecordDamaged

WITHOUT_A_COPY = "or without one say `thaw`: the run goes back to the freeze gate and exports again"
"""What to do about a changed file of which there is no copy, as a clause."""


def changed(path: Path) -> RecordDamaged:
    return RecordDamaged(
        f"{path.name} differs from the export: SHA-256 mismatch",
        unchanged="the changed file was not used",
        do=f"restore it from a copy, {WITHOUT_A_COPY}",
    )
