"""Will the data directory still be there after a restart? Some file systems are gone with the machine or the container,
and with them the journal, the mapping and the only copy of the export.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import UsageError

_MOUNTS = Path("/proc/self/mountinfo")
_EPHEMERAL = {"tmpfs": "in memory", "ramfs": "in memory", "overlay": "in a container's own layer"}


@dataclass(frozen=True, kw_only=True)
class Mount:
    point: Path
    kind: str


def mounts(table: Path = _MOUNTS) -> Sequence[Mount]:
    """What is mounted, later ones over earlier ones (`man 5 proc_pid_mountinfo`); () where no system tells."""
    try:
        lines = table.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    found = []
    for line in lines:
        before, dash, after = line.partition(" - ")
        if dash and len(fields := before.split()) > 4:
            point = fields[4].encode().decode("unicode_escape")  # a space in a path is written \040
            found.append(Mount(point=Path(point), kind=after.split()[0]))
    return found


def why_ephemeral(path: Path, mounted: Sequence[Mount], *, dyno: bool) -> str:
    """A clause that says why nothing there lasts; "" when it does, or when nobody can tell."""
    if dyno:
        return "on a dyno, which loses its files at every restart"
    path = path.resolve()
    holding = [mount for mount in mounted if path.is_relative_to(mount.point)]
    if not holding:
        return ""
    deepest = max(len(mount.point.parts) for mount in holding)
    last = [mount for mount in holding if len(mount.point.parts) == deepest][-1]
    return f"{_EPHEMERAL[last.kind]} ({last.kind})" if last.kind in _EPHEMERAL else ""


def refuse_ephemeral(path: Path, *, dyno: bool) -> None:
    """Raises UsageError when what is written to `path` would be lost with the machine or the container."""
    if why := why_ephemeral(path, mounts(), dyno=dyno):
        raise UsageError(
            f"The data directory {path} is {why}: you would lose the journal, the export and the mapping",
            unchanged="nothing was started",
            do="set MIGRATION_DATA_DIR to a directory on a persistent disk, or accept that with "
            "run.ephemeral_ok = true",
        )
