"""An export of the test's own company, and a run that is behind gate `freeze`."""

import asyncio
import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bot.artifacts import metadata
from bot.commands.restore_sql import restore_all_sql, restore_sql
from bot.plan import events as e
from bot.plan.offer import Approval, Offer
from bot.plan.results import ExportResult
from bot.plan.run import Run
from bot.ports import Progress
from bot.rehearsal.company import Company
from bot.rehearsal.postgres import EmbeddedPostgres
from bot.supabase.database import Database
from bot.supabase.export import Export
from tests.export.homes import Homes
from tests.freeze.servers import small_world

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make_run(frozen_at: str = "2026-01-02T03:00:00.123456Z", rules: e.Rules | None = None) -> Run:
    approval = e.SignalAccepted(at=AT, checkpoint="freeze", digest="d", user="U0FREEZER", ts="1.0")
    offer = Offer(
        checkpoint="freeze",
        number=1,
        evidence={},
        digest="d",
        at=AT,
        status="passed",
        approvals=(Approval(given=approval, state="spent"),),
    )
    return Run(
        opened=e.RunOpened(
            at=AT,
            run_id="20260102-abcd",
            parties=e.Parties(source_ref="refofproject", source_database="postgres", target_project="target"),
            channel="C1",
            approvers=("U0FREEZER",),
            retain_days=90,
            rules=rules or e.Rules(),
        ),
        last_at=AT,
        offers={("freeze", 1): offer},
        facts={"freeze": {"frozenAt": frozen_at, "lsn": "0/1A2B", "xmax": 4711, "baseline": {}}},
    )


@dataclass
class Taken:
    """One data directory and what exports into it said."""

    database: Company
    directory: Path
    said: list[Progress] = field(default_factory=list)
    dsn: str = ""
    """Of another role than the company's own, when given."""
    result: ExportResult = field(init=False)
    """Of the last export."""

    def export(self, **settings: Any) -> Export:
        values: dict[str, Any] = {"workers": 2, "tool_version": "9.9"}
        return Export(Database(self.dsn or self.database.dsn), self.directory, **(values | settings))

    async def take(
        self,
        run: Run | None = None,
        *,
        include_schemas: Sequence[str] = (),
        exclude_tables: Sequence[str] = (),
        **settings: Any,
    ) -> ExportResult:
        """By `run`, or by one that was opened to take these."""
        rules = e.Rules(include_schemas=tuple(include_schemas), exclude_tables=tuple(exclude_tables))
        self.result = await self.export(**settings)(run or make_run(rules=rules), self.said.append)
        return self.result

    @property
    def metadata(self) -> metadata.Metadata:
        return metadata.read(self.directory / "metadata.json")

    def printed(self, key: str | None = None) -> str:
        """By `restore-sql`, for one table or for all."""
        written = io.BytesIO()
        with contextlib.redirect_stdout(io.TextIOWrapper(written)) as out:
            code = restore_all_sql(None, self.directory) if key is None else restore_sql(None, key, self.directory)
            out.flush()
            assert code == 0
            return written.getvalue().decode()

    def files(self) -> dict[str, bytes]:
        """Of the directory itself, but for metadata.json, whose times differ."""
        return {p.name: p.read_bytes() for p in self.directory.iterdir() if p.is_file() and p.name != "metadata.json"}


@pytest.fixture
def taken(database: Company, tmp_path: Path) -> Taken:
    """An empty data directory for the test's own company."""
    return Taken(database, tmp_path)


@pytest.fixture(scope="session")
def exported(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """The whole company, of which every `database` is a copy, by one worker. Look at it, but change nothing in it."""
    taken = Taken(company, tmp_path_factory.mktemp("exported"))
    asyncio.run(taken.take(workers=1))
    return taken


@pytest.fixture
def beside(database: Company, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Taken]:
    """Makes another empty data directory for the same company."""
    return lambda: Taken(database, tmp_path_factory.mktemp("beside"))


@pytest.fixture
def run() -> Run:
    return make_run()


@pytest.fixture
def refrozen() -> Run:
    """The same run after a second freeze."""
    return make_run("2026-01-02T05:00:00Z")


@pytest.fixture(scope="session")
def worlds() -> Iterator[Callable[[str], Company]]:
    """The small database by version, each on a server that starts when first asked for. Copy it, never change it."""
    with contextlib.ExitStack() as running:
        yield cache(lambda version: running.enter_context(small_world(version)))


@pytest.fixture(scope="module")
def homes(server: EmbeddedPostgres, worlds: Callable[[str], Company]) -> Iterator[Callable[[str], Homes]]:
    """By version, each made when first asked for."""
    made: dict[str, Homes] = {}
    with contextlib.ExitStack() as stack:

        def of(version: str) -> Homes:
            if version not in made:
                made[version] = Homes(version, server if version == "18" else worlds(version).server)
                stack.callback(made[version].drop)
            return made[version]

        yield of
