"""One command, one file: settings in, sentences out, an exit code back. `bot.cli` parses and dispatches.

A command is imported when it is first used, as `commands.NAME`: each brings the libraries of its services along, and
`--help` needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.commands import (
        abort,
        attention,
        doctor,
        freeze_sql,
        frozen,
        manifest,
        practice,
        purge,
        rehearse,
        report,
        restore_sql,
        run,
        status,
        thaw,
        undo_users,
        verify,
    )

__all__ = [
    "abort",
    "attention",
    "doctor",
    "freeze_sql",
    "frozen",
    "manifest",
    "practice",
    "purge",
    "rehearse",
    "report",
    "restore_sql",
    "run",
    "status",
    "thaw",
    "undo_users",
    "verify",
]


def __getattr__(name: str) -> ModuleType:
    """The module of this name; Python asks for what the package does not hold yet."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")
