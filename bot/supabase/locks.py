"""One bot at a time on one source: an advisory lock, held by a session that does nothing else.

The lock lives and dies with its session, so a killed bot leaves none; its session can outlive it by a moment, hence the
wait. One that we lost without the server noticing (the network broke between us) would keep us out for hours: the
server is told to end it. Advisory locks are the database's own: another project on the same server is another lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bot.errors import CutoverError, LockHeld
from bot.supabase.connection.deadline import hang_up
from bot.supabase.database import Database, Session, end, query, translated

_WAIT_SECONDS = 15.0
_PAUSE = 0.25


class SourceLock:
    """`take` before anything else is done on the source, `release` last; `async with` does both."""

    def __init__(self, database: Database, *, wait: float = _WAIT_SECONDS) -> None:
        """`wait` is how many seconds another holder may need to go away."""
        self._database = database
        self._wait = wait
        self._session: Session | None = None
        self._opening: Session | None = None
        self._last: dict[str, Any] | None = None
        """Pid and name of the last session that held the lock, as the server knows it."""

    async def __aenter__(self) -> SourceLock:
        await self.take()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.release()

    async def take(self, wait: float | None = None) -> None:
        """Does nothing when it is held already. `wait` instead of what it was made with. Raises LockHeld naming the
        holder, or ServiceError.
        """
        if await self.is_held():
            return
        await self.release()
        async with self._new_session() as session:
            await self._take(session, self._wait if wait is None else wait)
            self._session = session

    async def renew(self) -> None:
        """Opens the session anew, because one from before the freeze counts as old. Raises LockHeld when another bot
        was quicker; then nothing is held.
        """
        async with self._new_session() as session:
            await self.release()
            await self._take(session, self._wait)
            self._session = session

    @asynccontextmanager
    async def _new_session(self) -> AsyncIterator[Session]:
        """It stays open unless something fails."""
        self._opening = session = await self._database.connect("lock")
        try:
            yield session
        except BaseException:
            await end(session)
            raise
        finally:
            self._opening = None

    async def is_held(self) -> bool:
        """Asks the session, which the server or the network may have ended."""
        if self._session is None or self._session.closed:
            return False
        try:
            with translated("the lock on the source could not be looked at"):
                await self._session.execute("SELECT 1")
        except CutoverError:
            return False
        return True

    async def release(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await end(session)

    def hang_up(self) -> None:
        """Whoever waits for the server learns at once that the connection is lost."""
        hang_up(self._session)
        hang_up(self._opening)

    async def _take(self, session: Session, wait: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        with translated("the lock on the source could not be taken"):
            while True:
                row = await (await session.execute(query("lock_take"))).fetchone()
                if row == (True,):
                    [[pid, name]] = await (await session.execute(query("lock_session"))).fetchall()
                    self._last = {"pid": pid, "name": name}
                    return
                if self._last is not None:
                    await session.execute(query("lock_end_lost"), self._last)
                if loop.time() >= deadline:
                    break
                await asyncio.sleep(_PAUSE)
            holder = await (await session.execute(query("lock_holder"))).fetchone()
        if holder is None:
            who = "another session, which ended this moment,"
        else:
            who = f"{holder[0] or 'a session without a name'} (pid {holder[1]}, since {holder[2]} UTC)"
        raise LockHeld(
            f"{who} holds the lock on the source",
            unchanged="nothing was changed",
            do="let it end or stop it, then try again; one bot at a time",
        )
