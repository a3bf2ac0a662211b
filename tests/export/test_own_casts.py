"""A type with casts of its own, or of a superuser's: they may say anything, and the value comes back all the same."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from bot.artifacts import restore
from bot.artifacts.metadata import Table
from bot.rehearsal.company import Company
from tests.export.conftest import Taken
from tests.export.every_type import original
from tests.export.loading import psql
from tests.export.versions import on_the_newest
from tests.freeze.servers import VERSIONS, fresh

_TYPES = """
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('sad', 'happy', '{"a b"\\\\}');
CREATE TYPE app."Pair, (odd)" AS (mood app.mood, n float8);
CREATE DOMAIN app.dear AS app.mood;
CREATE DOMAIN app.noted AS json;
CREATE DOMAIN app.settings AS jsonb;
CREATE TYPE app.jsonb AS ENUM ('null', 'not');
CREATE TYPE app.uuid AS ENUM ('me');
"""
_TABLE = """
CREATE TABLE app.moods (
  id int, m app.mood, ms app.mood[], p app."Pair, (odd)", ps app."Pair, (odd)"[], d app.dear, ds app.dear[],
  noted app.noted, j app.jsonb, u app.uuid, us app.uuid[], doc json, fixed char(6),
  sets app.settings[], plain jsonb, vector int2vector, shifted int[]
);
INSERT INTO app.moods VALUES
  (1, 'sad', '{sad,NULL,happy}', ROW('sad', 1), ARRAY[ROW('happy', 0.1), NULL, ROW(NULL, NULL)]::app."Pair, (odd)"[],
   'happy', '[0:1]={happy,sad}', '{"a":  1}', 'null', 'me', '{me}', '{"b":  null}', 'ab', '{"null","{}"}', 'null',
   '1 2', '[0:1]={3,4}'),
  (2, '{"a b"\\\\}', '{"{\\"a b\\"\\\\\\\\}"}', ROW('{"a b"\\\\}', 'NaN'), '{}', '{"a b"\\\\}', '{}', ' null ',
   'not', NULL, '{}', 'null', '', NULL, '{"a": 1}', '', '{}'),
  (3, NULL, NULL, ROW(NULL, NULL), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
GRANT USAGE ON SCHEMA app TO postgres; GRANT SELECT ON app.moods TO postgres;
"""
_HIDES = """
CREATE FUNCTION app.hide(app.settings[]) RETURNS jsonb[] LANGUAGE sql AS $$ SELECT '{}'::jsonb[] $$;
CREATE CAST (app.settings[] AS jsonb[]) WITH FUNCTION app.hide(app.settings[]);
"""
_SUPERUSERS = """
CREATE FUNCTION app.to_lie(text) RETURNS {type} LANGUAGE sql AS $$ SELECT NULL::{type} $$;
CREATE CAST (text AS {type}) WITH FUNCTION app.to_lie(text);
ALTER FUNCTION app.to_lie(text) RENAME TO to_{name};
"""
_CASTS = """
CREATE FUNCTION app.to_json({type}) RETURNS json LANGUAGE sql AS $$ SELECT '{{"hi":1}}'::json $$;
CREATE FUNCTION app.to_text({type}) RETURNS text LANGUAGE sql AS $$ SELECT 'constant' $$;
CREATE FUNCTION app.{of}(text) RETURNS {type} LANGUAGE sql AS $$ SELECT NULL::{type} $$;
CREATE CAST ({type} AS json) WITH FUNCTION app.to_json({type});
CREATE CAST ({type} AS text) WITH FUNCTION app.to_text({type}) AS IMPLICIT;
CREATE CAST (text AS {type}) WITH FUNCTION app.{of}(text) AS ASSIGNMENT;
"""
SERVERS = {"json": "json", "jsonb": "jsonb", "vector": "int2vector", "list": "int[]"}
"""Types to which the superuser has made a cast from text."""
CAST = {
    "of_mood": "app.mood",
    "of_moods": "app.mood[]",
    "of_pair": 'app."Pair, (odd)"',
    "of_pairs": 'app."Pair, (odd)"[]',
}


@pytest.fixture(scope="module", params=VERSIONS)
def small(request: pytest.FixtureRequest, worlds: Callable[[str], Company]) -> Iterator[Company]:
    with fresh(worlds(request.param), "own_casts_template") as template:
        template.server.sql("CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY)", template.dbname)
        template.server.sql(
            "GRANT USAGE ON SCHEMA auth TO postgres; GRANT SELECT ON auth.users TO postgres", template.dbname
        )
        template.server.sql(_TYPES + _TABLE, template.dbname)
        template.server.sql(_HIDES, template.dbname)
        for of, type_ in CAST.items():
            template.server.sql(_CASTS.format(of=of, type=type_), template.dbname)
        for name, type_ in SERVERS.items():
            template.server.sql(_SUPERUSERS.format(name=name, type=type_), template.dbname)
        yield template


@pytest.fixture
def source(small: Company) -> Iterator[Company]:
    with fresh(small, "casting") as copy:
        yield copy


def kept(source: Company, table: Table) -> list[Any]:
    with psycopg.connect(source.admin_dsn, autocommit=True) as session:
        return sorted(row for [row] in session.execute(original(table, sql.SQL("record_send(ROW({}))"))))


async def test_the_files_hold_what_the_types_write_and_not_what_their_casts_say(
    source: Company, tmp_path: Path
) -> None:
    """Whether there is a cast to text, to json or from text; alone, in arrays, composites and domains."""
    taken = Taken(source, tmp_path)
    await taken.take()

    table = taken.metadata.tables["app_moods"]
    text = (tmp_path / "app_moods.json").read_text()
    assert "constant" not in text
    assert '"hi"' not in text
    first, *_ = text.split("\n")[1:]
    assert first == (
        '{"id":1,"m":"sad","ms":"{sad,NULL,happy}","p":"(sad,1)","ps":"{\\"(happy,0.1)\\",NULL,\\"(,)\\"}","d":"happy",'
        '"ds":"[0:1]={happy,sad}","noted":"{\\"a\\":  1}","j":"null","u":"me","us":["me"],"doc":"{\\"b\\":  null}",'
        '"fixed":"ab    ","sets":"{\\"null\\",\\"{}\\"}","plain":"null","vector":"1 2","shifted":"[0:1]={3,4}"},'
    )
    assert {column.name for column in table.columns if column.encoding == "text"} == {
        "m", "ms", "p", "ps", "d", "ds", "noted", "doc", "sets", "plain", "vector", "shifted",
    }  # fmt: skip


@on_the_newest
async def test_the_printed_sql_puts_every_value_back_whatever_its_casts_say(source: Company, tmp_path: Path) -> None:
    """Each is read by its type's input function, and the digest of the restored table is that of the file."""
    taken = Taken(source, tmp_path)
    await taken.take()
    table = taken.metadata.tables["app_moods"]
    before = kept(source, table)
    source.server.sql("TRUNCATE app.moods", source.dbname)

    script = restore.restore_sql(taken.metadata, table, str(tmp_path / "app_moods.json"))

    assert await psql(source.admin_dsn, script) == (0, "")
    assert kept(source, table) == before
    assert len(before) == 3
