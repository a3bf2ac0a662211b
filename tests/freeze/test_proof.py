"""The proof: a real freeze passes, and each way of cheating is caught."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import psycopg
import pytest

from bot.plan.findings import Finding
from bot.plan.run import Run
from bot.ports import Progress
from bot.rehearsal.company import Company
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway
from bot.supabase.proof.drift import drift
from bot.supabase.proof.examiner import Proof

RunSince = Callable[..., Run]
Freeze = Callable[[], datetime]
HOW = "Run the SQL of `cutover freeze-sql` as the role postgres, close that session, and say `frozen` again."


@pytest.fixture
async def proof(database: Database, gateway: Gateway) -> Proof:
    return Proof(database, gateway, quiet_seconds=0.3, late_counters=0.3)


async def _all(findings: AsyncIterator[Finding]) -> dict[str, Finding]:
    found = [finding async for finding in findings]
    assert len({finding.check for finding in found}) == len(found)
    return {finding.check: finding for finding in found}


async def _prove(proof: Proof, run: Run) -> dict[str, Finding]:
    return await _all(proof.freeze_proof(run, lambda _: None))


def _failing(findings: dict[str, Finding]) -> set[str]:
    return {check for check, finding in findings.items() if finding.verdict == "fail"}


def _soft(source: Company) -> None:
    source.server.sql(f"ALTER DATABASE {source.dbname} SET default_transaction_read_only = on")


async def test_nothing_frozen_is_refused(proof: Proof, run_since: RunSince) -> None:
    """`frozen` on a living database gets an answer with what is missing and how to freeze."""
    findings = await _prove(proof, run_since(None))
    assert _failing(findings) == {
        "freeze-layers", "session-refuses-writes", "api-refuses-writes", "api-hook", "storage-refuses-writes",
    }  # fmt: skip
    assert findings["storage-refuses-writes"].evidence == (
        "Storage can still write: it refused a bucket only because the name exists."
    )
    layers = findings["freeze-layers"]
    assert layers.evidence == (
        "Not frozen: the database's default is not read-only; the REST API has no pre-request hook that refuses writes."
    )
    assert layers.fix == HOW
    assert findings["session-refuses-writes"].evidence == (
        "A new session is not refused writes: CREATE TEMP TABLE is accepted, an UPDATE of no row is accepted; expected "
        "25006."
    )


async def test_a_soft_freeze_is_refused(source: Company, proof: Proof, run_since: RunSince) -> None:
    """A database default alone does not stop the public API."""
    _soft(source)
    findings = await _prove(proof, run_since(None))
    assert _failing(findings) == {"freeze-layers", "api-refuses-writes", "api-hook", "storage-refuses-writes"}
    assert findings["session-refuses-writes"].evidence == (
        "A new session cannot write (CREATE TEMP TABLE and an UPDATE of no row: 25006)."
    )
    assert findings["api-refuses-writes"].evidence == (
        "The public API accepts writes: POST with the key service_role, PATCH with the key service_role, DELETE with "
        "the key service_role, POST with the key anon, PATCH with the key anon, DELETE with the key anon. A read-only "
        "database does not stop it, because it opens its transactions READ WRITE."
    )


async def test_a_whole_freeze_passes(proof: Proof, freeze: Freeze, run_since: RunSince) -> None:
    """Every finding passes, and the record has clock, log position, transaction number and baseline."""
    since = freeze()
    findings = await _prove(proof, run_since(since))
    assert {check for check, finding in findings.items() if finding.verdict != "pass"} == {"write-paths"}
    assert findings["write-paths"].verdict == "warn"
    assert findings["write-paths"].evidence.startswith(
        "Possible ways to write: other databases on this server are not frozen ("
    )
    assert findings["storage-refuses-writes"].evidence == ("Storage refuses writes: its database is read-only.")
    assert list(findings) == [
        "freeze-layers", "session-refuses-writes", "api-refuses-writes", "api-hook", "storage-refuses-writes",
        "old-sessions", "write-paths", "select-rights", "foreign-code", "quiet-window",
    ]  # fmt: skip
    assert findings["api-refuses-writes"].evidence == (
        "The public API refuses writes (25006) with the key service_role and anon."
    )
    assert findings["old-sessions"].evidence == "No session is older than the freeze."
    facts = findings["quiet-window"].facts
    assert datetime.fromisoformat(facts["frozenAt"]) > since
    assert facts["frozenAt"].endswith("Z")
    assert set(facts) == {"frozenAt", "lsn", "xmax", "baseline"}
    assert len(facts["baseline"]["public.orders"]) == 4
    assert facts["baseline"]["sequences"]["public.ticket_numbers"]


async def test_an_old_session_is_caught_and_the_line_ends_it(
    source: Company, proof: Proof, freeze: Freeze, run_since: RunSince, database: Database
) -> None:
    """It is named with pid, role and application, and the one line of SQL ends exactly it; one named like ours is
    spared only when it is our role's.
    """
    since = freeze()
    with (
        psycopg.connect(source.dsn, application_name="someone@people.example", autocommit=True) as old,
        psycopg.connect(source.storage_dsn, application_name="cutover/x/y", autocommit=True) as disguised,
    ):
        since_later = _clock(source)
        findings = await _prove(proof, run_since(since_later))
        assert _failing(findings) == {"old-sessions"}
        finding = findings["old-sessions"]
        assert f"pid {old.info.backend_pid} (postgres, (name hidden), " in finding.evidence
        assert f"pid {disguised.info.backend_pid} (supabase_storage_admin, cutover/x/y, " in finding.evidence
        assert since < since_later
        line = finding.fix.removeprefix("End the sessions: ")
        with psycopg.connect(source.dsn, autocommit=True) as fresh:
            assert all(row == (True,) for row in fresh.execute(line.encode()).fetchall())
            for ended in (old, disguised):
                with pytest.raises(psycopg.OperationalError):
                    ended.execute("SELECT 1")
    assert _failing(await _prove(proof, run_since(since_later))) == set()


async def test_a_superusers_session_is_a_warning(
    source: Company, proof: Proof, freeze: Freeze, run_since: RunSince
) -> None:
    """The platform's own sessions cannot be ended by the customer, so they are shown and do not block."""
    freeze()
    with psycopg.connect(source.admin_dsn, application_name="realtime", autocommit=True):
        findings = await _prove(proof, run_since(_clock(source)))
    assert findings["old-sessions"].verdict == "warn"
    assert "(supabase_admin, realtime, " in findings["old-sessions"].evidence


