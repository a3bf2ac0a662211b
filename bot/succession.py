"""From one run to the next: whether the run that is here has ended and said so, and whose run the channel shows.

    no run here                        open one, unless the channel shows one that has not ended
    one that has not ended             go on with it; `--new` is refused
    one that has ended, not all posted tell the channel the rest; only then may `--new` move it to archive/
    one that has ended, all posted     `--new` opens the next

The channel's last header is ours when the run that it shows is here, is in the archive here, or was given up by the run
that is here, which then has not posted its own yet. It decides nothing about what happens within a run.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.artifacts import files, receipt
from bot.conductor import Conductor
from bot.edges.services import Services, slack_app_token, slack_channel, supabase_source
from bot.errors import CheckFailed, ServiceError, ServiceUnreachable, UsageError
from bot.plan.actions import settled
from bot.plan.run import Phase, Run
from bot.ports import Clock
from bot.record import EventRecord
from bot.settings import Settings
from bot.slack import calls
from bot.supabase.locks import SourceLock
from bot.terminal import tell

_LAST_WORDS_SECONDS = 60
_ENDED = frozenset({Phase.ABORTED, Phase.DONE})


def nothing_is_left(run: Run | None, directory: Path, *, once: bool) -> int | None:
    """The exit code for a run that leaves nothing to do; None when there is something, be it only to tell the channel
    what a bot that died then had not said yet. Raises CheckFailed for an aborted one, and for one that was purged.
    """
    receipt.refuse_purged(
        directory,
        unchanged="nothing was started",
        do="open the next run with `cutover run --new`: what is left of this one moves to archive/",
    )
    if run is None or not settled(run):
        return None
    if run.phase is Phase.ABORTED:
        raise _aborted(run)
    if once and run.phase is Phase.DONE:
        has_ended = "is handed over" if run.handover is not None else "has ended as a dry run"
        tell(f"Run {run.run_id} {has_ended}; there is nothing left to do. `cutover run --new` opens the next.")
        return 0
    return None


def must_have_ended(run: Run | None) -> None:
    """Before `--new`. Raises UsageError."""
    if run is not None and run.phase not in _ENDED:
        raise UsageError(
            f"Run {run.run_id} has not ended, and --new was given",
            unchanged="nothing was moved or started",
            do="go on with it by `cutover run`, or abort it first",
        )


async def tell_the_rest(
    run: Run | None, record: EventRecord, settings: Settings, edges: Services, clock: Clock, *, new: bool
) -> None:
    """Of a run that has ended and that nobody goes on with, before it moves to the archive, where nobody tells more.

    Raises CheckFailed for an aborted one, whether Slack answers or not; before `new`, ServiceError with nothing moved
    when Slack has not taken it all.
    """
    if run is None or settled(run) or not (new or run.phase is Phase.ABORTED):
        return
    try:
        told = await _last_words(run, record, settings, edges, clock)
    except ServiceError as error:
        if new:
            raise _not_told(run, error) from error
        raise _aborted(run, "nothing was started, and Slack does not have all of it yet") from error
    if not new:
        raise _aborted(run)
    must_have_ended(told)


async def _last_words(run: Run, record: EventRecord, settings: Settings, edges: Services, clock: Clock) -> Run:
    """Whoever was to say them died before, or was `cutover abort`, which needs no Slack. The run as it is then."""
    identity = await calls.identify(edges.slack, channel=run.opened.channel, app_token=slack_app_token(settings))
    conductor = Conductor(
        run,
        record=record,
        channel=slack_channel(edges, run, identity, settings.migration_data_dir),
        source=supabase_source(edges, SourceLock(edges.database), settings.migration_data_dir),
        examiners={},
        steps={},
        clock=clock,
        once=True,
    )
    try:
        async with asyncio.timeout(_LAST_WORDS_SECONDS):
            await conductor.conduct()
    except TimeoutError as error:
        raise ServiceUnreachable(
            f"Slack did not take it within {_LAST_WORDS_SECONDS} s",
            unchanged="the rest is in the journal",
            do="try again when it answers",
        ) from error
    return conductor.run


def _not_told(run: Run, error: ServiceError) -> ServiceError:
    return ServiceError(
        f"{error.happened}, and the channel does not have all of run {run.run_id}, which has ended",
        unchanged="nothing was moved or started",
        do="run `cutover run --new` again when Slack answers; where that channel is gone for good, give the next run "
        "another MIGRATION_DATA_DIR",
    )


def _aborted(run: Run, unchanged: str = "nothing was started") -> CheckFailed:
    return CheckFailed(
        f"Run {run.run_id} was aborted",
        unchanged=unchanged,
        do="open the next with `cutover run --new`; the aborted one moves to archive/ whole",
    )


def must_be_ours(last_there: str, run: Run | None, abandon: str, directory: Path) -> None:
    """`last_there` is the run that the channel's last header shows as not ended, or "". Raises UsageError when
    `abandon` does not name it, and CheckFailed when nothing here knows of it.
    """
    if abandon and abandon != last_there:
        shown = (
            f"shows run {last_there} as the one that has not ended" if last_there else "shows no run that has not ended"
        )
        raise UsageError(
            f"The channel {shown}, and --abandon names {abandon}",
            unchanged="nothing was started",
            do="name the run that the channel's last header shows, or leave --abandon away",
        )
    if not last_there or abandon or _is_known(last_there, run, directory):
        return
    raise CheckFailed(
        f"The channel shows run {last_there}, which has not ended, and this data directory has no journal of it",
        unchanged="nothing was started",
        do="start the bot with the data directory of that run (MIGRATION_DATA_DIR); where its disk is lost, "
        f"`cutover run --new --abandon {last_there}` gives it up and opens another",
    )


def _is_known(run_id: str, run: Run | None, directory: Path) -> bool:
    if run is not None and run_id in {run.run_id, run.opened.abandons}:
        return True
    return (directory / files.ARCHIVE / run_id / files.JOURNAL).is_file()
