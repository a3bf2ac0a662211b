"""`cutover rehearse`: a night on this machine. The only command that imports the rehearsal."""

from __future__ import annotations

from bot.commands.event_loop import run_async
from bot.errors import UsageError
from bot.rehearsal import script


def rehearse(*, auto: bool, users: int, rows: int) -> int:
    if not auto:
        raise UsageError(
            "A rehearsal plays by itself for now, and --auto was not given",
            unchanged="nothing was started",
            do="start `cutover rehearse --auto`",
        )
    return run_async(script.play(users=users, rows=rows))
