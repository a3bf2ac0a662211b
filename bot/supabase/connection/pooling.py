"""No pooler in transaction mode: it gives each transaction another server session, so no setting or lock would hold.

Supabase's own is known by its port before anything is contacted (`bot.connection_string`); any other by what it does.
"""

from __future__ import annotations

from bot.errors import UsageError
from bot.supabase.database import Database, Session, translated

_ATTEMPTS = 3


async def refuse_transaction_pooling(database: Database, session: Session) -> None:
    """Asked by behaviour: while another session of ours holds a transaction open, this one must stay where it was. More
    than once, since a pooler of few sessions may give each its own again by chance. Raises UsageError.
    """
    pid_of = "SELECT pg_backend_pid(), current_setting('cutover.probe', true)"
    with translated("the kind of the connection could not be found out"):
        await session.execute("SELECT set_config('cutover.probe', 'kept', false)")
        before = await (await session.execute(pid_of)).fetchone()
        async with database.session("identity") as other:
            for _ in range(_ATTEMPTS):
                await other.execute("BEGIN READ ONLY")
                theirs = await (await other.execute(pid_of)).fetchone()
                after = await (await session.execute(pid_of)).fetchone()
                await other.execute("ROLLBACK")
                assert before is not None and theirs is not None and after is not None
                if before != after or after[1] != "kept" or theirs[0] == before[0]:
                    raise _pooled()


def _pooled() -> UsageError:
    return UsageError(
        "SUPABASE_DB_URL leads to a pooler in transaction mode, where settings, locks and snapshots do not hold",
        unchanged="nothing was changed",
        do="take the direct connection or the session-mode pooler (port 5432) from the dashboard",
    )
