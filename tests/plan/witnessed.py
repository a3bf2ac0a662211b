"""What the witness saw: the source with its sessions and writes, and what people said."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Session:
    began: datetime
    writes: bool


@dataclass
class Source:
    """The database: whether the freeze's layers are in place, who is connected, and each time that somebody wrote."""

    frozen: bool = False
    thawed_at: datetime | None = None
    left_a_record: bool = False
    """The last thaw left `thaw.json`; pasted SQL leaves none."""
    sessions: list[Session] = field(default_factory=list)
    movements: list[datetime] = field(default_factory=list)

    def freezes(self, *, ends_sessions: bool) -> None:
        self.frozen = True
        if ends_sessions:
            self.sessions.clear()

    def thaws(self, now: datetime, *, leaves_a_record: bool) -> None:
        self.frozen, self.thawed_at, self.left_a_record = False, now, leaves_a_record

    def connects(self, now: datetime) -> None:
        """What a session may is settled when it begins."""
        self.sessions.append(Session(began=now, writes=not self.frozen))

    def writes(self, now: datetime) -> None:
        """By whoever can: an older session, or one that overrides the default."""
        self.movements.append(now)

    def older_that_write(self, moment: datetime) -> list[Session]:
        return [session for session in self.sessions if session.writes and session.began < moment]


@dataclass(frozen=True)
class Spoken:
    """`signal` is the gate whose word it is, "" for anything else; `digest` is that beside which a button stood."""

    at: datetime
    user: str
    text: str
    signal: str
    digest: str = ""


@dataclass(frozen=True)
class Waiver:
    """One word may waive several findings of one check."""

    ts: str
    user: str
    check: str
    covers: frozenset[str]
    """What the findings said that stood in the channel then."""
