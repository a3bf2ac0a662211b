"""Each row of the source is in exactly one file, or what holds it is reported by name."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.artifacts.metadata import LeftOut
from bot.plan.run import Run
from bot.rehearsal.company import Company
from tests.export.conftest import Taken
from tests.export.every_row import (
    CHUNKS,
    DETACHED,
    HYPERTABLE,
    INHERITED,
    LEAF_KEYS,
    OF_AN_EXTENSION,
    OWN_SCHEMAS,
    catalog_of,
    counted,
    cut_off_detaching,
    made_by_owner,
    made_by_platform,
    rows_in_files,
    template_of,
    texts,
    told,
)
from tests.export.versions import on_the_newest
from tests.freeze.servers import VERSIONS, fresh


@pytest.fixture(scope="module", params=VERSIONS)
def small(request: pytest.FixtureRequest, worlds: Callable[[str], Company]) -> Iterator[Company]:
    with template_of(worlds(request.param), "every_row_template") as template:
        yield template


@pytest.fixture
def source(small: Company) -> Iterator[Company]:
    with fresh(small, "every_row") as copy:
        yield copy


@pytest.fixture
def taken(source: Company, tmp_path: Path) -> Taken:
    return Taken(source, tmp_path)


@pytest.mark.parametrize("made", [made_by_owner, made_by_platform])
@on_the_newest
async def test_the_chunks_of_a_hypertable_are_tables_of_their_own(
    source: Company, taken: Taken, run: Run, made: Any
) -> None:
    """Whoever owns their schema; and both counts see the hypertable with them."""
    made(source, HYPERTABLE)

    await taken.take()

    assert rows_in_files(taken) == {"metrics": 0, CHUNKS[0]: 1000, CHUNKS[1]: 500, "settings": 1}
    assert {key: taken.metadata.tables[key].inherits for key in ("metrics", *CHUNKS)} == {
        "metrics": (),
        CHUNKS[0]: ("public.metrics",),
        CHUNKS[1]: ("public.metrics",),
    }
    assert len(set(texts(taken))) == 1500
    assert {check: verdict for check, (verdict, _) in (await counted(taken, run)).items()} == {
        "counts-by-api": "pass",
        "counts-by-sql": "pass",
    }


@on_the_newest
async def test_a_table_of_a_schema_that_is_left_out_goes_with_what_it_inherits_from(
    source: Company, taken: Taken
) -> None:
    """An extension's schema, where a table that inherits from nothing stays left out, and one not included."""
    made_by_platform(source, HYPERTABLE + OF_AN_EXTENSION.format("_timescaledb_internal"))
    made_by_platform(source, "CREATE TABLE _timescaledb_internal.bgw_stat (id int)")

    await taken.take(include_schemas=["public"])

    assert rows_in_files(taken) == {"metrics": 0, CHUNKS[0]: 1000, CHUNKS[1]: 500, "settings": 1}
    assert told(taken)["_timescaledb_internal.bgw_stat"] == "it is the platform's own"


@on_the_newest
async def test_whoever_leaves_out_a_hypertable_leaves_out_its_chunks(source: Company, taken: Taken) -> None:
    """They are the extension's then like everything else in its schema, and told by name with their rows."""
    made_by_platform(source, HYPERTABLE + OF_AN_EXTENSION.format("_timescaledb_internal"))

    result = await taken.take(exclude_tables=["public.metrics"])

    assert rows_in_files(taken) == {"settings": 1}
    assert told(taken) == {
        "public.metrics": "export.exclude_tables names it",
        "_timescaledb_internal._hyper_1_1_chunk": "it is the platform's own",
        "_timescaledb_internal._hyper_1_2_chunk": "it is the platform's own",
    }
    assert [(one.name.split(".")[1], one.rows) for one in result.left_rows] == [
        ("_hyper_1_1_chunk", 1000),
        ("_hyper_1_2_chunk", 500),
    ]


@on_the_newest
async def test_columns_of_ones_own_and_two_parents_lose_no_row_and_double_none(
    source: Company, taken: Taken, run: Run
) -> None:
    """Each table is in its own file with all its columns, over two generations and through a table that is left out."""
    made_by_owner(source, INHERITED)

    await taken.take(include_schemas=["public"], exclude_tables=["archive.trucks"])

    assert rows_in_files(taken) == {"machines": 1, "vehicles": 1, "archive_cranes": 1, "settings": 1}
    assert taken.metadata.tables["archive_cranes"].inherits == ("archive.trucks", "public.machines")
    assert sorted(texts(taken)) == [
        '{"id":1,"kind":"press"}',
        '{"id":1,"plate":"K-A 1"}',
        '{"id":4,"plate":"K-A 4","load_kg":100,"kind":"crane","reach_m":30}',
    ]
    assert told(taken) == {
        "archive.trucks": "export.exclude_tables names it",
        "archive.notes": "its schema is not among export.include_schemas",
    }
    assert await counted(taken, run) == {
        "counts-by-api": ("pass", "2 tables, 2 rows: the counts by the API match the export."),
        "counts-by-sql": (
            "pass",
            "3 tables, 2 rows: the counts by SQL match the export. The API cannot count these (schemas archive, auth, "
            "public).",
        ),
    }


