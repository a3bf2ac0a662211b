"""A freeze and its thaw, beside a gateway that hears as PostgREST does, and through a pooler that lends sessions."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx
import psycopg
import pytest

from bot.plan.findings import blocks
from bot.plan.run import Run
from bot.rehearsal.company import Company
from bot.rehearsal.standins.gateway import GatewayStandin
from bot.rehearsal.standins.gateway.rest import Rest
from bot.supabase.api_client import NO_ANSWER
from bot.supabase.database import Database
from bot.supabase.freeze.apply import apply
from bot.supabase.freeze.kit import freeze_sql
from bot.supabase.freeze.layers import thaw_sql
from bot.supabase.freeze.thaw import DROP, thaw
from bot.supabase.gateway import Gateway
from bot.supabase.guard import Guard
from bot.supabase.locks import SourceLock
from bot.supabase.proof.examiner import Proof
from bot.supabase.proof.probes import hook_is_called
from bot.supabase.source import SupabaseSource
from tests.freeze.pooler import NAME, SessionPooler

_CALLED = {"x-cutover-reload": "1"}


@dataclass
class Traffic:
    """What users of the API saw: when (monotonic), by which method, and the code of a refusal or ""."""

    standin: GatewayStandin
    seen: list[tuple[float, str, str]] = field(default_factory=list)

    async def ask(self, http: httpx.AsyncClient, method: str, headers: dict[str, str]) -> str:
        key = self.standin.service_role_key
        answer = await http.request(
            method,
            f"{self.standin.url}/rest/v1/profiles?id=is.null&id=not.is.null",
            json={"id": None} if method == "PATCH" else None,
            headers={"apikey": key, "authorization": f"Bearer {key}", **headers},
        )
        return "" if answer.status_code < 300 else str(answer.json()["code"])

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:

            async def flow() -> None:
                while True:
                    for method in ("GET", "PATCH"):
                        at = time.monotonic()
                        self.seen.append((at, method, await self.ask(http, method, {})))
                    await asyncio.sleep(0.05)

            flowing = asyncio.create_task(flow())
            try:
                yield http
            finally:
                flowing.cancel()
                await asyncio.gather(flowing, return_exceptions=True)

    def since(self, at: float) -> set[tuple[str, str]]:
        return {(method, code) for began, method, code in self.seen if began >= at}


async def _until(condition: Callable[[], Awaitable[object]], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def _paste(source: Company, text: str) -> None:
    with psycopg.connect(source.dsn, autocommit=True, application_name="editor") as session:
        session.execute(text.encode())


async def _frozen(traffic: Traffic, http: httpx.AsyncClient) -> None:
    """Writes are refused and reads answered; the gateway hears again."""
    url, key = f"{traffic.standin.url}/rest-admin/v1/ready", {"apikey": traffic.standin.anon_key}

    async def hears() -> bool:
        return (await http.get(url, headers=key)).status_code == 200

    await _until(hears)
    back = time.monotonic()
    await asyncio.sleep(0.3)
    assert traffic.since(back) <= {("GET", ""), ("PATCH", "25006")}


async def _heard(traffic: Traffic, http: httpx.AsyncClient, source: Company) -> None:
    """Once the settings are restored, the gateway soon calls the hook no more."""

    settings = b"SELECT count(*) FROM pg_db_role_setting, unnest(setconfig) AS entry WHERE entry LIKE '%cutover_fr%'"

    async def calls_it_no_more() -> bool:
        return await traffic.ask(http, "GET", _CALLED) == ""

    with psycopg.connect(source.admin_dsn, autocommit=True) as session:  # one, since it is asked a hundred times

        async def restored() -> bool:
            return session.execute(settings).fetchone() == (0,)

        await _until(restored)
    await _until(calls_it_no_more)


@pytest.mark.parametrize("how", ["pasted", "the bot"])
async def test_a_thaw_is_heard_at_once_and_no_request_fails_after_it(
    source: Company, database: Database, standin: GatewayStandin, gateway: Gateway, how: str
) -> None:
    """Reads are answered all the time, writes again from the moment the thaw is heard, and the schema goes last."""
    traffic = Traffic(standin)
    async with traffic.flowing() as http:
        await (asyncio.to_thread(_paste, source, freeze_sql()) if how == "pasted" else apply(database))
        await _frozen(traffic, http)
        thawing = asyncio.ensure_future(
            asyncio.to_thread(_paste, source, thaw_sql()) if how == "pasted" else thaw(database, None, gateway)
        )
        await _heard(traffic, http, source)
        heard = time.monotonic()
        findings = await thawing
        if how == "pasted":
            await asyncio.to_thread(_paste, source, DROP)
        await asyncio.sleep(0.3)
    assert traffic.since(heard) == {("GET", ""), ("PATCH", "")}
    assert findings is None or {str(finding.verdict) for finding in findings} == {"pass"}
    assert source.server.sql("SELECT to_regnamespace('cutover_freeze') IS NULL", source.dbname) == [(True,)]


async def test_beside_a_gateway_that_never_reloads_the_hook_stays_and_lets_all_pass(
    source: Company,
    database: Database,
    standin: GatewayStandin,
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No request fails, though it is called for ever; the finding says how to drop it, and exit code and writes are
    those of a thaw that succeeded.
    """
    traffic = Traffic(standin)
    async with traffic.flowing() as http:
        await apply(database)
        await _frozen(traffic, http)

        async def deaf(self: Rest) -> None:
            """Reads nothing anew."""

        monkeypatch.setattr(Rest, "_reload", deaf)
        findings = {finding.check: finding for finding in await thaw(database, None, gateway, reload_seconds=2)}
        thawed = time.monotonic()
        await asyncio.sleep(0.5)
        assert await traffic.ask(http, "GET", _CALLED) == "CUT00"
    assert traffic.since(thawed) == {("GET", ""), ("PATCH", "")}
    assert {check: str(finding.verdict) for check, finding in findings.items()} == {
        "thaw-restored": "pass",
        "thaw-schema": "warn",
        "thaw-writes": "pass",
        "thaw-api": "pass",
    }
    assert (findings["thaw-schema"].evidence, findings["thaw-schema"].fix) == (
        "The schema cutover_freeze is left. Its hook allows everything. The API has not reloaded within 2 s and still "
        "calls it.",
        f"Restart the project's API in the dashboard. Run the thaw again. It is safe to repeat. Or drop it: {DROP}",
    )


