"""What became of requests that nobody answered, by the service's list.

The list is read newest first, down to the time before which the request cannot have been stored. That time is the
service's own: the newest sign-up we had seen when the request was sent, less a margin for clocks of theirs that
disagree. A request of which nothing is known may still be under way when we look. Unless the service itself said that
it had failed, a look that finds nothing is therefore repeated a little later before the request is sent again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from bot.stackauth.client.retry import RetryingClient
from bot.stackauth.client.user_list import all_users
from bot.stackauth.migrate.existing import MigratedUser, migrated_user_in


@dataclass(kw_only=True)
class _Wanted:
    user_id: str
    floor_millis: int
    found: MigratedUser | None = None
    is_known: bool = False


class UnansweredRequests:
    """One reading of the list serves all who asked before it began, since after an outage many ask at once."""

    def __init__(self, client: RetryingClient, *, settle_seconds: float) -> None:
        """`settle_seconds` is how long a request without answer may still be under way once its connection is lost."""
        self._client = client
        self._settle_seconds = settle_seconds
        self._asked: list[_Wanted] = []
        self._reading = asyncio.Lock()

    async def find(self, user_id: str, *, floor_millis: int, ended: bool, looked: bool) -> MigratedUser | None:
        """The user who bears this Supabase id, among those that signed up since; None when the request was not stored
        and will not be. `ended` says that nothing of it can still be under way, `looked` that the list was read since
        it was sent, and the user was not in it.
        """
        if not looked:
            found = await self._look(user_id, floor_millis)
            if found is not None or ended:
                return found
        await asyncio.sleep(self._settle_seconds)
        return await self._look(user_id, floor_millis)

    async def _look(self, user_id: str, floor_millis: int) -> MigratedUser | None:
        wanted = _Wanted(user_id=user_id, floor_millis=floor_millis)
        self._asked.append(wanted)
        async with self._reading:
            if not wanted.is_known:
                asked, self._asked = self._asked, []
                try:
                    await self._read(asked)
                except BaseException:
                    self._asked += [other for other in asked if other is not wanted]
                    raise
        return wanted.found

    async def _read(self, asked: list[_Wanted]) -> None:
        by_id = {wanted.user_id: wanted for wanted in asked}
        floor = min(wanted.floor_millis for wanted in asked)
        async for user in all_users(self._client, newest_first=True):
            if user.signed_up_at_millis < floor:
                break
            if (ours := migrated_user_in(user)) is not None and (wanted := by_id.pop(ours[0], None)) is not None:
                wanted.found = ours[1]
                if not by_id:
                    break
        for wanted in asked:
            wanted.is_known = True
