"""Every value of every type comes back from the files, compared by the bytes of its binary form."""

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from bot.artifacts import restore, tables
from bot.artifacts.metadata import Table
from bot.rehearsal.company import Company
from bot.supabase.database import query
from tests.export.every_type import (
    AS_TEXT,
    BINARY,
    EXTENSIONS,
    NO_BINARY,
    NOT_FOR_COLUMNS,
    VALUES,
    composite,
    declare,
    literal,
    original,
    restored,
    shapes,
)
from tests.export.loading import psql

ROWS = 12

Session = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def reader(database: Company) -> Iterator[Session]:
    """A session pinned like ours, as an importer's has to be; it may do everything."""
    with psycopg.connect(database.admin_dsn, autocommit=True) as session:
        session.execute(query("session"))
        session.execute("CREATE SCHEMA every")
        yield session


def insert(session: Session, table: str, row: dict[str, tuple[str, str | None]]) -> None:
    columns, values = zip(*row.items(), strict=True)
    places = sql.SQL(", ").join(sql.SQL("{}::{}").format(sql.Literal(text), sql.SQL(of)) for of, text in values)
    session.execute(
        sql.SQL("INSERT INTO every.{} ({}) VALUES ({})").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns)), places
        )
    )


def compared(table: Table) -> sql.SQL:
    return AS_TEXT if NO_BINARY & {column.type.split(".")[-1] for column in table.columns} else BINARY


def assert_back(reader: Session, taken: Any) -> int:
    """Compares every table of schema `every` with its file; how many values there are."""
    values = 0
    for table in taken.metadata.tables.values():
        if table.schema_name == "every":
            lines = [line.decode() for line in tables.rows(taken.directory / table.file)]
            form = compared(table)
            back = sorted(row for [row] in reader.execute(restored(table, form), [lines]))
            there = sorted(row for [row] in reader.execute(original(table, form)))
            assert back == there, table.columns[0].type
            values += len(back) * len(table.columns)
    return values


async def assert_loaded(reader: Session, taken: Any) -> None:
    """Empties every table of schema `every`, loads each by its printed SQL, and compares it with what it was."""
    described = taken.metadata
    tables_of_every = [table for table in described.tables.values() if table.schema_name == "every"]

    def contents() -> dict[str, list[Any]]:
        wholes = {table.file: original(table, compared(table)) for table in tables_of_every}
        return {file: sorted(row for [row] in reader.execute(whole)) for file, whole in wholes.items()}

    before = contents()
    names = sql.SQL(", ").join(sql.Identifier("every", table.table) for table in tables_of_every)
    reader.execute(sql.SQL("TRUNCATE {}").format(names))
    scripts = [restore.restore_sql(described, table, str(taken.directory / table.file)) for table in tables_of_every]
    assert await psql(taken.database.admin_dsn, "\n".join(scripts)) == (0, "")
    assert contents() == before


def has_xml(reader: Session) -> bool:
    """The wheel's server is built without libxml, others are not."""
    try:
        reader.execute("SELECT '<a/>'::xml")
    except psycopg.errors.FeatureNotSupported:
        return False
    return True


async def test_every_type_in_every_shape_comes_back(reader: Session, taken: Any) -> None:
    """Alone, in arrays of any bounds, in composites, in domains, and in arrays of these: with all that is awkward."""
    for extension in EXTENSIONS:
        reader.execute(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA public".encode())
    found = reader.execute(
        "SELECT format_type(t.oid, -1), t.typname FROM pg_type t WHERE t.typtype IN ('b', 'r', 'm')"
        " AND t.typnamespace = 'pg_catalog'::regnamespace"
        " AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)"
    ).fetchall()
    builtin = {name: full for full, name in found if name not in NOT_FOR_COLUMNS}
    assert builtin.keys() - VALUES.keys() == set(), "a type without values to try"
    for n, (name, texts) in enumerate(VALUES.items()):
        type_ = builtin.get(name)
        if type_ is None:
            row = reader.execute("SELECT oid::regtype::text FROM pg_type WHERE typname = %s", [name]).fetchone()
            if row is None:  # a type of a newer server
                assert name in ("regdatabase",)
                continue
            [type_] = row
        if name == "xml" and not has_xml(reader):
            continue
        reader.execute(declare("every", n, type_).encode())
        for one, other in itertools.zip_longest(texts, texts[1:]):
            made = shapes(type_, one, other)
            insert(reader, f"t_{n}", {c: (of.format(schema="every", n=n), text) for c, (of, text) in made.items()})
        reader.execute(f"INSERT INTO every.t_{n} DEFAULT VALUES".encode())

    await taken.take(include_schemas=["every"])

    assert assert_back(reader, taken) > 3_000
    await assert_loaded(reader, taken)


# -- any values -------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=4,
)
INT = st.integers(-(2**31), 2**31 - 1)
NUMERIC = st.decimals(allow_nan=False, allow_infinity=False).map("{:f}".format) | st.sampled_from(["NaN", "-Infinity"])
AT = st.datetimes().map(str) | st.sampled_from(["infinity", "-infinity", "0044-03-15 12:00:00 BC"])


