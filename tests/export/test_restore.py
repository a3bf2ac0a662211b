"""What was exported is loaded again with the printed SQL, by psql, and proves itself."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.artifacts import restore
from bot.errors import UsageError
from bot.rehearsal.company import Company
from bot.rehearsal.postgres_binaries import find_binaries
from bot.supabase.database import query
from tests.export.every_type import original


async def psql(dsn: str, script: str) -> tuple[int, str]:
    """Its exit code, and what it said when it failed."""
    process = await asyncio.create_subprocess_exec(
        find_binaries().directory / "psql",
        dsn,
        "-qX",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        # Triggers and foreign keys are the import's business: here each table stands for itself.
        env=os.environ | {"PGOPTIONS": "-c session_replication_role=replica"},
    )
    _, said = await process.communicate(script.encode())
    return process.returncode or 0, said.decode()


def rows_of(company: Company, metadata: Any) -> dict[str, list[bytes]]:
    with psycopg.connect(company.admin_dsn) as session:
        session.execute(query("session"))
        return {
            key: sorted(row for [row] in session.execute(original(table, partitioned=table.table == "events")))
            for key, table in metadata.tables.items()
        }


@pytest.fixture
def emptied(database: Company) -> Any:
    """A copy of the company's schema, without a row."""
    copy = database.clone(f"{database.dbname}_emptied")
    [[tables]] = copy.server.sql(
        "SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ') FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_|information_schema'",
        copy.dbname,
    )
    copy.server.sql(f"TRUNCATE {tables} RESTART IDENTITY CASCADE", copy.dbname)
    yield copy
    copy.drop()


async def test_every_table_is_loaded_into_an_empty_copy_of_the_schema(taken: Any, emptied: Company) -> None:
    """Generated and identity columns, awkward names and types, partitions, inheritance: equal by their binary form."""
    with psycopg.connect(taken.database.admin_dsn, autocommit=True) as session:
        session.execute('CREATE TABLE public."a $cutover$ \'b\' ""c""" ("x %s :y" integer, "\\d" text)')
        session.execute('INSERT INTO public."a $cutover$ \'b\' ""c""" VALUES (1, E\'\\\\N \\\\. "\')')
    emptied.server.sql('CREATE TABLE public."a $cutover$ \'b\' ""c""" ("x %s :y" integer, "\\d" text)', emptied.dbname)
    await taken.take()
    described = taken.metadata

    for key in described.import_order:
        table = described.tables[key]
        script = restore.restore_sql(described, table, str(taken.directory / table.file))
        assert await psql(emptied.admin_dsn, script) == (0, "")

    assert rows_of(emptied, described) == rows_of(taken.database, described)
    with psycopg.connect(emptied.admin_dsn) as session:
        for name, sequence in described.sequences.items():
            if sequence.owned_by and sequence.last_value is not None:
                schema, _, own = name.partition(".")
                [[last]] = session.execute(
                    "SELECT last_value FROM pg_sequences WHERE schemaname = %s AND sequencename = %s", [schema, own]
                ).fetchall()
                assert last == sequence.last_value


@pytest.mark.parametrize("damage", ["a row less", "another value", "a row there before"])
async def test_what_is_not_the_export_is_not_loaded(taken: Any, emptied: Company, damage: str) -> None:
    """Count and digest are compared at the end, and all is undone."""
    await taken.take(include_schemas=["public"])
    described = taken.metadata
    file = taken.directory / "settings.json"
    if damage == "a row less":
        file.write_text('[\n{"name":"site","value":"a company"}\n]\n')
    elif damage == "another value":
        file.write_text(file.read_text().replace("a company", "b company"))
    else:
        emptied.server.sql("INSERT INTO public.settings VALUES ('before', 'all')", emptied.dbname)

    code, said = await psql(emptied.admin_dsn, restore.restore_sql(described, described.tables["settings"], str(file)))

    assert code == 3 and "nothing was loaded" in said
    left = emptied.server.sql("SELECT name FROM public.settings", emptied.dbname)
    assert left == ([("before",)] if damage == "a row there before" else [])


async def test_a_bundle_lies_where_it_lies(taken: Any, emptied: Company, tmp_path: Path) -> None:
    """A path with spaces and quotes is fine; one that psql cannot be told is refused."""
    await taken.take(include_schemas=["public"])
    moved = tmp_path / "a 'bundle' \\ of \"ours\""
    await asyncio.to_thread(shutil.copytree, taken.directory, moved)
    described = taken.metadata
    table = restore.find(described, "public.settings")
    assert table == restore.find(described, "settings")

    assert await psql(emptied.admin_dsn, restore.restore_sql(described, table, str(moved / table.file))) == (0, "")

    with pytest.raises(UsageError, match="holds a line break"):
        restore.restore_sql(described, table, "a\nb")
    with pytest.raises(UsageError, match="The bundle has no table nowhere; nothing was printed"):
        restore.find(described, "nowhere")
