"""A night on the page: it goes on until the person in the terminal ends it, whatever becomes of the bot."""

from __future__ import annotations

import os
import sys
import time
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console as Terminal

from bot.rehearsal.console import Console
from bot.rehearsal.faults import Faults
from bot.rehearsal.hosting import Hosting
from bot.rehearsal.night import Night
from bot.rehearsal.page.board import Board
from bot.rehearsal.page.doing import Doing
from bot.rehearsal.page.server import Page
from bot.rehearsal.plans import PlanName, settings_of


def has_display() -> bool:
    """Whether a browser could be shown to somebody here."""
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


async def play(directory: Path, *, users: int, rows: int, plan: PlanName, port: int) -> int:
    """Serves the page until INT or TERM; its address is on stderr. Raises UsageError when the port is taken."""
    terminal = Terminal(stderr=True, highlight=False, soft_wrap=True)
    began = time.monotonic()

    def step(what: str) -> None:
        terminal.print(f"{time.monotonic() - began:5.1f} s  {what}")

    # Slack takes a post a second for long; whoever rehearses would only wait longer for it.
    night = Night(directory, users=users, rows=rows, posts_per_second=3, on_step=step)
    async with night, staged(night, port=port) as stage:
        night.settings.update(settings_of(plan, night))
        step("starting the bot; its first checkpoint appears on the page in a few seconds")
        await stage.hosting.start()
        _tell_where(terminal, stage.page, night)
        try:
            await stage.board.watch()
        finally:
            print(night.directory, flush=True)
    return 0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A night with its page."""

    page: Page
    board: Board
    hosting: Hosting
    console: Console
    faults: Faults


@asynccontextmanager
async def staged(night: Night, *, port: int = 0) -> AsyncIterator[Stage]:
    """For a night whose world is there. Its bot is started by whoever asks for it, and ended with the page. Raises
    UsageError when the port is taken.
    """
    hosting, console = Hosting(night), Console(night.company, night.gateway)
    faults = Faults(night, console)
    board = Board(night, hosting, console, faults)
    try:
        async with board, Page(night, board, Doing(night, hosting, console, faults), port=port) as page:
            yield Stage(page=page, board=board, hosting=hosting, console=console, faults=faults)
    finally:
        await hosting.stop()
        await console.close_all()


def _tell_where(terminal: Terminal, page: Page, night: Night) -> None:
    terminal.print(f"\nThe page, for you alone:\n  {page.address}\n", style="bold")
    terminal.print(f"Evidence: {night.directory}\nThe bot's log: {night.log_file}\nCtrl-C ends the rehearsal.")
    if has_display():
        webbrowser.open(page.address_once())
