"""What a command that has ended leaves in place, as the journal in the data directory says it."""

from __future__ import annotations

from pathlib import Path

from bot import settings
from bot.directory_lock import is_locked
from bot.errors import CutoverError, Interrupted
from bot.plan.run import Phase, Run
from bot.record import read_run

_BY_HAND = "`cutover thaw` or the SQL that `cutover freeze-sql --thaw` prints"


def under_a_freeze(error: Interrupted, config: Path | None) -> Interrupted:
    """The error, which says so when the run in the data directory is frozen."""
    run, _ = _found(config)
    if run is None or not run.frozen:
        return error
    return Interrupted(
        error.happened,
        unchanged=f"{error.unchanged}, and Supabase stays frozen",
        do=f"{error.do}, or unfreeze it with {_BY_HAND}",
    )


def left(config: Path | None, *, well: bool) -> str:
    """What a bot that has ended leaves to people, as sentences; "" when it leaves nothing, or another goes on. `well`:
    it ended as it was meant to.
    """
    run, directory = _found(config)
    if run is None or directory is None or is_locked(directory):
        return ""
    where = f"Run {run.run_id} {f'is at the {run.gate.title} checkpoint' if _is_open(run) else 'has ended'}"
    if run.unthawed and run.frozen:
        return (
            f"{where}. Its last thaw failed, so how far Supabase is frozen is not known, and no bot watches it: "
            f"`cutover thaw --check` shows it, {_BY_HAND} unfreezes it, `cutover run` continues."
        )
    if run.frozen:
        return (
            f"{where}. By its journal Supabase is frozen{_since(run)}, and no bot watches it from now on: `cutover "
            f"run` {'continues' if _is_open(run) else 'watches it again'}, `cutover doctor --freeze` verifies the "
            f"freeze, {_BY_HAND} unfreezes it."
        )
    if well or not _is_open(run):
        return ""
    return (
        f"{where}. By its journal Supabase is not frozen, and users can write. `cutover run` continues; `cutover thaw "
        "--check` shows whether anything is left of a freeze."
    )


def _is_open(run: Run) -> bool:
    return run.phase not in {Phase.ABORTED, Phase.DONE}


def _since(run: Run) -> str:
    since = run.frozen_since or run.frozen_at
    return f" since {since:%Y-%m-%d %H:%M:%S} UTC" if since is not None else ""


def _found(config: Path | None) -> tuple[Run | None, Path | None]:
    """The run in the data directory and where that is; none where it cannot be read."""
    try:
        directory = settings.load(config=config).migration_data_dir
        return read_run(directory), directory
    except (CutoverError, OSError):
        return None, None
