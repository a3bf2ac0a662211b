"""What in a data directory holds the data of people, and until when each of it is kept.

    a run's directory        until a mapping exists, the run's opening plus `users.retain_days`; then its `retainUntil`
    an archived run          the date of that run; an export of it that was found invalid too
    a practice               14 days after it was made
    rejected rows            14 days after they were written
    a process's leavings     14 days after they were written

A run whose journal is lost has the date that its mapping says, else 90 days, the default of `users.retain_days`, after
its newest file was written. Of a damaged journal the first line is enough.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from bot.artifacts import files, mapping, metadata, personal_data
from bot.artifacts.folder import Entry, Folder
from bot.artifacts.personal_data import PRACTISED, Found
from bot.errors import CutoverError, UsageError
from bot.journal import read_chain
from bot.plan import retention
from bot.plan.events import RunOpened, from_record
from bot.plan.run import Run

Kind = Literal["run", "archived run", "practice", "rejected rows", "leavings"]
SHORT_LIVED = timedelta(days=14)
_WITHOUT_A_JOURNAL = timedelta(days=90)
_ARCHIVED = re.compile(r"([0-9]{8}-[0-9a-f]{4})(-[1-9][0-9]*)?(?:\.partial)?")
_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, kw_only=True)
class Holding:
    """`folder` is relative to the data directory, "" for itself; `files` are names in it, `irregular` those that are no
    regular files, so that nobody can say what they hold. `run_id` is "" for what belongs to no run. `because` is a
    clause that says where the date comes from.
    """

    kind: Kind
    folder: str
    run_id: str
    until: datetime
    because: str
    files: tuple[str, ...]
    bytes: int
    irregular: tuple[str, ...] = ()

    @property
    def named(self) -> str:
        """For people."""
        match self.kind:
            case "run":
                return f"run {self.run_id}" if self.run_id else "a bundle without its journal"
            case "archived run":
                return f"archived run {self.run_id} in {self.folder}"
            case "practice":
                return f"the practice {f'in {self.folder}' if self.folder else 'here'}"
            case "rejected rows":
                return f"rejected rows in {self.folder}"
            case _:
                return f"what a process left behind ({self.files[0]})" if self.files else "what a process left behind"


def holdings(directory: Path, run: Run | None) -> list[Holding]:
    """Each with its date, the nearest first; nothing where no data of people is. `run` is the one whose journal lies in
    `directory`. Also while a bot writes there. Raises UsageError when the directory cannot be read.
    """
    with _readable(directory), Folder.open(directory) as top:
        found = [*_at_the_top(top, run), *_archived(top, run), *_practices(top), *_rejected(top)]
    return sorted(found, key=lambda holding: (holding.until, holding.folder, holding.files))


def strangers(directory: Path) -> list[str]:
    """What lies in the data directory's own folders and is not of ours, by its path in it. Raises UsageError."""
    with _readable(directory), Folder.open(directory) as top:
        found = [*personal_data.found_in(top).strangers]
        for name, known in ((files.ARCHIVE, _ARCHIVED), (files.PRACTICE, PRACTISED)):
            for folder, entry in _below(top, name):
                inner = folder.below(entry.name) if known.fullmatch(entry.name) else None
                if inner is not None:
                    with inner:
                        found += [f"{name}/{entry.name}/{it}" for it in personal_data.found_in(inner).strangers]
                elif entry.name not in {files.TIMINGS, f"{files.TIMINGS}{files.PARTIAL}"}:
                    found.append(f"{name}/{entry.name}")
        if (rejected := top.below(files.REJECTED)) is not None:
            with rejected:
                found += [f"{files.REJECTED}/{it}" for it in personal_data.rejected_in(rejected).strangers]
    return sorted(found)


@contextlib.contextmanager
def _readable(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{directory} cannot be read ({os.strerror(error.errno or 0)})",
            unchanged="nothing was changed",
            do="fix its permissions, then try again",
        ) from error


# -- what there is ----------------------------------------------------------------------------------------------------


def _at_the_top(top: Folder, run: Run | None) -> Iterator[Holding]:
    described = _described(top.path)
    is_practice = run is None and described is not None and described.practice
    found = personal_data.found_in(top, all_of_it=is_practice)
    yield from _leavings(found.scratch)
    if is_practice:
        assert described is not None
        yield _practice("", found, described.exported_at)
    elif found.held or found.irregular:
        run_id = run.run_id if run is not None else described.run_id if described is not None else ""
        date = _of_run(top.path, found, run.opened if run is not None else _opened(top.path))
        yield _holding("run", "", date, found.held, found.irregular, run_id=run_id)


