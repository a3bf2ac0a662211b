"""A source whose tables belong to somebody else: their code runs when we read, and changes neither the source nor a
value that we read.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from bot.errors import ServiceRefused
from bot.rehearsal.company import Company
from bot.supabase.catalog import read_catalog
from bot.supabase.database import Database
from bot.supabase.export.snapshot import hold_snapshot
from bot.supabase.proof.foreign import foreign_code
from bot.supabase.proof.write_paths import write_paths
from bot.supabase.reading import reading
from tests.export.conftest import Taken
from tests.export.versions import on_the_newest
from tests.freeze.servers import VERSIONS, fresh

_USERS = """
CREATE SCHEMA auth;
CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);
INSERT INTO auth.users VALUES ('00000000-0000-0000-0000-000000000001', 'a@example.org');
GRANT USAGE ON SCHEMA auth TO postgres; GRANT SELECT ON auth.users TO postgres;
CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO app_role; GRANT USAGE ON SCHEMA app TO postgres;
CREATE TABLE public.prices (id int, price float8, at timestamptz, span interval, owner uuid);
INSERT INTO public.prices
SELECT n, n / 3.0, '2026-01-01 12:00+00'::timestamptz + n * interval '1 hour', n * interval '25 hours',
       '00000000-0000-0000-0000-000000000001'
  FROM generate_series(1, 400) AS n;
GRANT SELECT ON public.prices TO postgres;
"""

STEP = """
CREATE FUNCTION app.inner_step() RETURNS int LANGUAGE plpgsql VOLATILE AS $f$
BEGIN
  IF current_user = 'postgres' THEN
    PERFORM set_config('default_transaction_read_only', 'off', false);
    PERFORM set_config('extra_float_digits', '-12', false);
    PERFORM set_config('TimeZone', 'Asia/Tokyo', false);
    PERFORM set_config('IntervalStyle', 'iso_8601', false);
    PERFORM set_config('search_path', 'app, pg_catalog', false);
    PERFORM pg_notify('stolen', 'a row');
    IF NOT current_setting('transaction_read_only')::boolean THEN EXECUTE 'GRANT service_role TO app_role'; END IF;
  END IF;
  RETURN 0;
