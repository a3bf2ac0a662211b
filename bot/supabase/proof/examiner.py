"""The questions that could prove `frozen` wrong.

Each is asked of the real thing: a session opened now, the public API, the sessions that are there, and the tables
during a quiet window. Every question is asked each time, whatever the ones before it said, so that people mend all in
one go; only the quiet window waits until nothing else blocks, since it would find the same again and take its time.

`freeze_proof` is the examiner of the first gate and gives the freeze record as facts of `quiet-window`.
`freeze_holds` asks the same at later gates, with the record in place of the window. `drift` is what the watch asks
between gates.

What no question can rule out: a session that is new, overrides the default by itself, and writes only after the
window. The record catches it at the next look.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from bot.plan.findings import Finding, blocks, failed, passed
from bot.plan.run import Run
from bot.plan.talk.sentences import accepting
from bot.ports import Progress, Report
from bot.supabase.catalog import Catalog, read_catalog
from bot.supabase.database import Database, Session
from bot.supabase.freeze.kit import GATE, read_layers
from bot.supabase.gateway import Gateway
from bot.supabase.proof.api import api_hook, api_refuses
from bot.supabase.proof.foreign import foreign_code
from bot.supabase.proof.movement import LATE_COUNTERS_SECONDS
from bot.supabase.proof.others import old_sessions
from bot.supabase.proof.paths import write_paths
from bot.supabase.proof.refusals import layers_stand, session_refuses, storage_refuses
from bot.supabase.proof.stillness import held_still, quiet_window


class Proof:
    """`quiet_seconds` is how long nothing may move; `late_counters` how long a counter may lag behind its write."""

    def __init__(
        self,
        database: Database,
        gateway: Gateway | None,
        *,
        include_schemas: Sequence[str] = (),
        exclude_tables: Sequence[str] = (),
        quiet_seconds: float = 10,
        late_counters: float = LATE_COUNTERS_SECONDS,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._include_schemas = include_schemas
        self._exclude_tables = exclude_tables
        self._quiet_seconds = quiet_seconds
        self._late_counters = late_counters

    async def freeze_proof(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """The examiner of gate `freeze`."""
        found: list[Finding] = []
        async with self._database.session("proof") as session:
            async for finding in self._asked(session, run, report, "freeze-proof"):
                found.append(finding)
                yield finding
            catalog = await self._catalog(session, run)
            paths = await write_paths(self._database, session)
            for finding in (*paths, select_rights(catalog), *await foreign_code(session, catalog)):
                found.append(finding)
                yield finding
            if run.stopped_by(found):
                return
            report(_progress("freeze-proof", f"watching for {self._quiet_seconds:g} s that nothing moves"))
            yield await quiet_window(session, catalog, seconds=self._quiet_seconds, late_counters=self._late_counters)

    async def freeze_holds(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """The examiner of later gates."""
        async with self._database.session("proof") as session:
            async for finding in self._asked(session, run, report, "freeze-holds"):
                yield finding
            report(_progress("freeze-holds", "comparing the tables with the freeze record"))
            catalog = await self._catalog(session, run)
            yield await held_still(session, catalog, run.freeze, late_counters=self._late_counters)

    async def _asked(self, session: Session, run: Run, report: Report, step: str) -> AsyncIterator[Finding]:
        report(_progress(step, "trying to write"))
        layers = await read_layers(session)
        fresh = await session_refuses(self._database)
        api = await api_refuses(session, self._gateway, layers)
        # With the kit's hook set, it is the kit that has to be whole.
        all_refuse = not blocks([fresh]) and api.refuses and layers.hook != GATE
        since = run.frozen_since or (layers.database_time if layers.stand or all_refuse else None)
        yield layers_stand(layers, since, all_refuse=all_refuse)
        yield fresh
        yield api.finding
        yield api_hook(layers, api)
        if (storage := await storage_refuses(self._database, session, self._gateway)) is not None:
            yield storage
        if since is not None:
            yield await old_sessions(session, since)

    async def _catalog(self, session: Session, run: Run) -> Catalog:
        return await read_catalog(
            session,
            include_schemas=self._include_schemas,
            exclude_tables=self._exclude_tables,
            left_unread=run.why_left_unread,
        )


def select_rights(catalog: Catalog) -> Finding:
    check = "select-rights"
    if catalog.grants:
        number = f"{len(catalog.grants)} right{'s are' if len(catalog.grants) > 1 else ' is'}"
        mend = " ".join(catalog.grants)
        if catalog.unreadable:
            mend += f" Or leave out what cannot be read: {accepting(catalog.unreadable)}."
        return failed(check, f"{number} missing to read everything.", mend, unreadable=list(catalog.unreadable))
    return passed(check, f"All {len(catalog.tables)} tables to be exported can be read, every row.")


def _progress(step: str, note: str) -> Progress:
    return Progress(step=step, done=0, total=0, unit="checks", note=note)
