"""What keeps a check of a gate from being made, each brought about for real on a frozen source with its export and its
users: the cause, the checks that it meets, and the next step that its finding names.

`Frozen` is a run between its gates. A setting is corrected by changing it there and making the examiners anew, as a bot
does that is stopped and started again.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
from aiohttp import web

from bot import obstacles
from bot.artifacts import files
from bot.artifacts.examiners import BundleExaminers
from bot.obstacles import Obstacle
from bot.plan.events import Rules
from bot.plan.findings import Finding
from bot.plan.run import Run
from bot.port import Port
from bot.ports import Examiner, Progress, Report
from bot.rehearsal.company import CANARY_EMAIL, CANARY_PASSWORD, Company
from bot.rehearsal.standins.notice import NoticeStandin
from bot.rehearsal.standins.stackauth import StackAuthStandin
from bot.stackauth.canary import Canary, CanarySignsIn
from bot.stackauth.client.api import StackAuth
from bot.stackauth.migrate.readback.examiner import ReadBack
from bot.supabase.database import Database, Session
from bot.supabase.gateway import Gateway
from bot.supabase.proof.counts import CountsExaminer
from bot.supabase.proof.examiner import Proof
from bot.supabase.proof.notice import Notice
from tests.freeze.middlemen import middleman, refusal

PROJECT = "11111111-1111-4111-8111-111111111111"
STACK_KEY = "ssk_of_the_tests"


class Impatient(Database):
    """A session that waits for a lock gives up sooner than ours do."""

    async def connect(self, role: str, *, may_write: bool = False, **options: Any) -> Session:
        session = await super().connect(role, may_write=may_write, **options)
        await session.execute("SET lock_timeout = '300ms'")
        return session


class Front:
    """What is in front of the project's API and passes everything on, unless `mode` says otherwise."""

    def __init__(self, there: str) -> None:
        self._there = there
        self.mode = ""
        self.url = ""

    async def __aenter__(self) -> "Front":
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._port = await Port(web.AppRunner(app, access_log=None)).open()
        self.url = self._port.url
        self._client = aiohttp.ClientSession(auto_decompress=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
        await self._port.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        storage = request.path.startswith("/storage/")
        if self.mode == "silent" or (self.mode == "no storage" and storage):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self.mode == "503":
            return web.json_response({"code": "PGRST000", "message": "no database"}, status=503)
        if self.mode == "elsewhere":
            return web.Response(status=307, headers={"Location": "https://elsewhere.invalid/"})
        if self.mode == "a page":
            return web.Response(text="<html>Sign in to the hotel's network</html>", content_type="text/html")
        headers = {k: v for k, v in request.headers.items() if k.lower() != "host"}
        async with self._client.request(
            request.method, f"{self._there}{request.rel_url}", headers=headers, data=await request.read()
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in {"transfer-encoding", "content-length"}}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


@dataclass
class Frozen:
    """`at_freeze` is the run at the freeze gate, `run` the one behind it, with export and users. The settings are what
    a bot would be started with.
    """

    source: Company
    directory: Path
    front: Front
    page: NoticeStandin
    stack: StackAuthStandin
    at_freeze: Run
    run: Run
    dsn: str
    key: str
    url: str
    stack_url: str
    patience: type[Database] = Database
    report: Report = field(default=lambda progress: None)
    """What hears how far an examiner is."""
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def examiners(self) -> dict[str, Examiner]:
        """As a bot has them that was started just now."""
        database = self.patience(self.dsn, run_id=self.run.run_id)
        gateway = await self.closing.enter_async_context(Gateway(self.url, self.key))
        service = await self.closing.enter_async_context(StackAuth(self.stack_url, PROJECT, STACK_KEY))
        proof = Proof(database, gateway, directory=self.directory, quiet_seconds=0.2, late_counters=0.2)
        bundle = BundleExaminers(self.directory)
        return {
            "freeze-proof": proof.freeze_proof,
            "notice": Notice(self.page.url, "").examine,
            "files": bundle.examine_files,
            "counts": CountsExaminer(database, gateway, self.directory),
            "freeze-holds": proof.freeze_holds,
            "mapping": bundle.examine_mapping,
            "users-read-back": ReadBack(self.directory, service, give_up_seconds=0.3).examine,
            "references": bundle.examine_references,
            "canary": CanarySignsIn(self.directory, service, self._canary(), "", give_up_seconds=0.3).examine,
        }

    def _canary(self) -> Canary:
        return Canary(
            email=CANARY_EMAIL,
            password=CANARY_PASSWORD,
            publishable_key="pck_tests",
            base_url=self.stack_url,
            project_id=PROJECT,
        )

    async def ask(self, *names: str) -> list[Finding]:
        asked = await self.examiners()
        run = {"freeze-proof": self.at_freeze, "notice": self.at_freeze}
        return [finding for name in names async for finding in asked[name](run.get(name, self.run), self.report)]

    def platform(self, *statements: str) -> None:
        """The dashboard's superuser, who writes in the frozen database."""
        with psycopg.connect(self.source.admin_dsn, autocommit=True, application_name="platform") as session:
            session.execute("SET default_transaction_read_only = off")
            for statement in statements:
                session.execute(statement.encode())

    def paste(self, statement: str, dsn: str = "") -> None:
        """Somebody pastes what a finding says into a new session of the owner's, with the frozen database's default."""
        with psycopg.connect(dsn or self.source.dsn, autocommit=True, application_name="cutover/-/pasted") as session:
            assert session.execute("SHOW transaction_read_only").fetchone() == ("on",)
            session.execute(statement.encode())


Scene = Callable[[Frozen], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Within `scene` the `examiner` meets `obstacle` at `checks`. What the finding says to do is `step` or, where that
    is None, the end of the scene: somebody corrects what was wrong.
    """

    name: str
    obstacle: Obstacle
    examiner: str
    checks: tuple[str, ...]
    scene: Scene
    step: Callable[[Frozen, Finding], Awaitable[None]] | None = None


def scene(act: Callable[[Frozen], AsyncIterator[None]]) -> Scene:
    return asynccontextmanager(act)


# -- the database -----------------------------------------------------------------------------------------------------


@scene
async def _network_lost(frozen: Frozen) -> AsyncIterator[None]:
    right, frozen.dsn = frozen.dsn, frozen.dsn.replace(f":{frozen.source.server.port}/", ":9/")
    yield
    frozen.dsn = right


@scene
async def _new_password(frozen: Frozen) -> AsyncIterator[None]:
    """Somebody resets it; the setting is corrected and the bot started again."""
    frozen.source.server.sql("ALTER ROLE postgres PASSWORD 'reset-tonight'")
    yield
    right = frozen.dsn
    frozen.dsn = right.replace(frozen.source.server.password, "reset-tonight")
    assert [f.verdict for f in await frozen.ask("freeze-holds") if f.verdict == "fail"] == []
    frozen.source.server.sql(f"ALTER ROLE postgres PASSWORD '{frozen.source.server.password}'")
    frozen.dsn = right


@scene
async def _no_encryption(frozen: Frozen) -> AsyncIterator[None]:
    """Whoever answers has none to offer, as somebody in between has not."""
    right = frozen.dsn
    frozen.dsn = f"{right}{'&' if '?' in right else '?'}sslmode=require"
    yield
    frozen.dsn = right


@scene
async def _barred(frozen: Frozen) -> AsyncIterator[None]:
    """A pooler after too many wrong passwords."""
    right = frozen.dsn
    with middleman(refusal("(ECIRCUITBREAKER) too many authentication failures")) as pooler:
        frozen.dsn = right.replace(f":{frozen.source.server.port}/", f":{pooler.port}/")
        yield
    frozen.dsn = right


@scene
async def _disturbed(frozen: Frozen) -> AsyncIterator[None]:
    """Planning to read a table runs a function of somebody else's that changes a setting of our session."""
    frozen.platform(
        "CREATE ROLE somebody",
        "CREATE FUNCTION billing.odd(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
        "'BEGIN PERFORM set_config(''extra_float_digits'', ''-12'', false); RETURN 0; END'",
        "ALTER FUNCTION billing.odd OWNER TO somebody",
        "CREATE STATISTICS billing.odd ON (billing.odd(1) + id), invoice FROM billing.payments",
    )
    yield
    frozen.platform(
        "DROP STATISTICS IF EXISTS billing.odd", "DROP FUNCTION IF EXISTS billing.odd", "DROP ROLE IF EXISTS somebody"
    )


@scene
async def _address_refused(frozen: Frozen) -> AsyncIterator[None]:
    [(name,)] = frozen.source.server.sql("SHOW hba_file")
    path = Path(name)
    before = await asyncio.to_thread(path.read_text)
    await asyncio.to_thread(path.write_text, f"host all postgres 127.0.0.1/32 reject\n{before}")
    frozen.source.server.sql("SELECT pg_reload_conf()")
    yield
    await asyncio.to_thread(path.write_text, before)
    frozen.source.server.sql("SELECT pg_reload_conf()")


@scene
async def _one_connection_left(frozen: Frozen) -> AsyncIterator[None]:
    """Idle sessions of an app take all but one: the proof opens, and its fresh session does not."""
    apps = [psycopg.connect(frozen.source.dsn, autocommit=True, application_name="app") for _ in range(3)]
    [(there,)] = frozen.source.server.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'postgres'")
    frozen.source.server.sql(f"ALTER ROLE postgres CONNECTION LIMIT {there + 1}")
    yield
    frozen.source.server.sql("ALTER ROLE postgres CONNECTION LIMIT -1")
    for app in apps:
        app.close()


def _locked(table: str) -> Scene:
    @asynccontextmanager
    async def locked(frozen: Frozen) -> AsyncIterator[None]:
        frozen.patience = Impatient
        holder = psycopg.connect(frozen.source.admin_dsn, application_name="somebody")
        holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield
        holder.close()
        frozen.patience = Database

    return locked


@scene
async def _cancelled(frozen: Frozen) -> AsyncIterator[None]:
    """A monitor cancels every query of ours that waits."""
    lock = "LOCK TABLE billing.payments IN ACCESS EXCLUSIVE MODE"
    monitor = """
      DO $$ BEGIN
        FOR i IN 1..200 LOOP
          PERFORM pg_cancel_backend(pid) FROM pg_stat_activity
            WHERE application_name LIKE 'cutover/%/counts' AND wait_event_type = 'Lock';
          EXIT WHEN FOUND;
          PERFORM pg_sleep(0.05);
          PERFORM pg_stat_clear_snapshot();
        END LOOP;
      END $$"""
    async with await psycopg.AsyncConnection.connect(frozen.source.admin_dsn, autocommit=True) as watching:
        with psycopg.connect(frozen.source.admin_dsn) as holder:
            holder.execute(lock.encode())
            task = asyncio.create_task(watching.execute(monitor.encode()))
            yield
            await task


def _revoked(what: str, role: str = "postgres", right: str = "SELECT") -> Scene:
    @asynccontextmanager
    async def revoked(frozen: Frozen) -> AsyncIterator[None]:
        frozen.source.server.sql("REVOKE pg_read_all_data FROM postgres")
        frozen.platform(f"REVOKE {right} ON {what} FROM {role}")
        yield
        frozen.platform(f"GRANT {right} ON {what} TO {role}")
        frozen.source.server.sql("GRANT pg_read_all_data TO postgres")

    return revoked


_COUNTERS = ("FUNCTION pg_catalog.pg_stat_get_tuples_inserted(oid)", "PUBLIC", "EXECUTE")


@scene
async def _table_gone(frozen: Frozen) -> AsyncIterator[None]:
    """The run was opened to leave out a table that somebody has dropped since."""
    before = frozen.run, frozen.at_freeze
    rules = Rules(exclude_tables=("public.dropped_since",))
    frozen.run, frozen.at_freeze = (
        replace(run, opened=run.opened.model_copy(update={"rules": rules})) for run in before
    )
    yield
    frozen.run, frozen.at_freeze = before


@scene
async def _file_of_a_table_gone(frozen: Frozen) -> AsyncIterator[None]:
    [(path,)] = frozen.source.server.sql(
        "SELECT current_setting('data_directory') || '/' || pg_relation_filepath('billing.payments')",
        frozen.source.dbname,
    )
    await asyncio.to_thread(os.rename, path, f"{path}.away")
    yield
    await asyncio.to_thread(os.rename, f"{path}.away", path)


# -- the public API, Storage, the page --------------------------------------------------------------------------------


def _front(mode: str) -> Scene:
    @asynccontextmanager
    async def changed(frozen: Frozen) -> AsyncIterator[None]:
        frozen.front.mode = mode
        yield
        frozen.front.mode = ""

    return changed


@scene
async def _wrong_key(frozen: Frozen) -> AsyncIterator[None]:
    right, frozen.key = frozen.key, "not-the-key"
    yield
    frozen.key = right


def _unusable_proxy(setting: str = "") -> Scene:
    """No client can be made for what is not this machine, which is asked without a proxy."""

    @asynccontextmanager
    async def unusable(frozen: Frozen) -> AsyncIterator[None]:
        names = ("HTTPS_PROXY", "https_proxy")
        before = {name: os.environ.get(name) for name in names}
        os.environ |= dict.fromkeys(names, "pigeon://loft:1")
        right = getattr(frozen, setting, "")
        if setting:
            setattr(frozen, setting, "https://project.invalid")
        yield
        if setting:
            setattr(frozen, setting, right)
        for name, value in before.items():
            os.environ.pop(name)
            os.environ |= {name: value} if value is not None else {}

    return unusable


@scene
async def _page_down(frozen: Frozen) -> AsyncIterator[None]:
    port = int(frozen.page.url.rstrip("/").rpartition(":")[2])
    await frozen.page.stop()
    yield
    await frozen.page.start(port)


# -- Stack Auth -------------------------------------------------------------------------------------------------------


@scene
async def _stack_away(frozen: Frozen) -> AsyncIterator[None]:
    right, frozen.stack_url = frozen.stack_url, "http://127.0.0.1:9"
    yield
    frozen.stack_url = right


@scene
async def _stack_limits(frozen: Frozen) -> AsyncIterator[None]:
    frozen.stack.faults.share("429-seconds", 1.0, method="GET")
    yield
    frozen.stack.faults.clear()


@scene
async def _stack_key(frozen: Frozen) -> AsyncIterator[None]:
    frozen.stack.revoke_key()
    yield
    frozen.stack.restore_key()


@scene
async def _stack_page(frozen: Frozen) -> AsyncIterator[None]:
    right, frozen.stack_url, frozen.front.mode = frozen.stack_url, frozen.front.url, "a page"
    yield
    frozen.stack_url, frozen.front.mode = right, ""


# -- the disk ---------------------------------------------------------------------------------------------------------


def _away(name: str) -> Scene:
    @asynccontextmanager
    async def away(frozen: Frozen) -> AsyncIterator[None]:
        path = frozen.directory / name
        path.rename(path.with_suffix(".copy"))
        yield
        path.with_suffix(".copy").rename(path)

    return away


def _damaged(name: str, at: int) -> Scene:
    @asynccontextmanager
    async def damaged(frozen: Frozen) -> AsyncIterator[None]:
        path = frozen.directory / name
        before = path.read_bytes()
        path.write_bytes(before[:at] + b"@" + before[at + 1 :])
        yield
        path.write_bytes(before)

    return damaged


@scene
async def _damaged_meanwhile(frozen: Frozen) -> AsyncIterator[None]:
    """While the users are read back from the service, the file that they are to be compared with."""
    path = frozen.directory / files.AUTH_USERS
    before = path.read_bytes()

    def damage(progress: Progress) -> None:
        if progress.note == "reading the users back":
            path.write_bytes(before.replace(b"{", b"@", 1))

    frozen.report = damage
    yield
    frozen.report = lambda progress: None
    path.write_bytes(before)


@scene
async def _not_writable(frozen: Frozen) -> AsyncIterator[None]:
    """A directory that this user may read and not write: as root, who may always, by being somebody else."""
    modes = {path: path.stat().st_mode for path in (frozen.directory, *frozen.directory.iterdir())}
    for path, mode in modes.items():
        path.chmod(mode & 0o555 | (0o055 if path.is_dir() else 0o044))
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)


# -- the next steps that are SQL --------------------------------------------------------------------------------------


async def _end_idle_sessions(frozen: Frozen, finding: Finding) -> None:
    frozen.source.server.sql("ALTER ROLE postgres CONNECTION LIMIT -1")  # room for the one who pastes
    frozen.paste(_sql(finding.fix, "SELECT pg_terminate_backend"))


async def _end_the_holder(frozen: Frozen, finding: Finding) -> None:
    find = _sql(finding.fix, "SELECT DISTINCT pid")
    end = _sql(finding.fix, "SELECT pg_terminate_backend")
    with psycopg.connect(frozen.source.admin_dsn, autocommit=True, application_name="platform") as dashboard:
        assert dashboard.execute("SHOW transaction_read_only").fetchone() == ("on",)
        [(pid,)] = dashboard.execute(find.encode()).fetchall()
        dashboard.execute(end.replace("PID", str(pid)).encode())


async def _drop_what_runs(frozen: Frozen, finding: Finding) -> None:
    """The finding says READ WRITE, and what runs is named by `foreign-code`."""
    assert "BEGIN READ WRITE; DROP …; COMMIT;" in finding.fix
    named = next(found for found in await frozen.ask("freeze-proof") if found.check == "foreign-code")
    assert "billing.odd" in named.evidence, named
    frozen.paste("BEGIN READ WRITE; DROP STATISTICS billing.odd; COMMIT;", frozen.source.admin_dsn)


async def _grant(frozen: Frozen, finding: Finding) -> None:
    """The finding says READ WRITE, and what is missing is named by `select-rights`, which `doctor` asks too."""
    assert "BEGIN READ WRITE; GRANT …; COMMIT;" in finding.fix
    rights = next(found for found in await frozen.ask("freeze-proof") if found.check == "select-rights")
    granting = rights.fix.partition(" Or leave out")[0]
    assert granting == "BEGIN READ WRITE; GRANT SELECT ON TABLE auth.identities TO postgres; COMMIT;"
    frozen.paste(granting, frozen.source.auth_dsn)


def _sql(text: str, begins: str) -> str:
    found = re.search(rf"{re.escape(begins)}.*?;", text)
    assert found is not None, text
    return found[0]


TROUBLES: tuple[Trouble, ...] = (
    Trouble(
        name="the network is lost",
        obstacle=obstacles.DATABASE_AWAY,
        examiner="freeze-proof",
        checks=("freeze-layers",),
        scene=_network_lost,
    ),
    Trouble(
        name="the network is lost",
        obstacle=obstacles.DATABASE_AWAY,
        examiner="counts",
        checks=("counts-by-sql",),
        scene=_network_lost,
    ),
    Trouble(
        name="somebody sets a new password",
        obstacle=obstacles.DATABASE_SETTINGS,
        examiner="freeze-holds",
        checks=("freeze-layers",),
        scene=_new_password,
    ),
    Trouble(
        name="what answers offers no encryption",
        obstacle=obstacles.DATABASE_UNPROVEN,
        examiner="freeze-holds",
        checks=("freeze-layers",),
        scene=_no_encryption,
    ),
    Trouble(
        name="the pooler lets nobody in",
        obstacle=obstacles.DATABASE_BARRED,
        examiner="freeze-holds",
        checks=("freeze-layers",),
        scene=_barred,
    ),
    Trouble(
        name="code of somebody else changes our session",
        obstacle=obstacles.TABLES_DISTURBED,
        examiner="counts",
        checks=("counts-by-sql",),
        scene=_disturbed,
        step=_drop_what_runs,
    ),
    Trouble(
        name="the database refuses this address",
        obstacle=obstacles.DATABASE_ADDRESS,
        examiner="freeze-holds",
        checks=("freeze-layers",),
        scene=_address_refused,
    ),
    Trouble(
        name="no connection is left",
        obstacle=obstacles.DATABASE_FULL,
        examiner="freeze-holds",
        checks=("session-refuses-writes",),
        scene=_one_connection_left,
        step=_end_idle_sessions,
    ),
    Trouble(
        name="a table is locked",
        obstacle=obstacles.DATABASE_LOCKED,
        examiner="freeze-proof",
        checks=("disk-space",),
        scene=_locked("billing.payments"),
        step=_end_the_holder,
    ),
    Trouble(
        name="a table is locked",
        obstacle=obstacles.DATABASE_LOCKED,
        examiner="counts",
        checks=("counts-by-sql",),
        scene=_locked("billing.payments"),
        step=_end_the_holder,
    ),
    Trouble(
        name="our question is cancelled",
        obstacle=obstacles.DATABASE_CANCELLED,
        examiner="counts",
        checks=("counts-by-sql",),
        scene=_cancelled,
    ),
    Trouble(
        name="our role may no longer read a table",
        obstacle=obstacles.DATABASE_RIGHTS,
        examiner="counts",
        checks=("counts-by-sql",),
        scene=_revoked("auth.identities"),
        step=_grant,
    ),
    Trouble(
        name="our role may no longer look up the layers",
        obstacle=obstacles.DATABASE_RIGHTS,
        examiner="freeze-holds",
        checks=("freeze-layers", "api-hook"),
        scene=_revoked("pg_catalog.pg_db_role_setting", "PUBLIC"),
    ),
    Trouble(
        name="our role may no longer read a table of the system",
        obstacle=obstacles.DATABASE_RIGHTS,
        examiner="freeze-proof",
        checks=("write-paths",),
        scene=_revoked("pg_catalog.pg_prepared_xacts", "PUBLIC"),
    ),
    Trouble(
        name="our role may no longer list the partitions",
        obstacle=obstacles.DATABASE_RIGHTS,
        examiner="freeze-proof",
        checks=("select-rights", "foreign-code", "database-encoding", "disk-space"),
        scene=_revoked("pg_catalog.pg_inherits", "PUBLIC"),
    ),
    Trouble(
        name="our role may no longer read the counters",
        obstacle=obstacles.DATABASE_RIGHTS,
        examiner="freeze-proof",
        checks=("quiet-window",),
        scene=_revoked(*_COUNTERS),
    ),
    Trouble(
        name="our role may no longer read the counters",
        obstacle=obstacles.DATABASE_RIGHTS,
        examiner="freeze-holds",
        checks=("no-drift",),
        scene=_revoked(*_COUNTERS),
    ),
    Trouble(
        name="our role may no longer see the sessions",
        obstacle=obstacles.DATABASE_RIGHTS,
        examiner="freeze-holds",
        checks=("old-sessions",),
        scene=_revoked("pg_catalog.pg_stat_activity", "PUBLIC"),
    ),
    Trouble(
        name="the server lost a table's file",
        obstacle=obstacles.DATABASE_ANSWER,
        examiner="counts",
        checks=("counts-by-sql",),
        scene=_file_of_a_table_gone,
    ),
    Trouble(
        name="a table that is left out is gone",
        obstacle=obstacles.DATABASE_SELECTION,
        examiner="freeze-proof",
        checks=("select-rights", "foreign-code", "disk-space"),
        scene=_table_gone,
    ),
    Trouble(
        name="a table that is left out is gone behind the freeze gate",
        obstacle=obstacles.DATABASE_SELECTION,
        examiner="freeze-holds",
        checks=("no-drift",),
        scene=_table_gone,
    ),
    Trouble(
        name="the API is down",
        obstacle=obstacles.API_AWAY,
        examiner="freeze-holds",
        checks=("api-refuses-writes",),
        scene=_front("silent"),
    ),
    Trouble(
        name="the API answers 503",
        obstacle=obstacles.API_AWAY,
        examiner="counts",
        checks=("counts-by-api",),
        scene=_front("503"),
    ),
    Trouble(
        name="the API does not take the key",
        obstacle=obstacles.API_KEY,
        examiner="freeze-holds",
        checks=("api-refuses-writes",),
        scene=_wrong_key,
    ),
    Trouble(
        name="the API does not take the key",
        obstacle=obstacles.API_KEY,
        examiner="counts",
        checks=("counts-by-api",),
        scene=_wrong_key,
    ),
    Trouble(
        name="a page answers in the API's place",
        obstacle=obstacles.API_ANSWER,
        examiner="counts",
        checks=("counts-by-api",),
        scene=_front("a page"),
    ),
    Trouble(
        name="Storage is down",
        obstacle=obstacles.STORAGE_AWAY,
        examiner="freeze-holds",
        checks=("storage-refuses-writes",),
        scene=_front("no storage"),
    ),
    Trouble(
        name="no client for the API can be made",
        obstacle=obstacles.API_CLIENT,
        examiner="freeze-holds",
        checks=("api-refuses-writes",),
        scene=_unusable_proxy("url"),
    ),
    Trouble(
        name="no client for the API can be made",
        obstacle=obstacles.API_CLIENT,
        examiner="counts",
        checks=("counts-by-api",),
        scene=_unusable_proxy("url"),
    ),
    Trouble(
        name="no client for Storage can be made",
        obstacle=obstacles.STORAGE_AWAY,
        examiner="freeze-holds",
        checks=("storage-refuses-writes",),
        scene=_unusable_proxy("url"),
    ),
    Trouble(
        name="the API answers with a redirect",
        obstacle=obstacles.API_ANSWER,
        examiner="freeze-holds",
        checks=("api-refuses-writes",),
        scene=_front("elsewhere"),
    ),
    Trouble(
        name="Storage answers with a redirect",
        obstacle=obstacles.STORAGE_AWAY,
        examiner="freeze-holds",
        checks=("storage-refuses-writes",),
        scene=_front("elsewhere"),
    ),
    Trouble(
        name="no client for the page can be made",
        obstacle=obstacles.PAGE_CLIENT,
        examiner="notice",
        checks=("notice",),
        scene=_unusable_proxy(),
    ),
    Trouble(
        name="no client for Stack Auth can be made",
        obstacle=obstacles.STACK_AUTH_CLIENT,
        examiner="users-read-back",
        checks=("users-exactly-once",),
        scene=_unusable_proxy("stack_url"),
    ),
    Trouble(
        name="no client for the canary can be made",
        obstacle=obstacles.STACK_AUTH_CLIENT,
        examiner="canary",
        checks=("canary-signs-in",),
        scene=_unusable_proxy("stack_url"),
    ),
    Trouble(
        name="Stack Auth is down for the canary",
        obstacle=obstacles.STACK_AUTH_AWAY,
        examiner="canary",
        checks=("canary-signs-in",),
        scene=_stack_away,
    ),
    Trouble(
        name="the page of the notice is down",
        obstacle=obstacles.PAGE_AWAY,
        examiner="notice",
        checks=("notice",),
        scene=_page_down,
    ),
    Trouble(
        name="Stack Auth is down",
        obstacle=obstacles.STACK_AUTH_AWAY,
        examiner="users-read-back",
        checks=("users-exactly-once",),
        scene=_stack_away,
    ),
    Trouble(
        name="Stack Auth asks for fewer requests",
        obstacle=obstacles.STACK_AUTH_LIMITED,
        examiner="users-read-back",
        checks=("users-exactly-once",),
        scene=_stack_limits,
    ),
    Trouble(
        name="Stack Auth's key is revoked",
        obstacle=obstacles.STACK_AUTH_SETTINGS,
        examiner="users-read-back",
        checks=("users-exactly-once",),
        scene=_stack_key,
    ),
    Trouble(
        name="a page answers in Stack Auth's place",
        obstacle=obstacles.STACK_AUTH_ANSWER,
        examiner="users-read-back",
        checks=("users-exactly-once",),
        scene=_stack_page,
    ),
    Trouble(
        name="a file of the export is gone",
        obstacle=obstacles.FILE_UNREADABLE,
        examiner="files",
        checks=("files-whole",),
        scene=_away("orders.json"),
    ),
    Trouble(
        name="metadata.json is gone",
        obstacle=obstacles.FILE_UNREADABLE,
        examiner="counts",
        checks=("counts-by-sql",),
        scene=_away(files.METADATA),
    ),
    Trouble(
        name="the mapping is gone",
        obstacle=obstacles.FILE_UNREADABLE,
        examiner="mapping",
        checks=("mapping-bound",),
        scene=_away(files.MAPPING),
    ),
    Trouble(
        name="metadata.json is damaged",
        obstacle=obstacles.FILE_DAMAGED,
        examiner="counts",
        checks=("counts-by-sql",),
        scene=_damaged(files.METADATA, 0),
    ),
    Trouble(
        name="the mapping is damaged",
        obstacle=obstacles.FILE_DAMAGED,
        examiner="users-read-back",
        checks=("users-exactly-once",),
        scene=_damaged(files.MAPPING, 0),
    ),
    Trouble(
        name="the file of the users is damaged meanwhile",
        obstacle=obstacles.FILE_DAMAGED,
        examiner="users-read-back",
        checks=("users-read-back",),
        scene=_damaged_meanwhile,
    ),
    Trouble(
        name="nothing can be written to the data directory",
        obstacle=obstacles.DISK_FULL,
        examiner="mapping",
        checks=("mapping-complete",),
        scene=_not_writable,
    ),
    Trouble(
        name="nothing can be written to the data directory",
        obstacle=obstacles.DISK_FULL,
        examiner="references",
        checks=("references",),
        scene=_not_writable,
    ),
)
