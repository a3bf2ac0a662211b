"""Limits of the server that an export meets: time-outs do not end it, and what cannot be sent is named."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg import sql

from bot.artifacts import restore, tables
from bot.errors import Unreadable
from bot.rehearsal.company import Company
from bot.supabase.catalog import read_catalog
from bot.supabase.database import Database
from bot.supabase.export.snapshot import hold_snapshot
from tests.export.conftest import Taken, make_run
from tests.export.loading import psql
from tests.export.test_unreadable import leaving_out
from tests.export.versions import on_the_newest
from tests.freeze.servers import VERSIONS, fresh

_USERS = """
CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY);
INSERT INTO auth.users VALUES ('00000000-0000-0000-0000-000000000001');
GRANT USAGE ON SCHEMA auth TO postgres; GRANT SELECT ON auth.users TO postgres;
CREATE SCHEMA app AUTHORIZATION postgres;
"""
_HUGE = """
CREATE TABLE app.huge (id uuid, bits varbit); ALTER TABLE app.huge OWNER TO postgres;
DO $$
DECLARE bits varbit := repeat('0', 1048576)::varbit;
BEGIN
  FOR n IN 1..10 LOOP bits := bits || bits; END LOOP;
  INSERT INTO app.huge VALUES (gen_random_uuid(), B'1'), (gen_random_uuid(), bits);
END $$;
"""
"""A thousandth of a gigabyte as it is stored, and as text one byte more than the server can have."""


@pytest.fixture(scope="module", params=VERSIONS)
def small(request: pytest.FixtureRequest, worlds: Callable[[str], Company]) -> Iterator[Company]:
    with fresh(worlds(request.param), "server_limits_template") as template:
        template.server.sql(_USERS, template.dbname)
        yield template


@pytest.fixture
def source(small: Company) -> Iterator[Company]:
    with fresh(small, "limits") as copy:
        yield copy


@pytest.fixture(scope="module")
def with_huge(small: Company) -> Iterator[Company]:
    with fresh(small, "with_huge") as template:
        template.server.sql(_HUGE, template.dbname)
        yield template


@pytest.fixture
def huge(with_huge: Company) -> Iterator[Company]:
    """A source with a row beyond the server's gigabyte."""
    with fresh(with_huge, "limits_huge") as copy:
        yield copy


def limited(company: Company, *names: str) -> bool:
    """Sets these time-outs to a second for the whole database; False where the server does not know one."""
    there = "SELECT 1 FROM pg_settings WHERE name = %s"
    known = [name for name in names if company.server.sql(there, parameters=[name])]
    for name in known:
        company.server.sql(f"ALTER DATABASE {company.dbname} SET {name} = '1s'", company.dbname)
    return len(known) == len(names)


async def test_no_time_limit_of_the_server_ends_what_an_export_does(source: Company) -> None:
    """`transaction_timeout` of PostgreSQL 17 and later is the same as the others; servers before do not know it."""
    known = limited(source, "statement_timeout", "idle_session_timeout", "transaction_timeout")

    async with hold_snapshot(Database(source.dsn), read_catalog) as snapshot, snapshot.borrow("slow") as reader:
        await reader.ask(sql.SQL("SELECT pg_sleep(1.2)"), of="public.settings")
        await reader.ask(sql.SQL("SELECT count(*) FROM public.settings"), of="public.settings")
        await snapshot.clock()

    assert known == (source.server.sql("SELECT current_setting('server_version_num')::int >= 170000") == [(True,)])


async def test_nor_a_restore(source: Company, tmp_path: Path) -> None:
    """However long its one transaction takes."""
    taken = Taken(source, tmp_path)
    await taken.take()
    described = taken.metadata
    source.server.sql(
        "TRUNCATE public.settings; CREATE FUNCTION app.slow() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(1.2); RETURN NEW; END';"
        " CREATE TRIGGER slow BEFORE INSERT ON public.settings FOR EACH ROW EXECUTE FUNCTION app.slow()",
        source.dbname,
    )
    limited(source, "statement_timeout", "transaction_timeout")

    script = restore.restore_sql(described, described.tables["settings"], str(tmp_path / "settings.json"))

    assert await psql(source.admin_dsn, script, role="origin") == (0, "")
    assert source.server.sql("SELECT key FROM public.settings", source.dbname) == [("a",)]


@on_the_newest
async def test_a_row_beyond_the_servers_gigabyte_is_named_and_may_be_left_out(huge: Company, tmp_path: Path) -> None:
    """With the word that works while the source is frozen; nothing was written that could be taken for an export."""
    taken = Taken(huge, tmp_path)

    with pytest.raises(Unreadable) as caught:
        await taken.take()

    assert str(caught.value) == (
        "app.huge could not be exported: a row is longer than 1 GB as text (XX000); no metadata.json was "
        "written; leave the table out; or, before a run, name it in export.exclude_tables or shorten the row."
    )
    assert caught.value.tables == ("app.huge",)
    assert not (tmp_path / "metadata.json").exists()
    await taken.take(leaving_out(make_run(), "app.huge"))
    assert set(taken.metadata.tables) == {"auth_users", "settings"}
    [left] = [entry for entry in taken.metadata.left_out if entry.name == "app.huge"]
    assert left.reason == "it could not be read; U0ADA accepted that: it is made anew"


@on_the_newest
async def test_users_with_such_a_row_are_never_left_out(huge: Company, tmp_path: Path) -> None:
    """What helps is said: shorten it, in a source that is not frozen."""
    huge.server.sql(
        "DROP TABLE auth.users; ALTER TABLE app.huge RENAME TO users; ALTER TABLE app.users SET SCHEMA auth",
        huge.dbname,
    )

    with pytest.raises(Unreadable) as caught:
        await Taken(huge, tmp_path).take()

    assert str(caught.value) == (
        "auth.users could not be exported: a row is longer than 1 GB as text (XX000); no metadata.json "
        "was written; say `abort`, shorten the row in the living source, and begin a new run."
    )
    assert caught.value.tables == ()


@pytest.mark.all
async def test_text_of_some_hundred_megabytes_is_searched_for_ids_as_any_other(source: Company, tmp_path: Path) -> None:
    """The server could not search in it; it is too long for an id, which is seen without fetching it."""
    source.server.sql("CREATE TABLE app.long AS SELECT repeat('x', 270000000) AS body", source.dbname)
    source.server.sql("ALTER TABLE app.long OWNER TO postgres", source.dbname)
    taken = Taken(source, tmp_path)
    await taken.take()
    table = taken.metadata.tables["app_long"]
    *_, facts = tables.facts(tmp_path / "app_long.json")
    assert (facts.rows, facts.row_digest) == (1, table.row_digest)


@pytest.mark.all
async def test_a_row_that_grows_beyond_the_gigabyte_as_json_is_named(source: Company, tmp_path: Path) -> None:
    """Each control character takes six."""
    source.server.sql("CREATE TABLE app.grown AS SELECT repeat(E'\\x01', 180000000) AS body", source.dbname)
    source.server.sql("ALTER TABLE app.grown OWNER TO postgres", source.dbname)
    with pytest.raises(Unreadable) as caught:
        await Taken(source, tmp_path).take()
    assert caught.value.happened == ("app.grown could not be exported: a row is longer than 1 GB as text (54000)")
