"""purge.json: what `cutover purge` removed from a directory, when, who did it and why; and what follows for others.

    {"purges": [{"runId", "retainUntil", "beganAt", "endedAt", "by", "why",
                 "removed": [{"file", "bytes", "sha256"}], "left": [{"file", "why"}],
                 "slack": {"asked", "removed": […], "left": [{"what", "id", "why"}]}}],
     "notReached": "…"}

An entry is written before anything is removed, with `endedAt` null: it is the intent. It ends when all that it names is
gone. The journal's event `purged` holds the digest of `removed`, so that neither can be changed without the other.
`runId` is null for what belongs to no run: practices, what processes left behind, rejected rows.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from bot.artifacts import durable, files
from bot.artifacts.metadata import UtcTime
from bot.errors import CheckFailed, RecordDamaged
from bot.regular_files import open_regular

_LARGEST = 256 << 20
NOT_REACHED = (
    "Copies elsewhere (backups, other machines, what the import loaded, downloads from Slack) and the freed blocks of "
    "this disk were not reached: what is removed can be read from the raw disk until it is overwritten."
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Removed(_Part):
    """`file` is relative to the receipt's folder; `sha256` is of the file that was removed, null when it could not be
    read.
    """

    file: str
    bytes: int
    sha256: str | None


class Left(_Part):
    """Under a name of ours, and not removed."""

    file: str
    why: str


class LeftInSlack(_Part):
    """`what` is `file` or `reminder`; `id` is Slack's, "" where it is not known."""

    what: str
    id: str
    why: str


class InSlack(_Part):
    """`asked` when Slack answered, and nothing is left there but what is named; `removed` are ids."""

    asked: bool = False
    removed: tuple[str, ...] = ()
    left: tuple[LeftInSlack, ...] = ()


class Entry(_Part):
    run_id: str | None
    retain_until: UtcTime
    began_at: UtcTime
    ended_at: UtcTime | None = None
    by: str
    why: str
    removed: tuple[Removed, ...]
    left: tuple[Left, ...] = ()
    slack: InSlack | None = None

    @property
    def digest(self) -> str:
        """Of what was removed, as the journal holds it."""
        told = [removed.model_dump(mode="json", by_alias=True) for removed in self.removed]
        return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def day(self) -> str:
        return f"{self.began_at.astimezone(UTC):%Y-%m-%d %H:%M UTC}"


class Receipt(_Part):
    """The entries in the order in which they were begun."""

    purges: tuple[Entry, ...] = ()
    not_reached: str = NOT_REACHED

    @property
    def unfinished(self) -> Entry | None:
        """At most one: the next one is begun when it has ended."""
        return next((entry for entry in self.purges if entry.ended_at is None), None)

    @property
    def of_run(self) -> Entry | None:
        """The last that removed a run's data; None when none did."""
        return next((entry for entry in reversed(self.purges) if entry.run_id is not None), None)

    @property
    def removed(self) -> dict[str, Removed]:
        """By name, whatever was ever removed."""
        return {removed.file: removed for entry in self.purges for removed in entry.removed}

    def with_entry(self, entry: Entry) -> Receipt:
        """In the place of the one that was begun at the same time."""
        if not any(known.began_at == entry.began_at for known in self.purges):
            return self.model_copy(update={"purges": (*self.purges, entry)})
        return self.model_copy(
            update={"purges": tuple(entry if k.began_at == entry.began_at else k for k in self.purges)}
        )


def read(directory: Path) -> Receipt:
    """Empty when there is none. Raises RecordDamaged."""
    path = directory / files.PURGE
    try:
        with open_regular(path) as file:
            return Receipt.model_validate_json(file.read(_LARGEST), by_alias=True, by_name=False)
    except FileNotFoundError:
        return Receipt()
    except (OSError, ValidationError) as error:
        raise RecordDamaged(
            f"{files.PURGE} is damaged or cannot be read",
            unchanged="nothing was removed",
            do="restore it from a copy, or move it out of the directory, then run the command again",
        ) from error


def write(directory: Path, receipt: Receipt) -> None:
    """Whole at every instant. Raises UsageError when the disk is full."""
    durable.rewrite(directory / files.PURGE, receipt.model_dump_json(by_alias=True, indent=1).encode() + b"\n")


def refuse_purged(directory: Path, *, unchanged: str, do: str) -> None:
    """Raises CheckFailed when the data of a run was removed here."""
    if (entry := read(directory).of_run) is None:
        return
    began = "" if entry.ended_at is not None else ", and not all of it is gone yet: run `cutover purge` again"
    raise CheckFailed(f"Run {entry.run_id} was purged on {entry.day}{began}", unchanged=unchanged, do=do)


def purged_at(directory: Path) -> datetime | None:
    """When the data of the directory's run was removed; None when it was not. Raises RecordDamaged."""
    entry = read(directory).of_run
    return entry.began_at if entry is not None else None
