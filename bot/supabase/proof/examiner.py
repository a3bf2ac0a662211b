"""The questions that could prove `frozen` wrong.

Each is asked of the real thing: a session opened now, the public API, the sessions that are there, and the tables
during a quiet window. Every question is asked each time, whatever the ones before it said or could not find out, so
that people fix all in one go; only the quiet window waits until nothing else blocks, since it would find the same again
and take its time.

`freeze_proof` is the examiner of the first gate and gives the freeze record as facts of `quiet-window`.
`freeze_holds` asks the same at later gates, with the record in place of the window. `drift` is what the watch asks
between gates.

What no question can rule out: a session that is new, overrides the default by itself, and writes only after the
window. The record catches it at the next look.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from bot.errors import CutoverError
from bot.plan.checks import Question, answers, unmade
from bot.plan.findings import Finding, blocks
from bot.plan.run import Run
from bot.ports import Progress, Report
from bot.supabase.catalog import Catalog, Selection, read_catalog
from bot.supabase.database import Database, Session
from bot.supabase.export.space import room_for
from bot.supabase.freeze.kit import GATE
from bot.supabase.freeze.layers import read_layers
from bot.supabase.gateway import Gateway
from bot.supabase.proof.activity import LATE_COUNTERS_SECONDS
from bot.supabase.proof.api import Api, api_hook, api_refuses
from bot.supabase.proof.drift import no_drift, quiet_window
from bot.supabase.proof.encoding import database_encoding
from bot.supabase.proof.foreign import foreign_code
from bot.supabase.proof.old_sessions import old_sessions
from bot.supabase.proof.read_rights import select_rights
from bot.supabase.proof.refusals import layers_in_place, session_refuses, storage_refuses
from bot.supabase.proof.write_paths import write_paths

_Answer = TypeVar("_Answer")


class Proof:
    """`quiet_seconds` is how long nothing may move; `late_counters` how long a counter may lag behind its write.
    `directory` is where the export will lie; None where none is to come.
    """

    def __init__(
        self,
        database: Database,
        gateway: Gateway | None,
        *,
        directory: Path | None = None,
        quiet_seconds: float = 10,
        late_counters: float = LATE_COUNTERS_SECONDS,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._directory = directory
        self._quiet_seconds = quiet_seconds
        self._late_counters = late_counters

    async def freeze_proof(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """The examiner of gate `freeze`."""
        found: list[Finding] = []
        try:
            async with self._database.session("proof") as session:
                shared = self._shared(session, run)
                report(_progress("freeze-proof", "trying to write"))
                async for finding in answers(*self._layers(shared), *self._beside(shared)):
                    found.append(finding)
                    yield finding
                if run.stopped_by(found):
                    return
                report(_progress("freeze-proof", f"watching for {self._quiet_seconds:g} s that nothing moves"))
                async for finding in answers(("quiet-window", lambda: self._quiet(shared))):
                    yield finding
        except CutoverError as error:
            yield unmade("freeze-layers", error)

    async def freeze_holds(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """The examiner of later gates."""
        try:
            async with self._database.session("proof") as session:
                shared = self._shared(session, run)
                report(_progress("freeze-holds", "trying to write, and comparing the tables with the freeze record"))
                async for finding in answers(*self._layers(shared), ("no-drift", lambda: self._still(shared))):
                    yield finding
        except CutoverError as error:
            yield unmade("freeze-layers", error)

    def _layers(self, shared: _Shared) -> Iterator[Question]:
        """Do the layers hold against whoever tries to write?"""

        async def stand() -> Finding:
            return layers_in_place(await shared.layers(), await shared.since(), all_refuse=await shared.all_refuse())

        async def api() -> Finding:
            return (await shared.api()).finding

        async def hook() -> Finding:
            return api_hook(await shared.layers(), await shared.api())

        async def sessions() -> Finding | None:
            since = await shared.since()
            return None if since is None else await old_sessions(shared.session, since)

        yield "freeze-layers", stand
        yield "session-refuses-writes", shared.fresh
        yield "api-refuses-writes", api
        yield "api-hook", hook
        yield "storage-refuses-writes", lambda: storage_refuses(self._database, shared.session, self._gateway)
        yield "old-sessions", sessions

    def _beside(self, shared: _Shared) -> Iterator[Question]:
        """What else could write, and what the export will need."""

        async def rights() -> Finding:
            return select_rights(await shared.catalog())

        async def foreign() -> Sequence[Finding]:
            return await foreign_code(shared.session, await shared.catalog())

        async def encoding() -> Finding | None:
            return await database_encoding(self._database, shared.session, await shared.catalog())

        async def space(directory: Path) -> Finding:
            return (await room_for(shared.session, await shared.catalog(), directory)).finding()

        yield "write-paths", lambda: write_paths(self._database, shared.session)
        yield "select-rights", rights
        yield "foreign-code", foreign
        yield "database-encoding", encoding
        if (directory := self._directory) is not None:
            yield "disk-space", lambda: space(directory)

    async def _quiet(self, shared: _Shared) -> Finding:
        catalog = await shared.catalog()
        return await quiet_window(
            shared.session, catalog, seconds=self._quiet_seconds, late_counters=self._late_counters
        )

    async def _still(self, shared: _Shared) -> Finding:
        record, catalog = shared.run.freeze, await shared.catalog()
        return await no_drift(shared.session, catalog, record, late_counters=self._late_counters)

    def _shared(self, session: Session, run: Run) -> _Shared:
        async def catalog() -> Catalog:
            return await read_catalog(session, Selection.of(run.opened.rules, left_unread=run.why_left_unread))

        return _Shared(self._database, self._gateway, session, run, catalog)


class _Once(Generic[_Answer]):
    """A question asked by the first who needs its answer; others get the same answer, or the same error."""

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, _Answer]]) -> None:
        self._ask = ask
        self._asked: asyncio.Task[_Answer] | None = None

    def __call__(self) -> asyncio.Task[_Answer]:
        self._asked = self._asked or asyncio.create_task(self._ask())
        return self._asked


class _Shared:
    """What the questions of one examination build on: the layers that are looked up, what a fresh session and the
    public API answer, and what the run is to export.
    """

    def __init__(
        self,
        database: Database,
        gateway: Gateway | None,
        session: Session,
        run: Run,
        catalog: Callable[[], Coroutine[Any, Any, Catalog]],
    ) -> None:
        async def api() -> Api:
            return await api_refuses(session, gateway, await self.layers())

        self.session = session
        self.run = run
        self.layers = _Once(lambda: read_layers(session))
        self.fresh = _Once(lambda: session_refuses(database))
        self.api = _Once(api)
        self.catalog = _Once(catalog)

    async def all_refuse(self) -> bool:
        """Whether a fresh session and the public API refuse without the kit's hook; where that is set, it is the kit
        that has to be whole.
        """
        if (await self.layers()).hook == GATE or blocks([await self.fresh()]):
            return False
        return (await self.api()).refuses

    async def since(self) -> datetime | None:
        """Since when the source is frozen at the latest; None when it is not."""
        layers = await self.layers()
        if self.run.frozen_since is not None:
            return self.run.frozen_since
        return layers.database_time if layers.in_place or await self.all_refuse() else None


def _progress(step: str, note: str) -> Progress:
    return Progress(step=step, done=0, total=0, unit="checks", note=note)
