"""A whole bundle is loaded into an empty copy of its schema by somebody who owns the copy and is nothing more."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.artifacts.restore_all import restore_all_sql, without_schemas
from bot.commands import restore_sql
from bot.errors import UsageError
from bot.rehearsal.company import Company
from tests.export.conftest import Taken
from tests.export.loading import psql
from tests.export.versions import on_the_newest
from tests.freeze.servers import VERSIONS, fresh

_ROLE = "plain_owner"
_SCHEMA = """
SET ROLE plain_owner;
CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY);
CREATE SCHEMA app;
CREATE TABLE app.log (what text);
CREATE TABLE app.teams (id int PRIMARY KEY, lead int);
CREATE TABLE app.people (
  id int PRIMARY KEY, team int NOT NULL REFERENCES app.teams ON DELETE CASCADE,
  boss int REFERENCES app.people, usr uuid REFERENCES auth.users DEFERRABLE INITIALLY DEFERRED
);
ALTER TABLE app.teams ADD CONSTRAINT "led by" FOREIGN KEY (lead) REFERENCES app.people;
COMMENT ON CONSTRAINT "led by" ON app.teams IS 'a cycle, isn''t it';
CREATE DOMAIN app.word AS text;
CREATE TABLE app.notes (id int PRIMARY KEY, person int, stars int, words app.word[]);
CREATE TABLE app.days (day date PRIMARY KEY, person int REFERENCES app.people) PARTITION BY RANGE (day);
CREATE TABLE app.days_1 PARTITION OF app.days FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE app.days_2 PARTITION OF app.days FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE app.of_day_1 (day date REFERENCES app.days_1);
CREATE TABLE app.of_days (day date REFERENCES app.days);
CREATE TABLE app.parent (id int CHECK (id > 0) NO INHERIT);
CREATE TABLE app."child's" (more text) INHERITS (app.parent);
"""
_ROWS = """
INSERT INTO auth.users VALUES ('11111111-1111-1111-1111-111111111111');
INSERT INTO app.teams VALUES (1, NULL), (2, NULL);
INSERT INTO app.people VALUES (1, 1, NULL, '11111111-1111-1111-1111-111111111111'), (2, 2, 1, NULL), (3, 1, 2, NULL);
UPDATE app.teams SET lead = id;
UPDATE app.people SET boss = 3 WHERE id = 1;
INSERT INTO app.notes VALUES (1, 99, 7, '{two words}'), (2, 1, 3, '{one}');
INSERT INTO app.days VALUES ('2026-01-05', 1), ('2026-02-05', NULL);
INSERT INTO app.of_day_1 VALUES ('2026-01-05'); INSERT INTO app.of_days VALUES ('2026-02-05');
INSERT INTO app.parent VALUES (1); INSERT INTO app."child's" VALUES (-1, 'x');
INSERT INTO app.log VALUES ('before');
"""
_HINDRANCES = """
ALTER DOMAIN app.word ADD CONSTRAINT "one only" CHECK (VALUE NOT LIKE '% %') NOT VALID;
ALTER TABLE app.notes ADD CONSTRAINT lost FOREIGN KEY (person) REFERENCES app.people NOT VALID;
ALTER TABLE app.notes ADD CONSTRAINT few CHECK (stars < 6) NOT VALID;
CREATE FUNCTION app.tell() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN INSERT INTO app.log VALUES (TG_NAME || ' on ' || TG_TABLE_NAME); RETURN NEW; END $$;
CREATE TRIGGER told AFTER INSERT ON app.people FOR EACH ROW EXECUTE FUNCTION app.tell();
CREATE TRIGGER always BEFORE INSERT ON app.people FOR EACH ROW EXECUTE FUNCTION app.tell();
ALTER TABLE app.people ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER never BEFORE INSERT ON app.people FOR EACH ROW EXECUTE FUNCTION app.tell();
ALTER TABLE app.people DISABLE TRIGGER never;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON app.notes DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION app.tell();
CREATE TRIGGER of_all AFTER INSERT ON app.days FOR EACH ROW EXECUTE FUNCTION app.tell();
CREATE TRIGGER of_one BEFORE INSERT ON app.days_2 FOR EACH ROW EXECUTE FUNCTION app.tell();
CREATE RULE twice AS ON INSERT TO app.teams DO ALSO INSERT INTO app.log VALUES ('rule');
ALTER TABLE app.notes ENABLE ROW LEVEL SECURITY; ALTER TABLE app.notes FORCE ROW LEVEL SECURITY;
"""
_TABLES = (
    "auth.users", "app.log", "app.teams", "app.people", "app.notes", "app.days", "app.of_day_1", "app.of_days",
    "app.parent", "app.\"child's\"",
)  # fmt: skip


@pytest.fixture(scope="module", params=VERSIONS)
def small(request: pytest.FixtureRequest, worlds: Callable[[str], Company]) -> Iterator[Company]:
    """Without a row: the schema as its owner has it."""
    with fresh(worlds(request.param), "restore_all_template") as template:
        server, dbname = template.server, template.dbname
        server.sql(f"DROP ROLE IF EXISTS {_ROLE}; CREATE ROLE {_ROLE} LOGIN PASSWORD '{server.password}'")
        server.sql(
            f"DROP TABLE public.settings; DROP FUNCTION public.answer(); GRANT CREATE ON DATABASE {dbname} TO {_ROLE}",
            dbname,
        )
        server.sql(_SCHEMA, dbname)
        yield template


@pytest.fixture
def source(small: Company) -> Iterator[Company]:
    with fresh(small, "owned") as copy:
        for statements in (_ROWS, _HINDRANCES):
            copy.server.sql(f"SET ROLE {_ROLE}; {statements}", copy.dbname)
        yield copy


@pytest.fixture
def empty(small: Company) -> Iterator[Company]:
    with fresh(small, "owned_empty") as copy:
        copy.server.sql(f"SET ROLE {_ROLE}; {_HINDRANCES}", copy.dbname)
        yield copy


@pytest.fixture
def taken(source: Company, tmp_path: Path) -> Taken:
    return Taken(source, tmp_path, dsn=source.admin_dsn)


def owners_dsn(company: Company) -> str:
    return company.server.dsn(company.dbname, user=_ROLE)


def rows(company: Company, tables: Sequence[str] = _TABLES) -> dict[str, list[Any]]:
    select = "SELECT t::text FROM {} AS t"
    with psycopg.connect(company.admin_dsn) as session:
        return {
            table: sorted(session.execute(select.format(table if table == "app.days" else f"ONLY {table}")).fetchall())
            for table in tables
        }


_SHAPE = """
SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), obj_description(oid), conparentid <> 0,
       coninhcount
  FROM pg_constraint WHERE conrelid <> 0 AND connamespace::regnamespace::text IN ('app', 'auth')
