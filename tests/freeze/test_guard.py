"""The hard guard: nobody writes, whatever they override, and the proof passes beside it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import httpx
import psycopg
import pytest
from psycopg import AsyncConnection

from bot.errors import ServiceRefused
from bot.plan.run import Run
from bot.rehearsal.company import Company
from bot.rehearsal.standins.gateway import GatewayStandin
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway
from bot.supabase.guard import Guard
from bot.supabase.proof.examiner import Proof
from tests.freeze.ways import INSERT, OFF, as_platform

_WAITS = "SET lock_timeout = '10ms'"
_OVERRIDES = {
    "BEGIN READ WRITE": (["BEGIN READ WRITE", INSERT, "COMMIT"], {}),
    "SET": ([OFF, INSERT], {}),
    "by options": ([INSERT], {"options": "-c default_transaction_read_only=off"}),
    "UPDATE": ([OFF, "UPDATE public.orders SET total = total + 1"], {}),
    "DELETE": ([OFF, "DELETE FROM public.notifications"], {}),
    "TRUNCATE": ([OFF, "TRUNCATE public.session_cache"], {}),
    "COPY": ([OFF, "COPY public.settings FROM STDIN"], {}),
    "ALTER": ([OFF, "ALTER TABLE public.settings ADD COLUMN cheat text"], {}),
    "partition": ([OFF, "INSERT INTO public.events (occurred_at, name) VALUES (now(), 'x')"], {}),
    "users": ([OFF, "UPDATE auth.users SET updated_at = now()"], {}),
}


@pytest.fixture
async def guard(database: Database, freeze: Callable[[], datetime]) -> AsyncIterator[Guard]:
    """Held over a frozen source."""
    freeze()
    made = Guard(database)
    await made.take()
    yield made
    await made.release()


async def _tried(source: Company, statements: list[str], **options: str) -> str:
    """The code with which a writer is refused; "" when it wrote."""
    async with await AsyncConnection.connect(source.dsn, autocommit=True, **options) as session:
        try:
            await session.execute(_WAITS.encode())
            for statement in statements:
                if statement.startswith("COPY"):
                    async with session.cursor() as cursor, cursor.copy(statement.encode()) as copy:
                        await copy.write("cheat\tx\n")
                else:
                    await session.execute(statement.encode())
        except psycopg.Error as error:
            return error.sqlstate or "lost"
    return ""


async def _by_a_superuser(source: Company) -> str:
    """Who may play a replica, too."""
    try:
        await as_platform(source, _WAITS, "SET session_replication_role = replica", INSERT)
    except psycopg.Error as error:
        return error.sqlstate or "lost"
    return ""


async def _by_the_api(source: Company, standin: GatewayStandin) -> str:
    """With the hook gone, nothing but the guard is in the way."""
    key = standin.service_role_key
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"{standin.url}/rest/v1/settings",
            json={"name": "cheat", "value": "x"},
            headers={"apikey": key, "authorization": f"Bearer {key}"},
        )
    return str(answer.json().get("code", "")) if answer.status_code >= 400 else ""


def _rows(source: Company) -> list[tuple[object, ...]]:
    counted = "SELECT (SELECT count(*) FROM {}), (SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {} t)"
    tables = ("public.settings", "public.orders", "public.notifications", "public.session_cache", "public.events")
    return [row for table in tables for row in source.server.sql(counted.format(table, table), source.dbname)]


@pytest.mark.parametrize("tries", [40, pytest.param(1000, marks=pytest.mark.all)])
async def test_nobody_writes_whatever_they_override(
    tries: int, *, guard: Guard, source: Company, standin: GatewayStandin
) -> None:
    """Each override in turn; every one of them waits for the guard, and gives up."""
    before = _rows(source)
    ways = list(_OVERRIDES.values())
    codes: dict[str, int] = {}
    for n in range(tries):
        match n % (len(ways) + 1):
            case 0:
                code = await _by_a_superuser(source)
            case way:
                statements, options = ways[way - 1]
                code = await _tried(source, statements, **options)
        codes[code] = codes.get(code, 0) + 1
        if n % 200 == 0:
            await guard.take()
    assert set(codes) == {"55P03"}, codes
    await as_platform(
        source,
        f"ALTER ROLE authenticator IN DATABASE {source.dbname} RESET pgrst.db_pre_request",
        f"ALTER ROLE authenticator IN DATABASE {source.dbname} SET lock_timeout = '200ms'",
        "NOTIFY pgrst, 'reload config'",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'authenticator'",
    )
    async with asyncio.timeout(180):
        while (code := await _by_the_api(source, standin)) in {"25006", "57P01", "08006", "PGRST001"}:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    assert code == "55P03"
    assert _rows(source) == before
    await guard.release()
    assert await _tried(source, [OFF, INSERT]) == ""


@pytest.mark.parametrize("tries", [2, pytest.param(200, marks=pytest.mark.all)])
async def test_the_proof_passes_beside_it(
    tries: int, *, guard: Guard, source: Company, database: Database, gateway: Gateway, run_since: Callable[..., Run]
) -> None:
    """No question of ours touches a table and waits behind it; a write through the API waits until its role's own time
    is up, which is eight seconds, and a fifth of one where the proof is made two hundred times.
    """
    if tries > 2:
        await as_platform(
            source,
            f"ALTER ROLE authenticator IN DATABASE {source.dbname} SET lock_timeout = '200ms'",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'authenticator'",
        )
    proof = Proof(database, gateway, quiet_seconds=0.05, late_counters=0.05)
    [(since,)] = source.server.sql("SELECT clock_timestamp() - interval '1 minute'", source.dbname)
    for _ in range(tries):
        async with asyncio.timeout(180):
            found = [finding async for finding in proof.freeze_proof(run_since(since), lambda _: None)]
        assert [finding.evidence for finding in found if finding.verdict == "fail"] == []
        [session] = [finding for finding in found if finding.check == "session-refuses-writes"]
        assert session.evidence == "A new session cannot write (CREATE TEMP TABLE: 25006)."
        await guard.take()


async def test_who_writes_keeps_it_out_and_is_named(
    source: Company, database: Database, freeze: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one sentence, and nothing is held, so that nobody waits behind us."""
    freeze()
    monkeypatch.setattr("bot.supabase.guard._LOCK_SECONDS", 1)
    guard = Guard(database)
    async with await AsyncConnection.connect(source.dsn, autocommit=True, application_name="app") as writer:
        await writer.execute("BEGIN READ WRITE")
        await writer.execute(INSERT.encode())
        with pytest.raises(ServiceRefused) as error:
            await guard.take()
        pid = writer.info.backend_pid
        assert str(error.value) == (
            f"public.settings cannot be locked for the hard guard: session {pid} of role postgres is writing to it; "
            f"nothing was exported under it; end it with SELECT pg_terminate_backend({pid}), and try again."
        )
        held = "SELECT count(*) FROM pg_locks WHERE mode = 'ShareLock' AND locktype = 'relation'"
        assert source.server.sql(held, source.dbname) == [(0,)]
    await guard.take()
    await guard.release()


