"""What a platform does for a bot: starts it, and starts it again when it was killed. When it ended by itself, it stays
down until a person starts it.

    starting -> running -> killed -> starting …        SIGKILL, and two seconds later it is back
                        -> ended                       by itself, with an exit code
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from bot.rehearsal.night import Night

_KILLED = -9
_SECONDS_DOWN = 2.0
State = Literal["starting", "running", "killed", "ended"]


class Hosting:
    """What it reports moves with the bot, and with its connection to Slack."""

    def __init__(self, night: Night) -> None:
        self._night = night
        self._listeners: list[Callable[[], None]] = []
        self._keeping: asyncio.Task[None] | None = None
        self._is_down = False
        self.over = asyncio.Event()
        """Set while the bot has ended by itself with 0: its plan is at its end."""

    @property
    def state(self) -> State:
        bot = self._night.bot
        if bot is None or self._is_down:
            return "killed" if self._is_down else "starting"
        if bot.returncode is not None:
            return "killed" if bot.returncode == _KILLED else "ended"
        return "running" if self._night.slack.connections else "starting"

    @property
    def code(self) -> int | None:
        """How the bot ended; None while it runs."""
        return self._night.bot.returncode if self._night.bot else None

    @property
    def pid(self) -> int | None:
        return self._night.bot.pid if self._night.bot and self.code is None else None

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the bot has started or ended."""
        self._listeners.append(listener)

    async def start(self, *, new: bool = False) -> None:
        """`new` opens another run after one that has ended. Raises ValueError while a bot is there."""
        if self._keeping is not None and not self._keeping.done():
            raise ValueError("the bot is there already")
        self.over.clear()
        self._keeping = asyncio.create_task(self._keep(("--once", "--new") if new else ("--once",)))

    async def kill(self) -> None:
        """SIGKILL. Raises ValueError when there is nothing to kill."""
        if self.pid is None:
            raise ValueError("no bot runs that could be killed")
        await self._night.kill_bot()

    async def stop(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._night.kill_bot()

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()

    async def _keep(self, arguments: tuple[str, ...]) -> None:
        while True:
            await self._night.start_bot(*arguments)
            self._is_down = False
            self._changed()
            assert self._night.bot is not None
            code = await self._night.bot.wait()
            if code == 0:
                self.over.set()
            self._is_down = code == _KILLED
            self._changed()
            if code != _KILLED:
                return
            await asyncio.sleep(_SECONDS_DOWN)
            arguments = ("--once",)  # a run that was opened is not opened again
