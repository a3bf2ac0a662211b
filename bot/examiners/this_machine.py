"""What the machine and the settings bring along, whatever the services say. Nobody is contacted."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterable
from pathlib import Path

from bot.artifacts.ephemeral_storage import mounts, why_ephemeral
from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.texts.listing import listed

_SHOWN = 10


def data_directory(path: Path, *, dyno: bool, ephemeral_ok: bool) -> Finding:
    """Whether what a run will write there can be written and lasts. The directory need not be there yet, and is not
    made. `dyno` says that the platform loses its files at every restart.
    """
    check = "data-directory"
    there = next(one for one in (path.absolute(), *path.absolute().parents) if os.path.exists(one))  # noqa: PTH110  # False where we may not look
    elsewhere = "Set MIGRATION_DATA_DIR to a directory of this user's own on a disk that lasts."
    if not there.is_dir():
        return failed(check, f"{there} is no directory, so the data directory {path} cannot be there.", elsewhere)
    if not os.access(there, os.W_OK | os.X_OK):
        return failed(
            check, f"This user may not write to {there}, where the data directory {path} is to be.", elsewhere
        )
    if why := why_ephemeral(path, mounts(), dyno=dyno):
        lost = f"The data directory {path} is {why}: you would lose the journal, the export and the mapping"
        if ephemeral_ok:
            return warned(check, f"{lost}. `run.ephemeral_ok` accepts that.", elsewhere)
        return failed(check, f"{lost}.", f"{elsewhere} Or accept that with run.ephemeral_ok = true.")
    return passed(check, f"The data directory {path} can be written, and lasts as far as the system tells.")


def accepted_reasons(accepted: Iterable[str], known: Collection[str]) -> Finding | None:
    """Whether each name in `users.accept` is that of an attention reason; None when none is accepted ahead."""
    check = "accepted-reasons"
    if not (names := list(dict.fromkeys(accepted))):
        return None
    if unknown := [name for name in names if name not in known]:
        return failed(
            check,
            f"users.accept names unknown reasons: {listed((_with_nearest(name, known) for name in unknown), _SHOWN)}.",
            "Correct users.accept; docs/users.md lists every reason. An unknown name accepts nothing.",
            waivable=True,
        )
    return passed(check, f"users.accept accepts ahead: {listed(names, _SHOWN)}.")


def _with_nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"`{name}` (the nearest is `{near[0]}`)" if near else f"`{name}`"
