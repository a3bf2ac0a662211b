"""The company's tables come back whole from their files, and stay as readable as they can."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from bot.artifacts import tables
from bot.rehearsal.company import Company
from bot.supabase.database import query
from tests.export.conftest import Taken
from tests.export.every_type import original, restored

Session = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def reader(database: Company) -> Iterator[Session]:
    """A session pinned like ours, as an importer's has to be."""
    with psycopg.connect(database.admin_dsn, autocommit=True) as session:
        session.execute(query("session"))
        yield session


def test_every_table_of_the_company_comes_back_whole(exported: Taken, reader: Session) -> None:
    """All its awkward types and values: none is lost, none is changed."""
    described = exported.metadata
    assert described.totals.tables > 45
    for key, table in described.tables.items():
        lines = [line.decode() for line in tables.rows(exported.directory / table.file)]
        back = sorted(row for [row] in reader.execute(restored(table), [lines]))
        there = sorted(row for [row] in reader.execute(original(table, partitioned=table.table == "events")))
        assert back == there, key


def test_only_what_needs_it_is_written_as_text(exported: Taken) -> None:
    """Ordinary jsonb and arrays stay readable."""
    as_text = {
        f"{key}.{column.name}"
        for key, table in exported.metadata.tables.items()
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


async def test_json_with_raw_newlines_stays_one_line_a_row(taken: Any, reader: Session) -> None:
    """A pretty-printed json column is text, and its newlines are escaped."""
    reader.execute("CREATE TABLE public.pretty (id integer, doc json, docs json[])")
    reader.execute(
        "INSERT INTO public.pretty VALUES (1, E'{\\n  \"a\": 1\\n}', ARRAY[E'[\\r\\n1]'::json]), (2, NULL, NULL)"
    )

    await taken.take(include_schemas=["public"])

    assert [line.decode() for line in tables.rows(taken.directory / "pretty.json")] == [
        r'{"id":1,"doc":"{\n  \"a\": 1\n}","docs":"{\"[\r\n1]\"}"}',
        '{"id":2,"doc":null,"docs":null}',
    ]