async def test_an_open_transaction_that_may_write_is_movement(
    source: Company, proof: Proof, freeze: Freeze, run_since: RunSince
) -> None:
    """A new session with its own BEGIN READ WRITE is caught while it is open, though nothing of it is committed."""
    since = freeze()
    with psycopg.connect(source.dsn, application_name="app", autocommit=True) as writer:
        pid = writer.info.backend_pid
        writer.execute("BEGIN READ WRITE")
        writer.execute("INSERT INTO public.settings VALUES ('cheat', 'x')")
        findings = await _prove(proof, run_since(since))
        writer.execute("ROLLBACK")
    assert findings["quiet-window"].evidence == (
        f"The source changed during the quiet window: pid {pid} (postgres, app) is writing to public.settings."
    )


_COMMITTED = {
    "INSERT INTO public.settings VALUES ('cheat', 'x')": "1 row inserted in public.settings",
    "DELETE FROM public.notifications": "rows deleted in public.notifications",
    "TRUNCATE public.session_cache": "public.session_cache was truncated or rewritten",
    "SELECT nextval('public.ticket_numbers')": "the sequence public.ticket_numbers moved from ",
    "SELECT setval('public.never_used_numbers', 1)": (
        "the sequence public.never_used_numbers moved from 1 (not handed out) to 1"
    ),
    "INSERT INTO public.events (occurred_at, name) VALUES (now(), 'x')": "1 row inserted in public.events",
}
"""What is committed within the window, and what is said of it."""


