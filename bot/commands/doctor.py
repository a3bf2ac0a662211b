"""`cutover doctor`: the look around, days before, and `--freeze`, the proof on demand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bot import logs, settings
from bot.commands.event_loop import run_async
from bot.commands.show import show
from bot.doctor import look_around
from bot.edges.examiners import proof
from bot.edges.preflights import preflights
from bot.edges.services import services
from bot.plan.events import Parties, Rules, RunOpened
from bot.plan.findings import Finding, blocks, failed
from bot.plan.fold import after
from bot.plan.run import Run
from bot.ports import Progress
from bot.record import read_run
from bot.supabase.freeze.layers import Layers, read_layers
from bot.terms import rules_of


def doctor(config: Path | None, *, freeze: bool) -> int:
    """0 all well, 3 a check failed, 5 a service could not be reached or refused us."""
    if freeze:
        return _prove(config)
    chosen = settings.load(("slack", "source", "source_api", "target"), config=config)
    logs.configure(chosen.secrets)

    async def look() -> tuple[tuple[Finding, ...], bool]:
        async with services(chosen) as edges:
            return await look_around(preflights(chosen, edges))

    findings, unreachable = run_async(look())
    show(findings)
    if unreachable:
        return 5
    return 3 if blocks(findings) else 0


def _prove(config: Path | None) -> int:
    chosen = settings.load(("source", "source_api"), config=config)
    logs.configure(chosen.secrets)
    findings = run_async(_proof(chosen, read_run(chosen.migration_data_dir)))
    show(findings)
    return 3 if blocks(findings) else 0


async def _proof(chosen: settings.Settings, run: Run | None) -> list[Finding]:
    """Against the freeze record where there is one. Elsewhere, days later or on another machine, all is asked that
    gate 1 asks, of the freeze that the kit itself has noted in the database.
    """
    async with services(chosen) as edges:
        prove = proof(chosen, edges.database, edges.gateway)
        if run is not None and run.freeze is not None:
            edges.database.set_run(run.run_id)
            return [finding async for finding in prove.freeze_holds(run, _unheard)]
        async with edges.database.session("proof") as session:
            layers = await read_layers(session)
        if layers.in_place and layers.noted_at is None:
            return [_no_time()]
        return [finding async for finding in prove.freeze_proof(_unrecorded(layers, rules_of(chosen)), _unheard)]


def _unrecorded(layers: Layers, rules: Rules) -> Run:
    """A run that is written down nowhere, since the proof asks about one; frozen when the kit says."""
    parties = Parties(source_ref="", source_database="", target_project="")
    opened = RunOpened(
        at=layers.database_time, run_id="-", parties=parties, channel="", approvers=(), retain_days=0, rules=rules
    )
    return replace(after(None, opened), frozen_since=layers.noted_at)


def _no_time() -> Finding:
    return failed(
        "freeze-layers",
        "The layers of the freeze stand; since when is not noted, so that old sessions cannot be told from new ones.",
        "run the SQL of `cutover freeze-sql` once more; it is safe to repeat, and notes it",
    )


def _unheard(progress: Progress) -> None:
    """Nobody looks on."""
