"""What the metadata say of a type beyond its name, of the table's CHECKs, and of whether a column has any value."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.artifacts.metadata import Check, Column, CompositeField
from bot.rehearsal.company import Company
from tests.export.conftest import Taken
from tests.export.versions import on_the_newest
from tests.freeze.servers import VERSIONS, fresh

_SOURCE = """
CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY);
GRANT USAGE ON SCHEMA auth TO postgres; ALTER TABLE auth.users OWNER TO postgres;
SET ROLE postgres;
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('b', 'a', 'it''s "odd"');
CREATE DOMAIN app.dear AS app.mood;
CREATE DOMAIN app.dearest AS app.dear;
CREATE DOMAIN app.moods AS app.dearest[];
CREATE DOMAIN app.code AS varchar(3) CHECK (VALUE <> '');
CREATE DOMAIN app.codes AS numeric(5,2)[];
CREATE DOMAIN app.upper_code AS app.code;
CREATE TYPE app."Pair, (odd)" AS (gone int, "left" numeric(4,1), "right" app.dear, more app.mood[]);
ALTER TYPE app."Pair, (odd)" DROP ATTRIBUTE gone;
CREATE DOMAIN app.couple AS app."Pair, (odd)";
CREATE TABLE app.whole (
  id int PRIMARY KEY CHECK (id > 0), plain text, mood app.mood, listed app.mood[], dear app.dear, dearest app.dearest,
  moods app.moods, dears app.dear[], code app.code, upper_code app.upper_code, codes app.codes, pair app."Pair, (odd)",
  pairs app."Pair, (odd)"[], couple app.couple, doc jsonb, raw json, "value_0" text,
  made int GENERATED ALWAYS AS (7) STORED,
  CONSTRAINT "both %s" CHECK (plain IS NULL OR code IS NOT NULL)
);
CREATE TABLE app.bare ();
CREATE TABLE app.empty (id int, note text DEFAULT 'x');
CREATE TABLE app.parted (id int, day date, note text CHECK (note <> '')) PARTITION BY LIST (id);
CREATE TABLE app.parted_1 PARTITION OF app.parted FOR VALUES IN (1);
CREATE TABLE app.parted_2 PARTITION OF app.parted FOR VALUES IN (2);
INSERT INTO app.parted VALUES (1, NULL, NULL), (2, '2026-01-01', NULL);
INSERT INTO app.whole (id, pair, doc, raw) VALUES (1, NULL, 'null', NULL), (2, ROW(NULL, NULL, NULL), NULL, 'null');
CREATE TABLE app.big AS
  SELECT i AS id, CASE WHEN i = 39999 THEN 'x' END AS late, NULL::text AS never, NULL::json AS never_text,
         CASE WHEN i = 39998 THEN '{"a":  1}'::json END AS late_text, repeat('y', 50) AS filler, ARRAY[i] AS listed
    FROM generate_series(1, 40000) AS i;
"""


@pytest.fixture(scope="module", params=VERSIONS)
def small(request: pytest.FixtureRequest, worlds: Callable[[str], Company]) -> Iterator[Company]:
    with fresh(worlds(request.param), "type_details_template") as template:
        template.server.sql(_SOURCE, template.dbname)
        yield template


@pytest.fixture
def source(small: Company) -> Iterator[Company]:
    with fresh(small, "detailed") as copy:
        yield copy


def columns(taken: Taken, key: str) -> dict[str, Column]:
    return {column.name: column for column in taken.metadata.tables[key].columns}


def named(of: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in of if value is not None}


async def test_types_and_checks_are_described_in_full(source: Company, tmp_path: Path) -> None:
    """Through any number of domains and arrays; types with their modifiers, labels and fields in their order."""
    taken = Taken(source, tmp_path)
    await taken.take()
    found = columns(taken, "app_whole")

    labels = ("b", "a", 'it\'s "odd"')
    enums = ("mood", "listed", "dear", "dearest", "moods", "dears")
    assert named((name, column.enum_labels) for name, column in found.items()) == dict.fromkeys(enums, labels)
    assert named((name, column.base_type) for name, column in found.items()) == {
        "dear": "app.mood",
        "dearest": "app.mood",
        "moods": "app.dearest[]",
        "code": "character varying(3)",
        "upper_code": "character varying(3)",
        "codes": "numeric(5,2)[]",
        "couple": 'app."Pair, (odd)"',
    }
    fields = (
        CompositeField(name="left", type="numeric(4,1)"),
        CompositeField(name="right", type="app.dear"),
        CompositeField(name="more", type="app.mood[]"),
    )
    composites = ("pair", "pairs", "couple")
    assert named((name, column.fields) for name, column in found.items()) == dict.fromkeys(composites, fields)
    assert taken.metadata.tables["app_whole"].checks == (
        Check(name="both %s", expression="((plain IS NULL) OR (code IS NOT NULL))"),
        Check(name="whole_id_check", expression="(id > 0)"),
    )
    assert taken.metadata.tables["app_parted"].checks == (
        Check(name="parted_note_check", expression="(note <> ''::text)"),
    )
    assert taken.metadata.tables["app_bare"].checks == ()


@on_the_newest
async def test_whether_a_column_has_any_value_is_known_of_every_row(source: Company, tmp_path: Path) -> None:
    """Of small tables, big ones and partitions; a composite of NULLs and a JSON null are values."""
    taken = Taken(source, tmp_path)
    await taken.take()

    def filled(key: str) -> set[str]:
        return {name for name, column in columns(taken, key).items() if column.non_null}

    assert filled("app_whole") == {"id", "pair", "doc", "raw", "made"}
    assert filled("app_empty") == filled("app_bare") == set()
    assert filled("app_parted") == {"id", "day"}
    assert filled("app_big") == {"id", "late", "late_text", "filler", "listed"}
