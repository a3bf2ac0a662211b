"""Every sequence goes on where it was, by its own name, whoever owns it and whatever was set and not handed out."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from bot.artifacts import restore
from bot.artifacts.restore_all import restore_all_sql
from bot.rehearsal.company import Company
from bot.supabase.catalog import Selection, read_catalog
from bot.supabase.database import Database
from tests.export.conftest import Taken
from tests.export.loading import psql
from tests.export.versions import on_the_newest
from tests.freeze.servers import VERSIONS, fresh

CASE = Path(__file__).with_name("two_sequences.sql")

_SOURCE = """
CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY);
CREATE SEQUENCE auth.of_the_platform;
GRANT USAGE ON SCHEMA auth TO postgres; ALTER TABLE auth.users OWNER TO postgres;
SET ROLE postgres;
CREATE SCHEMA counters;
CREATE SEQUENCE counters.alone;
CREATE SEQUENCE public.never_used;
CREATE SEQUENCE public.set_and_not_handed_out;
SELECT setval('public.set_and_not_handed_out', 41, false);
CREATE SEQUENCE public.restarted;
SELECT nextval('public.restarted');
ALTER SEQUENCE public.restarted RESTART WITH 77;
CREATE SEQUENCE public.down INCREMENT BY -5 MAXVALUE 10 START WITH 10;
SELECT nextval('public.down'), nextval('public.down');
CREATE SEQUENCE public.lowest INCREMENT BY -1 START WITH -9223372036854775808;
SELECT nextval('public.lowest');
CREATE SCHEMA "a.b"; CREATE SEQUENCE "a.b".c;
CREATE SCHEMA a; CREATE SEQUENCE a."b.c";
SELECT setval('"a.b".c', 5), setval('a."b.c"', 6, false);
CREATE SEQUENCE public."it's ""odd"" %s \\! {n}";
SELECT nextval('public."it''s ""odd"" %s \\! {n}"');
CREATE TABLE public.made_always (id int GENERATED ALWAYS AS IDENTITY (START WITH 100), note text);
INSERT INTO public.made_always (note) VALUES ('x'), ('y');
CREATE TABLE public.parted (id int NOT NULL, note text) PARTITION BY RANGE (id);
CREATE TABLE public.was_alone (id serial, note text);
INSERT INTO public.was_alone (note) VALUES ('x'), ('y'), ('z');
ALTER TABLE public.was_alone ALTER id SET NOT NULL;
ALTER TABLE public.parted ATTACH PARTITION public.was_alone FOR VALUES FROM (0) TO (1000);
"""


@pytest.fixture(scope="module", params=VERSIONS)
def small(request: pytest.FixtureRequest, worlds: Callable[[str], Company]) -> Iterator[Company]:
    with fresh(worlds(request.param), "sequences_template") as template:
        template.server.sql(_SOURCE, template.dbname)
        with psycopg.connect(template.dsn, autocommit=True) as owner:
            owner.execute(CASE.read_bytes())
        yield template


@pytest.fixture
def source(small: Company) -> Iterator[Company]:
    with fresh(small, "counting") as copy:
        yield copy


@pytest.fixture
def copy(small: Company) -> Iterator[Company]:
    """Without a row, its sequences somewhere else."""
    with fresh(small, "counting_empty") as empty:
        with psycopg.connect(empty.dsn, autocommit=True) as owner:
            owner.execute("TRUNCATE public.orders, public.made_always, public.parted, public.settings")
            for schema, name in names(empty):
                owner.execute(sql.SQL("ALTER SEQUENCE {} RESTART").format(sql.Identifier(schema, name)))
        yield empty


def names(company: Company) -> list[tuple[Any, ...]]:
    return company.server.sql(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'S' AND n.nspname <> 'auth' ORDER BY 1, 2",
        company.dbname,
    )


def states(company: Company) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """By name, what each holds itself."""
    with psycopg.connect(company.dsn, autocommit=True) as owner:
        return {
            name: owner.execute(
                sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(*name))
            ).fetchone() or ()
            for name in names(company)
        }  # fmt: skip


@on_the_newest
async def test_each_is_exported_as_it_holds_itself(source: Company, tmp_path: Path) -> None:
    """Also one in a schema without tables, and one whose value was set and not handed out; none twice under one key."""
    taken = Taken(source, tmp_path)
    await taken.take()

    found = taken.metadata.sequences
    assert {(one.schema_name, one.name): (one.last_value, one.is_called) for one in found.values()} == states(source)
    told = {name: (one.last_value, one.is_called, one.increment, one.owned_by) for name, one in found.items()}
    assert told["counters.alone"] == (1, False, 1, None)
    assert told["public.set_and_not_handed_out"] == (41, False, 1, None)
    assert told["public.restarted"] == (77, False, 1, None)
    assert told["public.down"] == (5, True, -5, None)
    assert told["public.made_always_id_seq"] == (101, True, 1, "public.made_always.id")
    assert told["public.was_alone_id_seq"] == (3, True, 1, "public.parted.id")
    assert told["public.orders_id_seq"] == (5, True, 1, "public.orders.id")
    assert told["public.orders_id_seq1"] == (1000, True, 1, "public.orders.id")
    assert told['"a.b"."c"'][0], told['"a"."b.c"'][0] == (5, 6)
    assert "auth.of_the_platform" not in told


async def test_each_goes_on_where_it_was_after_a_restore(source: Company, copy: Company, tmp_path: Path) -> None:
    """By its own name: two that belong to one column, one of a partition, one of nothing."""
    taken = Taken(source, tmp_path)
    await taken.take()
    assert states(copy) != states(source)

    assert await psql(copy.dsn, restore_all_sql(taken.metadata, tmp_path), role=None) == (0, "")

    assert states(copy) == states(source)


@on_the_newest
async def test_the_sql_of_one_table_sets_those_that_its_columns_own(
    source: Company, copy: Company, tmp_path: Path
) -> None:
    """And no other."""
    taken = Taken(source, tmp_path)
    await taken.take()
    before, wanted = states(copy), states(source)

    for key in ("orders", "parted"):
        table = taken.metadata.tables[key]
        script = restore.restore_sql(taken.metadata, table, str(tmp_path / table.file))
        assert await psql(copy.dsn, script, role=None) == (0, "")

    owned = {("public", name) for name in ("orders_id_seq", "orders_id_seq1", "was_alone_id_seq")}
    after = states(copy)
    assert after == {name: wanted[name] if name in owned else before[name] for name in before}


@on_the_newest
async def test_one_that_is_not_there_stops_the_restore(source: Company, copy: Company, tmp_path: Path) -> None:
    """In a sentence that names it, and no row is loaded."""
    taken = Taken(source, tmp_path)
    await taken.take()
    table = taken.metadata.tables["orders"]
    with psycopg.connect(copy.dsn, autocommit=True) as owner:
        owner.execute("DROP SEQUENCE counters.alone; ALTER SEQUENCE public.orders_id_seq RENAME TO other")

    whole = await psql(copy.dsn, restore_all_sql(taken.metadata, tmp_path), role=None)
    single = await psql(copy.dsn, restore.restore_sql(taken.metadata, table, str(tmp_path / table.file)), role=None)

    assert whole[0] == single[0] == 3
    assert 'ERROR:  nothing was loaded: there is no sequence "counters"."alone"; create it and load again\n' in whole[1]
    assert 'ERROR:  nothing was loaded: there is no sequence "public"."orders_id_seq"; create it and ' in single[1]
    assert copy.server.sql("SELECT count(*) FROM public.orders", copy.dbname) == [(0,)]


@on_the_newest
async def test_one_that_our_role_may_not_read_comes_with_the_grant(source: Company) -> None:
    """And with that for its schema, though no table is in it."""
    source.server.sql(
        "CREATE ROLE half_blind LOGIN; GRANT USAGE ON SCHEMA public, auth TO half_blind;"
        "GRANT SELECT ON ALL TABLES IN SCHEMA public, auth TO half_blind;"
        "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public, counters TO half_blind;"
        "REVOKE SELECT ON SEQUENCE public.never_used FROM half_blind",
        source.dbname,
    )
    try:
        async with Database(source.admin_dsn).session("test") as session:
            await session.execute("SET ROLE half_blind")
            catalog = await read_catalog(session, Selection(include_schemas=["public", "counters"], exclude_tables=()))
    finally:
        source.server.sql("DROP OWNED BY half_blind; DROP ROLE half_blind", source.dbname)

    assert catalog.grants == (
        "GRANT USAGE ON SCHEMA counters TO half_blind;",
        "GRANT SELECT ON SEQUENCE public.never_used TO half_blind;",
    )


async def test_one_that_is_not_taken_is_reported(source: Company) -> None:
    """It goes with the table that it numbers; the platform's own are not worth a line."""
    async with Database(source.dsn).session("test") as session:
        of_schema = await read_catalog(session, Selection(include_schemas=["counters", "auth"], exclude_tables=()))
        without = await read_catalog(session, Selection(include_schemas=(), exclude_tables=["orders", "parted"]))

    assert [one.relation for one in of_schema.sequences] == ["auth.of_the_platform", "counters.alone"]
    told = {entry.name: entry.reason for entry in of_schema.left_out if entry.kind == "sequence"}
    assert told["public.down"] == "its schema is not among export.include_schemas"
    told = {entry.name: entry.reason for entry in without.left_out if entry.kind == "sequence"}
    assert set(told) == {"public.orders_id_seq", "public.orders_id_seq1", "public.was_alone_id_seq"}
    assert set(told.values()) == {"export.exclude_tables names the table that it numbers"}
