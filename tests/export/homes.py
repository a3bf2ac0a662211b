"""Where a customer's database comes from and where it goes: a Supabase, and an empty database of a plain owner."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from importlib import resources
from typing import Any

import psycopg
import pytest

from bot.rehearsal.company import Company
from bot.rehearsal.postgres import EmbeddedPostgres
from bot.rehearsal.postgres_binaries import find_binaries
from tests.export.random_schemas import PEOPLE, Made
from tests.export.random_schemas.types import EXTENSIONS
from tests.freeze.servers import DEBIAN

OWNER = "newcomer"
"""Who loads: owner of the copy and of all that is loaded, and nothing else."""
_SUPABASE, _EMPTY = "cutover_supabase", "cutover_empty"

_NOT_FOR_AN_OWNER = re.compile(
    r"(?m)^(CREATE (EXTENSION|EVENT TRIGGER) [^;]*;|SET transaction_timeout = 0;|\\(un)?restrict .*)$"
)

Session = psycopg.Connection[tuple[Any, ...]]


class Homes:
    """Both on one server. `platform` are the schemas that are no customer's, `extensions` what the server has of those
    that random schemas use.
    """

    def __init__(self, version: str, server: EmbeddedPostgres) -> None:
        self.server = server
        self.programs = DEBIAN if version == "15" and DEBIAN.exists() else find_binaries().directory
        for name in (_SUPABASE, _EMPTY):
            server.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", "template1")
            server.sql(f"CREATE DATABASE {name} TEMPLATE template0", "template1")
        server.sql(f"DROP ROLE IF EXISTS {OWNER}; CREATE ROLE {OWNER} LOGIN PASSWORD '{server.password}'", "template1")
        self.supabase = Company(server=server, dbname=_SUPABASE)
        self.empty = Company(server=server, dbname=_EMPTY)
        with psycopg.connect(self.supabase.admin_dsn, autocommit=True) as session:
            available = [name for [name] in session.execute("SELECT name FROM pg_available_extensions").fetchall()]
            self.extensions = tuple(name for name in EXTENSIONS if name in available)
            session.execute("SELECT set_config('company.password', %s, false)", [server.password])
            for file in ("10_roles", "20_auth", "30_platform"):
                session.execute(_statements(file, available))
                session.execute(f"ALTER DATABASE {_SUPABASE} OWNER TO postgres".encode())
            session.execute(f"ALTER ROLE postgres PASSWORD '{server.password}'".encode())
            for person in PEOPLE:
                session.execute("INSERT INTO auth.users (id, email) VALUES (%s, %s)", [person, f"{person}@x.example"])
            session.execute("GRANT USAGE ON SCHEMA extensions, auth TO postgres")
            session.execute("GRANT SELECT, REFERENCES ON auth.users TO postgres")
            self.platform = [name for [name] in session.execute("SELECT nspname FROM pg_namespace").fetchall()]
            self.platform.remove("public")
            self._extend(session)
        with psycopg.connect(self.empty.admin_dsn, autocommit=True) as session:
            session.execute("CREATE SCHEMA extensions")
            session.execute(f"GRANT USAGE ON SCHEMA extensions TO {OWNER}".encode())
            session.execute(f"ALTER DATABASE {_EMPTY} OWNER TO {OWNER}".encode())
            self._extend(session)
        self.play(self.empty, self._dumped(self.supabase, "--schema=auth", "--schema=storage"))

    def _extend(self, session: Session) -> None:
        for name in self.extensions:
            session.execute(f"CREATE EXTENSION IF NOT EXISTS {name} SCHEMA extensions".encode())

    def drop(self) -> None:
        self.supabase.drop()
        self.empty.drop()
        self.server.sql(f"DROP ROLE {OWNER}", "template1")

    @contextlib.contextmanager
    def old(self, made: Made) -> Iterator[Company]:
        """A customer's Supabase, with all that was made up."""
        source = self.supabase.clone(f"random_{secrets.token_hex(4)}")
        try:
            with psycopg.connect(source.dsn, autocommit=True) as session:
                for statement in made.statements:
                    session.execute(statement.encode())
            for parent, child in made.pending:
                leave_pending(source, parent, child)
            yield source
        finally:
            source.drop()

    @contextlib.contextmanager
    def new(self) -> Iterator[Company]:
        """A database of OWNER's, with the tables of `auth` and `storage`, all empty."""
        copy = self.empty.clone(f"copy_{secrets.token_hex(4)}")
        try:
            self.server.sql(f"ALTER DATABASE {copy.dbname} OWNER TO {OWNER}")
            yield copy
        finally:
            copy.drop()

    def play(self, copy: Company, script: str) -> None:
        """By psql, as OWNER."""
        done = subprocess.run(
            [self.programs / "psql", self.server.dsn(copy.dbname, OWNER), "-qX", "-v", "ON_ERROR_STOP=on"],
            input=script.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
            env=os.environ | {"PGOPTIONS": "-c client_min_messages=warning"},
        )
        assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()

    def ddl(self, source: Company, *selected: str) -> str:
        """Of what is the customer's, as pg_dump writes it."""
        return self._dumped(source, *selected, *(f"--exclude-schema={name}" for name in self.platform))

    def _dumped(self, source: Company, *selected: str) -> str:
        without = ("--no-owner", "--no-privileges", "--no-comments", "--no-publications", "--no-subscriptions")
        done = subprocess.run(
            [self.programs / "pg_dump", source.admin_dsn, "--schema-only", *without, *selected],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        # Extensions are there already, event triggers are a superuser's, and an older server knows fewer settings. (Not
        # read as text, which would turn a name with \r\n in it into another.)
        return _NOT_FOR_AN_OWNER.sub("", done.stdout.decode())


def _statements(file: str, available: list[str]) -> bytes:
    """Of the rehearsal, without the extensions that the server does not have."""
    statements = resources.files("bot.rehearsal").joinpath("sql", f"{file}.sql").read_text(encoding="utf-8")
    for extension in re.findall(r"(?m)^CREATE EXTENSION (\w+)", statements):
        if extension not in available:
            statements = re.sub(rf"(?m)^CREATE EXTENSION {extension}\b.*$", "", statements)
    return statements.encode()


def leave_pending(source: Company, parent: str, child: str) -> None:
    """Cuts a detachment off while it waits for somebody who reads the parent."""
    with psycopg.connect(source.dsn) as reader, psycopg.connect(source.dsn, autocommit=True) as cut_off:
        reader.execute(f"SELECT FROM {parent} LIMIT 1".encode())
        cut_off.execute("SET lock_timeout = '20ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            cut_off.execute(f"ALTER TABLE {parent} DETACH PARTITION {child} CONCURRENTLY".encode())
        left = cut_off.execute("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = %s::regclass", [child])
        assert left.fetchall() == [(True,)]