@dataclass
class _Reads:
    """A gateway that answers reads with these codes, one after the other."""

    codes: list[str]

    async def try_read(self, schema: str, table: str, column: str, header: str) -> str:
        assert (schema, header) == ("public", *_CALLED)
        return self.codes.pop(0)


async def test_what_a_read_says_of_the_hook(database: Database) -> None:
    """The hook answers before the table is looked at, so one table that is locked says it for all of them. A gateway
    that says nothing in its time is not asked for eight tables in turn.
    """
    said = {
        ("CUT00",): True,
        ("",): False,
        ("57014",): False,
        ("55P03",): False,
        ("PGRST205", "42501", ""): False,
        (NO_ANSWER,): None,
    }
    async with database.session("test") as session:
        for codes, called in said.items():
            reads = _Reads(list(codes))
            assert await hook_is_called(session, cast(Gateway, reads)) is called
            assert reads.codes == []


@contextmanager
def _in_pool(dsn: str, sessions: int) -> Iterator[list[psycopg.Connection]]:
    """So many clients of the pooler at once, an app's."""
    clients = [psycopg.connect(dsn, autocommit=True) for _ in range(sessions)]
    try:
        yield clients
    finally:
        for client in clients:
            client.close()


@pytest.mark.parametrize("guarded", [False, pytest.param(True, marks=pytest.mark.all)])
async def test_behind_a_pooler_no_session_of_ours_writes_under_the_freeze_or_stays_read_only_after_it(
    *,
    guarded: bool,
    source: Company,
    standin: GatewayStandin,
    gateway: Gateway,
    run_since: Callable[..., Run],
    tmp_path: Path,
) -> None:
    """It renames our sessions and lends them again: each names itself, is ended by the server, and none is left. With
    the hard guard the proof passes just so, and a thaw lets go of it.
    """
    traffic = Traffic(standin)
    async with traffic.flowing() as http, SessionPooler(source.dsn) as pooler:
        for _ in range(2):
            await asyncio.to_thread(_everybody_writes, pooler.dsn, 0)
        assert pooler.lent_again
        database = Database(pooler.dsn, run_id="20260401-ab12")
        lock, guard = SourceLock(database), Guard(database)
        bot = SupabaseSource(database, lock, tmp_path / "freeze-prior.json", gateway, guard)
        await lock.take()
        await bot.look()
        freezing = asyncio.ensure_future(bot.freeze())
        while not (look := await bot.look()).frozen:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        assert not blocks(await freezing)
        await bot.renew(run_since(look.database_time))
        await _frozen(traffic, http)
        names = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = %s AND usename = 'postgres'"
        assert source.server.sql(names, parameters=[source.dbname]) <= [
            ("cutover/20260401-ab12/lock",),
            ("cutover/20260401-ab12/watch",),
        ]
        if guarded:
            await bot.guard()
        proof = Proof(database, gateway, quiet_seconds=0.1, late_counters=0.1)
        found = {f.check: f async for f in proof.freeze_proof(run_since(look.database_time), lambda _: None)}
        assert {check: f.evidence for check, f in found.items() if f.verdict == "fail"} == {}
        assert ("waits for the hard guard" in found["api-refuses-writes"].evidence) == guarded
        await asyncio.to_thread(_nobody_writes, pooler.dsn)
        findings = await thaw(database, None, gateway)  # as the command does it, beside a bot that holds the guard
        heard = time.monotonic()
        assert {f.check: f.evidence for f in findings if f.verdict != "pass"} == {}
        await bot.close()
        await lock.release()
        await asyncio.to_thread(_everybody_writes, pooler.dsn, pooler.idle)
        await asyncio.sleep(0.2)
    assert traffic.since(heard) == {("GET", ""), ("PATCH", "")}


def _nobody_writes(dsn: str) -> None:
    with _in_pool(dsn, 3) as clients:
        for client in clients:
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                client.execute("CREATE TEMP TABLE mine ()")


def _everybody_writes(dsn: str, idle: int) -> None:
    with _in_pool(dsn, idle + 2) as clients:
        for client in clients:
            assert client.execute("SHOW application_name").fetchone() == (NAME,)
            client.execute("BEGIN; UPDATE public.settings SET value = value WHERE false; ROLLBACK")
