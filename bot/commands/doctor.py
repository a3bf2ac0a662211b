"""`cutover doctor`: the look around, days before, and `--freeze`, the proof on demand."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot import logs, settings
from bot.commands.show import show
from bot.doctor import look_around
from bot.edges import preflights, proof, services
from bot.errors import UsageError
from bot.plan.findings import Finding, blocks
from bot.plan.run import Run
from bot.record import read_run


def doctor(config: Path | None, *, freeze: bool) -> int:
    """0 all well, 3 a check failed, 5 a service could not be reached or refused us."""
    if freeze:
        return _prove(config)
    chosen = settings.load(("slack", "source", "source_api", "target"), config=config)
    logs.configure(chosen.secrets)

    async def look() -> tuple[tuple[Finding, ...], bool]:
        async with services(chosen) as edges:
            return await look_around(preflights(chosen, edges))

    findings, unreachable = asyncio.run(look())
    show(findings)
    if unreachable:
        return 5
    return 3 if blocks(findings) else 0


def _prove(config: Path | None) -> int:
    chosen = settings.load(("source", "source_api"), config=config)
    logs.configure(chosen.secrets)
    run = read_run(chosen.migration_data_dir)
    if run is None or run.freeze is None:
        raise UsageError(
            "No freeze has been proven in this data directory yet, so there is nothing to hold the source against",
            unchanged="nothing was contacted",
            do="name the run's directory in MIGRATION_DATA_DIR, or let checkpoint 1 prove the freeze first",
        )
    findings = asyncio.run(_proof(chosen, run))
    show(findings)
    return 3 if blocks(findings) else 0


async def _proof(chosen: settings.Settings, run: Run) -> list[Finding]:
    async with services(chosen) as edges:
        edges.database.set_run(run.run_id)
        holds = proof(chosen, edges.database, edges.gateway).freeze_holds
        return [finding async for finding in holds(run, lambda progress: None)]
