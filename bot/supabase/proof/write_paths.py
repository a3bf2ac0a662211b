"""Ways to write that the layers do not close: what could write, and what writes for others.

What surely can is a failing finding of its own. What only may is put together, as one warning. pg_cron, pg_net and
Supabase's webhooks are asked about only where their tables are, and are theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from psycopg import sql

from bot.plan.findings import Finding, failed, passed, warned
from bot.plan.texts.amounts import counted
from bot.supabase.database import Database, Session, query, translated
from bot.supabase.formatting import in_a_writing_transaction, listed, shown
from bot.supabase.reading import reading

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
        evidence = f"Possible ways to write: {'; '.join(clause for clause, _ in doubtful)}."
        findings.append(warned("write-paths", evidence, " ".join(fix for _, fix in doubtful if fix)))
    elif not findings:
        evidence = "No prepared transaction, override of the default, job, subscription or worker that could write."
        findings.append(passed("write-paths", evidence))
    return findings


def _prepared(gids: Names) -> Finding:
    return failed(
        "prepared-transactions",
        f"{counted(len(gids), 'prepared transaction')} can be committed at any time, even in a read-only database.",
        " ".join(f"ROLLBACK PREPARED {gid};" for gid in gids),
    )


def _overrides(resets: Names) -> Finding:
    return failed(
        "overrides",
        f"{counted(len(resets), 'setting')} of roles that can log in override the read-only default.",
        in_a_writing_transaction([f"{reset};" for reset in resets]),
        waivable=True,
    )


def _subscriptions(names: Names) -> Finding:
    return failed(
        "subscriptions",
        f"{counted(len(names), 'subscription')} write rows from elsewhere: {listed(names)}.",
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
    clause = f"active pg_cron jobs, which are refused unless they override the default ({', '.join(ids)})"
    return clause, in_a_writing_transaction([stop])


_PERHAPS: Mapping[str, Callable[[Names], tuple[str, str]]] = {
    "group override": lambda resets: (
        f"roles without login override the default ({len(resets)})",
        in_a_writing_transaction([f"{reset};" for reset in resets]),
    ),
    "function override": lambda resets: (
        f"functions override the default while they run ({len(resets)})",
        in_a_writing_transaction([f"{reset};" for reset in resets]),
    ),
    "job": _jobs,
    "open transaction": lambda sessions: (
        f"other sessions have open write transactions ({listed(sessions)})",
        "Find out what the open write transactions do, and end them.",
    ),
    "long transaction": lambda sessions: (
        f"transactions have been open for more than 5 minutes ({listed(sessions)})",
        "End the long transactions.",
    ),
    "webhook": lambda names: (f"database webhooks are called on writes ({listed(names)})", ""),
    "queued request": lambda counts: (
        f"pg_net has queued requests ({', '.join(counts)})",
        "Wait until the queue of pg_net is empty.",
    ),
    "slot": lambda names: (
        f"replication slots send changes on, or keep the log for a reader that is away ({listed(names)})",
        "Tell the owner of each replication slot that this database is frozen and will not be written to again.",
    ),
    "worker": lambda names: (
        f"background workers run ({listed(names)})",
        "Make sure that you know what each worker does.",
    ),
    "login role": lambda names: (
        f"roles of your own can log in and override the default in a session ({listed(names)})",
        "Stop what uses these roles, or ALTER ROLE … NOLOGIN for the night.",
    ),
    "database": lambda names: (
        f"other databases on this server are not frozen ({listed([shown(name) for name in names])})",
        "Freeze the other databases too if the application writes there.",
    ),
}