async def test_what_cannot_be_locked_is_listed(source: Company, database: Database) -> None:
    """Reading alone does not let a role lock out writers."""
    await as_platform(
        source,
        "CREATE TABLE public.closed (id int)",
        "ALTER TABLE public.closed OWNER TO supabase_admin",
        "REVOKE ALL ON public.closed FROM postgres",
        "GRANT SELECT ON public.closed TO postgres",
    )
    guard = Guard(database)
    held = await guard.take()
    await guard.release()
    assert "public.closed" in held.unguarded
    assert held.tables > 40


async def test_a_guard_that_was_lost_is_taken_anew(source: Company, guard: Guard) -> None:
    """The server ends its session, as it does with one whose bot died; the next word takes the locks again."""
    first = await guard.take()
    assert await guard.take() == first
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'cutover/%/guard'"
    await as_platform(source, ended)
    second = await guard.take()
    assert second.since > first.since
    assert await _tried(source, [OFF, INSERT]) == "55P03"


async def test_the_server_ends_a_guard_that_says_nothing(guard: Guard, source: Company) -> None:
    """A dead laptop gives the locks back within a minute, and a network that is gone within about that."""
    asked = "SELECT current_setting(name) FROM unnest(%s::text[]) AS name"
    assert guard._held is not None
    settings = ["idle_in_transaction_session_timeout", "tcp_keepalives_idle", "tcp_keepalives_interval"]
    rows = await (await guard._held.session.execute(asked, [settings])).fetchall()
    assert rows[0] == ("1min",)