UNION ALL
SELECT contypid::regtype::text, conname::text, pg_get_constraintdef(oid), '', convalidated, 0
  FROM pg_constraint WHERE contypid <> 0 AND connamespace = 'app'::regnamespace
UNION ALL
SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled::text, tgparentid <> 0, 0
  FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT ev_class::regclass::text, rulename, pg_get_ruledef(oid), ev_enabled::text, false, 0
  FROM pg_rewrite WHERE ev_class::regclass::text LIKE 'app.%'
UNION ALL
SELECT oid::regclass::text, relforcerowsecurity::text, relrowsecurity::text, '', false, 0
  FROM pg_class WHERE relnamespace::regnamespace::text IN ('app', 'auth')
ORDER BY 1, 2, 3
"""


def shape(company: Company) -> list[Any]:
    """Keys, checks, triggers, rules and row security, as they are defined and enabled."""
    with psycopg.connect(company.admin_dsn) as session:
        session.execute("SET search_path = pg_catalog")
        return session.execute(_SHAPE).fetchall()


async def test_a_plain_owner_restores_everything(taken: Taken, source: Company, empty: Company) -> None:
    """Cycles, rows that keys and checks never held for, triggers, rules and forced row security: none is in the way,
    none fires, and all are there again as they were.
    """
    [[is_superuser]] = empty.server.sql(f"SELECT rolsuper FROM pg_roles WHERE rolname = '{_ROLE}'")
    before = shape(empty)
    await taken.take()
    assert not is_superuser and len(before) > 30
    assert taken.metadata.cycles == (("app_people", "app_teams"),)

    assert await psql(owners_dsn(empty), restore_all_sql(taken.metadata, taken.directory), role=None) == (0, "")

    assert rows(empty) == rows(source)
    assert shape(empty) == before == shape(source)


@on_the_newest
async def test_a_copy_without_a_schema_takes_the_rest(taken: Taken, source: Company, empty: Company) -> None:
    """As a new home without Supabase's own schemas: neither the tables of `auth` nor the keys to them are there."""
    await taken.take()
    empty.server.sql("DROP SCHEMA auth CASCADE", empty.dbname)
    rest = without_schemas(taken.metadata, ("auth",))

    assert await psql(owners_dsn(empty), restore_all_sql(rest, taken.directory), role=None) == (0, "")

    tables = [table for table in _TABLES if not table.startswith("auth.")]
    assert rows(empty, tables) == rows(source, tables)


@on_the_newest
async def test_an_error_anywhere_leaves_the_copy_as_it_was(taken: Taken, empty: Company) -> None:
    """A row that a key does not allow: the key is named, nothing is loaded and everything is in force again."""
    before = shape(empty)
    await taken.take()
    empty.server.sql("ALTER TABLE app.of_day_1 DROP CONSTRAINT of_day_1_day_fkey", empty.dbname)
    empty.server.sql(
        "SET ROLE plain_owner; ALTER TABLE app.of_day_1 ADD CONSTRAINT of_day_1_day_fkey FOREIGN KEY (day)"
        " REFERENCES app.days_2", empty.dbname,
    )  # fmt: skip
    changed = shape(empty)

    code, said = await psql(owners_dsn(empty), restore_all_sql(taken.metadata, taken.directory), role=None)

    assert code == 3
    assert 'insert or update on table "of_day_1" violates foreign key constraint "of_day_1_day_fkey"' in said
    assert changed != before
    assert shape(empty) == changed
    assert not any(rows(empty).values())


@on_the_newest
async def test_the_command_prints_all_of_a_bundle(
    taken: Taken, source: Company, empty: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """The directory may be given alone; a table beside --all, or neither, is refused with nothing printed."""
    await taken.take()

    assert restore_sql.chosen(None, str(taken.directory), None, whole=True) == 0

    assert await psql(owners_dsn(empty), capsys.readouterr().out, role=None) == (0, "")
    assert rows(empty) == rows(source)
    for table, directory, whole in (("log", taken.directory, True), (None, None, False)):
        with pytest.raises(UsageError) as caught:
            restore_sql.chosen(None, table, directory, whole=whole)
        assert str(caught.value) == (
            "restore-sql prints either one table or, with --all, the whole bundle; nothing was printed;"
            " name a table and after it the directory, or --all and the directory."
        )
    assert capsys.readouterr().out == ""