async def test_a_committed_write_is_movement(
    *, source: Company, database: Database, gateway: Gateway, proof: Proof, freeze: Freeze, run_since: RunSince
) -> None:
    """Each kind of write that overrides the default within the window is caught, and the table named, one window after
    the other; and at later gates it is a drift from the record.
    """
    since = freeze()
    proven = await _prove(proof, run_since(since))
    record = proven["quiet-window"].facts
    slow = Proof(database, gateway, quiet_seconds=1.2, late_counters=0.3)

    async def cheat(statement: str) -> None:
        # After the first look, which is a few milliseconds, and well before the last.
        await asyncio.sleep(0.4)
        async with await psycopg.AsyncConnection.connect(source.dsn, autocommit=True) as writer:
            await writer.execute(f"BEGIN READ WRITE; {statement}; COMMIT".encode())

    for n, (statement, told) in enumerate(_COMMITTED.items(), 1):
        tasks: list[asyncio.Task[None]] = []

        def report(progress: Progress, statement: str = statement, tasks: list[asyncio.Task[None]] = tasks) -> None:
            if "nothing moves" in progress.note:
                tasks.append(asyncio.create_task(cheat(statement)))

        findings = await _all(slow.freeze_proof(run_since(since), report))
        await asyncio.gather(*tasks)
        assert findings["quiet-window"].verdict == "fail"
        assert _told_in(findings["quiet-window"].evidence) == [told]
        async with database.session("test") as session:
            drifted = (await drift(session, record)).changes
        assert len([clause for clause in drifted if told in clause]) == 1
        assert _told_in(*drifted) == list(_COMMITTED.values())[:n]
    held = await _all(proof.freeze_holds(run_since(since, record), lambda _: None))
    assert _failing(held) == {"no-drift"}
    assert _told_in(held["no-drift"].evidence) == list(_COMMITTED.values())


def _told_in(*sentences: str) -> list[str]:
    return [told for told in _COMMITTED.values() if any(told in sentence for sentence in sentences)]


async def test_a_prepared_transaction_is_caught(
    source: Company, proof: Proof, freeze: Freeze, run_since: RunSince
) -> None:
    """It could be committed at any time by anybody, read-only or not."""
    with psycopg.connect(source.dsn, autocommit=True) as writer:
        writer.execute("BEGIN; INSERT INTO public.settings VALUES ('cheat', 'x'); PREPARE TRANSACTION 'che''at'")
    try:
        findings = await _prove(proof, run_since(freeze()))
    finally:
        with psycopg.connect(source.dsn, autocommit=True) as writer:
            writer.execute("ROLLBACK PREPARED 'che''at'")
    assert _failing(findings) == {"prepared-transactions"}
    finding = findings["prepared-transactions"]
    assert finding.evidence == "1 prepared transaction can be committed at any time, even in a read-only database."
    assert (finding.fix, finding.waivable) == ("ROLLBACK PREPARED 'che''at';", False)


async def test_a_role_that_overrides_the_default_is_caught(
    source: Company, proof: Proof, freeze: Freeze, run_since: RunSince
) -> None:
    """A role's own setting beats the database's."""
    override = f"ALTER ROLE supabase_auth_admin IN DATABASE {source.dbname} SET default_transaction_read_only = off"
    source.server.sql(override)
    findings = await _prove(proof, run_since(freeze()))
    assert _failing(findings) == {"overrides"}
    assert findings["overrides"].waivable
    assert findings["overrides"].fix == (
        f"BEGIN READ WRITE; ALTER ROLE supabase_auth_admin IN DATABASE {source.dbname} RESET "
        "default_transaction_read_only; COMMIT;"
    )


async def test_a_hook_that_was_replaced_is_caught(
    source: Company, proof: Proof, freeze: Freeze, run_since: RunSince
) -> None:
    """Neither another function under the setting nor an empty one under the name passes."""
    since = freeze()
    admin = f"ALTER ROLE authenticator IN DATABASE {source.dbname} SET pgrst.db_pre_request"
    source.server.sql(f"BEGIN READ WRITE; {admin} = 'public.other'; COMMIT")
    findings = await _prove(proof, run_since(since))
    assert {"freeze-layers", "api-hook"} <= _failing(findings)
    source.server.sql(
        f"BEGIN READ WRITE; {admin} = 'cutover_freeze.gate'; CREATE OR REPLACE FUNCTION cutover_freeze.gate() "
        "RETURNS void LANGUAGE sql AS ''; NOTIFY pgrst, 'reload config'; COMMIT",
        source.dbname,
    )
    findings = await _prove(proof, run_since(since))
    assert findings["api-hook"].evidence == (
        "The hook cutover_freeze.gate is set, but it is not the one that the freeze SQL creates: the function "
        "cutover_freeze.gate is not the one that the freeze SQL creates."
    )


