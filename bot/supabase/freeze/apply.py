"""The freeze as the bot does it, where `freeze.mode` is "bot": by the same SQL that people run (the freeze kit).

Safe to repeat, also beside a person who runs the kit by hand. Its steps, and what a crash after each leaves:

    layers 1 and 2 committed    new sessions are frozen, old ones can write; the next look sees a freeze, the proof the
                                old sessions; apply again
    old sessions ended          the same for our own session, which the server ends with its connection
    our own session ended       frozen

Our own session began before the freeze and could still write. It is ended by the server, not only closed: behind a
pooler in session mode a closed one would be lent to somebody else.
"""

from __future__ import annotations

import contextlib

import psycopg

from bot.errors import ServiceRefused
from bot.plan.findings import Finding, failed, passed, warned
from bot.supabase.database import Database, translated
from bot.supabase.formatting import listed
from bot.supabase.freeze.kit import SCHEMA
from bot.supabase.freeze.layers import change_settings, read_layers
from bot.supabase.sessions import OtherSession, end_sessions


async def apply(database: Database) -> list[Finding]:
    """Freezes. A failing finding means that the freeze is not in place, or that a session is left that can write.

    Raises CutoverError when the database cannot be asked or refuses the layers; nothing is frozen then.
    """
    async with database.session("freeze", may_write=True) as session:
        if (await read_layers(session)).schema_is_foreign:
            raise ServiceRefused(
                f"there is a schema {SCHEMA} that Cutover did not create",
                unchanged="nothing was frozen and no session was ended",
                do="rename it, then freeze again",
            )
        with translated("the freeze could not be applied", unchanged="nothing was frozen and no session was ended"):
            await change_settings(session, "freeze_layers")
        with translated("the old sessions could not be ended", unchanged="new sessions are frozen"):
            remaining = await end_sessions(session)
        with contextlib.suppress(psycopg.OperationalError):
            await session.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    async with database.session("freeze") as fresh:
        missing = (await read_layers(fresh)).missing
    return [_applied(missing), _ended(remaining)]


def _applied(missing: tuple[str, ...]) -> Finding:
    check = "freeze-applied"
    if missing:
        return failed(
            check,
            f"The freeze was applied, but it is not in place: {listed(missing)}.",
            "Find out who undoes it, then freeze again. It is safe to repeat.",
        )
    return passed(check, "New sessions are read-only, and the public API has a hook that refuses writes.")


def _ended(remaining: list[OtherSession]) -> Finding:
    check = "freeze-sessions"
    ours_to_end = [str(left) for left in remaining if not left.refused]
    if ours_to_end:
        return failed(
            check,
            f"Sessions from before the freeze did not end: {listed(ours_to_end)}.",
            "Freeze again: that ends them once more, and is safe to repeat.",
        )
    if remaining:
        return warned(
            check,
            f"All sessions from before the freeze were ended except the platform's own: {listed(map(str, remaining))}.",
            "They belong to a superuser, so Cutover cannot end them. To be sure, restart the database in the "
            "dashboard.",
        )
    return passed(check, "Every session from before the freeze was ended, Cutover's own too.")
