"""The requests of `api`, each at its turn by the rate limiter, and repeated while the trouble passes.

A request that cannot have had an effect (too many requests, no connection, any failed read) is sent again here. One
whose outcome is unknown never is: `NoAnswer` goes to the caller, who looks. Refusals go to the caller at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.errors import ServiceUnreachable
from bot.stackauth.client.api import StackAuth
from bot.stackauth.client.errors import NoAnswer, RateLimited, RequestRefused
from bot.stackauth.client.rate import RateLimiter

_TIMES = 8
_Answer = TypeVar("_Answer")


async def _wait_it_out(error: ServiceUnreachable) -> None:
    """Does nothing, so that the failure is waited out."""


class RetryingClient:
    """For many tasks at once: they share the limiter. `on_wait` hears, as a clause, why everybody waits, and "" when
    the service answers again.
    """

    def __init__(
        self,
        service: StackAuth,
        limiter: RateLimiter,
        *,
        give_up_seconds: float = 900,
        on_wait: Callable[[str], None] = lambda note: None,
    ) -> None:
        self.service = service
        self.limiter = limiter
        self.give_up_seconds = give_up_seconds
        self._on_wait = on_wait
        self._gate = asyncio.Lock()

    async def ask(
        self,
        request: Callable[[], Awaitable[_Answer]],
        *,
        on_failure: Callable[[ServiceUnreachable], Awaitable[None]] = _wait_it_out,
    ) -> _Answer:
        """The answer. Raises NoAnswer and refusals as they come; ServiceUnreachable when nothing has succeeded for as
        long as we wait. `on_failure` hears of each failure that is to be waited out, and may raise instead, since
        others may be answered all the while.
        """
        now = asyncio.get_running_loop().time
        while True:
            began = await self._turn()
            try:
                answer = await request()
            except RateLimited as error:
                self.limiter.limited(now(), began=began, retry_after=error.retry_after)
                self._report_wait("Stack Auth's rate limit is reached")
                self._give_up(error)
            except ServiceUnreachable as error:
                self.limiter.failed(now(), began=began)
                self._report_wait("Stack Auth does not answer")
                self._give_up(error)
                await on_failure(error)
            except NoAnswer as error:
                if not error.ended:
                    self.limiter.failed(now(), began=began)
                    self._report_wait("Stack Auth does not answer")
                raise
            except RequestRefused:
                self.limiter.succeeded(now())
                raise
            else:
                self.limiter.succeeded(now())
                self._on_wait("")
                return answer

    async def delete(self, user_id: str) -> None:
        """The user is gone when this returns, whoever deleted it."""
        try:
            await self.repeat(lambda: self.service.delete(user_id))
        except RequestRefused as error:
            if error.meaning != "not-there":
                raise

    async def repeat(self, request: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """As `ask`, of what may be done any number of times: what nobody answered is sent again, some times."""
        for nth in range(_TIMES):
            try:
                return await self.ask(request)
            except NoAnswer:
                if nth == _TIMES - 1:
                    raise
                await asyncio.sleep(self.limiter.backoff(nth))
        raise AssertionError("the last time returns or raises")

    async def _turn(self) -> float:
        """When the request may begin: now. First come, first served."""
        now = asyncio.get_running_loop().time
        async with self._gate:
            wait = self.limiter.turn(now())
            while wait > 0:  # everybody may be told to wait longer meanwhile
                await asyncio.sleep(wait)
                wait = self.limiter.turn(now())
        return now()

    def _report_wait(self, why: str) -> None:
        if (delay := self.limiter.delay(asyncio.get_running_loop().time())) > 0:
            self._on_wait(f"{why}; next try in {delay:.0f} s")

    def _give_up(self, error: ServiceUnreachable) -> None:
        if self.limiter.failing_for(asyncio.get_running_loop().time()) >= self.give_up_seconds:
            raise error
