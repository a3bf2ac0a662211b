"""Sources that are large, wide or oddly named in every way that PostgreSQL allows."""

import asyncio
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from bot.artifacts import tables
from bot.rehearsal.company import Company, build
from bot.rehearsal.postgres import EmbeddedPostgres

ROOT = Path(__file__).parents[2]
EXPORTING = (sys.executable, "-m", "benchmarks.exporting", "export")
TYPES = ("integer", "text", "boolean", "numeric(10,2)", "timestamp with time zone", "uuid", "jsonb", "integer[]")
MEGABYTE = 1_000_000


async def peak(dsn: str, directory: Path, schema: str) -> int:
    """Of the memory of a process that exports the schema, in bytes."""
    await asyncio.to_thread(directory.mkdir)
    process = await asyncio.create_subprocess_exec(
        *EXPORTING, dsn, directory, "2", schema, stdout=asyncio.subprocess.PIPE, cwd=ROOT
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


def with_many_tables(server: EmbeddedPostgres, number: int) -> Company:
    company = build(server, users=60, rows=100, dbname="many")
    for first in range(0, number, 100):
        server.sql(
            "".join(
                f"CREATE TABLE public.empty_{n} (id bigint PRIMARY KEY, user_id uuid, doc jsonb);"
                for n in range(first, min(number, first + 100))
            ),
            "many",
        )
    return company


async def export_many(tmp_path: Path, number: int) -> None:
    with EmbeddedPostgres() as server:
        company = with_many_tables(server, number)
        await peak(company.dsn, tmp_path / "bundle", "public")
    described = json.loads((tmp_path / "bundle" / "metadata.json").read_text())["tables"]
    empty = [table for table in described.values() if table["table"].startswith("empty_")]
    assert len(empty) == number
    for table in empty:
        assert (table["rowCount"], table["rowDigest"], table["bytes"]) == (0, "0", 4)
        assert (tmp_path / "bundle" / table["file"]).read_bytes() == b"[\n]\n"


async def test_a_thousand_empty_tables(tmp_path: Path) -> None:
    """Each is a file, on a server with PostgreSQL's own limits."""
    await export_many(tmp_path, 1_000)


@pytest.mark.all
async def test_five_thousand_empty_tables(tmp_path: Path) -> None:
    """The server's table of locks has room for 7,040: more sessions than it bears are not opened."""
    await export_many(tmp_path, 5_000)


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
        f" SELECT {', '.join(filled.values())} FROM generate_series(1, 300) i".encode()
    )

    await taken.take(include_schemas=["odd"])

    described = taken.metadata.tables["odd_wide"]
    assert [(column.name, column.type) for column in described.columns] == columns
    rows = json.loads((taken.directory / "odd_wide.json").read_text())
    assert len(rows) == 300
    assert all(list(row) == [name for name, _ in columns] for row in rows)
    assert [row[columns[0][0]] for row in rows] == list(range(1, 301))


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


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES)
def test_names_in_any_script_and_names_that_differ_by_case_only(
    database: Company, owner: Any, beside: Callable[[], Any], names: list[str]
) -> None:
    """Of tables and of columns: each table has a file of its own, and metadata.json tells which."""
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

    taken = beside()
    asyncio.run(taken.take(include_schemas=["odd"]))

    found = {t.table: t for t in taken.metadata.tables.values() if t.schema_name == "odd"}
    assert sorted(found) == wanted
    files = [table.file for table in taken.metadata.tables.values()]
    assert len({unicodedata.normalize("NFC", file).casefold() for file in files}) == len(files)
    for n, name in enumerate(wanted):
        [row] = json.loads((taken.directory / found[name].file).read_text())
        assert row[name] == f"row of {n}"
