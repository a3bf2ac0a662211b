"""Other ways to write, that the layers do not close: what could write, and what writes for others.

What surely can is a failing finding of its own. What only may is told together, as one warning. pg_cron, pg_net and
Supabase's webhooks are asked about only where their tables are, and are theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from psycopg import sql

from bot.plan.findings import Finding, failed, passed, warned
from bot.supabase.database import Database, Session, query, translated
from bot.supabase.pasted import in_a_writing_transaction
from bot.supabase.proof.formatting import counted, listed
from bot.supabase.reading import reading
from bot.supabase.sessions import shown

_WHERE_THERE = {"cron.job": "cron_jobs", "net.http_request_queue": "net_queue", "supabase_functions.hooks": "webhooks"}

Names = Sequence[str]


async def write_paths(database: Database, session: Session) -> list[Finding]:
    """At least one finding. `session` is asked about the catalogs."""
    by_kind: dict[str, list[str]] = {}
    with translated("other ways to write could not be listed"):
        found = await (await session.execute(query("write_paths"))).fetchall()
        tables = {"tables": list(_WHERE_THERE)}
        there = await (await session.execute(query("write_paths_tables"), tables)).fetchall()
        async with reading(database, "proof") as source:
            for (table,) in there:
                found += await source.ask(sql.SQL(query(_WHERE_THERE[table])), of=table)
    for kind, name in found:
        by_kind.setdefault(kind, []).append(name)
    findings = [make(by_kind[kind]) for kind, make in _SURELY.items() if kind in by_kind]
    doubtful = [tell(by_kind[kind]) for kind, tell in _PERHAPS.items() if kind in by_kind]
    if doubtful:
        evidence = f"Other ways to write: {'; '.join(told for told, _ in doubtful)}."
        findings.append(warned("write-paths", evidence, "; ".join(fix for _, fix in doubtful if fix)))
    elif not findings:
        evidence = "No prepared transaction, override of the default, job, subscription or worker could write."
        findings.append(passed("write-paths", evidence))
    return findings


def _prepared(gids: Names) -> Finding:
    return failed(
        "prepared-transactions",
        f"{counted(len(gids), 'prepared transaction')} can be committed at any time, read-only or not.",
        "; ".join(f"ROLLBACK PREPARED {gid}" for gid in gids),
    )


def _overrides(resets: Names) -> Finding:
    return failed(
        "overrides",
        f"{counted(len(resets), 'setting')} of roles that can log in override the database's default.",
        in_a_writing_transaction([f"{reset};" for reset in resets]),
        waivable=True,
    )


def _subscriptions(names: Names) -> Finding:
    return failed(
        "subscriptions",
        f"{counted(len(names), 'subscription')} bring in rows from elsewhere: {listed(names)}.",
        in_a_writing_transaction([f"ALTER SUBSCRIPTION {name} DISABLE;" for name in names]),
        waivable=True,
    )


_SURELY: Mapping[str, Callable[[Names], Finding]] = {
    "prepared": _prepared,
    "override": _overrides,
    "subscription": _subscriptions,
}


def _jobs(ids: Names) -> tuple[str, str]:
    stop = f"SELECT cron.alter_job(jobid, active := false) FROM cron.job WHERE jobid IN ({', '.join(ids)});"  # noqa: S608
    told = f"pg_cron jobs are active ({', '.join(ids)}); they are refused unless they override the default"
    return told, in_a_writing_transaction([stop])


_PERHAPS: Mapping[str, Callable[[Names], tuple[str, str]]] = {
    "group override": lambda resets: (
        f"roles without log-in have a setting of their own ({len(resets)})",
        in_a_writing_transaction([f"{reset};" for reset in resets]),
    ),
    "function override": lambda resets: (
        f"functions set the default off while they run ({len(resets)})",
        in_a_writing_transaction([f"{reset};" for reset in resets]),
    ),
    "job": _jobs,
    "open transaction": lambda sessions: (
        f"transactions of others hold a transaction number, as writers do ({listed(sessions)})",
        "find out what they do, and end them",
    ),
    "long transaction": lambda sessions: (f"transactions are open for long ({listed(sessions)})", "end them"),
    "webhook": lambda names: (f"database webhooks call out on writes ({listed(names)})", ""),
    "queued request": lambda counts: (
        f"pg_net has requests to send ({', '.join(counts)})",
        "wait until its queue is empty",
    ),
    "slot": lambda names: (
        f"replication slots pass changes on, or keep the log for who is away ({listed(names)})",
        "tell whoever reads them that this database is frozen and will not be the one that is written to",
    ),
    "worker": lambda names: (f"background workers run ({listed(names)})", "nothing, if you know what they do"),
    "login role": lambda names: (
        f"roles of your own can log in, and may override the default in a session of theirs ({listed(names)})",
        "stop what uses them, or ALTER ROLE … NOLOGIN for the night",
    ),
    "database": lambda names: (
        f"other databases of this server are not frozen ({listed([shown(name) for name in names])})",
        "freeze them too, if the application writes there",
    ),
}
