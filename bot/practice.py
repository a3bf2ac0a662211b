"""A practice: the whole export once from the living source, all files read again, every user looked at, none created.

    directory = directory_for(data_directory, named, now)
    with removed_unless_whole(data_directory, directory):
        practised = await practise(database, directory, …)
        write_timings(data_directory, practised.timings)

To the source it only reads, in sessions that cannot write; Supabase's API, Stack Auth and Slack are asked nothing. It
leaves two things. The bundle is in a directory of its own and says of itself that it is a practice; no run takes
it. How long each part took is in the data directory, as `practice/timings.json`, where the coming run finds it; it
stays when the bundle is deleted or runs are moved to the archive, and the next practice replaces it.

A practice that fails or is told to stop removes all that it wrote, since it holds everybody's rows and nobody needs
half of them. One that was killed leaves a directory without metadata.json, which nothing believes.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from bot.artifacts import durable, files, metadata
from bot.artifacts.data_directory import open_directory
from bot.artifacts.examiners import BundleExaminers
from bot.artifacts.metadata import Metadata
from bot.artifacts.start import Made
from bot.directory_lock import DataDirectoryLock
from bot.errors import CheckFailed, Interrupted, RecordDamaged, UsageError
from bot.plan.events import RunOpened
from bot.plan.findings import blocks
from bot.plan.practice import Practice
from bot.plan.results import ExportResult
from bot.plan.run import Run
from bot.ports import Report
from bot.stackauth.users.forecast import Forecast, forecast_bundle
from bot.supabase.catalog import Selection
from bot.supabase.database import Database
from bot.supabase.export.bundle import Label, take_bundle

_NAME = "%Y%m%dT%H%M%SZ"
_NOT_IN_THE_WAY = {files.GITIGNORE, files.LOCK}


@dataclass(frozen=True, kw_only=True)
class Practised:
    """What a practice left in `directory`, and what it showed."""

    directory: Path
    metadata: Metadata
    forecast: Forecast
    timings: Practice


# -- where ------------------------------------------------------------------------------------------------------------


def directory_for(data_directory: Path, named: Path | None, now: datetime) -> Path:
    """Where the bundle will be: `named`, or a fresh directory within the data directory; nothing is made yet.

    Raises UsageError when it is not there for the practice alone: it may not even hold a file, since an export removes
    what an earlier one has left.
    """
    directory = (named or data_directory / files.PRACTICE / now.strftime(_NAME)).resolve()
    if directory in {data_directory.resolve(), (data_directory / files.PRACTICE).resolve()}:
        raise _not_there(f"{directory} is of the data directory, where runs and timings are kept")
    if directory.exists() and not directory.is_dir():
        raise _not_there(f"{directory} is no directory")
    if directory.exists():
        _must_be_empty(directory)
    return directory


def _must_be_empty(directory: Path) -> None:
    held = {path.name for path in directory.iterdir()} - _NOT_IN_THE_WAY
    if files.JOURNAL in held:
        raise _not_there(f"{directory} holds a run")
    if files.METADATA in held:
        raise _not_there(f"{directory} holds a bundle already")
    if files.PURGE in held:
        raise _not_there(f"{directory} was purged")
    if held:
        raise _not_there(f"{directory} holds other files already")


def _not_there(what: str) -> UsageError:
    return UsageError(
        f"{what}, and a practice needs a directory of its own",
        unchanged="nothing was read or written",
        do="name one that is empty or not there yet, or none",
    )


@contextlib.contextmanager
def removed_unless_whole(data_directory: Path, directory: Path) -> Iterator[None]:
    """Makes both and holds the lock of the second, which is as `directory_for` gave it. Whatever is raised inside, all
    that was written to it is removed. Use it around the event loop: when that has ended, no thread writes any more.
    """
    made = Made(data_directory, [files.GITIGNORE])  # whatever else is new there is a run's
    open_directory(data_directory)
    is_new = not directory.exists()
    open_directory(directory)
    with DataDirectoryLock.take(directory):
        _must_be_empty(directory)
        try:
            yield
        except BaseException:
            _remove(directory, altogether=is_new)
            made.take_back()
            raise


def _remove(directory: Path, *, altogether: bool) -> None:
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif altogether or path.name not in _NOT_IN_THE_WAY:
            path.unlink(missing_ok=True)
    if altogether:
        with contextlib.suppress(OSError):  # somebody looks into it, or has put something there
            directory.rmdir()
            if directory.parent.name == files.PRACTICE:
                directory.parent.rmdir()


def interrupted() -> Interrupted:
    """What INT and TERM end a practice with."""
    return Interrupted(
        "The practice was told to stop",
        unchanged="nothing was changed in Supabase, and what had been read was removed",
        do="start `cutover practice` again when there is time for it",
    )


# -- the practice -----------------------------------------------------------------------------------------------------


def run_id(now: datetime) -> str:
    """Like no run's."""
    return f"practice-{now.strftime(_NAME)}"


