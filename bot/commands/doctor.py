"""`cutover doctor`: the look around, days before, and `--freeze`, the proof on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from bot import logs, settings
from bot.commands.doctor_lines import display, tell_json
from bot.commands.event_loop import run_async
from bot.commands.show import show
from bot.doctor import DOCTORS, Limits, Line, Service, ask, exit_code
from bot.edges.examiners import proof
from bot.edges.preflights import preflights
from bot.edges.services import services
from bot.errors import ServiceError
from bot.plan.checks import unmade
from bot.plan.events import Parties, Rules, RunOpened
from bot.plan.findings import Finding, blocks, failed
from bot.plan.fold import after
from bot.plan.run import Run
from bot.ports import Progress
from bot.record import read_run
from bot.supabase.freeze.layers import Layers, read_layers
from bot.terms import rules_of


def doctor(config: Path | None, *, freeze: bool, as_json: bool = False) -> int:
    """0 all well, 3 a check failed, 5 a service could not be reached or refused us."""
    if freeze:
        return _prove(config, as_json=as_json)
    chosen = settings.load(("slack", "source", "source_api", "target"), config=config)
    logs.configure(chosen.secrets)

    async def look() -> int:
        async with services(chosen) as edges:
            return await look_around(preflights(chosen, edges), as_json=as_json)

    return run_async(look())


async def look_around(asked: Sequence[Service], limits: Limits = DOCTORS, *, as_json: bool = False) -> int:
    """Shows every answer as it comes; the exit code."""
    lines: list[Line] = []
    with display(asked, as_json=as_json) as showing:
        async for heard in ask(asked, limits):
            if isinstance(heard, Line):
                lines.append(heard)
                showing.answered(heard)
            else:
                showing.ended(heard.service)
    return exit_code(lines)


def _prove(config: Path | None, *, as_json: bool) -> int:
    chosen = settings.load(("source", "source_api"), config=config)
    logs.configure(chosen.secrets)
    findings: list[Finding] = []

    async def prove() -> None:
        async for finding in _proof(chosen, read_run(chosen.migration_data_dir)):
            findings.append(finding)
            if not as_json:
                show([finding])

    code = 5
    try:
        run_async(prove())
        code = 3 if blocks(findings) else 0
    except ServiceError as error:
        if not as_json:
            raise
        findings.append(unmade("freeze-layers", error))
    if as_json:
        tell_json(code, [("freeze", finding) for finding in findings])
    return code


async def _proof(chosen: settings.Settings, run: Run | None) -> AsyncIterator[Finding]:
    """Against the freeze record where there is one. Elsewhere, days later or on another machine, all is asked that
    gate 1 asks, of the freeze that the kit itself has noted in the database.
    """
    async with services(chosen) as edges:
        prove = proof(chosen, edges.database, edges.gateway)
        if run is not None and run.freeze is not None:
            edges.database.set_run(run.run_id)
            answers = prove.freeze_holds(run, _unheard)
        else:
            async with edges.database.session("proof") as session:
                layers = await read_layers(session)
            if layers.in_place and layers.noted_at is None:
                yield _no_time()
                return
            answers = prove.freeze_proof(_unrecorded(layers, rules_of(chosen)), _unheard)
        async for finding in answers:
            yield finding


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
        "The layers of the freeze are set; since when is not noted, so that old sessions cannot be told from new ones.",
        "run the SQL of `cutover freeze-sql` once more; it is safe to repeat, and notes it",
    )


def _unheard(progress: Progress) -> None:
    """Nobody looks on."""
