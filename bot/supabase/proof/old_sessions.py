"""Sessions from before the freeze: which are left, and what each of them is."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.texts.amounts import counted
from bot.supabase.database import Session, query, translated
from bot.supabase.formatting import listed, shown

_PLACES = {
    "supabase_auth_admin": "Auth",
    "supabase_storage_admin": "Storage",
    "authenticator": "the REST API",
    "pgbouncer": "the pooler",
    "supabase_admin": "the platform",
    "supabase_replication_admin": "replication",
}
_APPLICATIONS = {
    "supavisor": "the pooler",
    "postgrest": "the REST API",
    "supabase/dashboard": "the dashboard",
    "postgres-meta": "the dashboard",
    "realtime": "Realtime",
}


async def old_sessions(session: Session, since: datetime) -> Finding:
    """None that began before `since` and could still write is left."""
    check = "old-sessions"
    with translated("the sessions on the source could not be listed"):
        rows = await (await session.execute(query("old_sessions"), {"before": since})).fetchall()
    described: dict[int, str] = {}
    superusers: set[int] = set()
    froze = False
    for pid, role, name, age, is_superuser, ran_the_freeze in rows:
        what = "here the freeze SQL was run" if ran_the_freeze else _what(role, name)
        described[pid] = f"pid {pid} ({role}, {shown(name)}, {_age(age)}{f': {what}' if what else ''})"
        froze = froze or ran_the_freeze
        if is_superuser:
            superusers.add(pid)
    to_end = [pid for pid in described if pid not in superusers]
    if to_end:
        pids = ", ".join(str(pid) for pid in to_end)
        began = since.astimezone(UTC).isoformat()
        close = "Close the session in which the freeze SQL was run. " if froze else ""
        return failed(
            check,
            f"{counted(len(to_end), 'session')} from before the freeze can still write: "
            f"{listed([described[pid] for pid in to_end])}.",
            # Shown to a person, and of our own numbers.
            f"{close}End the sessions: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN ({pids}) "  # noqa: S608
            f"AND backend_start < '{began}';",
        )
    if superusers:
        return warned(
            check,
            f"Only sessions of the platform are older than the freeze: {listed([described[p] for p in superusers])}.",
            "They belong to a superuser, so Cutover cannot end them. To be sure, restart the database in the "
            "dashboard.",
        )
    return passed(check, "No session is older than the freeze.")


def _what(role: str, application: str) -> str:
    """What a session is, as far as role and name tell; "" when they do not."""
    named = next((what for name, what in _APPLICATIONS.items() if application.lower().startswith(name)), "")
    return named or _PLACES.get(role, "")


def _age(seconds: int | None) -> str:
    if seconds is None:
        return "age unknown"
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
