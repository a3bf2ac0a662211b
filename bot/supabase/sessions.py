"""Other people's sessions on the source: ended by `queries/sessions_end.sql`, and how they are named to people."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bot.supabase.database import Session, query


@dataclass(frozen=True, kw_only=True)
class Remaining:
    """A session that was told to end and is still there; `refused` when it was not ours to end (a superuser's)."""

    pid: int
    role: str
    application: str
    refused: bool

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.role}, {shown(self.application)})"


async def end_sessions(session: Session) -> list[Remaining]:
    """Ends every client's session on the database but ours, two seconds from now; those that remain.

    To be asked in the session that has just changed the layers, inside `translated`.
    """
    await session.execute(query("sessions_end"))
    row = await (await session.execute("SELECT current_setting('cutover.not_ended')")).fetchone()
    assert row is not None
    return [
        Remaining(pid=pid, role=role or "?", application=application or "", refused=refused)
        for pid, role, application, refused in (tuple(entry.values()) for entry in json.loads(row[0]))
    ]


def shown(name: str) -> str:
    """An application's name fit for people: foreign text, so it is cut, made one line, and hidden where it may be an
    address.
    """
    name = " ".join(name.split())
    if "@" in name:
        return "(name hidden)"
    return (f"{name[:40]}…" if len(name) > 40 else name) or "(no name)"