@on_the_newest
async def test_the_second_count_notices_rows_that_are_in_no_file(source: Company, taken: Taken, run: Run) -> None:
    """Whatever the bundle says of the tables that hold them, unless people have left them out by name."""
    made_by_owner(source, HYPERTABLE)
    await taken.take()
    path = taken.directory / "metadata.json"
    described = json.loads(path.read_text())
    del described["tables"][CHUNKS[0]]
    left_out = LeftOut(name="_timescaledb_internal._hyper_1_1_chunk", kind="table", reason="it is the platform's own")
    described["leftOut"].append(left_out.model_dump(mode="json", by_alias=True))
    path.write_text(json.dumps(described))

    [(verdict, evidence), (by_sql, _)] = (await counted(taken, run)).values()

    assert (verdict, by_sql) == ("fail", "pass")
    assert evidence == (
        "Row counts by the API differ from the export: public.metrics with what inherits from it has 1,500, 500 "
        "exported."
    )


@on_the_newest
async def test_the_second_count_by_sql_notices_it_too(source: Company, taken: Taken, run: Run) -> None:
    """Where the API does not reach, in a schema of one's own."""
    made_by_owner(source, HYPERTABLE.replace("public.metrics", "_timescaledb_internal.metrics"))
    await taken.take()
    made_by_owner(source, "CREATE TABLE public.late () INHERITS (_timescaledb_internal.metrics)")
    made_by_owner(source, "INSERT INTO public.late VALUES ('2026-02-01')")

    verdict, evidence = (await counted(taken, run))["counts-by-sql"]

    assert verdict == "fail"
    assert evidence == (
        "Row counts by SQL differ from the export: _timescaledb_internal.metrics with what inherits from it has 1,501, "
        "1,500 exported."
    )


@pytest.mark.parametrize("made", [made_by_owner, made_by_platform])
@on_the_newest
async def test_a_companys_own_schemas_are_exported_whatever_they_are_called(
    source: Company, taken: Taken, made: Any
) -> None:
    """No name alone makes them the platform's."""
    made(source, OWN_SCHEMAS)

    await taken.take()

    assert rows_in_files(taken) == {
        "etl_daily_revenue": 300,
        "topology_sites": 1,
        "graphql_saved_queries": 1,
        "tiger_cats": 1,
        "repack_orders": 1,
        "own_fine": 1,
        "settings": 1,
    }
    assert told(taken) == {}


@on_the_newest
async def test_schemas_of_services_and_extensions_are_the_platforms(source: Company, taken: Taken) -> None:
    """By their owner, by their extension, or, where both tell nothing, by the very tables."""
    made_by_platform(
        source,
        OWN_SCHEMAS
        + "CREATE SCHEMA realtime; CREATE TABLE realtime.messages (at date, text text) PARTITION BY RANGE (at);"
        "CREATE TABLE realtime.messages_2026 PARTITION OF realtime.messages FOR VALUES FROM ('2026-01-01') TO "
        "('2027-01-01'); INSERT INTO realtime.messages VALUES ('2026-02-03', 'x');"
        "ALTER SCHEMA etl OWNER TO supabase_etl_admin; CREATE TABLE own.of_one (id int);"
        "ALTER EXTENSION plpgsql ADD TABLE own.of_one;" + OF_AN_EXTENSION.format("topology"),
    )
    made_by_owner(
        source,
        "CREATE SCHEMA supabase_migrations; CREATE TABLE supabase_migrations.schema_migrations (version text);"
        "CREATE TABLE supabase_migrations.ours (id int); CREATE SCHEMA vault; CREATE TABLE vault.barrels (id int)",
    )

    result = await taken.take()

    assert {"graphql_saved_queries", "supabase_migrations_ours", "vault_barrels"} <= rows_in_files(taken).keys()
    assert told(taken) == {
        "etl.daily_revenue": "it is the platform's own",
        "own.of_one": "it belongs to an extension",
        "realtime.messages": "it is the platform's own",
        "realtime.messages_2026": "it is a partition of a table that is left out",
        "supabase_migrations.schema_migrations": "it is the platform's own",
        "topology.sites": "it is the platform's own",
    }
    assert [(one.name, one.rows) for one in result.left_rows] == [
        ("etl.daily_revenue", 300),
        ("realtime.messages", 1),
        ("topology.sites", 1),
    ]


async def test_every_ordinary_table_is_read_or_named(source: Company, taken: Taken) -> None:
    """Asked of the server by oid, with everything above in one database; a temporary table is its session's alone."""
    made_by_owner(source, INHERITED + DETACHED + LEAF_KEYS)
    made_by_platform(source, HYPERTABLE + OWN_SCHEMAS + OF_AN_EXTENSION.format("repack"))
    cut_off_detaching(source, "public.events_2024")
    with psycopg.connect(source.dsn) as session:
        session.execute("CREATE TEMPORARY SEQUENCE passing_ids")
        session.execute("CREATE TEMPORARY TABLE passing () INHERITS (public.vehicles)")
        session.execute("INSERT INTO passing VALUES (9)")
        session.commit()
        await taken.take(exclude_tables=["archive.trucks", "public.members"])

    assert taken.metadata.sequences == {}
    catalog = await catalog_of(source, exclude=("archive.trucks", "public.members"))
    read = [part for table in catalog.tables for part in table.storage]
    ordinary = source.server.sql(
        "SELECT c.oid::bigint, n.nspname || '.' || c.relname FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relpersistence <> 't' AND c.relkind = 'r'"
        " AND n.nspname NOT IN ('pg_catalog', 'information_schema')",
        source.dbname,
    )
    assert len(read) == len(set(read))
    assert {name for oid, name in ordinary if oid not in read} == {
        "archive.trucks",
        "public.members_a",
        "repack.orders",
    }
    assert {"archive.trucks", "public.members_a", "repack.orders"} <= told(taken).keys()
