"""A bundle of made-up users, a strict Stack Auth of either generation, and the step between them."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from aiohttp import web

from bot.artifacts import durable, files, mapping, metadata
from bot.artifacts.scratch import Scratch
from bot.artifacts.table_files import table_files
from bot.artifacts.user_log import UserStates
from bot.journal import read_chain
from bot.plan.events import Parties, RunOpened, UserDecided, UsersMode
from bot.plan.results import ExportResult, StepResult, UsersResult
from bot.plan.run import Run
from bot.port import Port
from bot.ports import Progress
from bot.rehearsal.standins.stackauth import StackAuthStandin, supabase_id_in
from bot.stackauth.client.api import StackAuth
from bot.stackauth.migrate.step import UsersStep

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PROJECT = "11111111-1111-4111-8111-111111111111"
KEY = "ssk_of_the_tests"
BCRYPT = "$2a$10$" + "abcdefghijklmnopqrstuu" + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
Rows = list[dict[str, Any]]


def user_id(n: int) -> str:
    return f"00000000-0000-4000-8000-{n:012d}"


def user_row(n: int = 1, **columns: Any) -> dict[str, Any]:
    """A row of auth.users: an ordinary person with a password, but for what is given."""
    return {
        "id": user_id(n),
        "role": "authenticated",
        "email": f"person{n}@example.com",
        "encrypted_password": BCRYPT,
        "email_confirmed_at": "2024-01-01T09:03:00+00:00",
        "phone": None,
        "raw_app_meta_data": {"provider": "email", "providers": ["email"]},
        "raw_user_meta_data": {"full_name": f"Person {n}"},
        "is_super_admin": None,
        "created_at": f"2024-01-01T09:00:{n % 60:02d}.123456+00:00",
        "banned_until": None,
        "is_sso_user": False,
        "deleted_at": None,
        "is_anonymous": False,
        **columns,
    }


def identity_row(n: int, provider: str, account: str, **columns: Any) -> dict[str, Any]:
    return {
        "id": f"{provider}-{account}",
        "user_id": user_id(n),
        "provider": provider,
        "provider_id": account,
        "identity_data": {"sub": account, "email": f"person{n}@example.com"},
        "last_sign_in_at": "2024-02-01T00:00:00+00:00",
        **columns,
    }


class Night:
    """A directory with an export, a Stack Auth, and the step; `progress` is all that was reported. `source_ref` names
    the Supabase project, `page` is how many users a page of the list has, `written` is a row as the export writes it.
    """

    def __init__(self, directory: Path, service: StackAuthStandin) -> None:
        self.directory = directory
        self.service = service
        self.url = service.url
        self.source_ref = "abc"
        self.page = 50
        self.written: Callable[[dict[str, Any]], str] = partial(json.dumps, ensure_ascii=False)
        self.progress: list[Progress] = []
        self.decisions: dict[str, UserDecided] = {}
        self.changed = asyncio.Event()

    def export(
        self,
        users: Rows,
        identities: Rows | None = None,
        factors: Rows | None = None,
        *,
        passkeys: Rows | None = None,
        run_id: str = "20260102-abcd",
        text_columns: tuple[str, ...] = (),
        unread: str = "",
    ) -> None:
        """`unread` is a table that was left out because nobody could read it."""
        written = [
            self._table("auth", "users", users, text_columns=text_columns),
            self._table("auth", "identities", identities or []),
            self._table("auth", "mfa_factors", factors or []),
            *([] if passkeys is None else [self._table("auth", "webauthn_credentials", passkeys)]),
            self._table(
                "public",
                "orders",
                [{"customer_id": row["id"]} for row in users] * 2,
                user_references=(metadata.UserReference(column="customer_id", found="foreign key"),),
            ),
        ]
        written = [table for table in written if f"{table.schema_name}.{table.table}" != unread]
        by_name = {table.file.removesuffix(".json"): table for table in written}
        of_users = by_name["auth_users"]
        metadata.write(
            self.directory / files.METADATA,
            metadata.Metadata(
                exported_at=AT,
                total_duration_ms=1,
                tables=by_name,
                auth_users=metadata.AuthUsers(
                    row_count=len(users),
                    duration_ms=1,
                    file=of_users.file,
                    bytes=of_users.bytes,
                    sha256=of_users.sha256,
                ),
                run_id=run_id,
                practice=False,
                tool=metadata.Tool(version="0"),
                source=metadata.Source(ref=self.source_ref, database="postgres", server_version="18"),
                target=metadata.Target(project_id=PROJECT),
                freeze=None,
                snapshot=metadata.Snapshot(taken_at=AT, xmax=1),
                sequences={},
                import_order=tuple(by_name),
                cycles=(),
                extensions=(),
                left_out=(metadata.LeftOut(name=unread, kind="table", reason="it could not be read"),)
                if unread
                else (),
                totals=metadata.Totals(tables=4, rows=0, bytes=0),
            ),
        )

    def _table(
        self, schema: str, name: str, rows: Rows, *, text_columns: tuple[str, ...] = (), **given: Any
    ) -> metadata.Table:
        texts = [self.written(row) for row in rows]
        content = "".join(["[\n", ",\n".join(texts), "\n" if texts else "", "]\n"]).encode()
        file = table_files([(schema, name)])[schema, name]
        written = durable.write_once(self.directory / file, content)
        columns = tuple(
            metadata.Column(
                name=column,
                type="jsonb",
                nullable=True,
                default=None,
                generated=False,
                identity=None,
                enum_labels=None,
                encoding="text",
                non_null=True,
            )
            for column in text_columns
        )
        return metadata.Table(
            row_count=len(rows),
            duration_ms=1,
            schema_name=schema,
            table=name,
            file=file,
            bytes=written.bytes,
            sha256=hashlib.sha256(content).hexdigest(),
            row_digest="0",
            columns=columns,
            primary_key=(),
            foreign_keys=(),
            depends_on=(),
            **{"user_references": (), **given},
        )

    def run(self, run_id: str = "20260102-abcd", mode: UsersMode = "create") -> Run:
        parties = Parties(source_ref=self.source_ref, source_database="postgres", target_project=PROJECT)
        opened = RunOpened(
            at=AT,
            run_id=run_id,
            parties=parties,
            channel="C1",
            approvers=("U1",),
            retain_days=90,
            users_mode=mode,
        )
        return Run(opened=opened, last_at=AT, decisions=self.decisions, results=self.results())

    def results(self) -> dict[str, StepResult]:
        """As the steps before have left the files that are there."""
        listed, path = (self.directory / name for name in (files.ATTENTION, files.MAPPING))
        sha256 = durable.sha256_of(self.directory / files.METADATA)
        export = ExportResult(
            tables=4, rows=0, bytes=0, auth_users=0, sha256=sha256, taken_at=AT, largest=(), left_out={},
            storage_objects=0, storage_bytes=0, duration_ms=1,
        )  # fmt: skip
        if not path.exists():
            return {"export": export}
        users = UsersResult(
            **mapping.read_head(path).counts.model_dump(exclude={"attention"}), attention_users=0, attention={},
            mapping_sha256=durable.sha256_of(path), attention_sha256=durable.sha256_of(listed), retain_until=AT,
            duration_ms=1,
        )  # fmt: skip
        return {"export": export, "users": users}

    def decide(self, n: int, choice: Literal["match", "create", "skip"], stack_id: str = "") -> None:
        """An approver says who user `n` is."""
        self.decisions[user_id(n)] = UserDecided(
            at=AT, id=user_id(n), choice=choice, stack_id=stack_id, user="U1", ts="1"
        )

    def _report(self, progress: Progress) -> None:
        self.progress.append(progress)
        self.changed.set()

    async def migrate(
        self,
        run_id: str = "20260102-abcd",
        *,
        mode: UsersMode = "create",
        timeout_seconds: float = 5.0,
        **given: Any,
    ) -> UsersResult:
        """The step, once, from wherever an earlier one left it."""
        async with StackAuth(self.url, PROJECT, KEY, timeout_seconds=timeout_seconds, page=self.page) as service:
            step = UsersStep(
                self.directory,
                service,
                clock=StoppedClock(),
                **{"concurrency": 4, "settle_seconds": 0.02, "first_wait_seconds": 0.02, **given},
            )
            return await step(self.run(run_id, mode), self._report)

    @property
    def done(self) -> int:
        return self.progress[-1].done if self.progress else 0

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until it holds, looking at every report."""
        async with asyncio.timeout(180):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def mapped(self) -> dict[str, mapping.Mapped]:
        entries = mapping.read(self.directory / files.MAPPING)
        return {entry.supabase_user_id: entry for entry in entries if isinstance(entry, mapping.Mapped)}

    def outcomes(self) -> dict[str, str]:
        """What users.jsonl says of everybody, as it is on the disk."""
        with Scratch(self.directory) as scratch:
            states = UserStates(scratch)
            states.take(line.record() for line in read_chain(self.directory / files.USERS, torn_tail_allowed=True))
            return {id_: state.outcome for id_, state in states.items()}

    def unmapped(self) -> list[mapping.Unmapped]:
        return [e for e in mapping.read(self.directory / files.MAPPING) if isinstance(e, mapping.Unmapped)]

    def listed(self) -> list[mapping.Attention]:
        return list(mapping.read_attention(self.directory / files.ATTENTION))

    def attention(self) -> set[tuple[str, str]]:
        return {(entry.id, entry.reason) for entry in self.listed()}

    def assert_everybody_once(self) -> None:
        """Each mapped user is in the service, bears its own id, and no id is borne twice."""
        borne = [supabase_id_in(user.server_metadata) for user in self.service.users.values()]
        ours = sorted(id_ for id_ in borne if id_ is not None)
        assert ours == sorted(self.mapped())
        for id_, entry in self.mapped().items():
            assert supabase_id_in(self.service.users[entry.stack_auth_user_id].server_metadata) == id_


