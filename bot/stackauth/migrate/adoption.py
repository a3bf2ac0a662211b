"""Users of an earlier run whom this run maps: they are its own from now on, and an undo of the earlier one spares them.

The undo may be asked for on another machine, which knows nothing of this run. What both see is the service, so it is
written there, in the markers:

    updatedBy   the run that has last changed the user
    adoptedBy   the runs that have matched users of the run which created this one; a few users of it bear this
    leftOutBy   of these, the runs in which this very user was not

Thus a night after an aborted one, in which hardly anybody has changed, writes a few markers and not all of them: those
of some witnesses, and of whoever is gone from the source. They are written before the mapping is.
"""

from __future__ import annotations

from bot.artifacts.scratch import Scratch
from bot.concurrency import run_all
from bot.errors import OutcomeUnknown, ServiceUnreachable
from bot.stackauth.client.api import RequestRefused
from bot.stackauth.client.retry import Patient
from bot.stackauth.migrate.existing import ADOPTED_BY, LEFT_OUT_BY
from bot.stackauth.migrate.trouble import NoUseInMore, Trouble
from bot.stackauth.users.translate import MARKER

_WITNESSES = 3
_CANDIDATES = 10
"""Of a run: over some the service may fail."""


async def note(patient: Patient, scratch: Scratch, run_id: str, *, concurrency: int) -> None:
    """After `outcome.tally`, whose tables it asks, and those of the census. May be done again. Whoever the service
    fails over while it serves others is passed by.
    """
    for candidates in _candidates(scratch, run_id):
        marked = 0
        for stack_id in candidates:
            marked += await _mark(patient, stack_id, ADOPTED_BY, run_id)
            if marked == _WITNESSES:
                break
    left_out = iter(_left_out(scratch, run_id))

    async def work() -> None:
        for stack_id in left_out:
            await _mark(patient, stack_id, LEFT_OUT_BY, run_id)

    await run_all(work() for _ in range(concurrency))


_ADOPTED = (
    "SELECT held.run, held.stack_id, row_number() OVER (PARTITION BY held.run ORDER BY held.stack_id) AS nth"
    " FROM held JOIN outcome ON outcome.id = held.id AND outcome.stack_id = held.stack_id WHERE held.run <> ?"
)


def _candidates(scratch: Scratch, run_id: str) -> list[list[str]]:
    """By earlier run, those whom this run maps."""
    question = f"SELECT run, stack_id FROM ({_ADOPTED}) WHERE nth <= ? ORDER BY run, nth"  # noqa: S608  # ours, no value
    by_run: dict[str, list[str]] = {}
    for run, stack_id in scratch.all(question, run_id, _CANDIDATES):
        by_run.setdefault(run, []).append(stack_id)
    return list(by_run.values())


def _left_out(scratch: Scratch, run_id: str) -> list[str]:
    question = (
        f"SELECT stack_id FROM held WHERE run IN (SELECT run FROM ({_ADOPTED}))"  # noqa: S608  # as above
        " AND id NOT IN (SELECT id FROM outcome)"
    )
    return [stack_id for (stack_id,) in scratch.all(question, run_id)]


async def _mark(patient: Patient, stack_id: str, key: str, run_id: str) -> bool:
    """Whether it stands in the marker now."""

    async def serves_others() -> bool:
        try:
            await patient.service.probe()
        except ServiceUnreachable:
            return False
        return True

    trouble = Trouble(patient, lambda: 0, serves_others)
    try:
        there = await patient.ask(lambda: patient.service.get(stack_id), on_failure=trouble.must_pass)
        metadata = there.server_metadata
        marker = metadata.get(MARKER) if isinstance(metadata, dict) else None
        if not isinstance(marker, dict):
            return False
        noted = marker.get(key)
        runs = noted if isinstance(noted, list) else []
        if run_id not in runs:
            changed = {"server_metadata": {**metadata, MARKER: {**marker, key: [*runs, run_id]}}}
            await patient.repeat(lambda: patient.service.change(stack_id, changed))
    except (
        RequestRefused,
        OutcomeUnknown,
        NoUseInMore,
    ):  # gone meanwhile, or itself the matter
        return False
    return True
