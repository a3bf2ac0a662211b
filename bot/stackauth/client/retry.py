"""The service asked with patience: every request waits its turn by the pace, and trouble that passes is waited out.

A request that cannot have had an effect (too many requests, no connection, any failed read) is sent again here. One
whose outcome is unknown never is: `NoAnswer` goes to the caller, who looks. Refusals go to the caller at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from bot import obstacles
from bot.errors import ServiceUnintelligible, ServiceUnreachable
from bot.stackauth.client.api import NoAnswer, RateLimited, RequestRefused, StackAuth, User
from bot.stackauth.client.rate import Pace

_TIMES = 8
_READINGS = 20
"""Of a list out of which users are deleted while it is read."""
_Answer = TypeVar("_Answer")


class _Shown:
    """Whom the list has shown, in the memory of one instant, since it is in the order of sign-up. `again` says that it
    is read from its start once more, and that whoever comes before that instant was shown.
    """

    def __init__(self, *, newest_first: bool) -> None:
        self.again = False
        self._direction = -1 if newest_first else 1
        self._instant: int | None = None
        self._at_the_instant: set[str] = set()

    def is_new(self, user: User) -> bool:
        """True once for each user, whatever pages it is on."""
        instant = self._direction * user.signed_up_at_millis
        if self._instant is None or instant > self._instant:
            self._instant, self._at_the_instant = instant, set()
        if instant < self._instant:
            return not self.again
        if user.id in self._at_the_instant:
            return False
        self._at_the_instant.add(user.id)
        return True


async def _goes_on(error: ServiceUnreachable) -> None:
    """A failure that is waited out."""


class Patient:
    """For many tasks at once: they share the pace. `told` hears, as a clause, that everybody waits, and "" when the
    service answers again.
    """

    def __init__(
        self,
        service: StackAuth,
        pace: Pace,
        *,
        give_up_seconds: float = 900,
        told: Callable[[str], None] = lambda note: None,
    ) -> None:
        self.service = service
        self.pace = pace
        self.give_up_seconds = give_up_seconds
        self._told = told
        self._gate = asyncio.Lock()

    async def ask(
        self,
        request: Callable[[], Awaitable[_Answer]],
        *,
        on_failure: Callable[[ServiceUnreachable], Awaitable[None]] = _goes_on,
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
                self.pace.limited(now(), began=began, retry_after=error.retry_after)
                self._tell_wait("Stack Auth asks for fewer requests")
                self._give_up(error)
            except ServiceUnreachable as error:
                self.pace.failed(now(), began=began)
                self._tell_wait("Stack Auth does not answer")
                self._give_up(error)
                await on_failure(error)
            except NoAnswer as error:
                if not error.ended:
                    self.pace.failed(now(), began=began)
                    self._tell_wait("Stack Auth does not answer")
                raise
            except RequestRefused:
                self.pace.succeeded(now())
                raise
            else:
                self.pace.succeeded(now())
                self._told("")
                return answer

    async def delete(self, user_id: str) -> None:
        """The user is gone when it returns, whoever deleted it."""
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
                await asyncio.sleep(self.pace.backoff(nth))
        raise AssertionError("the last time returns or raises")

    async def everybody(self, *, newest_first: bool = False) -> AsyncIterator[User]:
        """Every user once, hidden ones included, for as long as the caller reads on. A page that is empty although a
        cursor led to it is no end: the cursor's user may have been deleted meanwhile, and the service then shows
        nobody. The list is read again from its start, past those who were shown. Raises ServiceUnintelligible when
        that happens again and again.
        """
        shown = _Shown(newest_first=newest_first)
        for _ in range(_READINGS):
            cursor: str | None = None
            while True:
                at = cursor
                users, cursor = await self.ask(lambda at=at: self.service.page(at, newest_first=newest_first))  # type: ignore[misc]
                for user in users:
                    if shown.is_new(user):
                        yield user
                if cursor is None:
                    break
            if users or at is None:
                return
            shown.again = True
        raise ServiceUnintelligible(
            f"Stack Auth's list of users ended in the middle, {_READINGS} times",
            unchanged="nothing was changed by reading it",
            do="see to it that nobody deletes users in Stack Auth meanwhile, then go on",
            obstacle=obstacles.STACK_AUTH_ANSWER,
        )

    async def _turn(self) -> float:
        """When the request may begin: now. First come, first served."""
        now = asyncio.get_running_loop().time
        async with self._gate:
            wait = self.pace.turn(now())
            while wait > 0:  # everybody may be told to wait longer meanwhile
                await asyncio.sleep(wait)
                wait = self.pace.turn(now())
        return now()

    def _tell_wait(self, why: str) -> None:
        if (delay := self.pace.delay(asyncio.get_running_loop().time())) > 0:
            self._told(f"{why}; the next try is in {delay:.0f} s")

    def _give_up(self, error: ServiceUnreachable) -> None:
        if self.pace.trouble(asyncio.get_running_loop().time()) >= self.give_up_seconds:
            raise error
