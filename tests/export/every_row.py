"""What a database may hold that is hard to take exactly once, and what is in the files then: for `test_every_row` and
`test_partitions`, whose modules have a fixture `source` and one `taken`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from bot.plan.findings import Finding
from bot.plan.run import Run
from bot.rehearsal.company import Company
from bot.supabase.catalog import Catalog, Selection, read_catalog
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway, Uncounted
from bot.supabase.proof.counts import CountsExaminer
from tests.export.conftest import Taken
from tests.freeze.servers import fresh

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


@contextmanager
def template_of(world: Company, dbname: str) -> Iterator[Company]:
    """A copy of the small database, with users that its owner may refer to."""
    with fresh(world, dbname) as template:
        template.server.sql(
            "CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY);"
            "GRANT USAGE ON SCHEMA auth TO postgres;"
            "GRANT SELECT, REFERENCES ON auth.users TO postgres; GRANT CREATE ON SCHEMA public TO postgres",
            template.dbname,
        )
        yield template


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
