"""Every value of every column comes back from the files, compared by the bytes of its binary form."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from bot.artifacts import metadata, tables
from bot.rehearsal.company import Company
from bot.supabase.catalog import read_catalog
from bot.supabase.database import Database, query
from bot.supabase.export.tablefile import export_table

Session = psycopg.Connection[tuple[Any, ...]]


def restored(table: metadata.Table) -> sql.Composed:
    """The table's rows out of the lines of its file, as an importer would put them back."""
    names = [sql.Identifier(column.name) for column in table.columns]
    fields = [
        sql.SQL("(j ->> {})::{}").format(sql.Literal(column.name), sql.SQL(column.type))
        if column.encoding == "text"
        else sql.SQL("(r).{}").format(name)
        for column, name in zip(table.columns, names, strict=True)
    ]
    return sql.SQL(
        "SELECT record_send(ROW({fields})) FROM (SELECT line::json AS j FROM unnest(%s::text[]) AS line) AS lines"
        " CROSS JOIN LATERAL (SELECT json_populate_record(NULL::{table}, j) AS r) AS populated"
    ).format(fields=sql.SQL(", ").join(fields), table=sql.Identifier(table.schema_name, table.table))


def original(table: metadata.Table, *, partitioned: bool) -> sql.Composed:
    columns = sql.SQL(", ").join(sql.Identifier("x", column.name) for column in table.columns)
    source = sql.SQL("{}" if partitioned else "ONLY {}").format(sql.Identifier(table.schema_name, table.table))
    return sql.SQL("SELECT record_send(ROW({columns})) FROM {table} AS x").format(columns=columns, table=source)


@pytest.fixture
def reader(database: Company) -> Iterator[Session]:
    """A session pinned like ours, as an importer's has to be."""
    with psycopg.connect(database.admin_dsn, autocommit=True) as session:
        session.execute(query("session"))
        yield session


async def test_every_table_of_the_company_comes_back_whole(taken: Any, reader: Session) -> None:
    """All its awkward types and values: none is lost, none is changed."""
    await taken.take()

    described = taken.metadata
    assert described.totals.tables > 45
    for key, table in described.tables.items():
        lines = [line.decode() for line in tables.rows(taken.directory / table.file)]
        back = sorted(row for [row] in reader.execute(restored(table), [lines]))
        there = sorted(row for [row] in reader.execute(original(table, partitioned=table.table == "events")))
        assert back == there, key


async def test_only_what_needs_it_is_written_as_text(taken: Any) -> None:
    """Ordinary jsonb and arrays stay readable."""
    await taken.take()

    as_text = {
        f"{key}.{column.name}"
        for key, table in taken.metadata.tables.items()
        for column in table.columns
        if column.encoding == "text"
    }
    assert as_text == {
        "documents.body",
        "documents.as_typed",
        "documents.versions",
        "metadata-5b22d2ef.value",
        "products.attributes",
        "surveys.shifted",
        "webhook_deliveries.received",
    }


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "words": st.none() | TEXTS,
            "doc": st.none() | JSONS.map(psycopg.types.json.Jsonb),
            "typed": st.none() | JSONS.map(psycopg.types.json.Json),
            "exact": st.none()
            | st.decimals(allow_nan=False, allow_infinity=False)
            | st.sampled_from(["NaN", "Infinity", "-Infinity"]),
            "about": st.none() | st.floats(),
            "raw": st.none() | st.binary(max_size=20),
            "numbers": st.sampled_from([None, "{}", "{1,NULL}", "{{1,2},{3,4}}", "[0:1]={1,2}", "[2:2][1:1]={{7}}"]),
            "docs": st.sampled_from([None, "{}", "{null,NULL}", '{"{}",1}', "[0:0]={1}"]),
            "deep": st.sampled_from([None, "(,)", '("{a,b}",1)', '("[5:5]={x}",null)', '("{}","null")', '(,"[null]")']),
        }
    ),
    max_size=6,
)


@pytest.fixture
def probe(database: Company, reader: Session) -> Company:
    """A company with one more table, of a column for each kind of doubt."""
    reader.execute("CREATE TYPE public.inside AS (labels text[], doc jsonb)")
    reader.execute(
        "CREATE TABLE public.probe (words text, doc jsonb, typed json, exact numeric, about float8, raw bytea,"
        " numbers integer[], docs jsonb[], deep public.inside)"
    )
    return database


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_any_values_come_back(probe: Company, reader: Session, rows: list[dict[str, Any]]) -> None:
    """Whatever stands in a table, the encodings chosen for it carry it through, and the digest is that of the text."""
    reader.execute("TRUNCATE public.probe")
    for row in rows:
        reader.execute(
            "INSERT INTO public.probe VALUES (%(words)s, %(doc)s, %(typed)s, %(exact)s, %(about)s, %(raw)s,"
            " %(numbers)s, %(docs)s, %(deep)s)",
            row,
        )

    table, lines = asyncio.run(exported(probe, "public.probe"))

    back = sorted(row for [row] in reader.execute(restored(table), [lines]))
    assert back == sorted(row for [row] in reader.execute(original(table, partitioned=False)))


async def exported(database: Company, relation: str) -> tuple[metadata.Table, list[str]]:
    """One table by the step's own parts."""
    async with Database(database.dsn).session("test") as session:
        await session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        catalog = await read_catalog(session, include_schemas=["public"], exclude_tables=[])
        [table] = [table for table in catalog.tables if table.relation == relation]
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / table.file
            described = await export_table(session, table, catalog, path, role="postgres", wrote=lambda rows: None)
            *_, facts = tables.facts(path)
            assert (facts.rows, facts.row_digest) == (described.row_count, described.row_digest)
            return described, [line.decode() for line in tables.rows(path)]


async def test_json_with_raw_newlines_stays_one_line_a_row(database: Company, reader: Session) -> None:
    """A pretty-printed json column is text, and its newlines are escaped."""
    reader.execute("CREATE TABLE public.pretty (id integer, doc json, docs json[])")
    reader.execute(
        "INSERT INTO public.pretty VALUES (1, E'{\\n  \"a\": 1\\n}', ARRAY[E'[\\r\\n1]'::json]), (2, NULL, NULL)"
    )

    _, lines = await exported(database, "public.pretty")

    assert lines == [
        r'{"id":1,"doc":"{\n  \"a\": 1\n}","docs":"{\"[\r\n1]\"}"}',
        '{"id":2,"doc":null,"docs":null}',
    ]
