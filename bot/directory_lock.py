"""The lock of the data directory: one process at a time works there, and others see that it does, and which it is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Self

from bot.errors import LockHeld
from bot.regular_files import leads_to, unwritten

LOCK = ".cutover.lock"
"""Kept when released: removing it would let two processes lock two files of one name. Only a start that has made it and
is refused removes it, while it holds it; so whoever gets the lock looks whether its name still leads to it.
"""
_POLL_SECONDS = 0.1


class DataDirectoryLock:
    """One bot at a time in a data directory. The kernel releases it when the process ends, however it ends."""

    def __init__(self, file: int) -> None:
        self._file = file

    @classmethod
    def take(cls, directory: Path, *, wait_seconds: float = 0) -> Self:
        """Raises LockHeld, naming the holder's pid, when it is not free within `wait_seconds`; blocks meanwhile."""
        path = directory / LOCK
        until = time.monotonic() + wait_seconds
        file = _opened(path)
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if leads_to(path, file):
                    break
                os.close(file)  # a start that was refused has taken it back
                file = _opened(path)
            except BlockingIOError:
                if time.monotonic() >= until:
                    holder = os.pread(file, 20, 0).decode("ascii", "replace").strip()
                    os.close(file)
                    raise _held(directory, holder) from None
                time.sleep(_POLL_SECONDS)
            except OSError as error:
                os.close(file)
                raise unwritten(path, error) from error
        os.ftruncate(file, 0)
        os.pwrite(file, b"%d\n" % os.getpid(), 0)
        return cls(file)

    def release(self) -> None:
        """Idempotent. The file stays, so that everybody locks the same one."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritten(path, error) from error


def is_locked(directory: Path) -> bool:
    """Somebody works in the directory at this moment, on this machine or another that shares it."""
    try:
        file = os.open(directory / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(file)
    return False


def holder_of(directory: Path) -> int | None:
    """The pid of the process that holds the lock; None when it is not known for certain. A pid in the lock's file may
    be that of another machine or container, and one of ours by chance: where the system can say it, the process must
    have the file open.
    """
    path = directory / LOCK
    try:
        pid = int(path.read_text("ascii"))
        if pid <= 0 or (Path("/proc/self/fd").is_dir() and not _has_open(pid, path)):
            return None
    except (OSError, ValueError):
        return None
    return pid


def _has_open(pid: int, path: Path) -> bool:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            if path.samefile(descriptor):
                return True
    return False


def _held(directory: Path, pid: str) -> LockHeld:
    who = f"process {pid}" if pid.isdigit() else "another process"
    return LockHeld(
        f"Another Cutover ({who}) works in {directory}",
        unchanged="nothing was touched",
        do="wait for it or end it, or give this one another MIGRATION_DATA_DIR",
    )
