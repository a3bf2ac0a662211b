"""A PostgreSQL of each version that the freeze is shown on, with Supabase's roles in it and a small database to copy.

18 is the embedded one. 15 is Debian's, or the one that CUTOVER_TEST_DSN leads to as a superuser; without either, tests
on it are skipped.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from psycopg import sql

from bot.rehearsal.company import Company
from bot.rehearsal.postgres import EmbeddedPostgres, Resting
from bot.rehearsal.postgres_binaries import SERVER_ACCOUNT, Binaries
from tests.clusters import made_once

VERSIONS = ("18", "15")
DEBIAN = Path("/usr/lib/postgresql/15/bin")
_LOGS_IN = ("postgres", "authenticator", "supabase_storage_admin")
_TEMPLATE = "cutover_small"
_SMALL = """
CREATE TABLE public.settings (key text PRIMARY KEY, value text NOT NULL);
INSERT INTO public.settings VALUES ('a', '1');
CREATE FUNCTION public.answer() RETURNS int LANGUAGE sql AS 'SELECT 42';
GRANT SELECT ON public.settings TO anon;
ALTER TABLE public.settings OWNER TO postgres;
"""


class GivenPostgres(EmbeddedPostgres):
    """A server that somebody else has started; `dsn` is a superuser's."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        assert parts.username and parts.hostname
        super().__init__(password=f"test-{secrets.token_hex(12)}")
        self.superuser = parts.username
        self._given = parts

    def __enter__(self) -> "GivenPostgres":
        return self

    def dsn(self, dbname: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
        own = user == self.superuser
        word = (self._given.password or "") if own else (password or self.password)
        at = f"{self._given.hostname}:{self._given.port or 5432}"
        return f"postgresql://{quote(user, safe='')}:{quote(word, safe='')}@{at}/{quote(dbname, safe='')}"


def server_of(version: str) -> EmbeddedPostgres:
    """Not yet started. Skips the test where this version is not installed."""
    if version == "18":
        return _embedded(version)
    if dsn := os.environ.get("CUTOVER_TEST_DSN"):
        return GivenPostgres(dsn)
    if not (DEBIAN / "postgres").exists():
        pytest.skip("no PostgreSQL 15 here, and CUTOVER_TEST_DSN names none")
    return _embedded(version)


def _embedded(version: str, like: Resting | None = None) -> EmbeddedPostgres:
    account = SERVER_ACCOUNT if os.geteuid() == 0 else ""
    binaries = None if version == "18" else Binaries(directory=DEBIAN, account=account)
    return EmbeddedPostgres(settings={"autovacuum": "off"}, binaries=binaries, like=like)


@contextmanager
def small_world(version: str) -> Iterator[Company]:
    """The database that `fresh` copies; nobody may be connected to it."""
    server = server_of(version)
    if isinstance(server, GivenPostgres):
        _fill(server)
    else:
        server = _embedded(version, like=made_once(f"small-{version}", lambda: server_of(version), _fill))
    with server:
        if not isinstance(server, GivenPostgres):
            assert server.sql("SHOW server_version")[0][0].startswith(version)
        template = Company(server=server, dbname=_TEMPLATE)
        yield template
        template.drop()


def _fill(server: EmbeddedPostgres) -> None:
    roles = resources.files("bot.rehearsal").joinpath("sql", "10_roles.sql").read_text()
    server.sql(f"SET company.password = '{server.password}'; {roles}", "template1")
    for role in _LOGS_IN:
        server.sql(f"ALTER ROLE {role} PASSWORD '{server.password}'", "template1")
    server.sql(f"DROP DATABASE IF EXISTS {_TEMPLATE} WITH (FORCE)", "template1")
    server.sql(f"CREATE DATABASE {_TEMPLATE} OWNER postgres", "template1")
    server.sql(_SMALL, _TEMPLATE)


@contextmanager
def fresh(template: Company, dbname: str) -> Iterator[Company]:
    """A copy of its own, dropped afterwards with all that was set in it."""
    copy = template.clone(dbname)
    try:
        yield copy
    finally:
        copy.drop()


def as_superuser(source: Company, statements: Sequence[sql.Composable]) -> None:
    """Each committed at once, whatever default the database has."""
    with psycopg.connect(source.admin_dsn, autocommit=True, application_name="platform") as session:
        session.execute("SET default_transaction_read_only = off")
        for statement in statements:
            session.execute(statement)
