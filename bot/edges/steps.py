"""What follows a gate. A gate names its step (`bot.plan.gates`); each has its entry in the table here."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from pathlib import Path

from bot.artifacts.examiners import BundleExaminers
from bot.artifacts.handover import bytes_to_read, hand_over
from bot.concurrency import run_in_slices
from bot.edges.services import Services
from bot.plan.results import ExportResult, HandoverResult, StepNote
from bot.plan.run import Run
from bot.plan.texts import run_control
from bot.ports import Clock, Progress, Record, Report, Steps
from bot.settings import Settings
from bot.stackauth.migrate.step import UsersStep
from bot.supabase.export import Export
from bot.supabase.guard import Guard


def steps(
    settings: Settings,
    edges: Services,
    directory: Path,
    *,
    guard: Guard,
    record: Record,
    bundle: BundleExaminers,
    clock: Clock,
) -> Steps:
    """By the names that the gates give them."""
    take = Export(edges.database, directory, workers=settings.export.workers, tool_version=version("cutover"))
    return {
        "export": partial(_export, take, guard, bundle),
        "users": UsersStep(directory, edges.stack, concurrency=settings.users.concurrency, clock=clock),
        "handover": partial(_hand_over, directory, record),
        "release": _release,
    }


async def _export(take: Export, guard: Guard, bundle: BundleExaminers, run: Run, report: Report) -> ExportResult:
    if run.guarded:  # before the snapshot, so that nothing is written between
        await guard.take()
    result = await take(run, report)
    bundle.read_ahead(result.sha256)
    return result


async def _release(run: Run, report: Report) -> StepNote:
    """Nothing is done at the source: the watch ends with the event that follows."""
    return StepNote(step="release", says=run_control.RELEASED_BY_GATE)


async def _hand_over(directory: Path, record: Record, run: Run, report: Report) -> HandoverResult:
    read, total = 0, bytes_to_read(directory)
    async for step in run_in_slices(hand_over(directory, run, record.head)):
        if isinstance(step, HandoverResult):
            return step
        read += step
        report(Progress(step="handover", done=read, total=max(read, total), unit="bytes", note="summing the files"))
    raise AssertionError("the handover ends with its result")
