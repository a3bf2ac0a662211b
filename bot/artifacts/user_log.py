"""users.jsonl: what was intended and what became of it, for every single user.

The lines are chained like the journal's, and kept apart from it because there may be two million of them. Their kinds:

    {"type": "intended", "id", "digest", "at"}
        on disk before the request is sent
    {"type": "outcome", "id", "outcome", "stackId", "digest", "reason", "at"}
        after the service has answered, or after a look at it
    {"type": "export", "sha256", "at"}
        the lines that follow are about users of this export (of its metadata.json)

A user whose last line is `intended` is `unknown`: the request may have had its effect, and only a look at the service
resolves it. `digest` is that of what is migrated, so that a later night sees whether a user has changed.
`stackId` is null for `unmapped` and `refused`; `reason` is "" for the others. No address and no secret is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from bot.artifacts.scratch import Scratch
from bot.journal import Journal

Became = Literal["created", "matched", "updated", "unmapped", "refused"]


NOT_CARRIED = ""
"""The digest of a user who was there already, of the service's own: matched, and left as it is."""


class Intent(NamedTuple):
    """`id` is the Supabase user's; `at` is aware."""

    id: str
    digest: str
    at: datetime


class Settled(NamedTuple):
    """`id` is the Supabase user's, `stack_id` the target's, None where there is none; `at` is aware."""

    id: str
    outcome: Became
    stack_id: str | None
    digest: str
    reason: str
    at: datetime


class UserState(NamedTuple):
    """The last that is known of a user; see `Settled`."""

    outcome: Became | Literal["unknown"]
    stack_id: str | None
    digest: str
    reason: str
    at: datetime


class UserStates(Mapping[str, UserState]):
    """By Supabase id, in the order of the ids. A live view of what the log says."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._export = ""
        scratch.make(
            "CREATE TABLE state (id TEXT PRIMARY KEY, outcome, stack_id, digest, reason, at, export) WITHOUT ROWID"
        )

    def __getitem__(self, id_: str) -> UserState:
        found = self._scratch.one("SELECT outcome, stack_id, digest, reason, at FROM state WHERE id = ?", id_)
        if found is None:
            raise KeyError(id_)
        return _state(*found)

    def __iter__(self) -> Iterator[str]:
        return (id_ for (id_,) in self._scratch.all("SELECT id FROM state ORDER BY id"))

    def __len__(self) -> int:
        [count] = self._scratch.one("SELECT count(*) FROM state")
        return int(count)

    def is_carried(self, id_: str) -> bool:
        """True for a user of the export at hand who has been migrated, so that nothing is left to be asked."""
        question = "SELECT outcome, digest, export FROM state WHERE id = ?"
        match self._scratch.one(question, id_):
            case ("created" | "updated" | "matched", digest, export):
                return bool(digest != NOT_CARRIED and export == self._export)
            case _:
                return False

    def take(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Lines of the log, in their order."""
        self._scratch.put(
            "INSERT OR REPLACE INTO state VALUES (:id, :outcome, :stackId, :digest, :reason, :at, :export)",
            self._rows(records),
        )

    def _rows(self, records: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, object]]:
        for record in records:
            if record["type"] == "export":
                self._export = record["sha256"]
            else:
                yield {**_INTENDED, **record, "export": self._export}


_INTENDED = {"outcome": "unknown", "stackId": None, "reason": ""}


def _state(outcome: Any, stack_id: str | None, digest: str, reason: str, at: str) -> UserState:
    return UserState(outcome, stack_id, digest, reason, datetime.fromisoformat(at))


class UserLog:
    """Open for appending. Not for several threads."""

    def __init__(self, journal: Journal, states: UserStates) -> None:
        self._journal = journal
        self._states = states

    @classmethod
    def open(cls, path: Path, scratch: Scratch) -> Self:
        """Verifies the chain; raises like `Journal.open`."""
        journal = Journal.open(path)
        try:
            states = UserStates(scratch)
            states.take(journal.records())
            return cls(journal, states)
        except BaseException:
            journal.close()
            raise

    @property
    def torn_note(self) -> str:
        return self._journal.torn_note

    def begin(self, export_sha256: str, at: datetime) -> None:
        """What follows is about this export."""
        self._append([{"type": "export", "sha256": export_sha256, "at": _text(at)}])

    def intend(self, intents: Iterable[Intent]) -> None:
        """On disk, with one fsync for all, when it returns. Only then may the requests be sent."""
        self._append([{"type": "intended", "id": i.id, "digest": i.digest, "at": _text(i.at)} for i in intents])

    def settle(self, outcomes: Iterable[Settled]) -> None:
        """On disk, with one fsync for all, when it returns. Only then may the outcomes be believed."""
        self._append([_record(outcome) for outcome in outcomes])

    def _append(self, records: list[dict[str, Any]]) -> None:
        self._journal.append_many(records)
        self._states.take(records)

    @property
    def states(self) -> UserStates:
        return self._states

    def close(self) -> None:
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _record(settled: Settled) -> dict[str, Any]:
    return {
        "type": "outcome",
        "id": settled.id,
        "outcome": settled.outcome,
        "stackId": settled.stack_id,
        "digest": settled.digest,
        "reason": settled.reason,
        "at": _text(settled.at),
    }


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
