"""Other people's sessions on the source: how they are ended, and how they are named to people."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bot.supabase.database import Session, query


@dataclass(frozen=True, kw_only=True)
class Other:
    """A session of somebody else; `refused` when it is not ours to end (a superuser's)."""

    pid: int
    role: str
    application: str
    refused: bool

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.role}, {shown(self.application)})"


async def end_sessions(session: Session) -> list[Other]:
    """Ends every client's session on the database but ours, two seconds from now; those that are left after all.

    To be asked in the session that has just changed the layers, inside `translated`.
    """
    await session.execute(query("sessions_end"))
    row = await (await session.execute("SELECT current_setting('cutover.not_ended')")).fetchone()
    assert row is not None
    return [
        Other(pid=pid, role=role or "?", application=application or "", refused=refused)
        for pid, role, application, refused in json.loads(row[0])
    ]


async def sessions_to_end(session: Session) -> list[Other]:
    """Those whom a thaw would end; `refused` are those that it could not."""
    rows = await (await session.execute(query("sessions_to_end"))).fetchall()
    return [Other(pid=pid, role=role, application=name, refused=refused) for pid, role, name, refused in rows]


def shown(name: str) -> str:
    """An application's name fit for people: foreign text, so it is cut, made one line, and hidden where it may be an
    address.
    """
    name = " ".join(name.split())
    if "@" in name:
        return "(name hidden)"
    return (f"{name[:40]}…" if len(name) > 40 else name) or "(no name)"