def ranges(bound: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    ends = st.lists(bound, min_size=2, max_size=2).map(sorted)
    form = st.sampled_from(["empty", "(,)", "[{0},{1}]", "({0},{1})", "[{0},)", "(,{1}]"])
    return st.builds(lambda form, pair: form.format(*pair), form, ends)


BASES: dict[str, st.SearchStrategy[str]] = {
    "text": TEXT,
    "integer": INT.map(str),
    "bigint": st.integers(-(2**63), 2**63 - 1).map(str),
    "numeric": NUMERIC,
    "double precision": st.floats().map(repr),
    "real": st.floats(width=32).map(repr),
    "boolean": st.booleans().map(str),
    "bytea": st.binary(max_size=12).map(lambda b: f"\\x{b.hex()}"),
    "date": st.dates().map(str) | st.sampled_from(["infinity", "0044-03-15 BC"]),
    "timestamp": AT,
    "timestamptz": AT,
    "time": st.times().map(str),
    "interval": st.builds("{} months {} days {} microseconds".format, INT, INT, st.integers(-(2**40), 2**40)),
    "uuid": st.uuids().map(str),
    "json": JSON.map(lambda value: psycopg.types.json.json.dumps(value, indent=1)),
    "jsonb": JSON.map(psycopg.types.json.json.dumps),
    "inet": (st.ip_addresses()).map(str),
    "varbit": st.text("01", max_size=12),
    "int4range": ranges(st.integers(-(2**30), 2**30)),
    "numrange": ranges(st.integers(-(10**20), 10**20)),
    "tsrange": ranges(st.datetimes().map('"{}"'.format)),
    "point": st.builds("({!r},{!r})".format, st.floats(), st.floats()),
    "citext": TEXT,
    "hstore": st.dictionaries(TEXT, st.none() | TEXT, max_size=3).map(
        lambda pairs: ",".join(
            f"{quoted(key)}=>{'NULL' if value is None else quoted(value)}" for key, value in pairs.items()
        )
    ),
}


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def array(chance: random.Random, element: Callable[[], str]) -> str:
    """Of one or two dimensions, from any bound, with NULLs."""
    wide, deep = chance.randrange(4), chance.choice([1, 1, 2])
    if not wide:
        return "{}"
    rows = [literal([None if chance.random() < 0.1 else element() for _ in range(wide)]) for _ in range(deep)]
    body, first = rows[0], chance.choice([1, 1, 1, 0, -5, 2])
    bounds = f"[{first}:{first + wide - 1}]"
    if deep == 2:
        body, bounds = "{" + ",".join(rows) + "}", f"[1:2]{bounds}"
    return body if first == 1 else f"{bounds}={body}"


SHAPES = {
    "plain": "{type}",
    "array": "{type}[]",
    "box": "every.box_{n}",
    "boxes": "every.box_{n}[]",
    "dom": "every.dom_{n}",
}
COLUMNS = {
    f"{shape}_{n}": form.format(type=type_, n=n) for n, type_ in enumerate(BASES) for shape, form in SHAPES.items()
}


def made_of(chance: random.Random, pool: list[str]) -> dict[str, str | None]:
    """By shape, a value built of the pool's."""

    def one() -> str:
        return chance.choice(pool)

    def box() -> str:
        return composite([one() if chance.random() < 0.9 else None, array(chance, one)])

    values = {"plain": one(), "array": array(chance, one), "box": box(), "boxes": array(chance, box), "dom": one()}
    return {shape: value if chance.random() < 0.95 else None for shape, value in values.items()}


@pytest.fixture
def table_of_all(reader: Session) -> Session:
    """One table with a column for each type in each shape."""
    reader.execute(
        "CREATE EXTENSION IF NOT EXISTS citext SCHEMA public; CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public"
    )
    reader.execute("SET search_path = pg_catalog, public, extensions")
    for n, type_ in enumerate(BASES):
        reader.execute(
            f"CREATE TYPE every.box_{n} AS (one {type_}, more {type_}[]);"
            f" CREATE DOMAIN every.dom_{n} AS {type_}".encode()
        )
    declared = ", ".join(f"{name} {of}" for name, of in COLUMNS.items())
    reader.execute(f"CREATE TABLE every.all_of_them ({declared})".encode())
    return reader


def assert_come_back(table_of_all: Session, taken: Any, pools: tuple[list[str], ...], seed: int) -> None:
    chance = random.Random(seed)
    table_of_all.execute("TRUNCATE every.all_of_them")
    for _ in range(ROWS):
        texts = {f"{shape}_{n}": text for n, pool in enumerate(pools) for shape, text in made_of(chance, pool).items()}
        insert(table_of_all, "all_of_them", {name: (COLUMNS[name], text) for name, text in texts.items()})

    asyncio.run(taken.take(include_schemas=["every"]))

    assert assert_back(table_of_all, taken) == ROWS * len(COLUMNS)
    asyncio.run(assert_loaded(table_of_all, taken))


any_values = given(
    pools=st.tuples(*(st.lists(texts, min_size=4, max_size=8) for texts in BASES.values())), seed=st.integers()
)


@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@any_values
def test_any_values_come_back(
    table_of_all: Session, beside: Callable[[], Any], pools: tuple[list[str], ...], seed: int
) -> None:
    """Some four thousand in all, of 24 types in five shapes each."""
    assert_come_back(table_of_all, beside(), pools, seed)


@pytest.mark.all
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@any_values
def test_many_values_come_back(
    table_of_all: Session, beside: Callable[[], Any], pools: tuple[list[str], ...], seed: int
) -> None:
    """The same, some sixty thousand."""
    assert_come_back(table_of_all, beside(), pools, seed)
