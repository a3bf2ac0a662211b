"""`cutover rehearse`: a night on this machine. The only command that imports the rehearsal."""

from __future__ import annotations

from typing import Literal

from bot.commands.event_loop import run_async
from bot.errors import UsageError
from bot.rehearsal import script
from bot.rehearsal.page import play


def rehearse(*, auto: bool, users: int, rows: int, plan: Literal["default", "whole"], port: int) -> int:
    if not auto:
        return run_async(play.play(script.directory(), users=users, rows=rows, plan=plan, port=port))
    if plan != "default":
        raise UsageError(
            "--auto plays the default plan, and --plan whole was asked for",
            unchanged="nothing was started",
            do="start `cutover rehearse --plan whole` and play it on the page",
        )
    return run_async(script.play(users=users, rows=rows))