class StoppedClock:
    """A clock that does not move."""

    def now(self) -> datetime:
        return AT


@dataclass
class Make:
    """The builders above, for tests that take them as one fixture."""

    user: Callable[..., dict[str, Any]] = user_row
    identity: Callable[..., dict[str, Any]] = identity_row
    id: Callable[[int], str] = user_id
    bcrypt: str = BCRYPT
    at: datetime = AT
    project: str = PROJECT
    key: str = KEY
    services: list[StackAuthStandin] = field(default_factory=list)
    ports: list[Port] = field(default_factory=list)

    async def service(self, **given: Any) -> StackAuthStandin:
        standin = StackAuthStandin(PROJECT, KEY, **{"retry_after_seconds": 0, "conflict_seconds": 0.01, **given})
        await standin.start()
        self.services.append(standin)
        return standin

    def http(self, url: str) -> httpx.AsyncClient:
        """An app's own client."""
        headers = {
            "x-stack-access-type": "client",
            "x-stack-project-id": PROJECT,
            "x-stack-publishable-client-key": "pck_app",
        }
        return httpx.AsyncClient(base_url=url, headers=headers, verify=False)

    async def server(self, handler: Callable[[web.Request], Awaitable[web.Response]]) -> str:
        """The address of something that answers every request by `handler`."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        self.ports.append(await Port(web.AppRunner(app)).open())
        return self.ports[-1].url


@pytest.fixture(scope="session")
def rows() -> Make:
    """Builders alone: nothing is started."""
    return Make()


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Builders, and services that are stopped at the end."""
    made = Make()
    yield made
    for service in made.services:
        await service.stop()
    for port in made.ports:
        await port.close()


@pytest.fixture(params=["new", pytest.param("old", marks=pytest.mark.all)])
async def night(request: pytest.FixtureRequest, make: Make, tmp_path: Path) -> Night:
    """With either generation of the service. By default the old one is met by what asks for both by name: the step
    without a fault and in bad weather, a company's users, random users, lists and the client itself.
    """
    return Night(tmp_path, await make.service(generation=request.param))


@pytest.fixture
def another_night(make: Make, tmp_path: Path) -> Callable[..., Awaitable[Night]]:
    """A night with a service of its own making, or with one that is there."""

    async def build(name: str = "another", service: StackAuthStandin | None = None, **given: Any) -> Night:
        directory = tmp_path / name
        directory.mkdir()
        return Night(directory, service or await make.service(**given))

    return build
