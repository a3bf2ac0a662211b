"""The data directory: the names in it, and the one home of durable writes.

A file appears under its name only when it is whole and on disk. What a crash leaves, line by line of `FileWriter`:

    open NAME.partial           nothing, or an empty NAME.partial
    write, write …              a NAME.partial of any length; NAME does not exist
    fsync NAME.partial          a whole NAME.partial; NAME does not exist
    rename to NAME              NAME, whole, or (the folder not yet written out) still only NAME.partial
    fsync the folder            NAME, whole, for good

So whoever finds NAME may believe it, and whoever finds NAME.partial throws it away. A file that was written once is
never overwritten: the same bytes pass, different bytes raise. The one exception is `rewrite`, for `freeze-prior.json`,
which follows the source until a freeze stands; it too is whole at every instant. Mapping and attention list are removed
before they are written anew, the mapping first. A disk that acknowledges a flush without doing it is beyond us.

**Names of table files.** `table_files` gives every exported table its file. A table wants `<table>.json` when it is in
schema `public`, else `<schema>_<table>.json`. It gets it unless the name (without `.json`)
  - has other characters than ASCII letters, digits, `_`, `-` and `.`, or begins with `-` or `.`, or ends with `.`;
  - is that of another file of ours (`metadata`, `user-mapping` …), or `auth_users`, which is always auth.users', or
    that of a device on Windows (`con`, `nul` …);
  - makes a file name longer than 200 bytes;
  - is wanted by another table too, differences of case aside, for file systems that fold case. Then the first keeps
    it: auth.users, then tables of `public`, then names wholly in lower case, then by schema and name.
All others get the name they want, its unsafe characters replaced by `_` and cut to 100 characters, then `-` and the
first 8 hex digits of the SHA-256 of schema, NUL, table; 16, 32 or 64 digits if that is taken. The outcome does not
depend on the order of the tables. `file` in metadata.json is the truth for a reader.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bot.directory_lock import LOCK as _LOCK
from bot.errors import RecordDamaged, UsageError
from bot.obstacles import DISK_FULL
from bot.regular_files import open_regular

METADATA = "metadata.json"
MAPPING = "user-mapping.json"
ATTENTION = "user-attention.json"
AUTH_USERS = "auth_users.json"
JOURNAL = "journal.jsonl"
USERS = "users.jsonl"
UNDO = "undo.jsonl"
FREEZE_PRIOR = "freeze-prior.json"
THAW = "thaw.json"
SUMS = "SHA256SUMS"
REPORT = "report.html"
ARCHIVE = "archive"
PRACTICE = "practice"
LOCK = _LOCK
GITIGNORE = ".gitignore"
PARTIAL = ".partial"

ARRAY_BEGIN = b"[\n"
ARRAY_END = b"]\n"
"""A table's file is `ARRAY_BEGIN`, the rows, `ARRAY_END`; each row is a line, all but the last with a comma at its end.
An empty table is `ARRAY_BEGIN + ARRAY_END`."""

RESERVED = frozenset({METADATA, MAPPING, ATTENTION, FREEZE_PRIOR, THAW})
"""JSON files of ours that no table's file may be called like, in any case."""
_AUTH_USERS = ("auth", "users")
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
_SAFE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?")
_LONGEST = 200
_WRITABLE_BY_OTHERS = 0o022
_SLICE_BYTES = 8 << 20
_CUT = 100
_KEPT_BY_ARCHIVE = {JOURNAL, USERS, FREEZE_PRIOR, THAW}
_NEVER_MOVED = {GITIGNORE, LOCK, ARCHIVE, PRACTICE}


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file that is whole and on disk under `path`; `sha256` is hex."""

    path: Path
    bytes: int
    sha256: str


# -- the directory ----------------------------------------------------------------------------------------------------


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
            do="give this user a directory of its own in MIGRATION_DATA_DIR",
        ) from error
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The data directory {path} has a name that this locale cannot write",
            unchanged="nothing was written",
            do="name it in plain letters in MIGRATION_DATA_DIR, or start under a UTF-8 locale (LC_ALL=C.UTF-8)",
        ) from error
    return path


def _must_be_ours(path: Path) -> None:
    state = path.stat()
    if os.geteuid() not in {state.st_uid, 0}:
        raise UsageError(
            f"The data directory {path} belongs to another user",
            unchanged="nothing was written",
            do="name a directory in MIGRATION_DATA_DIR that is this user's own or is not there yet",
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
                do=f"find out whether anybody has changed it (`cutover verify`), take that right away (`chmod 700 "
                f"{path}`), and start again",
            )
    path.chmod(0o700)
    if path.stat().st_mode & _WRITABLE_BY_OTHERS:
        raise UsageError(
            f"The data directory {path} is on a file system that keeps no rights: other users can write to it",
            unchanged="nothing was written",
            do="name a directory on another file system in MIGRATION_DATA_DIR, or mount this one with umask=077",
        )


def _shared(path: Path) -> UsageError:
    return UsageError(
        f"The data directory {path} holds other files already and is open to other users",
        unchanged="nothing was written",
        do="give the bot a directory of its own in MIGRATION_DATA_DIR",
    )


def sweep_partials(directory: Path) -> None:
    """Removes what writers left that were cut off. Only for the holder of the lock, with no writer open."""
    for partial in sorted(directory.glob(f"*{PARTIAL}")):
        if partial.is_file():
            partial.unlink()


# -- durable writes ---------------------------------------------------------------------------------------------------


def created(path: Path) -> int:
    """The descriptor of a new, private file of this name, for writing. Whatever had the name is removed: what a link
    leads to stays as it is. Raises OSError.
    """
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


class FileWriter:
    """Writes one file aside and gives it its name when it is finished.

    `write` goes to the page cache and is meant to be called with about a megabyte, from the event loop or from a
    thread, by one worker per writer; any number of writers may be open. `finish` waits for the disk: call it in a
    thread. Left without `finish`, as a context manager, the partial file is removed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(path.name + PARTIAL)
        self._digest = hashlib.sha256()
        self.bytes = 0
        """Written so far."""
        with _disk(path):
            self._file = created(self._partial)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Raises UsageError when the disk is full or gone; the writer can then only be discarded."""
        self._digest.update(data)
        rest = memoryview(data).cast("B")
        self.bytes += len(rest)
        with _disk(self._path):
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def flush(self) -> None:
        """What was written before is on disk when this returns. May run in a thread of its own beside `write`."""
        with _disk(self._path):
            os.fdatasync(self._file)

    def finish(self) -> Written:
        """The file is whole and on disk under its name when this returns.

        Raises RecordDamaged when a file of that name with other bytes is there already; nothing is changed then.
        """
        written = Written(path=self._path, bytes=self.bytes, sha256=self._digest.hexdigest())
        with _disk(self._path):
            if self._path.exists():
                same = sha256_of(self._path) == written.sha256
                self.discard()
                if not same:
                    raise _would_overwrite(self._path)
                sync_folder(self._path.parent)
                return written
            self._commit()
        return written

    def _commit(self) -> None:
        os.fsync(self._file)
        os.close(self._file)
        self._file = -1
        self._partial.rename(self._path)
        sync_folder(self._path.parent)

    def replace(self) -> Written:
        """Like `finish`, but takes the place of a file of that name."""
        with _disk(self._path):
            self._commit()
        return Written(path=self._path, bytes=self.bytes, sha256=self._digest.hexdigest())

    def discard(self) -> None:
        """Removes the partial file. Idempotent, and nothing after `finish`."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._partial.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


