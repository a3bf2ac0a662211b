"""Tables that our role may not read: told with what fixes it, or left out because an approver said so."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.errors import ServiceRefused, Unreadable
from bot.plan import events as e
from bot.plan.run import Run
from bot.ports import Progress

ROLE = "half_blind"
UNREADABLE = ("closed.plans", "public.caches", "public.of_each")


@pytest.fixture
def half_blind(taken: Any) -> Iterator[Any]:
    """Exports as a role that may not read a table, nor a schema, and sees only some rows of a third."""
    server, dbname = taken.database.server, taken.database.dbname
    server.sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{server.password}'")
    [[grants]] = server.sql(
        "SELECT string_agg(format('GRANT USAGE ON SCHEMA %1$I TO half_blind;"
        " GRANT SELECT ON ALL TABLES IN SCHEMA %1$I TO half_blind;"
        " GRANT SELECT ON ALL SEQUENCES IN SCHEMA %1$I TO half_blind', nspname), ';')"
        " FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
        dbname,
    )
    server.sql(
        f"{grants}; CREATE SCHEMA closed; CREATE TABLE closed.plans (); CREATE TABLE public.caches (id integer);"
        " CREATE TABLE public.of_each (id integer); ALTER TABLE public.of_each ENABLE ROW LEVEL SECURITY;"
        " GRANT SELECT ON public.of_each TO half_blind;"
        " DO $$ DECLARE t text; BEGIN FOR t IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
        " WHERE rowsecurity AND tablename <> 'of_each' LOOP EXECUTE 'ALTER TABLE ' || t ||"
        " ' DISABLE ROW LEVEL SECURITY'; END LOOP; END $$",
        dbname,
    )
    taken.dsn = server.dsn(dbname, user=ROLE)
    yield taken
    server.sql(f"DROP OWNED BY {ROLE}", dbname)
    server.sql(f"DROP ROLE {ROLE}")


def leaving_out(run: Run, *tables: str) -> Run:
    accepted = {
        table: e.UnreadableAccepted(at=run.last_at, table=table, why="it is made anew", user="U0ADA", ts="2.0")
        for table in tables
    }
    return replace(run, left_unread=accepted)


async def test_what_cannot_be_read_is_named_and_then_left_out_by_name(half_blind: Any, run: Run) -> None:
    """All of them have to be accepted; the bundle says which, why, and by whom."""
    with pytest.raises(Unreadable) as caught:
        await half_blind.take(run)
    assert caught.value.tables == UNREADABLE
    assert "GRANT SELECT ON TABLE public.caches TO half_blind" in str(caught.value)

    with pytest.raises(Unreadable) as caught:
        await half_blind.take(leaving_out(run, "public.caches", "public.of_each"))
    assert caught.value.tables == ("closed.plans",)

    result = await half_blind.take(leaving_out(run, *UNREADABLE))

    reason = "it could not be read; U0ADA accepted that: it is made anew"
    left = {entry.name for entry in half_blind.metadata.left_out if entry.reason == reason}
    assert left == set(UNREADABLE)
    assert result.left_out[reason] == 3
    assert "caches" not in half_blind.metadata.tables


async def test_users_are_never_left_out(half_blind: Any, run: Run) -> None:
    """Without them nobody can be created; the GRANT is named, and nothing else is offered."""
    server, dbname = half_blind.database.server, half_blind.database.dbname
    server.sql(f"REVOKE SELECT ON auth.users, auth.identities FROM {ROLE}", dbname)

    with pytest.raises(Unreadable) as caught:
        await half_blind.take(leaving_out(run, "auth.users", "auth.identities", *UNREADABLE))

    assert caught.value.tables == ()
    assert "GRANT SELECT ON TABLE auth.users TO half_blind" in str(caught.value)


async def test_a_right_that_is_taken_away_in_the_middle_is_reported_in_the_same_way(half_blind: Any, run: Run) -> None:
    """Though the snapshot was taken with it."""
    server, dbname = half_blind.database.server, half_blind.database.dbname
    accepted = leaving_out(run, *UNREADABLE)
    revoked = False

    def revoke(progress: Progress) -> None:
        nonlocal revoked
        if not revoked:
            revoked = True
            server.sql(f"REVOKE SELECT ON public.orders, public.waiting_list FROM {ROLE}", dbname)

    with pytest.raises(ServiceRefused) as caught:
        await half_blind.export(workers=1)(accepted, revoke)

    assert isinstance(caught.value, Unreadable)
    assert set(caught.value.tables) == {"public.orders", "public.waiting_list"}
    assert not (half_blind.directory / "metadata.json").exists()
