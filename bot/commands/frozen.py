"""What a command that has ended leaves frozen, as the journal in the data directory says it."""

from __future__ import annotations

from pathlib import Path

from bot import settings
from bot.directory_lock import is_locked
from bot.errors import CutoverError, Interrupted
from bot.record import read_run


def under_a_freeze(error: Interrupted, config: Path | None) -> Interrupted:
    """The error, which says so when the run in the data directory is frozen."""
    if not _frozen(config):
        return error
    return Interrupted(
        error.happened,
        unchanged=f"{error.unchanged}, and Supabase stays frozen",
        do=f"{error.do}, or take the freeze back with `cutover thaw` or the SQL of `cutover freeze-sql --thaw`",
    )


def left_frozen(config: Path | None) -> str:
    """What a bot that has ended leaves to people, as a sentence; "" when it leaves no freeze or another goes on."""
    if not _frozen(config) or is_locked(settings.load(config=config).migration_data_dir):
        return ""
    return (
        "Supabase stays frozen, and no bot watches it from now on: `cutover run` goes on, `cutover doctor --freeze` "
        "proves the freeze again, `cutover thaw` or the SQL of `cutover freeze-sql --thaw` takes it back."
    )


def _frozen(config: Path | None) -> bool:
    """As the journal says it; False where there is none, or none that can be read."""
    try:
        run = read_run(settings.load(config=config).migration_data_dir)
    except (CutoverError, OSError):
        return False
    return run is not None and run.frozen
