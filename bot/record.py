"""The run's journal: lines of `bot.journal` that mean events of `bot.plan.events`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from bot.artifacts import files
from bot.errors import RecordDamaged
from bot.journal import Journal, Line, read_chain
from bot.plan.events import Event, from_record, to_record
from bot.plan.fold import fold
from bot.plan.run import Run


class EventRecord:
    """`bot.ports.Record` on disk. Opening verifies the whole chain and raises RecordDamaged, with nothing written,
    for any break.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @classmethod
    def open(cls, directory: Path) -> EventRecord:
        """After the handover nothing is torn any more: whatever is not whole is damage."""
        run = read_run(directory)
        handed_over = run is not None and run.handover is not None
        return cls(Journal.open(directory / files.JOURNAL, torn_tail_allowed=not handed_over))

    @property
    def torn_note(self) -> str:
        return self._journal.torn_note

    @property
    def head(self) -> tuple[int, str]:
        return self._journal.head

    def append(self, events: Sequence[Event]) -> None:
        self._journal.append_group([to_record(event) for event in events])

    def run(self) -> Run | None:
        return fold(self._events())

    def close(self) -> None:
        self._journal.close()

    def _events(self) -> Iterator[Event]:
        for n, record in enumerate(self._journal.records(), 1):
            yield _event(n, record)


def read_events(directory: Path) -> Iterator[tuple[Line, Event]]:
    """The journal's lines and what they mean, also while a bot writes there; nothing when there is none. Raises
    RecordDamaged.
    """
    path = directory / files.JOURNAL
    if path.is_file():
        for line in read_chain(path, torn_tail_allowed=True):
            yield line, _event(line.n, line.record())


def read_run(directory: Path) -> Run | None:
    """The run as the journal on disk tells it, also while a bot writes there; None when there is none."""
    return fold(event for _, event in read_events(directory))


def _event(n: int, record: dict[str, object]) -> Event:
    try:
        return from_record(record)
    except ValidationError as error:
        raise RecordDamaged(
            f"Line {n} of {files.JOURNAL} is whole but no event of this version",
            unchanged="nothing was written and nothing was done",
            do="use the version of Cutover that wrote it",
        ) from error