END $f$;
CREATE FUNCTION app.step(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $f$ BEGIN RETURN app.inner_step(); END $f$;
"""
"""`settings-escape.sql` of the field, and a little more."""
TABLE = """
CREATE TABLE app.{0} (id int, f float8, at timestamptz);
INSERT INTO app.{0} VALUES (1, 1.0 / 3, '2026-01-01 12:00+00'), (2, 2.0 / 3, NULL); GRANT SELECT ON app.{0} TO postgres;
"""
NEVER = """
CREATE FUNCTION app.never(text) RETURNS boolean LANGUAGE plpgsql AS $f$
BEGIN IF current_user = 'postgres' THEN RAISE 'it ran'; END IF; RETURN true; END $f$;
"""


@pytest.fixture(scope="module", params=VERSIONS)
def small(request: pytest.FixtureRequest, worlds: Callable[[str], Company]) -> Iterator[Company]:
    with fresh(worlds(request.param), "foreign_code_template") as template:
        template.server.sql("DROP ROLE IF EXISTS app_role; CREATE ROLE app_role", "template1")
        template.server.sql(_USERS, template.dbname)
        yield template


@pytest.fixture
def source(small: Company) -> Iterator[Company]:
    with fresh(small, "others_code") as copy:
        yield copy


@pytest.fixture
def taken(source: Company, tmp_path: Path) -> Taken:
    return Taken(source, tmp_path / "one")


def as_app(source: Company, *statements: str) -> None:
    """What an application's own role does in its schema."""
    source.server.sql("SET ROLE app_role; " + ";\n".join(statements), source.dbname)


@contextmanager
def listening(source: Company) -> Iterator[list[str]]:
    """Everything that was sent on any channel by the time the block ends."""
    heard: list[str] = []
    with psycopg.connect(source.admin_dsn, autocommit=True) as session:
        session.execute("LISTEN stolen")
        yield heard
        session.execute("SELECT 1")
        heard += [notify.payload for notify in session.notifies(timeout=0.05)]


def members(source: Company) -> list[Any]:
    return source.server.sql("SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members ORDER BY 1, 2")


async def take(taken: Taken) -> dict[str, bytes]:
    taken.directory.mkdir()
    await taken.take()
    return taken.files()


@on_the_newest
async def test_code_in_an_index_changes_no_value_and_gains_no_right(source: Company, tmp_path: Path) -> None:
    """Every file is byte for byte what it is without that code; nobody is a member of more roles, nothing was sent."""
    as_app(source, *(TABLE.format(name) for name in "abp"), STEP)
    before, rights = await take(Taken(source, tmp_path / "before")), members(source)
    as_app(
        source,
        "CREATE INDEX ON app.a ((id + app.step(1)))",
        "CREATE INDEX ON app.b (id) WHERE id > app.step(2)",
        "CREATE INDEX ON app.p ((id + app.step(3)))",
    )

    with listening(source) as heard:
        after = await take(Taken(source, tmp_path / "after"))
        database = Database(source.dsn)
        async with reading(database, "counts") as count, database.session("proof") as session:
            assert await count.ask(sql.SQL("SELECT count(*) FROM app.a"), of="app.a") == [(2,)]
            await write_paths(database, session)

    assert after == before
    assert b"0.3333333333333333" in after["app_a.json"]
    assert members(source) == rights
    assert heard == []


@on_the_newest
async def test_settings_that_change_while_a_table_is_read_end_the_export_by_its_name(taken: Taken) -> None:
    """What planning first does not settle, as with statistics, is found behind the last row: no file is believed."""
    as_app(
        taken.database,
        STEP,
        *(TABLE.format(name) for name in "abc"),
        "CREATE STATISTICS app.odd ON ((id + app.step(1))) FROM app.b",
    )

    with pytest.raises(ServiceRefused) as caught:
        await take(taken)

    assert str(caught.value) == (
        "reading app.b ran code of its owner that changed default_transaction_read_only, TimeZone, IntervalStyle, "
        "extra_float_digits, search_path; what was read was not used; change or drop what the check `foreign-code` "
        "lists for it (under a freeze in BEGIN READ WRITE; … COMMIT;), then try again."
    )
    assert not (taken.directory / "app_b.json").exists()
    assert not (taken.directory / "metadata.json").exists()
    assert ("service_role", "app_role") not in members(taken.database)

    as_app(taken.database, "DROP STATISTICS app.odd")
    await taken.take()
    assert b"0.3333333333333333" in taken.files()["app_b.json"]


@on_the_newest
async def test_a_large_table_read_in_spans_is_not_believed_either(taken: Taken) -> None:
    """Chunks are written as they come; the file gets its name only when the settings were found unchanged."""
    as_app(
        taken.database,
        STEP,
        "CREATE TABLE app.big AS SELECT n AS id, n / 3.0::float8 AS f, repeat('x', 200) AS body "
        "FROM generate_series(1, 20000) AS n",
        "GRANT SELECT ON app.big TO postgres",
        "CREATE STATISTICS app.odd ON ((id + app.step(1))) FROM app.big",
    )

    with pytest.raises(ServiceRefused) as caught:
        await take(taken)

    assert str(caught.value).startswith("reading app.big ran code of its owner that changed ")
    assert not (taken.directory / "app_big.json").exists()


@on_the_newest
async def test_a_domains_check_never_runs_to_look_at_a_value(taken: Taken) -> None:
    """A value is taken apart, and never read back, to know whether it comes back."""
    as_app(
        taken.database,
        NEVER,
        "CREATE DOMAIN app.word AS text CHECK (app.never(VALUE))",
        "CREATE TYPE app.pair AS (one app.word, many int[])",
        "CREATE TABLE app.words (w app.word, ws app.word[], p app.pair, ps app.pair[])",
        "INSERT INTO app.words VALUES ('a', '{b,c}', ROW('d', '[0:1]={1,2}'), ARRAY[ROW('e', NULL)::app.pair])",
        "GRANT SELECT ON app.words TO postgres",
    )

    files = await take(taken)

    assert files["app_words.json"] == (
        b'[\n{"w":"a","ws":["b","c"],"p":"(d,\\"[0:1]={1,2}\\")","ps":[{"one":"e","many":null}]}\n]\n'
    )


@on_the_newest
async def test_a_view_called_cron_job_is_not_pg_crons_table(source: Company) -> None:
    """Nor is a table of somebody else: neither is read."""
    source.server.sql(
        "CREATE SCHEMA cron AUTHORIZATION app_role; GRANT USAGE ON SCHEMA cron TO postgres", source.dbname
    )
    as_app(
        source,
        NEVER,
        "CREATE VIEW cron.job AS SELECT 1 AS jobid, app.never('x') AS active",
        "GRANT SELECT ON cron.job TO postgres",
    )
    database = Database(source.dsn)
    async with database.session("proof") as session:
        found = await write_paths(database, session)
    assert "pg_cron" not in " ".join(finding.evidence for finding in found)


async def test_functions_that_hide_the_servers_own_are_never_called(source: Company, taken: Taken) -> None:
    """Even where the database's own search path puts them first: every session of ours has another."""
    source.server.sql("GRANT CREATE ON SCHEMA public TO app_role", source.dbname)
    called = "RAISE 'it ran'; RETURN $1; END $f$"
    as_app(
        source,
        f"CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN {called}",
        f"CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN {called}",
        f"CREATE FUNCTION public.to_regclass(text) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN {called}",
        f"CREATE FUNCTION public.pg_terminate_backend(int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN {called}",
        TABLE.format("a"),
        "ALTER TABLE app.a ADD doc json",
    )
    source.server.sql(f"ALTER DATABASE {source.dbname} SET search_path = public, pg_catalog", source.dbname)

    files = await take(taken)

    assert files["app_a.json"].startswith(b'[\n{"id":1,"f":0.3333333333333333,')
    database = Database(source.dsn)
    async with database.session("proof") as session:
        assert [finding.check for finding in await write_paths(database, session)] == ["write-paths"]


async def test_foreign_code_is_listed_by_name_and_owner(source: Company) -> None:
    """Wherever reading would run it; what is ours, the platform's or a superuser's is not."""
    source.server.sql(
        "CREATE FUNCTION public.fine(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';"
        "CREATE INDEX ON public.prices ((id + public.fine(1)))",
        source.dbname,
    )
    as_app(
        source,
        STEP,
        NEVER,
        *(TABLE.format(name) for name in "abc"),
        "CREATE INDEX a_at ON app.a ((id + app.step(1)))",
        "CREATE INDEX ON app.b ((id + app.step(1)))",
        "CREATE FUNCTION app.less(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true'",
        "CREATE OPERATOR app.<<< (leftarg = int, rightarg = int, function = app.less)",
        "CREATE STATISTICS app.odd ON ((id OPERATOR(app.<<<) 3)) FROM app.b",
        "CREATE FUNCTION app.key(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END'",
        "CREATE TABLE app.parts (id int) PARTITION BY RANGE (app.key(id))",
        "GRANT SELECT ON app.parts TO postgres",
        "CREATE DOMAIN app.word AS text CHECK (app.never(VALUE))",
        "ALTER TABLE app.c ADD words app.word[]",
    )
    database = Database(source.dsn)
    async with database.session("proof") as session:
        catalog = await read_catalog(session)
        [finding] = await foreign_code(session, catalog)

    assert (finding.check, finding.verdict, finding.waivable) == ("foreign-code", "fail", True)
    assert finding.evidence == (
        "Reading the tables runs 4 functions of other roles with our rights: "
        "app.key(integer) of app_role, run by the partition key of app.parts; "
        "app.less(integer,integer) of app_role, run by statistics app.odd; "
        "app.never(text) of app_role, run by domain app.word; "
        "app.step(integer) of app_role, run by index app.a_at and 1 other place. "
        "They cannot write while Cutover reads, but they can read data and send it elsewhere."
    )


@on_the_newest
async def test_a_source_without_foreign_code_passes_and_a_superuser_is_warned(source: Company) -> None:
    """Nothing holds such code where the connection string is a superuser's."""
    for dsn, verdicts in ((source.dsn, ["pass"]), (source.admin_dsn, ["pass", "warn"])):
        async with Database(dsn).session("proof") as session:
            catalog = await read_catalog(session)
            found = await foreign_code(session, catalog)
        assert [finding.verdict for finding in found] == verdicts
    assert found[-1].check == "superuser-role"


@on_the_newest
async def test_the_snapshot_is_never_held_by_a_session_that_reads_tables(source: Company) -> None:
    """Whoever reads borrows it; what they meet cannot end it or change what it sees."""
    as_app(source, STEP, TABLE.format("a"), "CREATE INDEX ON app.a ((id + app.step(1)))")
    async with hold_snapshot(Database(source.dsn), read_catalog) as snapshot, snapshot.borrow("one") as one:
        await one.ask(sql.SQL("SELECT count(*) FROM app.a"), of="app.a")
        [[zone]] = await (await snapshot.holder.execute("SELECT current_setting('TimeZone')")).fetchall()
        assert zone == "UTC"
        assert await one.ask(sql.SQL("SELECT current_setting('TimeZone')"), of="app.a") == [("UTC",)]
