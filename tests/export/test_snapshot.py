"""One snapshot, held and lent, on a source that keeps changing."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial

import psycopg
import pytest
from psycopg import sql

from bot.errors import ServiceRefused, ServiceUnreachable
from bot.plan.findings import Finding
from bot.rehearsal.company import Company
from bot.rehearsal.postgres import EmbeddedPostgres, Resting
from bot.supabase.catalog import Selection, read_catalog
from bot.supabase.database import Database
from bot.supabase.export import snapshot as held
from bot.supabase.export.snapshot import Snapshot, hold_snapshot
from bot.supabase.preflight.needs import needs
from bot.supabase.reading import Reading

Writer = psycopg.AsyncConnection[tuple[object, ...]]


@pytest.fixture
async def writer(database: Company) -> AsyncIterator[Writer]:
    """Somebody of the company, who writes."""
    async with await psycopg.AsyncConnection.connect(
        database.dsn, autocommit=True, application_name="company"
    ) as session:
        yield session


@pytest.fixture
async def snapshot(database: Company) -> AsyncIterator[Snapshot]:
    async with hold_snapshot(Database(database.dsn), read_catalog) as taken:
        yield taken


async def number(session: Reading | Writer, statement: str) -> int:
    if isinstance(session, Reading):
        [[value]] = await session.ask(sql.SQL(statement), of="the table")  # type: ignore[arg-type]
    else:
        cursor = await session.execute(statement)
        [[value]] = await cursor.fetchall()
    assert isinstance(value, int)
    return value


async def until_waiting(database: Company, application: str) -> None:
    """Returns when the server says that a session of that application waits for a lock."""
    question = (
        "SELECT FROM pg_stat_activity"
        " WHERE datname = %s AND starts_with(application_name, %s) AND wait_event_type = 'Lock'"
    )
    for _ in range(2000):
        if database.server.sql(question, parameters=[database.dbname, application]):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{application} never waited")


async def count_inside(database: Company, table: str) -> int:
    async with (
        hold_snapshot(Database(database.dsn), read_catalog) as snapshot,
        snapshot.borrow("one") as session,
    ):
        return await number(session, f"SELECT count(*) FROM {table}")


async def relations(database: Company) -> set[str]:
    async with hold_snapshot(Database(database.dsn), read_catalog) as snapshot:
        return {table.relation for table in snapshot.catalog.tables}


async def test_all_who_borrow_it_see_the_same(snapshot: Snapshot, writer: Writer) -> None:
    """What is written after it was taken is seen by none of them."""
    before = await number(writer, "SELECT count(*) FROM public.todos")
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(snapshot.borrow("one"))
        await writer.execute("INSERT INTO public.todos (title) VALUES ('late')")
        second = await stack.enter_async_context(snapshot.borrow("two"))

        for session in (first, second):
            assert await number(session, "SELECT count(*) FROM public.todos") == before
    assert await number(writer, "SELECT count(*) FROM public.todos") == before + 1


async def test_whoever_borrows_it_may_only_read(snapshot: Snapshot) -> None:
    """The export cannot change the source, not even by mistake."""
    async with snapshot.borrow("one") as session:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await session.ask(sql.SQL("UPDATE public.todos SET done = true"), of="public.todos")


async def test_a_truncate_waits_until_the_snapshot_is_given_back(database: Company, writer: Writer) -> None:
    """It can therefore not make a table silently empty for a worker that has not come to it yet."""
    before = await number(writer, "SELECT count(*) FROM public.todos")
    async with (
        hold_snapshot(Database(database.dsn), read_catalog) as snapshot,
        snapshot.borrow("one") as session,
    ):
        truncate = asyncio.create_task(writer.execute("TRUNCATE public.todos"))
        await until_waiting(database, "company")

        assert await number(session, "SELECT count(*) FROM public.todos") == before
        assert not truncate.done()
    await truncate

    assert await number(writer, "SELECT count(*) FROM public.todos") == 0


async def test_whoever_borrows_behind_a_waiting_truncate_hears_who_waits(database: Company, writer: Writer) -> None:
    """The queue at a lock is fair, so our own worker would wait for one who waits for us."""
    pid = writer.info.backend_pid
    async with hold_snapshot(Database(database.dsn), read_catalog, lock_seconds=0.2) as snapshot:
        truncate = asyncio.create_task(writer.execute("TRUNCATE public.todos"))
        await until_waiting(database, "company")
        with pytest.raises(ServiceRefused) as caught:
            async with snapshot.borrow("late"):
                raise AssertionError("no session may come of it")
    await truncate

    assert str(caught.value) == (
        f"public.todos cannot be locked for reading: session {pid} of role postgres keeps everybody out;"
        f" nothing was exported; wait for it or end it with SELECT pg_terminate_backend({pid}), and try again."
    )


async def test_a_truncate_that_was_first_is_seen_whole(database: Company, writer: Writer) -> None:
    """The locks come before the snapshot: it shows the rows put in after the TRUNCATE, never the gap between."""
    await writer.execute("BEGIN")
    await writer.execute("TRUNCATE public.todos")
    await writer.execute("INSERT INTO public.todos (title) VALUES ('one'), ('two'), ('three')")
    counting = asyncio.create_task(count_inside(database, "public.todos"))
    await until_waiting(database, "cutover/")
    await writer.execute("COMMIT")

    assert await counting == 3


async def test_a_table_that_cannot_be_locked_is_named_with_whoever_holds_it(database: Company, writer: Writer) -> None:
    """The sentence says which session to end, and nothing is waited for without end."""
    await writer.execute("BEGIN")
    await writer.execute("LOCK TABLE public.orders IN ACCESS EXCLUSIVE MODE")
    pid = writer.info.backend_pid

    with pytest.raises(ServiceRefused) as caught:
        async with hold_snapshot(Database(database.dsn), read_catalog, lock_seconds=0.2):
            raise AssertionError("no snapshot may come of it")

    assert str(caught.value) == (
        f"public.orders cannot be locked for reading: session {pid} of role postgres keeps everybody out;"
        f" nothing was exported; wait for it or end it with SELECT pg_terminate_backend({pid}), and try again."
    )


async def test_a_table_that_may_not_be_read_is_reported_before_anything_is_exported(database: Company) -> None:
    """With the GRANT that fixes it."""
    database.server.sql(
        "CREATE TABLE public.closed (); ALTER TABLE public.closed OWNER TO supabase_admin", database.dbname
    )
    service = Database(database.server.dsn(database.dbname, "supabase_auth_admin"))
    database.server.sql(
        "GRANT USAGE ON SCHEMA public, auth TO supabase_auth_admin; ALTER TABLE auth.users DISABLE ROW LEVEL SECURITY",
        database.dbname,
    )
    billing = partial(
        read_catalog,
        selection=Selection(include_schemas=["billing"], exclude_tables=["storage.objects", "storage.buckets"]),
    )

    with pytest.raises(ServiceRefused) as caught:
        async with hold_snapshot(service, billing):
            raise AssertionError("no snapshot may come of it")

    assert str(caught.value) == (
        "the role of SUPABASE_DB_URL may not read all that is to be exported; nothing was exported;"
        " run BEGIN READ WRITE; GRANT USAGE ON SCHEMA billing TO supabase_auth_admin;"
        " GRANT SELECT ON TABLE billing.invoices TO supabase_auth_admin;"
        " GRANT SELECT ON TABLE billing.payments TO supabase_auth_admin; COMMIT; and 3 more grants."
    )


async def test_a_table_dropped_while_we_looked_only_costs_another_look(database: Company, writer: Writer) -> None:
    """The catalog inside the snapshot is the one that counts."""
    await writer.execute("BEGIN")
    await writer.execute("DROP TABLE public.waiting_list")
    task = asyncio.create_task(relations(database))
    await until_waiting(database, "cutover/")
    await writer.execute("COMMIT")

    found = await task
    assert "public.waiting_list" not in found
    assert "public.orders" in found


async def test_the_work_inside_stops_when_the_snapshot_is_lost(
    database: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the locks the tables could change under the workers, so they must not go on."""
    monkeypatch.setattr(held, "PING_SECONDS", 0.05)

    with pytest.raises(ServiceUnreachable) as caught:
        async with hold_snapshot(Database(database.dsn), read_catalog) as snapshot:
            pid = snapshot.holder.info.backend_pid
            database.server.sql("SELECT pg_terminate_backend(%s)", parameters=[pid])
            await asyncio.Event().wait()

    assert str(caught.value).startswith("the source database could not be reached or ended our session (57P01); ")


