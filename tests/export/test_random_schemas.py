"""Databases made up by chance: exported by the step, loaded by the printed SQL into an empty copy of the schema by a
plain owner, and compared row by row and sequence by sequence.

The seed is in the name of the test. `CUTOVER_SCHEMA_SEEDS=17`, or `=1-50,99`, runs these and no others.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from bot.artifacts.metadata import Sequence
from bot.rehearsal.company import Company
from tests.export.binary_form import Rows, rows_of
from tests.export.conftest import Taken
from tests.export.homes import Homes
from tests.export.random_schemas import Made, make
from tests.export.random_schemas.types import EXTENSIONS

SEEDS = {"18": range(1, 301), "15": range(1, 31)}
SAMPLE = {"18": (39, 130, 131, 215, 238, 240), "15": (9,)}
"""What runs by default: few that hold much."""


def wanted() -> Iterator[Any]:
    given = os.environ.get("CUTOVER_SCHEMA_SEEDS")
    for version, seeds in SEEDS.items():
        for seed in spans(given) if given else seeds:
            in_sample = given or seed in SAMPLE[version]
            yield pytest.param(version, seed, marks=() if in_sample else pytest.mark.all)


def spans(given: str) -> Iterator[int]:
    """`1-50,99` as numbers."""
    for span in given.split(","):
        first, _, last = span.partition("-")
        yield from range(int(first), int(last or first) + 1)


@pytest.mark.parametrize(("version", "seed"), list(wanted()))
async def test_a_database_made_up_by_chance_comes_back_whole(
    homes: Callable[[str], Homes], tmp_path: Path, version: str, seed: int
) -> None:
    """Every row is in the table that held it, every sequence goes on where it stood, and no table is passed over."""
    on = homes(version)
    made = make(seed, version=int(version), extensions=on.extensions)
    with on.old(made) as source, on.new() as copy:
        taken = Taken(source, tmp_path)
        await taken.take()

        assert_every_table_is_told_of(source, taken)
        in_one = made.obstructed or seed % 2 == 1
        (load_all if in_one else load_each)(on, made, source, copy, taken)

        assert_same_rows(rows(source, on), rows(copy, on))
        there, back = next_values(source, on), next_values(copy, on)
        # What no column owns is set together with everything, and by no table's own script.
        unset = set() if in_one else {(one.schema_name, one.name) for one in sequences(taken) if one.owned_by is None}
        assert {name: back.get(name) for name in there if name not in unset} == {
            name: value for name, value in there.items() if name not in unset
        }


def assert_every_table_is_told_of(source: Company, taken: Taken) -> None:
    """By the server's own books, whatever the export made of them."""
    ordinary = source.server.sql(
        "SELECT n.nspname || '.' || c.relname, rn.nspname || '.' || r.relname FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN pg_class r ON r.oid = pg_partition_root(c.oid) LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace"
        " WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')",
        source.dbname,
    )
    described = taken.metadata
    told = {f"{table.schema_name}.{table.table}" for table in described.tables.values()}
    told |= {entry.name for entry in described.left_out}
    assert [name for name, root in ordinary if name not in told and root not in told] == []


def load_all(on: Homes, made: Made, source: Company, copy: Company, taken: Taken) -> None:
    """In one transaction, whatever is in the way, which is there again at its end."""
    on.play(copy, on.ddl(source))
    finish_detaching(on, made, copy)
    before = on.ddl(copy)
    on.play(copy, taken.printed())
    assert on.ddl(copy) == before


def load_each(on: Homes, made: Made, source: Company, copy: Company, taken: Taken) -> None:
    """In the order given, which keeps the keys; where they lead in circles they are made at the end."""
    described = taken.metadata
    on.play(copy, on.ddl(source, "--section=pre-data"))
    after = on.ddl(source, "--section=post-data")
    if not described.cycles:
        on.play(copy, after)
        finish_detaching(on, made, copy)
    on.play(copy, "".join(taken.printed(key) for key in described.import_order))
    if described.cycles:
        on.play(copy, after)


def finish_detaching(on: Homes, made: Made, copy: Company) -> None:
    """What pg_dump attaches again."""
    for parent, child in made.pending:
        on.play(copy, f"ALTER TABLE {parent} DETACH PARTITION {child};")


