"""`cutover rehearse`: a night on this machine. The only command that imports the rehearsal."""

from __future__ import annotations

from bot.commands.interrupted import run_async
from bot.errors import UsageError


def rehearse(*, auto: bool, users: int, rows: int) -> int:
    if not auto:
        raise UsageError(
            "A rehearsal plays by itself for now, and --auto was not given",
            unchanged="nothing was started",
            do="start `cutover rehearse --auto`",
        )
    from bot.rehearsal import script  # noqa: PLC0415  # the bot of a real night loads no stand-in

    return run_async(script.play(users=users, rows=rows))
