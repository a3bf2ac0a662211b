"""Big tables are read by several workers side by side: the bundle is the same as by one, and told apart by nothing."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bot.artifacts import tables
from bot.rehearsal.company import Company
from bot.supabase.export import bundle
from tests.export.conftest import Taken

BIG = """
CREATE TYPE public.box AS (labels text[], note text);
CREATE TABLE public.big_plain WITH (fillfactor = 10) AS
  SELECT i AS id, md5(i::text) AS word, jsonb_build_object('n', i) AS doc, i % 7 = 0 AS flag
    FROM generate_series(1, 4000) i;
CREATE TABLE public.big_doubted WITH (fillfactor = 10) AS
  SELECT i AS id, CASE i WHEN 3990 THEN 'null'::jsonb ELSE jsonb_build_object('n', i) END AS doc, ARRAY[i, i] AS pair
    FROM generate_series(1, 4000) i;
CREATE TABLE public.big_deep WITH (fillfactor = 10) AS
  SELECT i AS id, ROW(ARRAY['a', i::text], CASE i % 3 WHEN 0 THEN 'x' END)::public.box AS box
    FROM generate_series(1, 4000) i;
-- Values outside the table's own blocks, some spans heavy with them, some without any; holes where rows were deleted.
CREATE TABLE public.big_outside (id integer, body text) WITH (fillfactor = 10);
ALTER TABLE public.big_outside ALTER body SET STORAGE EXTERNAL;
INSERT INTO public.big_outside
  SELECT i, CASE WHEN i BETWEEN 1200 AND 1206 THEN repeat(md5(i::text), 6000)
                 WHEN i % 200 = 0 THEN repeat(md5(i::text), 100) ELSE md5(i::text) END FROM generate_series(1, 6000) i;
DELETE FROM public.big_outside WHERE id BETWEEN 3000 AND 4200;
-- A tree whose leaves differ in size, in the order of their columns, and in what was dropped from them.
CREATE TABLE public.big_tree (id integer NOT NULL, region text, body text) PARTITION BY LIST (region);
CREATE TABLE public.big_tree_a PARTITION OF public.big_tree FOR VALUES IN ('a') WITH (fillfactor = 10);
CREATE TABLE public.big_tree_b (gone integer, body text, region text, id integer NOT NULL) WITH (fillfactor = 10);
ALTER TABLE public.big_tree_b DROP COLUMN gone;
ALTER TABLE public.big_tree ATTACH PARTITION public.big_tree_b FOR VALUES IN ('b');
CREATE TABLE public.big_tree_c PARTITION OF public.big_tree FOR VALUES IN ('c') PARTITION BY RANGE (id);
CREATE TABLE public.big_tree_c_low PARTITION OF public.big_tree_c FOR VALUES FROM (0) TO (3000)
  WITH (fillfactor = 10);
CREATE TABLE public.big_tree_c_rest PARTITION OF public.big_tree_c DEFAULT WITH (fillfactor = 10);
INSERT INTO public.big_tree SELECT i, substr('aabbbbbc', 1 + i % 8, 1), md5(i::text) FROM generate_series(1, 6000) i;
"""
NAMES = ("big_plain", "big_doubted", "big_deep", "big_outside", "big_tree")


@pytest.fixture(scope="module")
def big(company: Company) -> Iterator[Company]:
    """Tables of hundreds of blocks, with few rows in each, so that workers share them. No test changes a row."""
    copy = company.clone("side_by_side")
    with psycopg.connect(copy.admin_dsn, autocommit=True) as session:
        session.execute(BIG.encode())
    yield copy
    copy.drop()


@pytest.fixture(scope="module")
def by_three(big: Company, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """What three workers wrote of them; look at it, but change nothing in it."""
    taken = Taken(big, tmp_path_factory.mktemp("by-three"))
    asyncio.run(taken.take(workers=3))
    return taken


@pytest.fixture
def taken(big: Company, tmp_path: Path) -> Taken:
    """An empty data directory for the same tables."""
    return Taken(big, tmp_path)


async def test_any_number_of_workers_writes_the_same_bytes(big: Company, taken: Taken, by_three: Taken) -> None:
    """And what they write is what is there, row by row, with the digest that SQL computed."""
    await taken.take(workers=1)

    assert by_three.files() == taken.files()
    for name in NAMES:
        table = by_three.metadata.tables[name]
        *_, facts = tables.facts(by_three.directory / table.file)
        assert facts == (table.bytes, table.row_count, table.sha256, table.row_digest)
        found = sorted(json.loads(row)["id"] for row in tables.rows(by_three.directory / table.file))
        there = big.server.sql(f"SELECT id FROM public.{name} ORDER BY id", big.dbname)
        assert found == [id_ for [id_] in there]


def test_a_value_seen_late_turns_the_whole_column_into_text(by_three: Taken) -> None:
    """The table is begun again, alone; columns and tables without such a value stay JSON."""
    described = by_three.metadata.tables
    as_text = {(name, column.name) for name in NAMES for column in described[name].columns if column.encoding == "text"}
    assert as_text == {("big_doubted", "doc")}
    first, *_ = tables.rows(by_three.directory / "big_doubted.json")
    assert json.loads(first) == {"id": 1, "doc": '{"n": 1}', "pair": [1, 1]}
    done = [progress.done for progress in by_three.said if progress.step == "export"]
    assert done == sorted(done)


async def test_a_leaf_that_may_not_be_read_alone_is_read_through_its_parent(
    big: Company, taken: Taken, by_three: Taken
) -> None:
    """Nothing is missing then, and nothing twice."""
    server, role = big.server, "leafless"
    server.sql(f"CREATE ROLE {role} LOGIN BYPASSRLS PASSWORD '{server.password}'")
    try:
        [[grants]] = server.sql(
            "SELECT string_agg(format('GRANT USAGE ON SCHEMA %1$I TO leafless;"
            " GRANT SELECT ON ALL TABLES IN SCHEMA %1$I TO leafless;"
            " GRANT SELECT ON ALL SEQUENCES IN SCHEMA %1$I TO leafless', nspname), ';')"
            " FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
            big.dbname,
        )
        server.sql(f"{grants}; REVOKE SELECT ON public.big_tree_b FROM leafless", big.dbname)
        taken.dsn = server.dsn(big.dbname, user=role)
        await taken.take(workers=3)
    finally:
        server.sql(f"DROP OWNED BY {role}", big.dbname)
        server.sql(f"DROP ROLE {role}")

    assert sorted(tables.rows(taken.directory / "big_tree.json")) == sorted(
        tables.rows(by_three.directory / "big_tree.json")
    )
    assert taken.metadata.tables["big_tree"].row_digest == by_three.metadata.tables["big_tree"].row_digest


async def test_a_server_that_cannot_read_a_range_of_blocks_gives_the_same_bytes(
    taken: Taken, by_three: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before PostgreSQL 14 each table is read by one worker, row by row."""
    monkeypatch.setattr(bundle, "_RANGES_SINCE", 99)
    await taken.take(workers=3)

    assert taken.files() == by_three.files()


def test_the_row_digest_is_what_sql_says_of_the_rows(big: Company, by_three: Taken) -> None:
    """By the sentence in docs/files.md, over rows that nobody has joined or sent."""
    rows = "SELECT row_to_json(t.*)::text AS row FROM public.big_plain AS t"
    added = "('x' || substr(md5(convert_to(rows.row, 'UTF8')), 1, 16))::bit(64)::bigint"
    [[digest]] = big.server.sql(f"SELECT sum({added})::text FROM ({rows}) AS rows", big.dbname)
    assert by_three.metadata.tables["big_plain"].row_digest == digest
