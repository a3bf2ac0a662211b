"""users.jsonl: what was intended and what became of it, for every single user.

The lines are chained like the journal's, and kept apart from it because there may be two million of them. Two kinds:

    {"type": "intended", "id", "digest", "at"}
        on disk before the request is sent
    {"type": "outcome", "id", "outcome", "stackId", "digest", "reason", "at"}
        after the service has answered, or after a look at it

A user whose last line is `intended` is `unknown`: the request may have had its effect, and only a look at the service
resolves it. `digest` is that of what is carried over, so that a later night sees whether a user has changed.
`stackId` is null for `unmapped` and `refused`; `reason` is "" for the others. No address and no secret stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from bot.journal import Journal, read_chain

Became = Literal["created", "matched", "updated", "unmapped", "refused"]


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


class UserLog:
    """Open for appending, the state of every user in memory (some 500 bytes a user). Not for several threads."""

    def __init__(self, journal: Journal, state: dict[str, UserState]) -> None:
        self._journal = journal
        self._state = state

    @classmethod
    def open(cls, path: Path) -> Self:
        """Verifies the chain; raises like `Journal.open`."""
        journal = Journal.open(path)
        try:
            return cls(journal, _fold(journal.records()))
        except BaseException:
            journal.close()
            raise

    @property
    def torn_note(self) -> str:
        return self._journal.torn_note

    def intend(self, intents: Iterable[Intent]) -> None:
        """On disk, with one fsync for all, when it returns. Only then may the requests be sent."""
        group = list(intents)
        self._journal.append_many(
            {"type": "intended", "id": i.id, "digest": i.digest, "at": _text(i.at)} for i in group
        )
        self._state.update((i.id, UserState("unknown", None, i.digest, "", i.at)) for i in group)

    def settle(self, outcomes: Iterable[Settled]) -> None:
        """On disk, with one fsync for all, when it returns. Only then may the outcomes be believed."""
        group = list(outcomes)
        self._journal.append_many(_record(outcome) for outcome in group)
        self._state.update((o.id, UserState(o.outcome, o.stack_id, o.digest, o.reason, o.at)) for o in group)

    def state(self) -> Mapping[str, UserState]:
        """By Supabase id, in the order in which users were first met. A live view, not a copy."""
        return self._state

    def close(self) -> None:
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_state(path: Path) -> dict[str, UserState]:
    """The same from the file, for readers that write nothing. Raises RecordDamaged."""
    return _fold(line.record() for line in read_chain(path, torn_tail_allowed=True))


def _fold(records: Iterable[dict[str, Any]]) -> dict[str, UserState]:
    state: dict[str, UserState] = {}
    for record in records:
        at = datetime.fromisoformat(record["at"])
        if record["type"] == "intended":
            state[record["id"]] = UserState("unknown", None, record["digest"], "", at)
        else:
            outcome, stack_id = record["outcome"], record["stackId"]
            state[record["id"]] = UserState(outcome, stack_id, record["digest"], record["reason"], at)
    return state


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
