"""`~` at the beginning of a path that people write: a home, as in a shell. One that is not known stays as it is."""

from __future__ import annotations

from pathlib import Path


def at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        return path
