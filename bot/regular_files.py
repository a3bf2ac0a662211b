"""Opening a file whose name may have been given by somebody else, and what makes names last.

A bundle can come from anybody. A name in it may belong to a link out of the folder, to a pipe that never ends or never
begins, or to a device; reading any of these would hang, fill the memory, or read what is not the bundle's.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from bot.errors import RecordDamaged, UsageError
from bot.obstacles import FILE_UNREADABLE

_NOT_REGULAR = {errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP}
"""What systems answer to O_NOFOLLOW on a link, and to a pipe, socket or device that nobody serves."""


def open_regular(path: Path) -> BufferedReader:
    """The file for reading; never waits. Raises RecordDamaged when the name belongs to anything but a regular file (a
    link to one included), and OSError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NOT_REGULAR:
            raise _not_regular(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_regular(path)
    return open(descriptor, "rb")  # noqa: PTH123 (a descriptor has no path)


def require_regular(path: Path) -> None:
    """Raises RecordDamaged unless a regular file that can be read has this name."""
    try:
        open_regular(path).close()
    except OSError as error:
        raise unread(path.name, error) from error


def leads_to(path: Path, file: int) -> bool:
    """The name is still that of the open file."""
    try:
        there = path.lstat()
    except OSError:
        return False
    state = os.fstat(file)
    return (there.st_dev, there.st_ino) == (state.st_dev, state.st_ino)


def unread(name: str, error: OSError) -> RecordDamaged:
    """What it means that a file of a bundle, `name` where the error names none, could not be read."""
    return RecordDamaged(
        f"{Path(error.filename or name).name} is missing or cannot be read ({os.strerror(error.errno or 0)})",
        unchanged="nothing of it was read",
        do="put the file back from a copy, readable for this user",
        obstacle=FILE_UNREADABLE,
    )


def unwritten(path: Path, error: OSError) -> UsageError:
    """What it means that a file of the data directory could not be written."""
    return UsageError(
        f"{path} cannot be written ({os.strerror(error.errno or 0)})",
        unchanged="nothing was added to it",
        do="make room or fix the permissions, then start again",
    )


def _not_regular(path: Path) -> RecordDamaged:
    return RecordDamaged(
        f"{path.name} is not a regular file (a link, a pipe, a device or a folder has this name)",
        unchanged="nothing of it was read",
        do="put the file itself there, from a copy",
    )


def sync_folder(folder: Path) -> None:
    """Names given in the folder, and taken away from it, are on disk when this returns."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
