"""What tests share: one PostgreSQL server a session (a worker's session under xdist), with one company in it, and a
fresh copy of that for each test that asks.

Roles, their settings and transaction ids are the server's, not the database's: a test that freezes, or that watches for
movement, starts an `EmbeddedPostgres` of its own.

What needs PostgreSQL is imported where it is used, so that tests without it start at once.
"""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.cost import (  # noqa: F401  # hooks
    pytest_collection_finish,
    pytest_runtest_logreport,
    pytest_runtest_makereport,
    pytest_terminal_summary,
)
from tests.workers import pytest_collection, pytest_collection_modifyitems  # noqa: F401  # hooks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.rehearsal.company import Company
    from bot.rehearsal.postgres import EmbeddedPostgres, Resting

_numbers = count(1)

settings.register_profile("on any machine", deadline=None)  # what takes long on a busy one is not slow
settings.load_profile("on any machine")


@pytest.fixture(scope="session", autouse=True)
def _shelf(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where the clusters at rest are kept: with the session's temporary files, and removed as those are."""
    from tests import clusters

    own = tmp_path_factory.getbasetemp()
    clusters.keep_in(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture(scope="session")
def two_companies() -> Resting:
    """A cluster with the template of `company` and that of the freeze tests."""
    from tests import clusters

    return clusters.of_two_companies()


@pytest.fixture(scope="session")
def server(two_companies: Resting) -> Iterator[EmbeddedPostgres]:
    """One running server; its database `postgres` stays empty. Nothing but tests takes transaction ids there."""
    from bot.rehearsal.postgres import EmbeddedPostgres

    with EmbeddedPostgres(settings={"autovacuum": "off"}, like=two_companies) as running:
        yield running


@pytest.fixture(scope="session")
def company(server: EmbeddedPostgres) -> Company:
    """The template that `database` copies: the whole company, rather small. Read it, but never change it."""
    from bot.rehearsal.company import Company

    return Company(server=server, dbname="company")


@pytest.fixture
def database(company: Company) -> Iterator[Company]:
    """A company of the test's own, dropped afterwards with all sessions in it."""
    copy = company.clone(f"test_{next(_numbers)}")
    yield copy
    copy.drop()
