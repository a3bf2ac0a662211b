"""One user over whom the service fails, while it may serve others.

Requests about one user fail, or end without the service's own answer. If the service serves others meanwhile, the user
is the matter, and has had enough tries after some of them; if it serves nobody, that is waited out. It serves others
meanwhile if it did before the last try and after it: at the end of an outage the try fails, and others are served.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bot.errors import CutoverError, ServiceUnreachable
from bot.stackauth.client.retry import RetryingClient

TRIES = 10
"""So often the service may fail over one user while it serves others, before the user counts as refused; or for so long
if each failure takes its time.
"""
_SECONDS = 180.0
_FEWEST_TRIES = 3
_LONGEST_WAIT = 8.0


class GaveUpOnUser(Exception):
    """The service fails over one user and serves others."""


class UserFailures:
    def __init__(
        self,
        client: RetryingClient,
        answered: Callable[[], int],
        takes_changes: Callable[[], Awaitable[bool]],
        *,
        tries: int = TRIES,
    ) -> None:
        """`answered` counts what the service has taken of all users. `takes_changes` is asked where that does not grow:
        whether it would take something about others at this moment.
        """
        self._tries = tries
        self._client = client
        self._answered = answered
        self._takes_changes = takes_changes
        self._failures = 0
        self._since: float | None = None
        self._answered_then = 0
        self._served_others = False

    @property
    def any(self) -> bool:
        """Something has failed."""
        return self._since is not None

    async def worth_retrying(self, error: CutoverError) -> bool:
        """True after a wait for a better moment; False when there is no use in sending the same again. Raises `error`
        when it has lasted as long as we wait.
        """
        now, answered = asyncio.get_running_loop().time(), self._answered()
        self._since = now if self._since is None else self._since
        serves_others, self._answered_then = answered > self._answered_then, answered
        self._failures += 1
        lasted = now - self._since
        next_is_last = self._failures >= (_FEWEST_TRIES if lasted >= _SECONDS else self._tries) - 1
        served_before = self._served_others
        self._served_others = next_is_last and (serves_others or await self._takes_changes())
        if served_before and self._served_others:
            self._failures, self._served_others = 0, False
            return False
        if lasted > self._client.give_up_seconds:
            raise error
        await asyncio.sleep(min(self._client.limiter.backoff(self._failures - 1), _LONGEST_WAIT))
        return True

    async def retry_or_give_up(self, error: ServiceUnreachable) -> None:
        """As `worth_retrying`, but raises GaveUpOnUser."""
        if not await self.worth_retrying(error):
            raise GaveUpOnUser from error