def _archived(top: Folder, run: Run | None) -> Iterator[Holding]:
    for archive, entry in _below(top, files.ARCHIVE):
        if (name := _ARCHIVED.fullmatch(entry.name)) is not None and (folder := archive.below(entry.name)) is not None:
            with folder:
                yield from _archive(folder, f"{files.ARCHIVE}/{entry.name}", name[1], top.path, run)


def _archive(folder: Folder, path: str, run_id: str, top: Path, run: Run | None) -> Iterator[Holding]:
    """An archived run, or an export that was found invalid: it has the date of its run, which lies beside it, or is
    still at the top.
    """
    found = personal_data.found_in(folder)
    held = (*found.held, *found.scratch)
    if not held and not found.irregular:
        return
    homes = [folder.path, folder.path.with_name(run_id)]
    opened = next((opened for home in homes if (opened := _opened(home)) is not None), None)
    if run is not None and run.run_id == run_id:
        homes, opened = [*homes, top], run.opened
    mapped = next((home for home in homes if (home / files.MAPPING).is_file()), folder.path)
    date = _of_run(mapped, found, opened)
    yield _holding("archived run", path, date, held, found.irregular, run_id=run_id)


def _practices(top: Folder) -> Iterator[Holding]:
    for practices, entry in _below(top, files.PRACTICE):
        folder = practices.below(entry.name) if PRACTISED.fullmatch(entry.name) else None
        if folder is None:
            continue
        with folder:
            found = personal_data.found_in(folder, all_of_it=True)
            if found.held or found.scratch or found.irregular:
                made = datetime.strptime(entry.name, _TIME).replace(tzinfo=UTC)
                yield _practice(f"{files.PRACTICE}/{entry.name}", found, made)


def _rejected(top: Folder) -> Iterator[Holding]:
    folder = top.below(files.REJECTED)
    if folder is None:
        return
    with folder:
        found = personal_data.rejected_in(folder)
        for entry in found.held:
            yield _holding("rejected rows", files.REJECTED, _days_after(entry.made_at, "it was written"), [entry])
        if found.irregular:
            long_ago = datetime.fromtimestamp(0, UTC), "it is no file"
            yield _holding("rejected rows", files.REJECTED, long_ago, [], found.irregular)


def _leavings(scratch: Iterable[Entry]) -> Iterator[Holding]:
    for entry in scratch:
        yield _holding("leavings", "", _days_after(entry.made_at, "it was written"), [entry])


def _practice(folder: str, found: Found, made: datetime) -> Holding:
    held = (*found.held, *found.scratch)
    return _holding("practice", folder, _days_after(made, "it was made"), held, found.irregular)


def _below(top: Folder, name: str) -> Iterator[tuple[Folder, Entry]]:
    """Each entry of the folder, which is open meanwhile."""
    if (folder := top.below(name)) is not None:
        with folder:
            for entry in folder.entries():
                yield folder, entry


def _holding(
    kind: Kind,
    folder: str,
    date: tuple[datetime, str],
    held: Sequence[Entry],
    irregular: tuple[str, ...] = (),
    *,
    run_id: str = "",
) -> Holding:
    """`date` is until when, and where that comes from."""
    return Holding(
        kind=kind,
        folder=folder,
        run_id=run_id,
        until=date[0],
        because=date[1],
        files=tuple(entry.name for entry in held),
        bytes=sum(entry.bytes for entry in held),
        irregular=irregular,
    )


# -- until when -------------------------------------------------------------------------------------------------------


def _of_run(directory: Path, found: Found, opened: RunOpened | None) -> tuple[datetime, str]:
    with contextlib.suppress(CutoverError):
        return mapping.read_head(directory / files.MAPPING).retain_until, f"`retainUntil` of {files.MAPPING}"
    if opened is not None:
        return retention.end_of(opened), f"{opened.retain_days} days after the run was opened"
    newest = max((entry.made_at for entry in (*found.held, *found.scratch)), default=datetime.fromtimestamp(0, UTC))
    return newest + _WITHOUT_A_JOURNAL, f"{_WITHOUT_A_JOURNAL.days} days after its newest file was written"


def _days_after(made: datetime, what: str) -> tuple[datetime, str]:
    return made + SHORT_LIVED, f"{SHORT_LIVED.days} days after {what}"


def _described(directory: Path) -> metadata.Metadata | None:
    with contextlib.suppress(CutoverError):
        return metadata.read(directory / files.METADATA)
    return None


def _opened(directory: Path) -> RunOpened | None:
    """The first line of its journal, whatever became of the others."""
    with contextlib.suppress(CutoverError, OSError, ValidationError):
        for line in read_chain(directory / files.JOURNAL, torn_tail_allowed=True):
            event = from_record(line.record())
            return event if isinstance(event, RunOpened) else None
    return None
