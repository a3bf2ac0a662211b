"""Every user of the service, page by page, by time of sign-up.

Users may be deleted while the list is read. The service then shows an empty page where the cursor's user was, which is
not its end: the list is read again from its start, past those who were shown.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from bot import obstacles
from bot.errors import ServiceUnintelligible
from bot.stackauth.client.models import User
from bot.stackauth.client.retry import RetryingClient

_READINGS = 20


async def all_users(client: RetryingClient, *, newest_first: bool = False) -> AsyncIterator[User]:
    """Every user once, hidden ones included, for as long as the caller reads on. Raises ServiceUnintelligible when the
    list breaks off again and again, and what the client raises.
    """
    shown = _Shown(newest_first=newest_first)
    for _ in range(_READINGS):
        cursor: str | None = None
        while True:
            at = cursor
            users, cursor = await client.ask(lambda at=at: client.service.page(at, newest_first=newest_first))  # type: ignore[misc]
            for user in users:
                if shown.is_new(user):
                    yield user
            if cursor is None:
                break
        if users or at is None:
            return
        shown.again = True
    raise ServiceUnintelligible(
        f"Stack Auth's list of users broke off {_READINGS} times",
        unchanged="reading it changed nothing",
        do="stop whoever deletes users in Stack Auth, then try again",
        obstacle=obstacles.STACK_AUTH_ANSWER,
    )


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
