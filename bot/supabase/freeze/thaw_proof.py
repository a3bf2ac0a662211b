"""Whether writing works again after a thaw: through SQL and through the public API."""

from __future__ import annotations

import asyncio

from bot.errors import CutoverError, ServiceUnreachable
from bot.plan.findings import UNASKED, Finding, failed, passed, warned
from bot.supabase.api_client import DataApiOff, KeyName
from bot.supabase.database import READ_ONLY, Database, Session
from bot.supabase.formatting import sentence
from bot.supabase.gateway import Gateway
from bot.supabase.proof.probes import PROBED, api_takes_writes, fresh_writes

THAW_AGAIN = "Run the thaw again. It is safe to repeat."
_PAUSE = 0.5
_LOCKED = "55P03"
_REFUSES_ALL = {READ_ONLY, "3F000", "42883"}
"""Frozen still, or a hook that is not there."""


async def api_writes(session: Session, gateway: Gateway | None, *, seconds: float) -> Finding | None:
    """Asks for so long, since pools come back meanwhile. None without a gateway or a table to ask for."""
    check = "thaw-api"
    if gateway is None:
        return None
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        try:
            answers = await api_takes_writes(session, gateway)
        except DataApiOff:
            return warned(
                check, "The project's Data API is off: nobody writes through it.", "Nothing if it was off before."
            )
        except CutoverError as error:
            evidence = f"Whether the public API accepts writes again is not known: {error.happened}."
            return warned(check, evidence, f"{sentence(error.do)} {THAW_AGAIN}", **{UNASKED: True})
        refused = {key: code for key, code in answers.items() if code}
        if not refused or loop.time() >= deadline or set(refused.values()) <= {"42501"}:
            return _judged(list(answers), refused)
        await asyncio.sleep(_PAUSE)


def _judged(asked: list[KeyName], refused: dict[KeyName, str]) -> Finding | None:
    check = "thaw-api"
    if not refused:
        keys = " and ".join(asked)
        return passed(check, f"The public API accepts writes again with the key {keys}.") if asked else None
    codes = ", ".join(f"{key}: {code}" for key, code in refused.items())
    if _REFUSES_ALL & set(refused.values()):
        return failed(
            check,
            f"The public API still refuses writes ({codes}).",
            f"Restart the project's API in the dashboard. {THAW_AGAIN}",
        )
    return warned(
        check,
        f"Whether the public API accepts writes again is not proven: a write of no row fails ({codes}).",
        "42501: the role may not write to the tables that were tried, perhaps as before the freeze. Another code: "
        f"look in pg_locks for who holds the table, and at the project's API. {THAW_AGAIN}",
    )


async def sql_writes(database: Database) -> Finding:
    try:
        try:
            probe = await fresh_writes(database)
        except ServiceUnreachable:  # a pooler may lend us a session that has just been ended
            await asyncio.sleep(_PAUSE)
            probe = await fresh_writes(database)
    except CutoverError as error:
        return failed(
            "thaw-writes",
            f"Whether a new session can write again is not known: {error.happened}.",
            f"{sentence(error.do)} {THAW_AGAIN}",
        )
    refused = {what: code for what, code in probe.items() if code}
    if not refused:
        return passed("thaw-writes", f"A new session can write again ({' and '.join(PROBED[what] for what in probe)}).")
    codes = ", ".join(f"{PROBED[what]}: {code}" for what, code in refused.items())
    if set(refused.values()) == {_LOCKED}:
        return failed(
            "thaw-writes",
            f"A new session is not refused, but somebody holds a lock that it needs ({codes}).",
            f"Look in pg_locks for who holds it and end that session. {THAW_AGAIN}",
        )
    return failed(
        "thaw-writes",
        f"A new session still cannot write ({codes}).",
        "Look at SHOW default_transaction_read_only, and in the dashboard whether a full disk made it read-only. "
        f"{THAW_AGAIN}",
    )