def write_once(path: Path, data: bytes) -> Written:
    """The file has exactly these bytes, on disk, when this returns. Raises RecordDamaged when it has others."""
    with FileWriter(path) as writer:
        writer.write(data)
        return writer.finish()


def rewrite(path: Path, data: bytes) -> None:
    """Lets the file have these bytes, whole at every instant; the same bytes cost no write."""
    if _holds(path, data):
        return
    with FileWriter(path) as writer:
        writer.write(data)
        writer.replace()


def _holds(path: Path, data: bytes) -> bool:
    try:
        with open_regular(path) as file:
            return file.read(len(data) + 1) == data
    except (OSError, RecordDamaged):
        return False


def sha256_of(path: Path) -> str:
    """Hex; streams. Raises RecordDamaged when it is not a regular file, and OSError."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashing(path: Path) -> Iterator[int | str]:
    """The same in slices: how many bytes more were read, now and then; at last the hash. Raises like `sha256_of`."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(_SLICE_BYTES):
            digest.update(block)
            yield len(block)
    yield digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Names given in the folder, and taken away from it, are on disk when this returns."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({os.strerror(error.errno or 0)})",
            unchanged="no file of that name was made or changed",
            do="make room or fix the permissions, then go on",
            obstacle=DISK_FULL,
        ) from error