async def test_it_can_be_taken_of_a_frozen_database(database: Company) -> None:
    """The freeze makes every session read-only, and a snapshot needs no more."""
    name = sql.Identifier(database.dbname)
    with psycopg.connect(database.dsn, autocommit=True) as session:
        session.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))

    assert "public.orders" in await relations(database)


async def test_its_locks_are_gone_when_it_is_given_back(database: Company, writer: Writer) -> None:
    """Nobody has to wait for a bot that has finished."""
    await relations(database)

    await writer.execute("SET lock_timeout = '5s'")
    await writer.execute("ALTER TABLE public.orders ADD COLUMN later integer")


LITTLE_ROOM = {
    "max_locks_per_transaction": "16",
    "max_connections": "16",
    "superuser_reserved_connections": "1",
    "max_prepared_transactions": "0",
    "wal_level": "replica",
    "max_wal_senders": "0",
    "max_worker_processes": "0",
    "autovacuum_worker_slots": "1",
}
"""The fewer processes there can be, the fewer locks."""


def make_tables(company: Company, schema: str, number: int) -> None:
    """A few at a time: making them takes locks as well."""
    server, dbname = company.server, company.dbname
    server.sql(f"CREATE SCHEMA {schema}", dbname)
    for first in range(0, number, 25):
        server.sql("".join(f"CREATE TABLE {schema}.t_{n} ();" for n in range(first, first + 25)), dbname)


