"""What was exported is loaded again with the printed SQL, by psql, and proves itself."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.artifacts import mapping, restore
from bot.commands.restore_sql import restore_sql
from bot.errors import RecordDamaged, UsageError
from bot.rehearsal.company import Company
from bot.supabase.database import query
from tests.export.conftest import Taken
from tests.export.every_type import original
from tests.export.loading import psql

AWKWARD = (
    (
        r"""CREATE TABLE public."a $cutover$ 'b' ""c"" d" ("x %s :y" integer, "\d" text, "{values}" bpchar)""",
        r"""INSERT INTO public."a $cutover$ 'b' ""c"" d" VALUES (1, '\N \. "', '],')""",
    ),
    (
        'CREATE TABLE public."two\n\\! lines" ("a\n\\! b" integer)',
        'INSERT INTO public."two\n\\! lines" VALUES (1)',
    ),
    # The names that the script itself uses.
    (
        "CREATE TABLE public.cutover_lines (line text, lines json, row text, n integer, digest text, what text)",
        r"""INSERT INTO public.cutover_lines (line, lines) VALUES"""
        r""" ('[', '[  1 ]'), (']', 'null'), (',', NULL), ('', '{}'), (NULL, NULL), (E'\r\n\x01\x02,', NULL)""",
    ),
    ("CREATE TABLE public.bare ()", "INSERT INTO public.bare SELECT FROM generate_series(1, 2)"),
    ("CREATE TABLE public.made (v integer GENERATED ALWAYS AS (7) STORED)", "INSERT INTO public.made DEFAULT VALUES"),
)
"""Tables that a script might stumble over, and their rows."""


def rows_of(company: Company, metadata: Any) -> dict[str, list[bytes]]:
    with psycopg.connect(company.admin_dsn) as session:
        session.execute(query("session"))
        return {
            key: sorted(row for [row] in session.execute(original(table, partitioned=table.table == "events")))
            for key, table in metadata.tables.items()
        }


@pytest.fixture
def bundle(exported: Taken, tmp_path: Path) -> Taken:
    """The company's, which a test may damage."""
    return Taken(exported.database, Path(shutil.copytree(exported.directory, tmp_path / "bundle")))


@pytest.fixture
def emptied(database: Company) -> Iterator[Company]:
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


def silence(company: Company) -> None:
    """Its own triggers are the import's business; those of the foreign keys stay."""
    with psycopg.connect(company.admin_dsn) as session:
        with_triggers = session.execute(
            "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
        ).fetchall()
        for [table] in with_triggers:
            session.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())


async def test_every_table_is_loaded_into_an_empty_copy_of_the_schema(taken: Any, emptied: Company) -> None:
    """In the order given, which keeps the foreign keys outside of cycles; equal by their binary form."""
    for table, rows in AWKWARD:
        emptied.server.sql(table, emptied.dbname)
        taken.database.server.sql(table, taken.database.dbname)
        taken.database.server.sql(rows, taken.database.dbname)
    silence(emptied)
    await taken.take()
    described = taken.metadata
    in_cycle = {key for cycle in described.cycles for key in cycle}

    for key in described.import_order:
        table = described.tables[key]
        script = restore.restore_sql(described, table, str(taken.directory / table.file))
        role = "replica" if key in in_cycle else "origin"
        assert await psql(emptied.admin_dsn, script, role=role) == (0, ""), key

    assert rows_of(emptied, described) == rows_of(taken.database, described)


@pytest.mark.parametrize("damage", ["a row less", "another value", "a row there before"])
async def test_what_is_not_the_export_is_not_loaded(bundle: Taken, emptied: Company, damage: str) -> None:
    """Count and digest are compared at the end, and all is undone."""
    described = bundle.metadata
    file = bundle.directory / "settings.json"
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


async def test_the_command_prints_it_for_a_bundle_wherever_it_lies(
    exported: Taken, emptied: Company, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its path may hold spaces and quotes; what psql cannot be told is refused, as is a table that is not there."""
    moved = tmp_path / "a 'bundle' \\ of \"ours\""
    await asyncio.to_thread(shutil.copytree, exported.directory, moved)

    assert restore_sql(None, "public.settings", moved) == restore_sql(None, "settings", moved) == 0

    by_name, by_key = re.split(r"(?<=COMMIT;)\n(?=.)", capsys.readouterr().out.rstrip("\n"))
    assert by_name == by_key
    assert await psql(emptied.admin_dsn, by_key) == (0, "")
    assert emptied.server.sql("SELECT count(*) FROM public.settings", emptied.dbname) == [
        (exported.metadata.tables["settings"].row_count,)
    ]
    with pytest.raises(UsageError, match="The bundle has no table nowhere; nothing was printed"):
        restore_sql(None, "nowhere", moved)
    with pytest.raises(UsageError, match="contains a line break"):
        restore.restore_sql(exported.metadata, exported.metadata.tables["settings"], "a\nb")
    (moved / "metadata.json").write_text("{")
    with pytest.raises(RecordDamaged, match=r"metadata\.json is damaged"):
        restore_sql(None, "settings", moved)


def test_a_type_that_is_none_is_not_printed(exported: Taken) -> None:
    """A bundle from somebody else cannot make psql do anything but load."""
    described = exported.metadata
    table = described.tables["settings"]
    for of in (
        "text); DROP TABLE public.orders; --",
        "text\n\\! id",
        "text, other text",
        "text) AS x, pg_sleep(9",
        "text(pg_sleep(9))",
        "text'",
        'text"',
        "text /* */",
        "",
    ):
        for encoding in ("json", "text"):
            column = table.columns[0].model_copy(update={"type": of, "encoding": encoding})
            changed = table.model_copy(update={"columns": (column, *table.columns[1:])})
            with pytest.raises(RecordDamaged, match="column name has a type that is not the name of a type"):
                restore.restore_sql(described, changed, "settings.json")


async def test_the_page_shows_how_ids_are_rewritten(emptied: Company, tmp_path: Path) -> None:
    """Its example, as it is there, between the temporary table and the last one."""
    page = (Path(__file__).parents[2] / "docs" / "restore.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    at = datetime(2026, 1, 2, tzinfo=UTC)
    mapping.write(
        tmp_path / "user-mapping.json",
        mapping.Head(
            generated_at=at,
            retain_until=at,
            run_id="r",
            export_sha256="0" * 64,
            counts=mapping.Counts(users=2, created=1, matched=0, updated=0, unmapped=1, attention=0),
        ),
        [
            mapping.Mapped(
                supabase_user_id="old-1", stack_auth_user_id="new-1", email='a"b', migrated_at=at, outcome="created"
            )
        ],
        [mapping.Unmapped(supabase_user_id="old-2", reason="why", referenced_by={})],
    )
    lines = ["[", '{"id":1,"customer_id":"old-1","total":1.50},', '{"id":2,"customer_id":"old-2","total":null}', "]"]
    values = ", ".join(f"('{line}')" for line in lines)
    script = (
        "\\set ON_ERROR_STOP on\nDROP TABLE public.orders CASCADE;"
        "CREATE TABLE public.orders (id bigint, customer_id text, total numeric);"
        f"CREATE TEMPORARY TABLE cutover_lines (line text); INSERT INTO cutover_lines VALUES {values};\n"
    )

    placed = example.replace("user-mapping.json", str(tmp_path / "user-mapping.json"))
    assert await psql(emptied.admin_dsn, script + placed) == (0, "")

    assert emptied.server.sql("SELECT id, customer_id, total::text FROM public.orders ORDER BY id", emptied.dbname) == [
        (1, "new-1", "1.50"),
        (2, None, None),
    ]
