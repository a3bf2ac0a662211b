"""The source as the conductor and the watch see it (`bot.ports.Source`).

One session is kept for the looks, so that a look each second costs a round trip; the lock has its own. Both are
opened anew once the freeze has been seen, because from then on a session from before it counts as old, ours too; and
when the server has not answered in time, because one that hangs may never do so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.artifacts import files
from bot.errors import CutoverError
from bot.plan.events import MovedTo
from bot.plan.findings import Finding, blocks
from bot.plan.run import Run
from bot.ports import Guarded, Look, Moved, ThawRecord
from bot.supabase.connection.deadline import hang_up, in_time
from bot.supabase.database import Database, Session, end
from bot.supabase.freeze import apply, layers, thaw
from bot.supabase.gateway import Gateway
from bot.supabase.guard import Guard
from bot.supabase.locks import SourceLock
from bot.supabase.proof import drift
from bot.supabase.proof.api import api_refuses
from bot.supabase.proof.refusals import session_refuses

_LOOK_SECONDS = 10.0
_RENEWAL_SECONDS = 20.0
_LOCK_WAIT_SECONDS = 5.0
"""Shorter than a look: whether another bot holds the lock is an answer, and not one that came too late."""


class SupabaseSource:
    """`lock` is taken by whoever makes the source, before it is used; `prior_file` is `freeze-prior.json` in the data
    directory. `look_seconds` is how long a look may take. One task at a time asks each method; different methods may
    be asked at once.
    """

    def __init__(
        self,
        database: Database,
        lock: SourceLock,
        prior_file: Path,
        gateway: Gateway | None,
        guard: Guard | None = None,
        *,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._database = database
        self._lock = lock
        self._prior_file = prior_file
        self._gateway = gateway
        self._guard = guard or Guard(database)
        self._session: Session | None = None
        self._turn = asyncio.Lock()
        self._look_seconds = look_seconds

    async def look(self) -> Look:
        found = await in_time(self._looked(), seconds=self._look_seconds, hang_up=self._hang_up)
        layers.keep_prior(self._prior_file, found)
        return Look(frozen=found.sessions_frozen, database_time=found.database_time)

    async def renew(self, run: Run) -> None:
        self._database.set_run(run.run_id)
        await in_time(self._renewed(), seconds=_RENEWAL_SECONDS, hang_up=self._hang_up)

    async def drift(self, run: Run) -> Moved:
        assert run.freeze is not None
        since = run.moved_to or drift.as_recorded(run.freeze)
        return await in_time(self._drifted(run.freeze, since), seconds=self._look_seconds, hang_up=self._hang_up)

    async def way_back(self) -> str:
        """The SQL that thaws, whole and to be pasted by itself; what was set before the freeze is in it. Cheap."""
        asked = in_time(self._asked_layers(), seconds=self._look_seconds, hang_up=self._hang_up)
        prior = layers.prior_of(await asked)
        return layers.thaw_sql_to_post(prior if prior.known else layers.read_prior(self._prior_file))

    async def guard(self) -> Guarded:
        return await self._guard.take()

    async def unguard(self) -> None:
        await self._guard.release()

    async def freeze(self) -> Sequence[Finding]:
        return await apply.apply(self._database)

    async def thaw(self) -> Sequence[Finding]:
        await self._guard.release()  # those who wait for it are let through by the thaw
        return await thaw.thaw(self._database, self._prior_file, self._gateway)

    async def thawed_elsewhere(self, since: datetime) -> ThawRecord | None:
        record = thaw.read_thaw_record(self._prior_file.with_name(files.THAW))
        return record if record is not None and record.thawed_at > since else None

    async def close(self) -> None:
        """Ends the session of the looks, and the guard; the lock is its owner's to release."""
        await self._guard.release()
        async with self._turn:
            await self._close()

    async def _looked(self) -> layers.Layers:
        found = await self._asked_layers()
        if found.sessions_read_only and not found.current.read_only:
            # By the server's files, or since the session of the looks is from under a freeze that is gone.
            async with self._turn:
                await self._close()
            found = await self._asked_layers()
        return found

    # -- in turn ------------------------------------------------------------------------------------------------------

    async def _asked_layers(self) -> layers.Layers:
        async with self._turn:
            try:
                return await layers.read_layers(await self._opened())
            except CutoverError:
                await self._close()
                raise

    async def _drifted(self, record: Mapping[str, Any], since: MovedTo) -> Moved:
        async with self._turn:
            # Without the lock another bot may be at work; taking it again says so by LockHeld.
            await self._lock.take(wait=_LOCK_WAIT_SECONDS)
            try:
                session = await self._opened()
                moved = await drift.drift(session, record, since)
                if drift.LEVERS in record:
                    moved = drift.lifted_too(moved, await self._writes_by_trying(session), since)
            except CutoverError:
                await self._close()
                raise
        return moved

    async def _writes_by_trying(self, session: Session) -> list[str]:
        """What freezes instead of the kit cannot be looked up: it is tried."""
        in_place = await layers.read_layers(session)
        found = [await session_refuses(self._database)]
        if self._gateway is not None:
            found.append((await api_refuses(session, self._gateway, in_place)).finding)
        return [finding.evidence.rstrip(".") for finding in found if blocks([finding]) and not finding.waivable]

    async def _renewed(self) -> None:
        async with self._turn:
            await self._close()
            await self._lock.renew()

    async def _opened(self) -> Session:
        if self._session is None or self._session.closed:
            self._session = await self._database.connect("watch")
        return self._session

    async def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await end(session)

    def _hang_up(self) -> None:
        hang_up(self._session)
        self._lock.hang_up()
