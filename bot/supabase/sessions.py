"""Other people's sessions on the source: how they are ended, and how they are named to people."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bot.supabase.database import Session, query
from bot.supabase.formatting import shown


@dataclass(frozen=True, kw_only=True)
class OtherSession:
    """A session of somebody else; `refused` when it is not ours to end (a superuser's)."""

    pid: int
    role: str
    application: str
    refused: bool

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.role}, {shown(self.application)})"


async def end_sessions(session: Session) -> list[OtherSession]:
    """Ends every client's session on the database but ours, two seconds from now. Returns those that are left.

    To be asked in the session that has just changed the layers, inside `translated`.
    """
    await session.execute(query("sessions_end"))
    row = await (await session.execute("SELECT current_setting('cutover.not_ended')")).fetchone()
    assert row is not None
    return [
        OtherSession(pid=pid, role=role or "?", application=application or "", refused=refused)
        for pid, role, application, refused in json.loads(row[0])
    ]


async def sessions_to_end(session: Session) -> list[OtherSession]:
    """Those whom a thaw would end; `refused` are those that it could not."""
    rows = await (await session.execute(query("sessions_to_end"))).fetchall()
    return [OtherSession(pid=pid, role=role, application=name, refused=refused) for pid, role, name, refused in rows]
