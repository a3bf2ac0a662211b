"""Each row of the source is in exactly one file, or what holds it is told by name."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.artifacts.metadata import ForeignKey, LeftOut
from bot.errors import Unreadable
from bot.plan.findings import Finding
from bot.plan.run import Run
from bot.rehearsal.company import Company
from bot.supabase.catalog import Catalog, Selection, read_catalog
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway, Uncounted
from bot.supabase.proof.counts import CountsExaminer
from bot.supabase.proof.examiner import select_rights
from tests.export.conftest import Taken
from tests.export.versions import on_the_newest
from tests.freeze.servers import VERSIONS, fresh

HYPERTABLE = """
CREATE SCHEMA _timescaledb_internal;
CREATE TABLE public.metrics (at timestamptz NOT NULL, device int, reading float8);
CREATE TABLE _timescaledb_internal._hyper_1_1_chunk (CHECK (at < '2026-01-08')) INHERITS (public.metrics);
CREATE TABLE _timescaledb_internal._hyper_1_2_chunk (CHECK (at >= '2026-01-08')) INHERITS (public.metrics);
INSERT INTO _timescaledb_internal._hyper_1_1_chunk
  SELECT '2026-01-01'::timestamptz + g * interval '1 min', g % 5, g FROM generate_series(1, 1000) g;
INSERT INTO _timescaledb_internal._hyper_1_2_chunk
  SELECT '2026-01-08'::timestamptz + g * interval '1 min', g % 5, g FROM generate_series(1, 500) g;
"""
"""The shape of a TimescaleDB hypertable, made with PostgreSQL alone."""
CHUNKS = ("_timescaledb_internal__hyper_1_1_chunk", "_timescaledb_internal__hyper_1_2_chunk")

OWN_SCHEMAS = """
CREATE SCHEMA etl; CREATE TABLE etl.daily_revenue (day date PRIMARY KEY, cents bigint);
INSERT INTO etl.daily_revenue SELECT '2026-01-01'::date + g, g FROM generate_series(1,300) g;
CREATE SCHEMA topology; CREATE TABLE topology.sites (id int PRIMARY KEY, name text);
INSERT INTO topology.sites VALUES (1,'north');
CREATE SCHEMA graphql; CREATE TABLE graphql.saved_queries (id int, q text);
INSERT INTO graphql.saved_queries VALUES (1,'q');
CREATE SCHEMA tiger; CREATE TABLE tiger.cats (id int); INSERT INTO tiger.cats VALUES (1);
CREATE SCHEMA repack; CREATE TABLE repack.orders (id int); INSERT INTO repack.orders VALUES (1);
CREATE SCHEMA own; CREATE TABLE own.fine (id int); INSERT INTO own.fine VALUES (1);
"""
"""A company's own schemas that are called as something of the platform's is."""

OF_AN_EXTENSION = "ALTER EXTENSION plpgsql ADD SCHEMA {}"

INHERITED = """
CREATE SCHEMA archive;
CREATE TABLE public.vehicles (id int PRIMARY KEY, plate text);
CREATE TABLE public.machines (id int, kind text);
CREATE TABLE archive.trucks (load_kg numeric) INHERITS (public.vehicles);
CREATE TABLE archive.cranes (reach_m int) INHERITS (archive.trucks, public.machines);
CREATE TABLE archive.notes (text text);
INSERT INTO public.vehicles VALUES (1, 'K-A 1');
INSERT INTO public.machines VALUES (1, 'press');
INSERT INTO archive.trucks VALUES (2, 'K-A 2', 900), (3, 'K-A 3', 950);
INSERT INTO archive.cranes VALUES (4, 'K-A 4', 100, 'crane', 30);
INSERT INTO archive.notes VALUES ('n');
"""

DETACHED = """
CREATE TABLE public.devices (id int PRIMARY KEY);
CREATE TABLE public.events (id int, at date, device int REFERENCES public.devices, PRIMARY KEY (id, at))
  PARTITION BY RANGE (at);
CREATE TABLE public.events_2024 PARTITION OF public.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')
  PARTITION BY RANGE (id);
CREATE TABLE public.events_2024_a PARTITION OF public.events_2024 FOR VALUES FROM (0) TO (100);
CREATE TABLE public.events_2024_b PARTITION OF public.events_2024 FOR VALUES FROM (100) TO (200);
CREATE TABLE public.events_2025 PARTITION OF public.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE public.events_2026 PARTITION OF public.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO public.devices VALUES (1);
INSERT INTO public.events SELECT g, '2024-06-01', 1 FROM generate_series(1, 150) g;
INSERT INTO public.events SELECT g, '2025-06-01', 1 FROM generate_series(1, 40) g;
INSERT INTO public.events SELECT g, '2026-06-01', 1 FROM generate_series(1, 7) g;
"""

LEAF_KEYS = """
CREATE TABLE public.profiles (user_id uuid PRIMARY KEY REFERENCES auth.users (id));
CREATE TABLE public.logs (id int, at date, who uuid) PARTITION BY RANGE (at);
CREATE TABLE public.logs_old PARTITION OF public.logs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')
  PARTITION BY RANGE (id);
