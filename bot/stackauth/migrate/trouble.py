"""One user over whom the service fails, while it may serve others.

Requests about one user fail, or end without the service's own answer. If the service serves others meanwhile, the user
is the matter, and has had enough tries after some of them; if it serves nobody, that is waited out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bot.errors import CutoverError, ServiceUnreachable
from bot.stackauth.client.retry import Patient

_FAILURES_OF_ONE = 10
"""So often the service may fail over one user while it serves others, before the user counts as refused; or for so long
if each failure takes its time.
"""
_SECONDS_OF_ONE = 180.0
_FEWEST_FAILURES = 3
_LONGEST_WAIT = 8.0


class NoUseInMore(Exception):
    """The service fails over one user and serves others."""


class Trouble:
    def __init__(
        self, patient: Patient, answered: Callable[[], int], takes_changes: Callable[[], Awaitable[bool]]
    ) -> None:
        """`answered` counts what the service has taken of all users. `takes_changes` is asked where that does not grow:
        whether it would take something about others at this moment.
        """
        self._patient = patient
        self._answered = answered
        self._takes_changes = takes_changes
        self._failures = 0
        self._since: float | None = None
        self._answered_then = 0

    @property
    def lasts(self) -> bool:
        """Something has failed."""
        return self._since is not None

    async def passes(self, error: CutoverError) -> bool:
        """Waits for a better moment; False when there is no use in sending the same again. Raises `error` when it has
        lasted as long as we wait.
        """
        now, answered = asyncio.get_running_loop().time(), self._answered()
        self._since = now if self._since is None else self._since
        serves_others, self._answered_then = answered > self._answered_then, answered
        self._failures += 1
        lasted = now - self._since
        slow = self._failures >= _FEWEST_FAILURES and lasted >= _SECONDS_OF_ONE
        if (slow or self._failures >= _FAILURES_OF_ONE) and (serves_others or await self._takes_changes()):
            self._failures = 0
            return False
        if lasted > self._patient.give_up_seconds:
            raise error
        await asyncio.sleep(min(self._patient.pace.backoff(self._failures - 1), _LONGEST_WAIT))
        return True

    async def must_pass(self, error: ServiceUnreachable) -> None:
        """As `passes`, but raises NoUseInMore."""
        if not await self.passes(error):
            raise NoUseInMore from error
