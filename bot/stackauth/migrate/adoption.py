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
from bot.stackauth.client.errors import RequestRefused
from bot.stackauth.client.retry import RetryingClient
from bot.stackauth.migrate.requests import ADOPTED_BY, LEFT_OUT_BY
from bot.stackauth.migrate.upsert.failures import GaveUpOnUser, UserFailures
from bot.stackauth.users.metadata import marker_in, with_marker

_WITNESSES = 3
_CANDIDATES = 10
"""Of a run: over some the service may fail."""


async def record(client: RetryingClient, scratch: Scratch, run_id: str, *, concurrency: int) -> None:
    """Once `Outcomes` knows everybody: its tables are asked, and those of `ExistingUsers`. May be done again. Whoever
    the service fails over while it serves others is passed by.
    """
    for candidates in _candidates(scratch, run_id):
        marked = 0
        for stack_id in candidates:
            marked += await _mark(client, stack_id, ADOPTED_BY, run_id)
            if marked == _WITNESSES:
                break
    left_out = iter(_left_out(scratch, run_id))

    async def work() -> None:
        for stack_id in left_out:
            await _mark(client, stack_id, LEFT_OUT_BY, run_id)

    await run_all(work() for _ in range(concurrency))


_ADOPTED = (
    "SELECT migrated.run, migrated.stack_id,"
    " row_number() OVER (PARTITION BY migrated.run ORDER BY migrated.stack_id) AS nth"
    " FROM migrated JOIN outcome ON outcome.id = migrated.id AND outcome.stack_id = migrated.stack_id"
    " WHERE migrated.run <> ?"
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
        f"SELECT stack_id FROM migrated WHERE run IN (SELECT run FROM ({_ADOPTED}))"  # noqa: S608  # as above
        " AND id NOT IN (SELECT id FROM outcome)"
    )
    return [stack_id for (stack_id,) in scratch.all(question, run_id)]


async def _mark(client: RetryingClient, stack_id: str, key: str, run_id: str) -> bool:
    """Whether it is in the marker now."""

    async def serves_others() -> bool:
        try:
            await client.service.probe()
        except ServiceUnreachable:
            return False
        return True

    failures = UserFailures(client, lambda: 0, serves_others)
    try:
        there = await client.ask(lambda: client.service.get(stack_id), on_failure=failures.retry_or_give_up)
        if (marker := marker_in(there.server_metadata)) is None:
            return False
        noted = marker.get(key)
        runs = noted if isinstance(noted, list) else []
        if run_id not in runs:
            changed = with_marker({"server_metadata": there.server_metadata}, **{key: [*runs, run_id]})
            await client.repeat(lambda: client.service.change(stack_id, changed))
    except (RequestRefused, OutcomeUnknown, GaveUpOnUser):  # gone meanwhile, or itself the matter
        return False
    return True