CREATE TABLE public.logs_old_a (at date, who uuid, id int, PRIMARY KEY (id));
ALTER TABLE public.logs_old ATTACH PARTITION public.logs_old_a FOR VALUES FROM (0) TO (100);
CREATE TABLE public.logs_new PARTITION OF public.logs FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
ALTER TABLE public.logs_old_a ADD FOREIGN KEY (who) REFERENCES public.profiles (user_id) ON DELETE SET NULL;
ALTER TABLE public.logs_new ADD FOREIGN KEY (who) REFERENCES auth.users (id);
CREATE TABLE public.marks (log int REFERENCES public.logs_old_a (id), line text);
ALTER TABLE public.profiles ADD last_log int REFERENCES public.logs_old_a (id);
CREATE TABLE public.groups (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE public.groups_a PARTITION OF public.groups FOR VALUES FROM (0) TO (100);
CREATE TABLE public.members (id int, of int REFERENCES public.groups) PARTITION BY RANGE (id);
CREATE TABLE public.members_a PARTITION OF public.members FOR VALUES FROM (0) TO (100);
"""


@pytest.fixture(scope="module", params=VERSIONS)
def small(request: pytest.FixtureRequest, worlds: Callable[[str], Company]) -> Iterator[Company]:
    with fresh(worlds(request.param), "every_row_template") as template:
        template.server.sql(
            "CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY);"
            "GRANT USAGE ON SCHEMA auth TO postgres;"
            "GRANT SELECT, REFERENCES ON auth.users TO postgres; GRANT CREATE ON SCHEMA public TO postgres",
            template.dbname,
        )
        yield template


@pytest.fixture
def source(small: Company) -> Iterator[Company]:
    with fresh(small, "every_row") as copy:
        yield copy


@pytest.fixture
def taken(source: Company, tmp_path: Path) -> Taken:
    return Taken(source, tmp_path)


def made_by_owner(source: Company, script: str) -> None:
    with psycopg.connect(source.dsn) as session:
        session.execute(script.encode())


def made_by_platform(source: Company, script: str) -> None:
    source.server.sql(script, source.dbname)


def cut_off_detaching(source: Company, partition: str) -> None:
    """As when a person loses patience with a DETACH that waits for a long reader."""
    with psycopg.connect(source.dsn) as reader, psycopg.connect(source.dsn, autocommit=True) as session:
        reader.execute("SELECT FROM public.events LIMIT 0")
        session.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            session.execute(f"ALTER TABLE public.events DETACH PARTITION {partition} CONCURRENTLY".encode())
        found = session.execute("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = %s::regclass", [partition])
        assert found.fetchall() == [(True,)]


async def catalog_of(source: Company, *, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Catalog:
    async with Database(source.dsn).session("test") as session:
        return await read_catalog(session, Selection(include_schemas=include, exclude_tables=exclude))


def rows_in_files(taken: Taken) -> dict[str, int]:
    return {key: table.row_count for key, table in taken.metadata.tables.items() if table.schema_name != "auth"}


def told(taken: Taken) -> dict[str, str]:
    return {entry.name: entry.reason for entry in taken.metadata.left_out}


def texts(taken: Taken) -> list[str]:
    """Every row of every file, but for those of the template's own table."""
    keys = rows_in_files(taken).keys() - {"settings"}
    return [
        line.rstrip(",") for key in keys for line in (taken.directory / f"{key}.json").read_text().split("\n")[1:-2]
    ]


class CountsAsPostgrest(Gateway):
    """Counts in `public` alone, what inherits from a table with it."""

    def __init__(self, source: Company) -> None:
        super().__init__("http://127.0.0.1:9", "unused")
        self._source = source

    async def count(self, schema: str, table: str) -> int | Uncounted:
        if schema != "public":
            return Uncounted.NOT_EXPOSED
        [[count]] = self._source.server.sql(f'SELECT count(*) FROM public."{table}"', self._source.dbname)
        return int(count)


async def counted(taken: Taken, run: Run) -> dict[str, tuple[str, str]]:
    examiner = CountsExaminer(Database(taken.database.dsn), CountsAsPostgrest(taken.database), taken.directory)
    found: list[Finding] = [finding async for finding in examiner(run, lambda progress: None)]
    return {finding.check: (finding.verdict, finding.evidence) for finding in found}


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


async def test_a_partition_whose_detaching_was_cut_off_is_a_table_of_its_own(
    source: Company, taken: Taken, run: Run
) -> None:
    """The server shows its rows through no parent any more; with its keys, and over two levels."""
    made_by_owner(source, DETACHED)
    cut_off_detaching(source, "public.events_2024")
    await taken.take()
    both = {**rows_in_files(taken)}
    made_by_owner(source, "ALTER TABLE public.events DETACH PARTITION public.events_2024 FINALIZE")
    cut_off_detaching(source, "public.events_2025")

    again = Taken(source, taken.directory / "again")
    again.directory.mkdir()
    await again.take()

    assert both == {"devices": 1, "events": 47, "events_2024": 150, "settings": 1}
    assert rows_in_files(again) == {"devices": 1, "events": 7, "events_2024": 150, "events_2025": 40, "settings": 1}
    assert len(set(texts(again))) == 1 + 7 + 150 + 40
    for described in (taken.metadata.tables["events_2024"], again.metadata.tables["events_2025"]):
        assert described.primary_key == ("id", "at")
        assert [(key.columns, key.references, key.partition) for key in described.foreign_keys] == [
            (("device",), "public.devices", None)
        ]
        assert described.depends_on == ("devices",)
    assert told(again) == {}
    assert {check: verdict for check, (verdict, _) in (await counted(again, run)).items()} == {
        "counts-by-api": "pass",
        "counts-by-sql": "pass",
    }


@on_the_newest
async def test_such_a_partition_can_be_left_out_by_name(source: Company, taken: Taken) -> None:
    """Its parts are told with it, and its parent is exported as before."""
    made_by_owner(source, DETACHED)
    cut_off_detaching(source, "public.events_2024")

    await taken.take(exclude_tables=["events_2024"])

    assert rows_in_files(taken) == {"devices": 1, "events": 47, "settings": 1}
    assert told(taken) == {
        "public.events_2024": "export.exclude_tables names it",
        "public.events_2024_a": "it is a partition of a table that is left out",
        "public.events_2024_b": "it is a partition of a table that is left out",
    }


@on_the_newest
async def test_a_table_that_would_be_in_no_file_or_in_two_is_refused_and_can_be_left_out(
    source: Company, taken: Taken
) -> None:
    """Here the catalogs contradict themselves; each way on works in a frozen database."""
    made_by_owner(source, DETACHED)
    made_by_platform(
        source,
        "SET allow_system_table_mods = on; UPDATE pg_class SET relispartition = false WHERE oid = "
        "'public.events_2026'::regclass",
    )

    with pytest.raises(Unreadable) as caught:
        await taken.take()
    finding = select_rights(await catalog_of(source))

    why = (
        "catalogs of the source disagree about which table the rows of public.events_2026 belong to, so these rows "
        "would be in no file or in two"
    )
    way_on = (
        "save the rows by hand, which a frozen database allows (\\copy (SELECT * FROM ONLY …) TO …), and leave the "
        "table out by name"
    )
    assert str(caught.value) == (
        f"the {why}; nothing was exported; {way_on}: in a run with `accept`, else in export.exclude_tables."
    )
    assert caught.value.tables == ("public.events_2026",)
    assert not list(taken.directory.iterdir())
    assert (finding.verdict, finding.evidence) == ("fail", f"The {why}.")
    assert finding.fix == (
        f"S{way_on[1:]}: `accept unreadable:public.events_2026: WHY`, or before a run in export.exclude_tables."
    )
    assert finding.facts == {"unreadable": ["public.events_2026"]}
    for ways in (
        await catalog_of(source, exclude=("public.events_2026",)),
        await _accepted(source, {"public.events_2026": "somebody accepted that"}),
    ):
        assert ways.unaccounted == ()
        assert "public.events_2026" in {entry.name for entry in ways.left_out}


async def _accepted(source: Company, left_unread: dict[str, str]) -> Catalog:
    async with Database(source.dsn).session("test") as session:
        return await read_catalog(session, Selection(include_schemas=(), exclude_tables=(), left_unread=left_unread))


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


@on_the_newest
async def test_a_key_of_a_single_partition_is_its_tables_at_both_ends(source: Company) -> None:
    """In the order of import, in cycles and on the paths to users; copies of a key are none of their own."""
    made_by_owner(source, LEAF_KEYS)

    catalog = await catalog_of(source)

    tables = {table.name: table for table in catalog.tables}
    assert tables["logs"].primary_key == ()
    assert tables["logs"].foreign_keys == (
        ForeignKey(
            name="logs_new_who_fkey",
            columns=("who",),
            references="auth.users",
            referenced_columns=("id",),
            on_delete="no action",
            deferrable=False,
            partition="public.logs_new",
        ),
        ForeignKey(
            name="logs_old_a_who_fkey",
            columns=("who",),
            references="public.profiles",
            referenced_columns=("user_id",),
            on_delete="set null",
            deferrable=False,
            partition="public.logs_old_a",
        ),
    )
    assert [
        (key.references, key.referenced_columns, key.referenced_partition) for key in tables["marks"].foreign_keys
    ] == [("public.logs", ("id",), "public.logs_old_a")]
    assert [(key.name, key.references, key.partition) for key in tables["members"].foreign_keys] == [
        ("members_of_fkey", "public.groups", None)
    ]
    assert {key: found for key, found in catalog.depends_on.items() if found} == {
        "logs": ("auth_users", "profiles"),
        "marks": ("logs",),
        "members": ("groups",),
        "profiles": ("auth_users", "logs"),
    }
    assert catalog.order.cycles == (("logs", "profiles"),)
    assert catalog.order.tables.index("logs") < catalog.order.tables.index("marks")
    assert {key: [(one.column, one.found) for one in found] for key, found in catalog.user_references.items()} == {
        "logs": [("who", "foreign key")],
        "profiles": [("user_id", "foreign key")],
    }