async def test_a_missing_right_gives_the_grant(
    source: Company, proof: Proof, freeze: Freeze, run_since: RunSince
) -> None:
    """What cannot be read is named before the export, with the statement that fixes it."""
    source.server.sql("REVOKE pg_read_all_data FROM postgres")
    source.server.sql(
        "CREATE TABLE public.closed (id int); ALTER TABLE public.closed OWNER TO supabase_admin; "
        "REVOKE ALL ON public.closed FROM postgres",
        source.dbname,
    )
    try:
        findings = await _prove(proof, run_since(freeze()))
    finally:
        source.server.sql("GRANT pg_read_all_data TO postgres")
    assert "select-rights" in _failing(findings)
    assert "GRANT SELECT ON TABLE public.closed TO postgres;" in findings["select-rights"].fix


async def test_burnt_transaction_numbers_are_looked_at_twice(
    source: Company, proof: Proof, freeze: Freeze, run_since: RunSince
) -> None:
    """Where only the transaction number moved, the counters are read again later, and that is said."""
    since = freeze()
    stop = asyncio.Event()

    async def burn() -> None:
        async with await psycopg.AsyncConnection.connect(source.dsn, autocommit=True) as session:
            while not stop.is_set():
                await session.execute("SELECT pg_current_xact_id()")
                await asyncio.sleep(0.02)

    burning = asyncio.create_task(burn())
    findings = await _prove(proof, run_since(since))
    stop.set()
    await burning
    window = findings["quiet-window"]
    assert window.verdict == "pass"
    assert window.evidence.endswith("s later: autoanalyze, or another database.")


async def test_a_lifted_freeze_is_drift(
    source: Company, database: Database, proof: Proof, freeze: Freeze, run_since: RunSince
) -> None:
    """The watch says which layer is gone."""
    since = freeze()
    record = (await _prove(proof, run_since(since)))["quiet-window"].facts
    async with database.session("test") as session:
        assert (await drift(session, record)).changes == ()
        source.server.sql(
            f"BEGIN READ WRITE; ALTER DATABASE {source.dbname} RESET default_transaction_read_only; COMMIT"
        )
        assert (await drift(session, record)).changes == ("the database's default is not read-only",)


async def test_what_the_platform_makes_by_the_day_is_no_drift(
    source: Company, database: Database, proof: Proof, freeze: Freeze, run_since: RunSince
) -> None:
    """A partition of realtime.messages comes at midnight; a column of an exported table of Auth is another thing."""
    source.server.sql("CREATE SCHEMA IF NOT EXISTS realtime", source.dbname)
    since = freeze()
    record = (await _prove(proof, run_since(since)))["quiet-window"].facts
    source.server.sql("BEGIN READ WRITE; CREATE TABLE realtime.messages_2026_04_02 (id uuid); COMMIT", source.dbname)
    async with database.session("test") as session:
        assert (await drift(session, record)).changes == ()
        source.server.sql("BEGIN READ WRITE; ALTER TABLE auth.users ADD COLUMN since date; COMMIT", source.dbname)
        assert "tables or columns were created, changed or dropped" in (await drift(session, record)).changes
        older = {**record, "baseline": {**record["baseline"], "shape": "d41d8cd98f00b204e9800998ecf8427e"}}
        assert "tables or columns were created, changed or dropped" not in (await drift(session, older)).changes


def _clock(source: Company) -> datetime:
    [(at,)] = source.server.sql("SELECT clock_timestamp()", source.dbname)
    assert isinstance(at, datetime)
    return at
