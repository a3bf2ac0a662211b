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

import contextlib
from collections.abc import Iterator

from bot.artifacts.scratch import Scratch
from bot.concurrency import run_all
from bot.errors import OutcomeUnknown
from bot.stackauth.carrying.matching import ADOPTED_BY, LEFT_OUT_BY
from bot.stackauth.people.translate import MARKER
from bot.stackauth.service.api import RequestRefused
from bot.stackauth.service.patience import Patient

_WITNESSES = 3
_Mark = tuple[str, str]
"""The user's id in Stack Auth, and the key."""


async def note(patient: Patient, scratch: Scratch, run_id: str, *, concurrency: int) -> None:
    """After `outcome.tally`, whose tables it asks, and those of the census. May be done again."""

    async def work(marks: Iterator[_Mark]) -> None:
        for stack_id, key in marks:
            with contextlib.suppress(RequestRefused, OutcomeUnknown):  # somebody has deleted the user meanwhile
                await _mark(patient, stack_id, key, run_id)

    marks = iter([*_witnesses(scratch, run_id), *_left_out(scratch, run_id)])
    await run_all(work(marks) for _ in range(concurrency))


_ADOPTED = (
    "SELECT held.run, held.stack_id, row_number() OVER (PARTITION BY held.run ORDER BY held.stack_id) AS nth"
    " FROM held JOIN outcome ON outcome.id = held.id AND outcome.stack_id = held.stack_id WHERE held.run <> ?"
)


def _witnesses(scratch: Scratch, run_id: str) -> Iterator[_Mark]:
    question = f"SELECT stack_id FROM ({_ADOPTED}) WHERE nth <= ?"  # noqa: S608  # ours, and without a value
    return ((stack_id, ADOPTED_BY) for (stack_id,) in scratch.all(question, run_id, _WITNESSES))


def _left_out(scratch: Scratch, run_id: str) -> Iterator[_Mark]:
    question = (
        f"SELECT stack_id FROM held WHERE run IN (SELECT run FROM ({_ADOPTED}))"  # noqa: S608  # as above
        " AND id NOT IN (SELECT id FROM outcome)"
    )
    return ((stack_id, LEFT_OUT_BY) for (stack_id,) in scratch.all(question, run_id))


async def _mark(patient: Patient, stack_id: str, key: str, run_id: str) -> None:
    there = await patient.ask(lambda: patient.service.get(stack_id))
    metadata = there.server_metadata
    marker = metadata.get(MARKER) if isinstance(metadata, dict) else None
    if not isinstance(marker, dict):
        return
    noted = marker.get(key)
    runs = noted if isinstance(noted, list) else []
    if run_id in runs:
        return
    changed = {**metadata, MARKER: {**marker, key: [*runs, run_id]}}
    await patient.repeat(lambda: patient.service.change(stack_id, {"server_metadata": changed}))