def _would_overwrite(path: Path) -> RecordDamaged:
    return RecordDamaged(
        f"{path} is there already, with other content than was to be written",
        unchanged="it was not overwritten",
        do="move it out of the data directory if it is not the bot's, then go on",
    )


# -- names of table files ---------------------------------------------------------------------------------------------


def table_files(tables: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """(schema, table) -> file name, by the rule above; all tables of an export at once."""
    in_order = sorted(set(tables), key=_precedence)
    named: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for table in in_order:
        stem = _wanted(*table)
        is_held = stem.lower() == Path(AUTH_USERS).stem and table != _AUTH_USERS
        if _is_safe(stem) and stem.lower() not in taken and not is_held:
            named[table] = f"{stem}.json"
            taken.add(stem.lower())
    for table in in_order:
        if table not in named:
            stem = next(stem for stem in _others(*table) if stem.lower() not in taken)
            named[table] = f"{stem}.json"
            taken.add(stem.lower())
    return named


def _precedence(table: tuple[str, str]) -> tuple[bool, bool, bool, tuple[str, str]]:
    stem = _wanted(*table)
    return table != _AUTH_USERS, table[0] != "public", stem != stem.lower(), table


def _wanted(schema: str, table: str) -> str:
    return table if schema == "public" else f"{schema}_{table}"


def _is_safe(stem: str) -> bool:
    if not _SAFE.fullmatch(stem) or len(f"{stem}.json") > _LONGEST:
        return False
    return f"{stem.lower()}.json" not in RESERVED and stem.lower().partition(".")[0] not in _DEVICES


def _others(schema: str, table: str) -> Iterator[str]:
    clean = re.sub(r"[^A-Za-z0-9_]", "_", _wanted(schema, table))[:_CUT]
    digest = hashlib.sha256(f"{schema}\0{table}".encode()).hexdigest()
    for length in (8, 16, 32, 64):
        yield f"{clean}-{digest[:length]}"


# -- the archive ------------------------------------------------------------------------------------------------------


def archive(directory: Path, run_id: str) -> Path | None:
    """Moves a bundle found invalid whole to `archive/<run_id>-N/`, N the first free number from 1, and returns the
    folder; None when there is nothing to move. Journal, users.jsonl, freeze-prior.json and thaw.json stay: they tell
    of the world, not of the export.

    The folder is called `archive/<run_id>-N.partial` until all is in it; after a crash, calling again goes on with it.
    So call it before every export that begins anew. metadata.json moves first, so that it never stands beside less
    than it vouches for.
    """
    sweep_partials(directory)
    stays = _KEPT_BY_ARCHIVE | _NEVER_MOVED
    bundle = [path for path in _files(directory) if path.name not in stays and _is_bundle(path)]
    bundle.sort(key=lambda path: (path.name != METADATA, path.name))
    with _disk(directory / ARCHIVE):
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
    with _disk(target):
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
            raise _would_overwrite(target / path.name)
        path.rename(target / path.name)
        sync_folder(target)
        sync_folder(path.parent)
