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

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.errors import CutoverError
from bot.plan.findings import Finding, blocks, failed, passed, warned
from bot.plan.run import Run
from bot.plan.talk.sentences import accepting
from bot.ports import Progress, Report
from bot.supabase.catalog import Catalog, read_catalog
from bot.supabase.database import READ_ONLY, Database, Session, query, translated
from bot.supabase.freeze.kit import GATE, Layers, read_layers
from bot.supabase.gateway import Gateway
from bot.supabase.probes import PROBED, api_writes, fresh_writes, gate_answers
from bot.supabase.proof.movement import (
    LATE_COUNTERS_SECONDS,
    CloseLook,
    changes,
    look_closely,
    sequences_of,
    tables_of,
)
from bot.supabase.sessions import shown

_HOW_TO_FREEZE = (
    "run the SQL that `cutover freeze-sql` prints as the role postgres, close that session, and say `frozen` again"
)
_SHOWN = 10
_RELOAD_TRIES = 10
_RELOAD_PAUSE = 0.5


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
            yield (paths := await _write_paths(session))
            catalog = await self._catalog(session, run)
            yield (rights := select_rights(catalog))
            if blocks((*found, paths, rights)):
                return
            report(_progress("freeze-proof", f"watching for {self._quiet_seconds:g} s that nothing moves"))
            yield await self._quiet_window(session, catalog)

    async def freeze_holds(self, run: Run, report: Report) -> AsyncIterator[Finding]:
        """The examiner of later gates."""
        async with self._database.session("proof") as session:
            async for finding in self._asked(session, run, report, "freeze-holds"):
                yield finding
            report(_progress("freeze-holds", "comparing the tables with the freeze record"))
            yield await self._held_still(session, run)

    async def _asked(self, session: Session, run: Run, report: Report, step: str) -> AsyncIterator[Finding]:
        report(_progress(step, "trying to write"))
        layers = await read_layers(session)
        yield _layers(layers, run.frozen_since)
        yield await _session_refuses(self._database)
        yield await _api_refuses(session, self._gateway, hook_is_set=layers.hook == GATE)
        yield await _api_hook(self._database, layers)
        if run.frozen_since is not None:
            yield await _old_sessions(session, run.frozen_since)

    async def _catalog(self, session: Session, run: Run) -> Catalog:
        return await read_catalog(
            session,
            include_schemas=self._include_schemas,
            exclude_tables=self._exclude_tables,
            left_unread=run.why_left_unread,
        )

    async def _quiet_window(self, session: Session, catalog: Catalog) -> Finding:
        check = "quiet-window"
        tables = [table.relation for table in catalog.tables]
        sequences = [sequence.relation for sequence in catalog.sequences]
        first = await look_closely(session, tables, sequences)
        await asyncio.sleep(self._quiet_seconds)
        last = await look_closely(session, tables, sequences)
        note = ""
        moved = _moved(first, last)
        if not moved and last.xmax != first.xmax:
            number = last.xmax - first.xmax
            await asyncio.sleep(self._late_counters)
            last = await look_closely(session, tables, sequences)
            moved = _moved(first, last)
            note = (
                f" Meanwhile {number} transaction number{'s were' if number > 1 else ' was'} used, and "
                f"{self._late_counters:g} s later the counters stood still: autoanalyze, or another database."
            )
        if moved:
            return failed(
                check,
                f"The source moved while nothing should: {_listed(moved)}.",
                "find out who writes (an app with its own BEGIN READ WRITE, a job, somebody at a console), stop it, "
                "and say `frozen` again",
            )
        return passed(
            check,
            f"Nothing moved in {len(tables)} tables and {len(sequences)} sequences "
            f"for {self._quiet_seconds:g} s.{note}",
            frozenAt=last.database_time.isoformat().replace("+00:00", "Z"),
            lsn=last.lsn,
            xmax=last.xmax,
            baseline=last.baseline,
        )

    async def _held_still(self, session: Session, run: Run) -> Finding:
        check = "no-drift"
        record = run.freeze
        if record is None:
            return failed(check, "There is no freeze record to compare with.", "pass the gate `freeze` first")
        first = await _look_again(session, record)
        moved = _drifted(record, first)
        if not moved and first.xmax != record["xmax"]:
            await asyncio.sleep(self._late_counters)
            moved = _drifted(record, await _look_again(session, record))
        known = set(tables_of(record["baseline"]))
        new = [table.relation for table in (await self._catalog(session, run)).tables if table.relation not in known]
        moved += [f"{name} is new" for name in new]
        if moved:
            return failed(
                check,
                f"The source has moved since the freeze was proven: {_listed(moved)}.",
                "find out who writes and stop it; the freeze has to be proven and everything exported anew",
            )
        return passed(check, f"Nothing has moved in {len(known)} tables since {record['frozenAt']}.")


