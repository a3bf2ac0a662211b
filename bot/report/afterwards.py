"""What happened to a bundle that its journal does not tell: users removed again, a thaw without a bot, a purge.

The three files that say so are born after the handover, or without any bot, so nothing but themselves vouches for them;
`undo.jsonl` is a chain like the journal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

from bot.artifacts import files
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
class Receipt:
    """purge.json, field by field as it stands there; `at` is None where it names no time that can be read."""

    at: datetime | None
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Afterwards:
    """`thaw` is what thaw.json says last, which the journal may know too."""

    undos: tuple[Undo, ...] = ()
    thaw: ThawRecord | None = None
    purge: Receipt | None = None


def afterwards(directory: Path) -> Afterwards:
    """Raises RecordDamaged when undo.jsonl is not what was written."""
    return Afterwards(undos=tuple(_undos(directory / files.UNDO)), thaw=_thaw(directory), purge=_purge(directory))


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
    """What is told of a line of undo.jsonl; its kinds have different fields."""

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


def _purge(directory: Path) -> Receipt | None:
    text = _read(directory / PURGE)
    if not text:
        return None
    try:
        receipt = json.loads(text)
    except (ValueError, RecursionError):
        receipt = None
    if not isinstance(receipt, dict):
        return Receipt(at=None, fields=((PURGE, "cannot be read"),))
    at = next((found for name in _WHEN if (found := _time(receipt.get(name))) is not None), None)
    return Receipt(at=at, fields=tuple((name, _in_words(value)) for name, value in receipt.items()))


PURGE = "purge.json"
_WHEN = ("endedAt", "at", "when", "purgedAt", "beganAt")


def _in_words(value: Any) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return f"{value}"
    if isinstance(value, list | dict) and len(value) > _MOST_IN_WORDS:
        return f"{len(value):,} entries"
    return json.dumps(value, ensure_ascii=False)


_MOST_IN_WORDS = 10


def _read(path: Path) -> bytes:
    """b"" for a file that is not there, is none of ours, or cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read(_LARGEST)
    except OSError:
        return b""


_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


def _time(value: Any) -> datetime | None:
    """None for what is no time with its zone, written as text."""
    try:
        return _TIME.validate_python(value) if isinstance(value, str) else None
    except ValidationError:
        return None
