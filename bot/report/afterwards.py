"""What happened to a bundle that its journal does not tell: users removed again, a thaw without a bot, a purge.

The three files that say so are born after the handover, or without any bot, so nothing but themselves vouches for them;
`undo.jsonl` is a chain like the journal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from bot.artifacts import files, receipt
from bot.errors import RecordDamaged
from bot.journal import Line, read_chain
from bot.ports import ThawRecord
from bot.regular_files import open_regular

_LARGEST = 16 << 20


@dataclass(kw_only=True)
class Undo:
    """One `cutover undo-users --yes`. `active` had signed in since they were created, `teams` are left for a person to
    delete; `ended_at` is None for one that was cut off.
    """

    line: int
    began_at: datetime
    users: int
    removed: int = 0
    active: int = 0
    teams: int = 0
    ended_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Afterwards:
    """`thaw` is what thaw.json says last, which the journal may know too; `purges` are the entries of purge.json, and
    `unreadable` is the sentence on one that cannot be read.
    """

    undos: tuple[Undo, ...] = ()
    thaw: ThawRecord | None = None
    purges: tuple[receipt.Entry, ...] = ()
    unreadable: str = ""

    @property
    def purged(self) -> receipt.Entry | None:
        """The last purge of the run's own data; None when it is still here."""
        return next((entry for entry in reversed(self.purges) if entry.run_id is not None), None)

    @property
    def undo_purged(self) -> bool:
        """Whether anybody was removed again is no longer known."""
        return any(removed.file == files.UNDO for entry in self.purges for removed in entry.removed)


def afterwards(directory: Path) -> Afterwards:
    """Raises RecordDamaged when undo.jsonl is not what was written."""
    undos, thaw = tuple(_undos(directory / files.UNDO)), _thaw(directory)
    try:
        return Afterwards(undos=undos, thaw=thaw, purges=receipt.read(directory).purges)
    except RecordDamaged as error:
        return Afterwards(undos=undos, thaw=thaw, unreadable=f"{error.happened}.")


def _undos(path: Path) -> Iterator[Undo]:
    if not path.is_file():
        return
    undo: Undo | None = None
    for line in read_chain(path, torn_tail_allowed=True):
        note = _note(line)
        match note.type:
            case "undo-began":
                if undo is not None:
                    yield undo
                undo = Undo(line=line.n, began_at=note.at, users=note.users)
            case "removed" if undo is not None:
                undo.removed += 1
                undo.active += note.active
                undo.teams += note.team is not None
            case "undo-ended" if undo is not None:
                undo.ended_at = note.at
            case _:
                pass
    if undo is not None:
        yield undo


class _Note(BaseModel):
    """What is shown of a line of undo.jsonl; its kinds have different fields."""

    type: str
    at: AwareDatetime
    users: int = 0
    active: bool = False
    team: str | None = Field(default=None, alias="teamId")


def _note(line: Line) -> _Note:
    try:
        return _Note.model_validate(line.record())
    except ValidationError as error:
        raise RecordDamaged(
            f"Line {line.n} of {files.UNDO} is in the chain and is no line of an undo",
            unchanged="nothing was written",
            do="use the version of Cutover that wrote it",
        ) from error


def _thaw(directory: Path) -> ThawRecord | None:
    text = _read(directory / files.THAW)
    try:
        return ThawRecord.model_validate_json(text) if text else None
    except ValidationError:
        return None


def _read(path: Path) -> bytes:
    """b"" for a file that is not there, is none of ours, or cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read(_LARGEST)
    except OSError:
        return b""