async def practise(
    database: Database,
    directory: Path,
    label: Label,
    selection: Selection,
    *,
    estimated_rows: int,
    users_per_second: float,
    report: Report,
) -> Practised:
    """`directory` is empty; `label` has no freeze. Raises CutoverError; what was written is then left to the caller."""
    watch = _Stopwatch()
    taken = await take_bundle(database, directory, label, selection, report)
    export_seconds = watch.lap()
    await _read_again(directory, taken, label, report)
    check_seconds = watch.lap()
    forecast = await forecast_bundle(directory, label.run_id, report)
    translate_seconds = watch.lap()
    timings = Practice(
        taken_at=taken.snapshot.taken_at,
        source_ref=label.parties.source_ref,
        source_database=label.parties.source_database,
        tables=taken.totals.tables,
        rows=taken.totals.rows,
        bytes=taken.totals.bytes,
        users=forecast.users,
        estimated_rows=estimated_rows,
        export_seconds=export_seconds,
        check_seconds=check_seconds,
        translate_seconds=translate_seconds,
        users_per_second=users_per_second,
    )
    return Practised(directory=directory, metadata=taken, forecast=forecast, timings=timings)


class _Stopwatch:
    def __init__(self) -> None:
        self._since = time.monotonic()

    def lap(self) -> float:
        """Seconds since the last lap."""
        before, self._since = self._since, time.monotonic()
        return round(self._since - before, 3)


async def _read_again(directory: Path, taken: Metadata, label: Label, report: Report) -> None:
    """What gate `export` would ask of the files, as if this were a run whose export has just ended. Raises CheckFailed
    when a file is not what was written a moment ago.
    """
    sha256 = await asyncio.to_thread(durable.sha256_of, directory / files.METADATA)
    exported = ExportResult(
        tables=taken.totals.tables,
        rows=taken.totals.rows,
        bytes=taken.totals.bytes,
        auth_users=taken.auth_users.row_count,
        sha256=sha256,
        taken_at=taken.snapshot.taken_at,
        largest=(),
        left_out={},
        storage_objects=0,
        storage_bytes=0,
        duration_ms=taken.total_duration_ms,
    )
    opened = RunOpened(
        at=taken.exported_at, run_id=label.run_id, parties=label.parties, channel="", approvers=(), retain_days=0
    )
    run = Run(opened=opened, last_at=opened.at, results={"export": exported})
    async for finding in BundleExaminers(directory).examine_files(run, report):
        if blocks([finding]):
            raise CheckFailed(
                f"What was written a moment ago is read otherwise: {finding.evidence.rstrip('.')}",
                unchanged="nothing was changed in Supabase, and what had been read was removed",
                do="find out what else writes there, or take another disk, before there is a night",
            )


# -- what a run makes of it -------------------------------------------------------------------------------------------


def write_timings(data_directory: Path, timings: Practice) -> None:
    """In place of those of the practice before; whole at every instant. Raises UsageError when the disk is full."""
    folder = data_directory / files.PRACTICE
    folder.mkdir(mode=0o700, exist_ok=True)
    durable.rewrite(folder / files.TIMINGS, timings.model_dump_json(by_alias=True, indent=1).encode() + b"\n")


def read_timings(data_directory: Path) -> Practice | None:
    """Those of the last practice; None when there was none, or they cannot be read: no night waits for them."""
    try:
        return Practice.model_validate_json((data_directory / files.PRACTICE / files.TIMINGS).read_bytes())
    except (OSError, ValidationError):
        return None


def refuse_as_a_run(directory: Path) -> None:
    """Raises UsageError when a practice bundle lies there, which must not become a run's."""
    with contextlib.suppress(RecordDamaged):  # none there, or none that a run could take for its own
        if metadata.read(directory / files.METADATA).practice:
            raise UsageError(
                f"{directory} holds a practice, which was taken from the living source",
                unchanged="nothing was started and nothing was moved",
                do="give the run a directory of its own in MIGRATION_DATA_DIR",
            )
