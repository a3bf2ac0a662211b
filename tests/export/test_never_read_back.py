"""Values whose types run code or raise when they are read: looking at them does neither, and they come out whole."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from bot.artifacts import restore
from bot.rehearsal.company import Company
from tests.export.conftest import Taken
from tests.export.every_type import original
from tests.export.loading import psql
from tests.export.versions import on_the_newest
from tests.freeze.servers import VERSIONS, fresh

_TYPES = """
CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY);
GRANT USAGE ON SCHEMA auth TO postgres; GRANT SELECT ON auth.users TO postgres;
CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO postgres; CREATE SCHEMA closed; CREATE TABLE closed.shop ();
SET search_path = app;
CREATE TABLE codes (code text); INSERT INTO codes VALUES ('a'), ('b');
CREATE FUNCTION known(code text) RETURNS boolean LANGUAGE plpgsql STABLE AS
  $f$ BEGIN RETURN EXISTS (SELECT FROM codes WHERE codes.code = $1); END $f$;
CREATE DOMAIN code AS text CHECK (known(VALUE));
CREATE DOMAIN positive AS int; CREATE DOMAIN given AS int;
CREATE DOMAIN pair AS int[]; CREATE DOMAIN docs AS jsonb[];
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION twice(text) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE spans AS RANGE (subtype = code);
CREATE TYPE coded AS (c code, many int[]); CREATE TYPE counted AS (n positive, many int[]);
CREATE TYPE must AS (n given, many int[]); CREATE TYPE called AS (f regproc, many int[]);
CREATE TYPE shown AS (t regclass, many int[]); CREATE TYPE granted AS (a aclitem, many int[]);
CREATE TYPE spanned AS (s spans, many int[]);
CREATE TYPE inner_doc AS (doc jsonb, docs jsonb[]); CREATE TYPE outer_doc AS (one inner_doc, more inner_doc[]);
CREATE DOMAIN dear_doc AS outer_doc;
"""
_BLOCKS = """
SET search_path = app;
CREATE TABLE blocks
  (code coded, number counted, missing must, function called, relation shown, acl granted, span spanned, pairs pair[]);
INSERT INTO blocks VALUES (ROW('a', '{1}'), ROW(-1, '{2}'), ROW(NULL, '{3}'),
  ROW('app.twice(int)'::regprocedure, '{4}'),
  ROW('closed.shop', '{5}'), ROW('gone=r/supabase_admin', '{6}'), ROW('[a,b]', '{7}'), ARRAY['{8,9}', '{10}']::pair[]);
ALTER DOMAIN positive ADD CHECK (VALUE > 0) NOT VALID;
"""
_NOT_NULL = """
UPDATE pg_type SET typnotnull = true WHERE oid = 'app.given'::regtype;
"""
_NESTED = """
SET search_path = app;
CREATE TABLE nested (id int, p pair[], d docs[], deep outer_doc, dear dear_doc, deeper outer_doc[], plain outer_doc[]);
INSERT INTO nested VALUES
  (1, ARRAY['{1,2}', '{3}', NULL, '[0:1]={4,5}']::pair[], ARRAY['{"null","[]"}', '{}']::docs[],
   ROW(ROW('null', '{}'), '{}'), ROW(ROW('{}', '{"[1]"}'), NULL),
   ARRAY[ROW(NULL, ARRAY[ROW('1', '{"null"}')::inner_doc])]::outer_doc[],
   ARRAY[ROW(ROW('{"a": null}', '{1}'), '{}')]::outer_doc[]),
  (2, '[3:3]={"{1}"}', '{}', ROW(NULL, '[0:0]={"(1,)"}'), ROW(ROW(NULL, NULL), '{"(1,)",NULL}'), '{NULL}', NULL),
  (3, NULL, NULL, NULL, NULL, NULL, NULL);
GRANT SELECT ON ALL TABLES IN SCHEMA app TO postgres;
"""


@pytest.fixture(scope="module", params=VERSIONS)
def small(request: pytest.FixtureRequest, worlds: Callable[[str], Company]) -> Iterator[Company]:
    with fresh(worlds(request.param), "never_read_back_template") as template:
        server, dbname = template.server, template.dbname
        server.sql("CREATE ROLE gone", dbname)
        for statements in (_TYPES, _BLOCKS, _NOT_NULL, _NESTED):
            server.sql(statements, dbname)
        server.sql("DROP ROLE gone", dbname)
        yield template


@pytest.fixture
def source(small: Company) -> Iterator[Company]:
    with fresh(small, "asking") as copy:
        yield copy


async def test_looking_at_a_value_runs_no_rule_and_never_raises(source: Company, tmp_path: Path) -> None:
    """Rules that fail or that old rows break, names that are ambiguous, hidden or gone: none is read back."""
    taken = Taken(source, tmp_path)
    await taken.take()

    [row] = (tmp_path / "app_blocks.json").read_text().splitlines()[1:-1]
    oid = source.server.sql("SELECT (acl).a::text FROM app.blocks", source.dbname)[0][0].partition("=")[0]
    assert row == (
        '{"code":{"c":"a","many":[1]},"number":{"n":-1,"many":[2]},"missing":{"n":null,"many":[3]},'
        '"function":{"f":"app.twice","many":[4]},"relation":{"t":"closed.shop","many":[5]},'
        f'"acl":{{"a":"{oid}=r/supabase_admin","many":[6]}},"span":{{"s":"[a,b]","many":[7]}},'
        '"pairs":"{\\"{8,9}\\",\\"{10}\\"}"}'
    )


@on_the_newest
async def test_what_json_would_lose_is_found_at_any_depth_and_comes_back(source: Company, tmp_path: Path) -> None:
    """In arrays of a domain over an array, and in composites of composites; what loses nothing stays readable."""
    taken = Taken(source, tmp_path)
    await taken.take()
    table = taken.metadata.tables["app_nested"]
    assert {column.name: column.encoding for column in table.columns} == {
        "id": "json", "p": "text", "d": "text", "deep": "text", "dear": "text", "deeper": "text", "plain": "json",
    }  # fmt: skip

    with psycopg.connect(source.admin_dsn, autocommit=True) as session:
        whole = original(table, sql.SQL("record_send(ROW({}))"))
        before = sorted(row for [row] in session.execute(whole))
        session.execute("TRUNCATE app.nested")
        script = restore.restore_sql(taken.metadata, table, str(tmp_path / "app_nested.json"))
        assert await psql(source.admin_dsn, script) == (0, "")
        assert sorted(row for [row] in session.execute(whole)) == before
    assert len(before) == 3
