"""Columns that hold users' ids though no key says so."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.artifacts import arrays, tables
from bot.rehearsal.company import Company


@pytest.fixture
def owner(database: Company) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A session of the company's owner, with a schema of its own."""
    with psycopg.connect(database.dsn, autocommit=True) as session:
        session.execute("CREATE SCHEMA own")
        yield session


def found_in(taken: Any) -> dict[str, tuple[str, int | None]]:
    """By column of schema `own`: how it was found, and its orphans."""
    return {
        f"{table.table}.{one.column}": (one.found, one.orphans)
        for table in taken.metadata.tables.values()
        if table.schema_name == "own"
        for one in table.user_references
    }


def suspected(taken: Any) -> dict[str, tuple[int, int, str]]:
    return {f"{one.table}.{one.column}": (one.seen, one.found, one.counted) for one in taken.metadata.suspects}


async def test_ids_are_found_by_their_values(owner: Any, taken: Any) -> None:
    """In uuid and text, in arrays, under domains, with orphans counted; what is no whole id is only suspected."""
    owner.execute(
        """
        CREATE DOMAIN own.who AS uuid; CREATE DOMAIN own.label AS text;
        CREATE TABLE own.kinds AS
        SELECT u.id AS plain, u.id::text AS words, ARRAY[u.id, u.id] AS listed, ARRAY[u.id::text, NULL] AS labels,
               u.id::own.who AS under, u.id::text::own.label AS label, u.id::varchar(40) AS short,
               CASE WHEN n = 1 THEN gen_random_uuid() ELSE u.id END AS with_orphan,
               CASE WHEN n < 4 THEN u.id ELSE gen_random_uuid() END AS with_few,
               upper(u.id::text) AS shouted, gen_random_uuid() AS other, md5(u.id::text)::uuid AS hashed,
               jsonb_build_object('by', jsonb_build_array(u.id)) AS doc, 'of ' || u.id || '/a.png' AS path,
               NULL::uuid AS nobody, n
          FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM auth.users LIMIT 20) u;
        CREATE TABLE own.empty (id uuid, words text);
        ALTER TABLE own.kinds ADD COLUMN again text GENERATED ALWAYS AS (words) STORED
        """
    )

    result = await taken.take(include_schemas=["own"])

    assert found_in(taken) == {
        "kinds.plain": ("value", 0),
        "kinds.words": ("value", 0),
        "kinds.listed": ("value", 0),
        "kinds.labels": ("value", 0),
        "kinds.under": ("value", 0),
        "kinds.label": ("value", 0),
        "kinds.short": ("value", 0),
        "kinds.with_orphan": ("value", 1),
    }
    assert suspected(taken) == {
        "own_kinds.with_few": (20, 3, "in full"),
        "own_kinds.doc": (20, 20, "in full"),
        "own_kinds.path": (20, 20, "in full"),
    } | {name: count for name, count in suspected(taken).items() if name.startswith("storage_")}
    assert "own_kinds.plain" in result.by_value and "own_kinds.doc" in result.suspects
    ids = [one.id for one in tables.references(taken.directory, taken.metadata) if one.column == "listed"]
    assert len(ids) == 40


async def test_ids_in_arrays_are_found_however_the_array_is_made_and_written(owner: Any, taken: Any) -> None:
    """Under domains of the array and of its elements, and where the file has the array's text; a type of one's own that
    is called uuid holds none.
    """
    owner.execute(
        """
        CREATE DOMAIN own.who AS uuid; CREATE DOMAIN own.dear AS own.who; CREATE DOMAIN own.team AS own.dear[];
        CREATE DOMAIN own.label AS text; CREATE TYPE own.uuid AS ENUM ('me'); CREATE TYPE own.jsonb AS ENUM ('null');
        CREATE TABLE own.arrays AS
        SELECT ARRAY[u.id]::own.who[] AS domains, ARRAY[u.id, NULL]::own.team AS team,
               format('[0:1]={%s,NULL}', u.id)::uuid[] AS shifted, format('[2:2]={%s}', u.id)::own.team AS shifted_team,
               ARRAY[u.id]::text[]::own.label[] AS labels,
               format('[0:2]={"%s","a,%s\\"}",%s}', u.id, u.id, u.id)::text[] AS words,
               ARRAY['me']::own.uuid[] AS own, 'me'::own.uuid AS me, 'null'::own.jsonb AS doc
          FROM (SELECT id FROM auth.users ORDER BY id LIMIT 3) u
        """
    )

    await taken.take(include_schemas=["own"])

    table = taken.metadata.tables["own_arrays"]
    as_text = {column.name for column in table.columns if column.encoding == "text"}
    assert as_text == {"shifted", "shifted_team", "words"}
    assert found_in(taken) == {
        "arrays.domains": ("value", 0),
        "arrays.team": ("value", 0),
        "arrays.shifted": ("value", 0),
        "arrays.shifted_team": ("value", 0),
        "arrays.labels": ("value", 0),
        "arrays.words": ("value", 3),
    }
    users = [str(row[0]) for row in owner.execute("SELECT id FROM auth.users ORDER BY id LIMIT 3")]
    by = tables.referenced_by(taken.directory, taken.metadata, users)
    columns = {f"own_arrays.{name}": 1 for name in ("domains", "team", "shifted", "shifted_team", "labels")}
    assert by[users[0]].items() >= (columns | {"own_arrays.words": 2}).items()


