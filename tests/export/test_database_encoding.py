"""A database that is not in UTF-8: the files are, and the sums are over their bytes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from bot.artifacts import restore, tables
from bot.errors import ServiceRefused, Unreadable
from bot.plan.findings import Finding
from bot.rehearsal.company import Company
from bot.rehearsal.postgres import EmbeddedPostgres
from bot.supabase.catalog import Selection, read_catalog
from bot.supabase.database import Database
from bot.supabase.preflight.live_users import auth_rows
from bot.supabase.proof.encoding import database_encoding
from tests.export.conftest import Taken, make_run
from tests.export.loading import psql
from tests.export.test_unreadable import leaving_out
from tests.freeze.servers import VERSIONS

_USERS = """
CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);
INSERT INTO auth.users VALUES ('00000000-0000-0000-0000-000000000001', 'zoé@example.org');
GRANT USAGE ON SCHEMA auth TO postgres; GRANT SELECT ON auth.users TO postgres;
GRANT USAGE, CREATE ON SCHEMA public TO postgres; SET ROLE postgres;
"""
_WORDS = """
CREATE TABLE public."grösse" (id int, "strasse" text, doc json, docs jsonb, words text[]);
INSERT INTO public."grösse" VALUES (1, '{city} is a town, é a letter', '{"ä":  1}', '{"ö": null}', '[0:1]={é,ü}');
INSERT INTO public."grösse" SELECT n, repeat('é', n % 50), NULL, 'null', NULL FROM generate_series(2, 4000) AS n;
"""


@pytest.fixture(scope="module", params=VERSIONS)
def server(request: pytest.FixtureRequest, worlds: Callable[[str], Company]) -> EmbeddedPostgres:
    return worlds(request.param).server


@contextmanager
def encoded(server: EmbeddedPostgres, encoding: str, statements: str) -> Iterator[Company]:
    """A database in this encoding, dropped afterwards; the statements reach it as UTF-8."""
    name = f"in_{encoding.lower()}"
    server.sql(
        f"CREATE DATABASE {name} OWNER postgres ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0 STRATEGY file_copy",
        "template1",
    )
    company = Company(server=server, dbname=name)
    try:
        as_utf8(company, statements)
        yield company
    finally:
        company.drop()


def as_utf8(source: Company, statements: str) -> None:
    with psycopg.connect(source.admin_dsn, autocommit=True, client_encoding="UTF8") as session:
        session.execute(statements.encode())


async def asked(source: Company, *left_out: str) -> Finding | None:
    database = Database(source.dsn)
    async with database.session("proof") as session:
        left_unread = dict.fromkeys(left_out, "somebody accepted that")
        catalog = await read_catalog(session, Selection(include_schemas=(), exclude_tables=(), left_unread=left_unread))
        return await database_encoding(database, session, catalog)


@pytest.mark.parametrize(
    ("server", "encoding"),
    [
        ("18", "LATIN1"),
        ("18", "SQL_ASCII"),
        ("15", "SQL_ASCII"),
        pytest.param("18", "LATIN2", marks=pytest.mark.all),
        pytest.param("15", "LATIN1", marks=pytest.mark.all),
        pytest.param("15", "LATIN2", marks=pytest.mark.all),
    ],
    indirect=["server"],
    scope="module",
)
async def test_files_are_utf8_sums_are_over_their_bytes_and_all_comes_back(
    server: EmbeddedPostgres, tmp_path: Path, encoding: str
) -> None:
    """SQL_ASCII takes any bytes: these are UTF-8. The target may be in the same encoding, or in UTF-8."""
    city = "Orléans" if encoding == "LATIN1" else "Łódź"
    words = _USERS + _WORDS.replace("{city}", city)
    with encoded(server, encoding, words) as source:
        taken = Taken(source, tmp_path)
        await taken.take()

        [table] = [table for table in taken.metadata.tables.values() if table.table == "grösse"]
        *_, facts = tables.facts(tmp_path / table.file)
        assert (facts.rows, facts.row_digest, facts.sha256) == (4_000, table.row_digest, table.sha256)
        first = json.loads((tmp_path / table.file).read_text(encoding="utf-8"))[0]
        assert first == {
            "id": 1, "strasse": f"{city} is a town, é a letter", "doc": '{"ä":  1}', "docs": '{"ö": null}',
            "words": "[0:1]={é,ü}",
        }  # fmt: skip
        users = [json.loads(row) async for row in auth_rows(Database(source.dsn), "users")]
        assert [user["email"] for user in users] == ["zoé@example.org"]
        found = await asked(source)
        assert found is not None and (found.verdict, found.evidence) == (
            "pass",
            f"The database's encoding is {encoding}. All of its text can be written as UTF-8.",
        )

        script = restore.restore_sql(taken.metadata, table, str(tmp_path / table.file))
        with encoded(server, "UTF8", words) as target:
            for restored in (source, target):
                as_utf8(restored, 'TRUNCATE public."grösse"')
                assert await psql(restored.admin_dsn, script) == (0, "")


async def test_text_that_is_no_utf8_is_refused_by_name_before_the_freeze(
    server: EmbeddedPostgres, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """And where it comes in later, by the export, which can go on without that table."""
    bytes_ = """
    CREATE TABLE public.notes (id int, body text, tags text[]); INSERT INTO public.notes VALUES (1, 'fine', '{}');
    CREATE TABLE public.words (id int); ALTER TABLE public.words ADD COLUMN word text DEFAULT 'plain';
    """
    with encoded(server, "SQL_ASCII", _USERS + bytes_) as source:
        with psycopg.connect(source.admin_dsn, autocommit=True, client_encoding="SQL_ASCII") as session:
            session.execute(b"INSERT INTO public.notes VALUES (2, 'caf\xe9', '{ok}'), (3, NULL, '{\xff}')")
        found = await asked(source)

        assert found is not None and (found.check, found.verdict, found.waivable) == (
            "database-encoding",
            "fail",
            False,
        )
        assert found.evidence == (
            "The database's encoding is SQL_ASCII, and some text cannot be exported because it is not valid UTF-8: "
            "public.notes.body, public.notes.tags."
        )
        assert found.fix == (
            "Before the freeze, convert that text from the encoding in which it was written, for example "
            "convert_from(convert_to(TEXT, 'SQL_ASCII'), 'LATIN1'). Under a freeze, say `abort` first. "
            "Or leave the tables out: `accept unreadable:public.notes: WHY`."
        )
        assert found.facts["unreadable"] == ["public.notes"]

        taken = Taken(source, tmp_path)
        with pytest.raises(Unreadable) as caught:
            await taken.take()
        assert str(caught.value) == (
            "public.notes could not be exported: some text is not valid UTF-8 (22021); no metadata.json was written; "
            "leave the table out; or, before a run, name it in export.exclude_tables or correct what the check "
            "`database-encoding` of `cutover doctor` names."
        )
        assert caught.value.tables == ("public.notes",)
        assert not (tmp_path / "metadata.json").exists()

        without = await asked(source, "public.notes")
        assert without is not None and without.verdict == "pass"
        await taken.take(leaving_out(make_run(), "public.notes"))
        assert "words" in taken.metadata.tables and "notes" not in taken.metadata.tables

        again = tmp_path_factory.mktemp("again")
        with psycopg.connect(source.admin_dsn, autocommit=True, client_encoding="SQL_ASCII") as session:
            session.execute(b"UPDATE auth.users SET email = 'zo\xeb@example.org'")
        with pytest.raises(Unreadable) as caught:
            await Taken(source, again).take(leaving_out(make_run(), "public.notes"))
        assert caught.value.tables == ()
        assert "say `abort`, correct what the check `database-encoding`" in str(caught.value)
        with pytest.raises(
            ServiceRefused, match=r"the users could not be looked at: some text is not valid UTF-8 \(22021\)"
        ):
            [row async for row in auth_rows(Database(source.dsn), "users")]
