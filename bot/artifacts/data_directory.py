"""The data directory: made private before anything is written to it, and cleared into its archive."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from bot.artifacts.durable import created, disk, would_overwrite, write_once
from bot.artifacts.files import (
    ARCHIVE,
    FREEZE_PRIOR,
    GITIGNORE,
    JOURNAL,
    LOCK,
    METADATA,
    PARTIAL,
    PRACTICE,
    PURGE,
    REPORT,
    SUMS,
    THAW,
    USERS,
)
from bot.errors import UsageError
from bot.regular_files import sync_folder

_WRITABLE_BY_OTHERS = 0o022
_KEPT_BY_ARCHIVE = {JOURNAL, USERS, FREEZE_PRIOR, THAW, PURGE}
_NEVER_MOVED = {GITIGNORE, LOCK, ARCHIVE, PRACTICE}


def open_directory(path: Path) -> Path:
    """Makes the data directory ready for private files and returns its absolute path.

    Creates it (0700), takes away other people's rights to it, lets git ignore all of it, and sets the umask of this
    process to 077. Raises UsageError when it is no directory, cannot be written to, is another user's (to root, who
    may write anywhere and whose container may have been given it, it is as good as its own), or is one that others use
    too: with files in it that are not the bot's, its rights are not ours to take away, and what others could write to
    may hold anything.
    """
    path = path.absolute()
    os.umask(0o077)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _must_be_ours(path)
        probe = path / f".writable{PARTIAL}"
        os.close(created(probe))
        probe.unlink()
        if not (path / GITIGNORE).exists():
            write_once(path / GITIGNORE, b"*\n")
    except OSError as error:
        raise UsageError(
            f"The data directory {path} cannot be used ({os.strerror(error.errno or 0)})",
            unchanged="nothing was written",
            do="set MIGRATION_DATA_DIR to a directory of this user's own",
        ) from error
    except UnicodeEncodeError as error:
        raise UsageError(
            f"This locale cannot write the name of the data directory {path}",
            unchanged="nothing was written",
            do="set MIGRATION_DATA_DIR to an ASCII name, or start with a UTF-8 locale (LC_ALL=C.UTF-8)",
        ) from error
    return path


def _must_be_ours(path: Path) -> None:
    state = path.stat()
    if os.geteuid() not in {state.st_uid, 0}:
        raise UsageError(
            f"The data directory {path} belongs to another user",
            unchanged="nothing was written",
            do="set MIGRATION_DATA_DIR to a directory that this user owns or that does not exist yet",
        )
    if not state.st_mode & 0o077:
        return
    if any(entry.name not in _NEVER_MOVED for entry in path.iterdir()):
        if not (path / JOURNAL).exists():
            raise _shared(path)
        if state.st_mode & _WRITABLE_BY_OTHERS:
            raise UsageError(
                f"Other users can write to the data directory {path}",
                unchanged="nothing was written",
                do=f"check that nobody has changed it (`cutover verify`), remove their access (`chmod 700 {path}`), "
                "and start again",
            )
    path.chmod(0o700)
    if path.stat().st_mode & _WRITABLE_BY_OTHERS:
        raise UsageError(
            f"The file system of the data directory {path} has no permissions: other users can write to it",
            unchanged="nothing was written",
            do="set MIGRATION_DATA_DIR to a directory on another file system, or mount this one with umask=077",
        )


def _shared(path: Path) -> UsageError:
    return UsageError(
        f"The data directory {path} contains other files and is open to other users",
        unchanged="nothing was written",
        do="set MIGRATION_DATA_DIR to a directory of the bot's own",
    )


def sweep_partials(directory: Path) -> None:
    """Removes what writers left that were cut off. Only for the holder of the lock, with no writer open."""
    for partial in sorted(directory.glob(f"*{PARTIAL}")):
        if partial.is_file():
            partial.unlink()


def archive(directory: Path, run_id: str) -> Path | None:
    """Moves a bundle found invalid whole to `archive/<run_id>-N/`, N the first free number from 1, and returns the
    folder; None when there is nothing to move. Journal, users.jsonl, freeze-prior.json and thaw.json stay: they tell
    of the world, not of the export.

    The folder is called `archive/<run_id>-N.partial` until all is in it; after a crash, calling again goes on with it.
    So call it before every export that begins anew. metadata.json moves first, so that it is never beside less
    than it vouches for.
    """
    sweep_partials(directory)
    stays = _KEPT_BY_ARCHIVE | _NEVER_MOVED
    bundle = [path for path in _files(directory) if path.name not in stays and _is_bundle(path)]
    bundle.sort(key=lambda path: (path.name != METADATA, path.name))
    with disk(directory / ARCHIVE):
        begun = sorted((directory / ARCHIVE).glob(f"{run_id}-*{PARTIAL}"))
        if not bundle and not begun:
            return None
        n = 1
        while (directory / ARCHIVE / f"{run_id}-{n}").exists():
            n += 1
        whole = directory / ARCHIVE / f"{run_id}-{n}"
        aside = begun[0] if begun else whole.with_name(whole.name + PARTIAL)
        _move(bundle, aside)
        aside.rename(whole)
        sync_folder(whole.parent)
    return whole


def archive_run(directory: Path, run_id: str) -> Path:
    """Moves everything of an earlier run to `archive/<run_id>/`. The journal moves last, so that after a crash the run
    is still found here and calling again goes on. Raises RecordDamaged rather than overwrite.
    """
    sweep_partials(directory)
    files = [path for path in _files(directory) if path.name not in _NEVER_MOVED]
    files.sort(key=lambda path: (path.name == JOURNAL, path.name))
    target = directory / ARCHIVE / run_id
    with disk(target):
        _move(files, target)
    return target


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if path.is_file()]


def _is_bundle(path: Path) -> bool:
    return path.suffix == ".json" or path.name in {SUMS, REPORT}


def _move(files: Iterable[Path], target: Path) -> None:
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    sync_folder(target.parent)
    for path in files:
        if (target / path.name).exists():
            raise would_overwrite(target / path.name)
        path.rename(target / path.name)
        sync_folder(target)
        sync_folder(path.parent)
