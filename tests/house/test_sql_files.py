"""Every SQL file is a script for psql: the server's own psql runs it, by what its head says and nothing else."""

import asyncio
import os
import re
import shlex
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

import bot
from bot.psql_files import with_parameters
from bot.rehearsal.company import Company
from bot.rehearsal.postgres import EmbeddedPostgres
from bot.rehearsal.postgres_binaries import find_binaries

ROOT = Path(bot.__file__).parent
QUERIES = sorted(path for path in ROOT.rglob("*.sql") if path.parent.name == "queries")
COMPANY = sorted((ROOT / "rehearsal" / "sql").glob("*.sql"))
CHANGING = {"freeze_layers", "gateway_end", "sessions_end", "thaw_drop", "thaw_restore"}
_numbers = count(1)
_ASKED_WHERE_THERE = """
CREATE SCHEMA cron; CREATE TABLE cron.job (jobid bigint, active boolean);
CREATE SCHEMA net; CREATE TABLE net.http_request_queue (id bigint);
"""


@pytest.fixture(scope="module")
def asked_of(server: EmbeddedPostgres, company: Company) -> Iterator[Company]:
    """A company, with the tables that a few questions are asked about only where they are."""
    made = company.clone(f"psql_{next(_numbers)}")
    server.sql(_ASKED_WHERE_THERE, made.dbname)
    yield made
    made.drop()


@pytest.fixture
def source(server: EmbeddedPostgres, asked_of: Company, path: Path) -> Iterator[Company]:
    """The company, or a copy that the file may change."""
    if path.stem not in CHANGING:
        yield asked_of
        return
    copy = asked_of.clone(f"psql_{next(_numbers)}")
    yield copy
    server.sql("ALTER ROLE authenticator RESET ALL")
    copy.drop()


def arguments(path: Path) -> list[str]:
    """What the head of the file says to run it with."""
    tried = re.findall(r"^-- psql (.*)$", path.read_text(), flags=re.MULTILINE)
    words = shlex.split(tried[0]) if tried else ["-f", path.name]
    assert len(tried) <= 1 and words[-2:] == ["-f", path.name]
    return words


async def psql(dsn: str, folder: Path, *words: str) -> tuple[int, str]:
    """Its exit code and what it said beside the rows."""
    process = await asyncio.create_subprocess_exec(
        find_binaries().directory / "psql",
        dsn,
        "-qX",
        "-v",
        "ON_ERROR_STOP=1",
        *words,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PGOPTIONS": "-c client_min_messages=error"},
    )
    _, said = await process.communicate()
    return process.returncode or 0, said.decode()


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
async def test_every_question_runs_in_psql_as_it_is(source: Company, path: Path) -> None:
    """No template engine and no driver: what is in the file is what a person can try."""
    assert await psql(source.admin_dsn, path.parent, *arguments(path)) == (0, "")


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_psycopg_is_given_the_values_that_psql_is(path: Path) -> None:
    """Each value of a file is a parameter, and every other variable that its head sets is a part of it."""
    words = arguments(path)
    named = {words[n + 1].partition("=")[0] for n, word in enumerate(words) if word == "-v"}
    text = re.sub(r"^--.*$", "", path.read_text(), flags=re.MULTILINE)
    values = set(re.findall(r"%\((\w+)\)s", with_parameters(text)))
    assert values <= named
    assert all(re.search(rf"(?<!:):{part}\b", text) for part in named - values)


async def test_the_company_is_built_by_psql_too(server: EmbeddedPostgres) -> None:
    """Its files, in the order of their numbers, with the settings that their heads name."""
    dbname = f"psql_{next(_numbers)}"
    server.sql(f"CREATE DATABASE {dbname} TEMPLATE template0")
    marks = {"users": "44", "rows": "200", "seed": "1", "password": "p"}
    marks |= {f"{kind}_mark": f"{kind}-" for kind in ("email", "phone", "hash", "totp", "token", "row")}
    words = [word for name, value in marks.items() for word in ("-c", f"SET company.{name} = '{value}'")]
    for number, path in enumerate(COMPANY):
        words += ["-f", path.name]
        if not number:  # the owner has to be there before it owns the database
            words += ["-c", f"ALTER DATABASE {dbname} OWNER TO postgres"]
    try:
        assert await psql(server.dsn(dbname, server.superuser), ROOT / "rehearsal" / "sql", *words) == (0, "")
    finally:
        server.sql(f"DROP DATABASE {dbname} WITH (FORCE)")