async def told_of_locks(database: Database) -> list[Finding]:
    async with database.session("doctor") as session:
        found = needs(session, await read_catalog(session), workers=1, hold_locks=False, directory=None)
        return [finding async for finding in found if finding.check == "table-locks"]


async def test_a_server_without_room_for_the_locks_is_one_sentence(two_companies: Resting) -> None:
    """With what fixes it, be it at the locks or at what is asked behind them; and with a little more room, fewer
    sessions than asked for are enough. `doctor` warns of it before the night.
    """
    with EmbeddedPostgres(settings=LITTLE_ROOM, like=two_companies) as server:
        company = Company(server=server, dbname="small_company")
        make_tables(company, "many", 100)
        database = Database(company.dsn)
        async with hold_snapshot(
            database, partial(read_catalog, selection=Selection(include_schemas=["storage"], exclude_tables=[]))
        ) as few:
            assert few.most_sessions > 4
        async with hold_snapshot(database, read_catalog) as many:
            assert many.most_sessions == 1
            async with many.borrow("export-1"):
                pass
        assert await told_of_locks(database) == []
        make_tables(company, "more", 600)
        [warning] = await told_of_locks(database)
        told = list[str]()
        for n in range(60):
            try:
                async with hold_snapshot(database, read_catalog):
                    pass
            except ServiceRefused as refusal:
                told.append(str(refusal))
                if len(told) == 3:
                    break
            make_tables(company, f"still_more_{n}", 25)

    assert warning.verdict == "warn"
    assert re.search(r"locks 7\d\d tables at once, .* is sure to have room for only 256 locks,", warning.evidence)
    assert warning.fix.startswith(
        "Before the night, raise max_locks_per_transaction to 1024 (Supabase: `supabase --experimental --project-ref"
    )
    assert len(told) == 3
    for sentence in told:
        assert "the server has no room for locks on" in sentence
        assert "raise max_locks_per_transaction to 1024" in sentence
