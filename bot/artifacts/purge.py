"""The data of people, removed from a directory. Everything here may be cut off at any line and begun again.

    hashing the files               nothing has changed
    the intent, in purge.json       the entry names all that goes; nothing is gone
    unlink, unlink …                some are gone; the entry still says that it has not ended
    fsync of each folder            all that it names are gone for good
    (Slack, and the journal: the command's)
    the entry with its end          it has ended

Whoever comes after goes on with the entry that has not ended: the same files, the same reason, the same person. A file
is removed by its name in a folder that is held open, and only if it is a regular file (`folder`); what else has such a
name stays, and the entry says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.artifacts import files, personal_data, receipt
from bot.artifacts.durable import disk
from bot.artifacts.folder import Folder
from bot.artifacts.receipt import Entry, Left, Removed
from bot.artifacts.retention import Holding
from bot.errors import UsageError

_IRREGULAR = "it is a link, a pipe, a device or a folder, and no file: look where it leads, and remove that"


@dataclass(frozen=True, kw_only=True)
class Target:
    """What one receipt tells together. `folder` is where the receipt lies, relative to the data directory; `files` and
    `irregular` are relative to it.
    """

    folder: str
    run_id: str | None
    until: datetime
    files: tuple[str, ...]
    irregular: tuple[str, ...]
    bytes: int


def targets(due: Iterable[Holding]) -> list[Target]:
    """Every run has a receipt of its own, which moves with it; that of the data directory names all else."""
    of_runs, others = list[Target](), list[Holding]()
    for holding in due:
        if holding.kind not in {"run", "archived run"}:
            others.append(holding)
            continue
        of_runs.append(
            Target(
                folder=holding.folder,
                run_id=holding.run_id,
                until=holding.until,
                files=holding.files,
                irregular=holding.irregular,
                bytes=holding.bytes,
            )
        )
    if others:
        rest = Target(
            folder="",
            run_id=None,
            until=max(holding.until for holding in others),
            files=tuple(_within(holding, name) for holding in others for name in holding.files),
            irregular=tuple(_within(holding, name) for holding in others for name in holding.irregular),
            bytes=sum(holding.bytes for holding in others),
        )
        return [*of_runs, rest]
    return of_runs


def _within(holding: Holding, name: str) -> str:
    return f"{holding.folder}/{name}" if holding.folder else name


def begin(directory: Path, target: Target, *, by: str, why: str, now: datetime) -> Iterator[int | Entry]:
    """In slices: how many bytes more were read for the sums; at last the entry, which is on disk and has not ended.
    `directory` is where the receipt lies. Raises UsageError when it cannot be written.
    """
    removed = []
    with disk(directory), Folder.open(directory) as top:
        for name in target.files:
            sha256, size = "", 0
            with ExitStack() as closing:
                if (folder := _folder_of(top, name, closing)) is None:
                    continue
                for step in folder.hashing(_last(name)):
                    if isinstance(step, int):
                        size += step
                        yield step
                    else:
                        sha256 = step
            removed.append(Removed(file=name, bytes=size, sha256=sha256 or None))
    entry = Entry(
        run_id=target.run_id,
        retain_until=target.until,
        began_at=now,
        by=by,
        why=why,
        removed=tuple(removed),
        left=tuple(Left(file=name, why=_IRREGULAR) for name in target.irregular),
    )
    receipt.write(directory, receipt.read(directory).with_entry(entry))
    yield entry


def remove(directory: Path, entry: Entry) -> Entry:
    """Whatever the entry names and is still there is gone for good when this returns; blocks. The entry again, with
    what was left. Raises UsageError with some of it gone, and goes on when called again.
    """
    left = {it.file: it for it in entry.left}
    with _removing(directory), Folder.open(directory) as top:
        folders: dict[str, list[str]] = {}
        for removed in entry.removed:
            described = removed.file == files.METADATA and personal_data.is_practice(top)
            if described or personal_data.may_be_removed(removed.file):
                folders.setdefault(removed.file.rpartition("/")[0], []).append(_last(removed.file))
            else:
                left[removed.file] = Left(file=removed.file, why="no file of ours is called so")
        for path, names in folders.items():
            with ExitStack() as closing:
                if (folder := _folder_of(top, f"{path}/-" if path else "-", closing)) is None:
                    continue
                stayed = [f"{path}/{name}" if path else name for name in names if not folder.remove(name)]
                left |= {name: Left(file=name, why=_IRREGULAR) for name in stayed}
                folder.sync()
            _remove_folder(top, path)
    return entry.model_copy(update={"left": tuple(left.values())})


@contextmanager
def _removing(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"Not everything could be removed from {directory} ({os.strerror(error.errno or 0)})",
            unchanged=f"{files.PURGE} names what is to go, and nothing else was touched",
            do="fix the permissions or the disk, then run `cutover purge` again, which goes on",
        ) from error


def end(directory: Path, entry: Entry, now: datetime) -> Entry:
    ended = entry.model_copy(update={"ended_at": now})
    receipt.write(directory, receipt.read(directory).with_entry(ended))
    return ended


def unfinished(directory: Path) -> list[tuple[str, Entry]]:
    """What was begun and has not ended, with the folder of its receipt, relative to the data directory. Raises
    RecordDamaged.
    """
    receipts = ((folder, receipt.read(directory / folder)) for folder in ("", *archives(directory)))
    return [(folder, told.unfinished) for folder, told in receipts if told.unfinished is not None]


def archives(directory: Path) -> Sequence[str]:
    with Folder.open(directory) as top:
        if (archive := top.below(files.ARCHIVE)) is None:
            return ()
        with archive:
            return [f"{files.ARCHIVE}/{entry.name}" for entry in archive.entries() if entry.kind == "folder"]


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _folder_of(top: Folder, path: str, closing: ExitStack) -> Folder | None:
    """That in which the file lies; None when it is gone or is no folder of its own."""
    folder: Folder = top
    for name in path.split("/")[:-1]:
        below = folder.below(name)
        if below is None:
            return None
        folder = closing.enter_context(below)
    return folder


def _remove_folder(top: Folder, path: str) -> None:
    """That of a practice, or of rejected rows, once nothing of anybody is in it; the bundle's own folder stays."""
    if not path:
        return
    with ExitStack() as closing:
        folder, above = _folder_of(top, f"{path}/-", closing), _folder_of(top, path, closing)
        if folder is None or above is None or {it.name for it in folder.entries()} - personal_data.HOUSEKEEPING:
            return
        for name in sorted(personal_data.HOUSEKEEPING):
            folder.remove(name)
        above.remove_folder(_last(path))
        above.sync()