ELEMENTS = st.lists(st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6))


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(elements=ELEMENTS | st.lists(st.sampled_from(["NULL", "null", "", " ", '"', "\\", "{", "},", "[0:1]={", None])))
def test_the_text_of_any_array_is_taken_apart_as_the_server_made_it(owner: Any, elements: list[str | None]) -> None:
    """With any bounds."""
    for bounds in ("", f"[-1:{len(elements) - 2}]=" if elements else ""):
        [text] = owner.execute("SELECT (%s::text || %s::text[]::text)::text[]::text", [bounds, elements]).fetchone()
        assert arrays.is_array(text)
        assert list(arrays.elements(text)) == [element for element in elements if element is not None]


async def test_a_large_table_is_sampled_and_what_was_hit_is_counted_in_full(owner: Any, taken: Any) -> None:
    """Blocks from all over; a column that is hit is counted to the last row."""
    owner.execute(
        """
        CREATE TABLE own.large AS
        SELECT i, repeat('x', 500) AS body, CASE WHEN i > 59000 THEN (SELECT id FROM auth.users LIMIT 1) END AS late,
               (SELECT id FROM auth.users ORDER BY id OFFSET i % 100 LIMIT 1) AS always,
               CASE WHEN i % 10 = 0 THEN jsonb_build_object('by', (SELECT id FROM auth.users LIMIT 1)) END AS doc
          FROM generate_series(1, 60000) i
        """
    )

    await taken.take(include_schemas=["own"])

    assert found_in(taken) == {"large.always": ("value", 0), "large.late": ("value", 0)}
    seen, found, counted = suspected(taken)["own_large.doc"]
    assert counted == "in a sample" and 0 < seen == found < 6_000


MIX = st.lists(st.sampled_from(["user", "user", "stranger", "null", "word"]), max_size=12)


async def assert_found_by_half(owner: Any, taken: Any, mix: list[str]) -> None:
    users = [row[0] for row in owner.execute("SELECT id FROM auth.users ORDER BY id").fetchall()]
    owner.execute("DROP TABLE IF EXISTS own.mixed; CREATE TABLE own.mixed (words text)")
    values = [
        {"user": str(users[n]), "stranger": str(uuid.UUID(int=n)), "null": None, "word": f"word {n}"}[kind]
        for n, kind in enumerate(mix)
    ]
    for value in values:
        owner.execute("INSERT INTO own.mixed VALUES (%s)", [value])

    await taken.take(include_schemas=["own"])

    seen, ids = len(mix) - mix.count("null"), mix.count("user")
    expected = {"mixed.words": ("value", seen - ids)} if ids and ids * 2 >= seen else {}
    assert found_in(taken) == expected
    few = suspected(taken).get("own_mixed.words")
    assert few == ((seen, ids, "in full") if ids and not expected else None)


@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(mix=MIX)
@example(mix=["user", "word"])
@example(mix=["user", "word", "stranger", "null"])
async def test_half_of_the_values_make_a_reference(owner: Any, beside: Callable[[], Any], mix: list[str]) -> None:
    """Held against a count in Python."""
    await assert_found_by_half(owner, beside(), mix)


@pytest.mark.all
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(mix=MIX)
async def test_half_of_many_mixes_of_values(owner: Any, beside: Callable[[], Any], mix: list[str]) -> None:
    """The same, of other columns."""
    await assert_found_by_half(owner, beside(), mix)