async def drift(session: Session, record: Mapping[str, Any]) -> list[str]:
    """What is no longer as the freeze record says, as clauses; empty when nothing moved. A write of the last ten
    seconds may not be seen yet.
    """
    layers = await read_layers(session)
    return [*layers.missing, *_drifted(record, await _look_again(session, record))]


async def _look_again(session: Session, record: Mapping[str, Any]) -> CloseLook:
    baseline = record["baseline"]
    return await look_closely(session, tables_of(baseline), sequences_of(baseline))


def _drifted(record: Mapping[str, Any], look: CloseLook) -> list[str]:
    return [*changes(record["baseline"], look.baseline), *look.writers]


def _moved(first: CloseLook, last: CloseLook) -> list[str]:
    return list(dict.fromkeys([*changes(first.baseline, last.baseline), *first.writers, *last.writers]))


def _layers(layers: Layers, since: datetime | None) -> Finding:
    check = "freeze-layers"
    if layers.missing:
        return failed(check, f"The freeze does not stand: {_listed(layers.missing)}.", _HOW_TO_FREEZE)
    if since is None:
        return failed(
            check,
            "The freeze stands, but has only just been noticed, so that old sessions cannot be told from new ones yet.",
            "say `frozen` again in a few seconds",
        )
    return passed(check, f"All layers of the freeze stand, since {since.astimezone(UTC):%H:%M:%S} UTC at the latest.")


async def _session_refuses(database: Database) -> Finding:
    check = "session-refuses-writes"
    answers = await fresh_writes(database)
    wrote = [PROBED[probe] for probe, code in answers.items() if code != READ_ONLY]
    if not wrote:
        done = " and ".join(PROBED[probe] for probe in answers)
        return passed(check, f"A fresh session is refused writes with 25006 ({done}).")
    told = ", ".join(f"{PROBED[probe]} {_answer(code)}" for probe, code in answers.items() if code != READ_ONLY)
    return failed(check, f"A fresh session is not refused writes with 25006: {told}.", _HOW_TO_FREEZE)


async def _api_refuses(session: Session, gateway: Gateway | None, *, hook_is_set: bool) -> Finding:
    """Where the hook is set, the API gets a few seconds to read its settings."""
    check = "api-refuses-writes"
    if gateway is None:
        return warned(check, "The public API was not asked, since no key is set.", "set SUPABASE_SERVICE_ROLE_KEY")
    try:
        answers = await api_writes(session, gateway)
        for _ in range(_RELOAD_TRIES if hook_is_set else 0):
            if set(answers.values()) <= {READ_ONLY}:
                break
            await asyncio.sleep(_RELOAD_PAUSE)
            answers = await api_writes(session, gateway)
    except CutoverError as error:
        return failed(check, f"Whether the public API refuses writes is not known: {error.happened}.", error.do)
    if not answers:
        return warned(check, "The public API exposes no table that a write could be tried on.", "")
    told = [f"with the key {key} a write {_answer(code)}" for key, code in answers.items() if code != READ_ONLY]
    if told:
        return failed(
            check,
            f"The public API does not refuse writes with 25006: {', '.join(told)}. A read-only database is not enough "
            "for it, because it opens its transactions READ WRITE.",
            f"{_HOW_TO_FREEZE}; if you did, the API has not read its settings: NOTIFY pgrst, 'reload config'",
        )
    return passed(check, f"The public API refuses writes with 25006 with the key {' and '.join(answers)}.")


async def _api_hook(database: Database, layers: Layers) -> Finding:
    check = "api-hook"
    if layers.hook != GATE or not layers.gate_is_open:
        return failed(check, f"No pre-request hook {GATE} refuses writes for every role of the API.", _HOW_TO_FREEZE)
    code = await gate_answers(database)
    if code != READ_ONLY:
        return failed(
            check,
            f"The hook {GATE} is set, but is not the one that was made for the freeze: a transaction that may write "
            f"{_answer(code)}.",
            _HOW_TO_FREEZE,
        )
    return passed(check, f"The hook {GATE} refuses writes for every other role of the API too.")