def rows(company: Company, on: Homes) -> Rows:
    with psycopg.connect(company.admin_dsn) as session:
        return rows_of(session, without=on.platform)


def assert_same_rows(there: Rows, back: Rows) -> None:
    assert back.keys() == there.keys()
    for table, counted in there.items():
        assert back[table] == counted, f"{table}: lost {counted - back[table]}, new {back[table] - counted}"


def sequences(taken: Taken) -> Iterable[Sequence]:
    return taken.metadata.sequences.values()


def next_values(company: Company, on: Homes) -> dict[tuple[str, str], Any]:
    """By schema and name, what `nextval` gives, or why it gives nothing."""
    found: dict[tuple[str, str], Any] = {}
    with psycopg.connect(company.admin_dsn, autocommit=True) as session:
        names = session.execute(
            "SELECT schemaname, sequencename FROM pg_sequences WHERE NOT schemaname = ANY (%s)", [on.platform]
        ).fetchall()
        for schema, name in names:
            quoted = sql.Identifier(schema, name).as_string(session)
            try:
                found[schema, name] = session.execute("SELECT nextval(%s)", [quoted]).fetchall()
            except psycopg.errors.SequenceGeneratorLimitExceeded as error:
                found[schema, name] = error.sqlstate
    return found


EVERY = {
    "inheritance", "child of two parents", "child in another schema", "child made before it was one",
    "child that is none any more", "partitions by list", "partitions by range", "partitions by hash",
    "partitions of partitions", "attached partition", "rows before it was attached", "detached partition",
    "detach pending", "default partition", "partition in another schema", "partitioned table without partitions",
    "partition with a column that is gone", "primary key of one partition", "index of one partition",
    "default of one partition", "foreign key of a partition", "foreign key to a partition", "foreign key to itself",
    "sequence that nothing owns", "sequence that a column owns", "two sequences of one column",
    "sequence shared by defaults", "default that is inherited", "sequence that a partition owns",
    "sequence of a table that became a partition", "sequence in a schema without tables", "descending sequence",
    "identity always", "identity by default", "identity column of a partitioned table", "sequence left as it was",
    "sequence set, not called", "sequence restarted", "sequence at its end", "table of a composite",
    "table without columns", "unlogged table", "generated column", "virtual column", "column that is gone",
    "row security", "reference to a user", "cast of its own to text", "cast of its own to json",
    "cast of its own from text", "schema called like the platform's", "range over an enum",
    *(f"array of {of}" for of in ("base", "enum", "domain", "composite", "range", "multirange")),
    *(f"composite of {of}" for of in ("base", "enum", "domain", "composite", "array", "range")),
    *(f"domain over {of}" for of in ("base", "enum", "domain", "composite", "array", "range")),
    "domain NOT NULL", "domain CHECK", "trigger that passes a row over", "trigger that refuses",
    "trigger in another state", "rule that does nothing instead", "row security that holds for the owner",
    "check that is not valid", "foreign key that is not valid",
}  # fmt: skip


def test_the_sample_holds_every_kind_of_thing() -> None:
    """So that each is met in every run."""
    held = [make(seed, extensions=EXTENSIONS).holds for seed in SAMPLE["18"]]
    assert EVERY - frozenset().union(*held) == set()


@pytest.mark.all
def test_every_kind_of_thing_is_often_among_them() -> None:
    """The 300 hold each at least five times, and more than sixty types as they are."""
    often = Counter(kind for seed in SEEDS["18"] for kind in make(seed, extensions=EXTENSIONS).holds)
    assert {kind: often[kind] for kind in EVERY if often[kind] < 5} == {}
    assert sum(kind.startswith("type ") for kind in often) > 60


def test_a_seed_makes_the_same_database_in_any_process() -> None:
    """Whatever order Python gives its sets."""
    script = (
        "from tests.export.random_schemas import make\n"
        "for made in map(make, range(20)): print(made.statements, made.pending)"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": hashing},
            capture_output=True,
            check=True,
        ).stdout
        for hashing in ("1", "2")
    }
    assert len(made) == 1
