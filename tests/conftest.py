"""What tests share: one PostgreSQL server a session (a worker's session under xdist), one company built in it once,
and a fresh copy of it for each test that asks.

Roles, their settings and transaction ids are the server's, not the database's: a test that freezes, or that watches for
movement, starts an `EmbeddedPostgres` of its own.
"""

from collections.abc import Iterator
from itertools import count

import pytest

from bot.rehearsal.company import Company, build
from bot.rehearsal.postgres import EmbeddedPostgres

_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    """One running server; its database `postgres` stays empty."""
    with EmbeddedPostgres() as running:
        yield running


@pytest.fixture(scope="session")
def company(server: EmbeddedPostgres) -> Company:
    """The template that `database` copies: the whole company, rather small. Read it, but never change it."""
    return build(server, users=132, rows=3_000, dbname="company")


@pytest.fixture
def database(company: Company) -> Iterator[Company]:
    """A company of the test's own, dropped afterwards with all sessions in it."""
    copy = company.clone(f"test_{next(_numbers)}")
    yield copy
    copy.drop()
