"""Sources that are large, wide or oddly named in every way that PostgreSQL allows."""

import asyncio
import json
import os
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from bot.artifacts import tables
from bot.rehearsal.company import Company
from tests import preloaded

ROOT = Path(__file__).parents[2]
TYPES = ("integer", "text", "boolean", "numeric(10,2)", "timestamp with time zone", "uuid", "jsonb", "integer[]")
MEGABYTE = 1_000_000


async def peak(dsn: str, directory: Path, schema: str) -> int:
    """Of the memory of a process that exports the schema, in bytes."""
    await asyncio.to_thread(directory.mkdir)
    process = await preloaded.start(
        *("export", dsn, str(directory), "2", schema),
        module="benchmarks.exporting",
        cwd=ROOT,
        env=os.environ,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0
    return int(json.loads(told.splitlines()[-1])["peak"])


@pytest.fixture
def owner(database: Company) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A session of the company's owner."""
    with psycopg.connect(database.dsn, autocommit=True) as session:
        session.execute("CREATE SCHEMA odd")
        yield session


# -- many -------------------------------------------------------------------------------------------------------------


async def export_many(owner: Any, taken: Any, number: int) -> None:
    """Of a server with PostgreSQL's own limits."""
    for first in range(0, number, 100):
        made = range(first, min(number, first + 100))
        tables_made = (f"CREATE TABLE odd.empty_{n} (id bigint PRIMARY KEY, user_id uuid, doc jsonb)" for n in made)
        owner.execute(";".join(tables_made).encode())

    await taken.take(include_schemas=["odd"])

    empty = [table for table in taken.metadata.tables.values() if table.schema_name == "odd"]
    assert len(empty) == number
    for table in empty:
        assert (table.row_count, table.row_digest, table.bytes) == (0, "0", 4)
        assert (taken.directory / table.file).read_bytes() == b"[\n]\n"


async def test_some_hundred_empty_tables(owner: Any, taken: Any) -> None:
    """Each is a file."""
    await export_many(owner, taken, 300)


@pytest.mark.all
async def test_five_thousand_empty_tables(owner: Any, taken: Any) -> None:
    """The server's table of locks has room for 7,040: more sessions than it bears are not opened."""
    await export_many(owner, taken, 5_000)


# -- wide -------------------------------------------------------------------------------------------------------------


async def test_a_table_of_as_many_columns_as_there_can_be(owner: Any, taken: Any) -> None:
    """1,600 of all kinds, with names of 63 bytes."""
    columns = [(f"{n:04d}_".ljust(63, "c"), TYPES[n % len(TYPES)]) for n in range(1_600)]
    owner.execute(
        ("CREATE TABLE odd.wide (" + ", ".join(f'"{name}" {type_}' for name, type_ in columns) + ")").encode()
    )
    values = {f'"{name}"': {"integer": "i", "boolean": "true"}.get(type_) for name, type_ in columns}
    filled = {name: value for name, value in values.items() if value}
    owner.execute(
        f"INSERT INTO odd.wide ({', '.join(filled)})"
        f" SELECT {', '.join(filled.values())} FROM generate_series(1, 30) i".encode()
    )

    await taken.take(include_schemas=["odd"])

    described = taken.metadata.tables["odd_wide"]
    assert [(column.name, column.type) for column in described.columns] == columns
    rows = json.loads((taken.directory / "odd_wide.json").read_text())
    assert len(rows) == 30
    assert all(list(row) == [name for name, _ in columns] for row in rows)
    assert [row[columns[0][0]] for row in rows] == list(range(1, 31))


# -- large ------------------------------------------------------------------------------------------------------------


async def export_large(owner: Any, taken: Any, directory: Path, size: int) -> None:
    dsn = taken.database.dsn
    owner.execute("CREATE TABLE odd.nothing (id integer)")
    idle = await peak(dsn, directory / "idle", "odd")
    owner.execute(
        "CREATE TABLE odd.large AS SELECT 1 AS id, repeat(md5('x'), %s) AS body UNION ALL SELECT 2, 'small'"
        " UNION ALL SELECT i, repeat('y', 5000) FROM generate_series(3, 2000) i",
        [size // 32],
    )
    used = await peak(dsn, directory / "large", "odd")

    assert used - idle < 40 * MEGABYTE + 4 * size
    table = json.loads((directory / "large" / "metadata.json").read_text())["tables"]["odd_large"]
    *_, facts = tables.facts(directory / "large" / "odd_large.json")
    assert (facts.rows, facts.row_digest, facts.sha256) == (table["rowCount"], table["rowDigest"], table["sha256"])
    assert facts.rows == 2_000
    first = next(tables.rows(directory / "large" / "odd_large.json"))
    assert len(json.loads(first)["body"]) == size // 32 * 32


async def test_a_row_of_forty_megabytes(owner: Any, taken: Any, tmp_path: Path) -> None:
    """Takes at most 40 MB and four times the row."""
    await export_large(owner, taken, tmp_path, 40 * MEGABYTE)


@pytest.mark.all
async def test_a_row_of_two_hundred_megabytes(owner: Any, taken: Any, tmp_path: Path) -> None:
    """The same bound."""
    await export_large(owner, taken, tmp_path, 200 * MEGABYTE)


# -- names ------------------------------------------------------------------------------------------------------------


def cut(name: str) -> str:
    """To the 63 bytes that PostgreSQL keeps."""
    return name.encode()[:63].decode(errors="ignore")


ANY = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=63)
SCRIPTS = st.sampled_from(["Ж" * 31, "表" * 21, "🦆" * 15, "שלום" * 7, "é" * 31, "\u202ereversed", "a\tb\nc", " ", "."])
OURS = st.sampled_from(["metadata", "user-mapping", "auth_users", "CON", "con", "select", "orders.json", "../x", "x/y"])
NAMES = st.lists((ANY | SCRIPTS | OURS).map(cut).filter(bool), min_size=1, max_size=6)


def assert_each_has_a_file(owner: Any, taken: Any, names: list[str]) -> None:
    wanted = sorted({variant for name in names for variant in (name, cut(name.upper()), cut(name.lower())) if variant})
    owner.execute("DROP SCHEMA odd CASCADE; CREATE SCHEMA odd")
    for n, name in enumerate(wanted):
        owner.execute(
            sql.SQL("CREATE TABLE odd.{table} ({table} text, row_to_json integer, x integer, t integer)").format(
                table=sql.Identifier(name)
            )
            if name not in ("row_to_json", "x", "t")
            else sql.SQL("CREATE TABLE odd.{table} ({table} text)").format(table=sql.Identifier(name))
        )
        row = sql.Literal(f"row of {n}")
        owner.execute(sql.SQL("INSERT INTO odd.{} VALUES ({})").format(sql.Identifier(name), row))

    asyncio.run(taken.take(include_schemas=["odd"]))

    found = {t.table: t for t in taken.metadata.tables.values() if t.schema_name == "odd"}
    assert sorted(found) == wanted
    files = [table.file for table in taken.metadata.tables.values()]
    assert len({unicodedata.normalize("NFC", file).casefold() for file in files}) == len(files)
    for n, name in enumerate(wanted):
        [row] = json.loads((taken.directory / found[name].file).read_text())
        assert row[name] == f"row of {n}"


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES)
@example(names=["Ж" * 31, "select", "orders.json", "../x", "a\tb\nc", "\u202ereversed", "CON"])
def test_names_in_any_script_and_names_that_differ_by_case_only(
    owner: Any, beside: Callable[[], Any], names: list[str]
) -> None:
    """Of tables and of columns: each table has a file of its own, and metadata.json tells which."""
    assert_each_has_a_file(owner, beside(), names)


@pytest.mark.all
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES)
def test_many_names_in_any_script(owner: Any, beside: Callable[[], Any], names: list[str]) -> None:
    """The same, for some hundred names more."""
    assert_each_has_a_file(owner, beside(), names)