async def _old_sessions(session: Session, since: datetime) -> Finding:
    check = "old-sessions"
    with translated("the sessions on the source could not be listed"):
        rows = await (await session.execute(query("old_sessions"), {"before": since})).fetchall()
    told = {pid: f"pid {pid} ({role}, {shown(name)}, {_age(age)})" for pid, role, name, age, _ in rows}
    superusers = {pid for pid, *_, is_superuser in rows if is_superuser}
    ours_to_end = [pid for pid in told if pid not in superusers]
    if ours_to_end:
        pids = ", ".join(str(pid) for pid in ours_to_end)
        began = since.astimezone(UTC).isoformat()
        number = f"{len(ours_to_end)} session{'s' if len(ours_to_end) > 1 else ''}"
        return failed(
            check,
            f"{number} from before the freeze can still write: {_listed([told[pid] for pid in ours_to_end])}.",
            # Shown to a person, and of our own numbers.
            f"end them with: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN ({pids}) AND "  # noqa: S608
            f"backend_start < '{began}';",
        )
    if superusers:
        return warned(
            check,
            f"Only the platform's own sessions are from before the freeze: {_listed([told[p] for p in superusers])}.",
            "they are a superuser's and cannot be ended from here; restart the database from the dashboard to be sure",
        )
    return passed(check, "No session from before the freeze is left.")


async def _write_paths(session: Session) -> Finding:
    check = "write-paths"
    with translated("other ways to write could not be listed"):
        rows = await (await session.execute(query("write_paths"))).fetchall()
        there = await (await session.execute("SELECT to_regclass('cron.job') IS NOT NULL")).fetchone()
        jobs = await (await session.execute(query("cron_jobs"))).fetchall() if there == (True,) else []
    by_kind: dict[str, list[str]] = {}
    for kind, name, is_open in rows:
        by_kind.setdefault(kind if kind != "override" or is_open else "group override", []).append(name)
    bad: list[tuple[str, str]] = []
    doubtful: list[tuple[str, str]] = []
    if gids := by_kind.get("prepared"):
        told = f"prepared transactions wait to be committed ({len(gids)})"
        bad.append((told, "; ".join(f"ROLLBACK PREPARED {gid}" for gid in gids)))
    if overrides := by_kind.get("override"):
        bad.append((f"roles that can log in override the default ({len(overrides)})", "; ".join(overrides)))
    if subscriptions := by_kind.get("subscription"):
        told = f"subscriptions bring in rows ({_listed(subscriptions)})"
        bad.append((told, "; ".join(f"ALTER SUBSCRIPTION {name} DISABLE" for name in subscriptions)))
    if groups := by_kind.get("group override"):
        doubtful.append((f"roles without log-in have a setting of their own ({len(groups)})", "; ".join(groups)))
    if jobs:
        ids = ", ".join(str(job) for (job,) in jobs)
        told = f"pg_cron jobs are active ({ids}); they are refused unless they override the default"
        mend = f"SELECT cron.alter_job(jobid, active := false) FROM cron.job WHERE jobid IN ({ids})"  # noqa: S608
        doubtful.append((told, mend))
    if workers := by_kind.get("worker"):
        doubtful.append((f"background workers run ({_listed(workers)})", "nothing, if you know what they do"))
    if not bad and not doubtful:
        return passed(
            check, "No prepared transaction, override of the default, job, subscription or worker could write."
        )
    evidence = f"Other ways to write: {'; '.join(told for told, _ in [*bad, *doubtful])}."
    mend = "; ".join(mend for _, mend in [*bad, *doubtful])
    return failed(check, evidence, mend) if bad else warned(check, evidence, mend)


def select_rights(catalog: Catalog) -> Finding:
    check = "select-rights"
    if catalog.grants:
        number = f"{len(catalog.grants)} right{'s are' if len(catalog.grants) > 1 else ' is'}"
        mend = " ".join(catalog.grants)
        if catalog.unreadable:
            mend += f" Or leave out what cannot be read: {accepting(catalog.unreadable)}."
        return failed(check, f"{number} missing to read everything.", mend, unreadable=list(catalog.unreadable))
    return passed(check, f"All {len(catalog.tables)} tables to be exported can be read, every row.")


def _answer(code: str) -> str:
    return f"is answered with {code}" if code else "is accepted"


def _age(seconds: int | None) -> str:
    if seconds is None:
        return "age not shown to us"
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def _listed(told: Sequence[str]) -> str:
    more = len(told) - _SHOWN
    return "; ".join(told[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _progress(step: str, note: str) -> Progress:
    return Progress(step=step, done=0, total=0, unit="checks", note=note)
