"""The gateway stand-in, driven by the `supabase` client that others wrote and, where that is too polite, by httpx."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from typing import Any

import httpx
import psycopg
import pytest
from postgrest.exceptions import APIError
from psycopg import AsyncConnection, sql
from supabase import AsyncClient, AsyncClientOptions, acreate_client
from supabase_auth.errors import AuthApiError

from bot.rehearsal.company import CANARY_EMAIL, CANARY_PASSWORD, Company
from bot.rehearsal.standins.gateway import GatewayStandin

_DEADLINE = 180.0
_numbers = count(1)
_HOOK = "cutover_probe.gate"


@pytest.fixture
async def gateway(database: Company) -> AsyncIterator[GatewayStandin]:
    """One project's gateway over the test's own company."""
    running = GatewayStandin(
        database.authenticator_dsn,
        "a secret of the test that is long enough",
        "abcdefghijklmnopqrst",
        exposed_schemas=("public", "billing"),
        max_rows=100,
        auth_dsn=database.auth_dsn,
        storage_dsn=database.storage_dsn,
    )
    async with running:
        yield running


@pytest.fixture
async def service(gateway: GatewayStandin) -> AsyncIterator[AsyncClient]:
    """The real client with the service key."""
    async with httpx.AsyncClient() as http:
        yield await acreate_client(
            gateway.url, gateway.service_role_key, AsyncClientOptions(httpx_client=http, auto_refresh_token=False)
        )


@pytest.fixture
async def visitor(gateway: GatewayStandin) -> AsyncIterator[AsyncClient]:
    """The real client with the anonymous key."""
    async with httpx.AsyncClient() as http:
        yield await acreate_client(
            gateway.url, gateway.anon_key, AsyncClientOptions(httpx_client=http, auto_refresh_token=False)
        )


@pytest.fixture
async def owner(database: Company) -> AsyncIterator[AsyncConnection]:
    """The project's owner, writing by SQL whatever the database's default is."""
    session = await AsyncConnection.connect(
        database.dsn, autocommit=True, application_name="cutover/test", options="-c default_transaction_read_only=off"
    )
    yield session
    await session.close()


async def refusal(request: Awaitable[Any]) -> tuple[str | None, str | None]:
    """Return code and message of the APIError that the request must end in."""
    with pytest.raises(APIError) as caught:
        await request
    return caught.value.code, caught.value.message


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again until it holds; fail after _DEADLINE seconds."""
    async with asyncio.timeout(_DEADLINE):
        while not await condition():  # noqa: ASYNC110 - the condition lies in the database, which has no event to give
            await asyncio.sleep(0.01)


async def until_known(client: AsyncClient, table: str) -> None:
    """Wait until the gateway has heard of the table."""

    async def known() -> bool:
        try:
            await client.table(table).select("*").execute()
        except APIError:
            return False
        return True

    await until(known)


async def write(client: AsyncClient) -> str:
    """Try to insert one row; return `written`, or the code of the refusal."""
    try:
        await client.table("settings").insert({"name": f"probe {next(_numbers)}", "value": "x"}).execute()
    except APIError as error:
        return str(error.code)
    return "written"


async def end_sessions(owner: AsyncConnection) -> None:
    """End every session in the database but the owner's own, as a freeze does."""
    await owner.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND usename IN ('authenticator', 'supabase_auth_admin', 'supabase_storage_admin')"
    )


async def set_default(owner: AsyncConnection, dbname: str, value: str) -> None:
    """Set or reset the database's default, which new sessions take."""
    name = sql.Identifier(dbname)
    await owner.execute(sql.SQL("ALTER DATABASE {} {}").format(name, sql.SQL(value)))


# --- reading and writing ---------------------------------------------------------------------------------------------


async def test_an_exact_count_equals_sql(service: AsyncClient, owner: AsyncConnection) -> None:
    """HEAD with count=exact tells what SELECT count(*) tells, past the row limit."""
    row = await (await owner.execute("SELECT count(*) FROM orders")).fetchone()
    assert row is not None
    answer = await service.table("orders").select("*", count="exact", head=True).execute()
    assert answer.count == row[0] > 100
    assert answer.data == []


async def test_a_long_read_is_cut_without_a_word(service: AsyncClient) -> None:
    """A GET ends at max_rows with success; only the count betrays it."""
    answer = await service.table("orders").select("id", count="exact").execute()
    assert len(answer.data) == 100
    assert answer.count == 300


async def test_filters_order_and_paging_select_what_they_name(service: AsyncClient) -> None:
    """The grammar that clients use most reaches SQL with its meaning."""
    table = service.table("orders")
    among = await table.select("id").in_("id", [5, 3, 900_000]).order("id", desc=True).execute()
    assert among.data == [{"id": 5}, {"id": 3}]
    page = await table.select("number:id,status").gt("id", 10).lt("id", 20).order("id").range(2, 3).execute()
    assert [row["number"] for row in page.data] == [13, 14]
    empty = await service.table("orders").select("id").is_("note", "null").eq("id", 4).execute()
    assert empty.data == []
    other = await service.table("orders").select("id").neq("id", 1).not_.is_("note", "null").eq("id", 4).execute()
    assert other.data == [{"id": 4}]


async def test_odd_names_can_be_read(service: AsyncClient) -> None:
    """A table with upper case and spaces, and columns with quotes, are reached by their exact names."""
    answer = await service.table("Customer Notes 2024").select('"ID"').eq("ID", 1).execute()
    assert answer.data == [{"ID": 1}]


async def test_rows_can_be_made_changed_and_removed(service: AsyncClient) -> None:
    """POST, PATCH and DELETE write, and return the rows when asked to."""
    table = service.table("settings")
    made = await table.insert([{"name": "a", "value": "1"}, {"name": "b", "value": None}]).execute()
    assert made.data == [{"name": "a", "value": "1"}, {"name": "b", "value": None}]
    changed = await service.table("settings").update({"value": "2"}).eq("name", "a").execute()
    assert changed.data == [{"name": "a", "value": "2"}]
    removed = await service.table("settings").delete().in_("name", ["a", "b"]).execute()
    assert len(removed.data) == 2
    none = await service.table("settings").update({"value": "2"}).eq("name", "a").execute()
    assert none.data == []


async def test_values_arrive_as_they_were_sent(gateway: GatewayStandin, owner: AsyncConnection) -> None:
    """A body goes to the database as its text: scale and duplicate keys are kept."""
    headers = {"apikey": gateway.service_role_key, "Content-Type": "application/json"}
    body = '{"id": 900, "received": {"a": 1.10, "a":   2}}'
    async with httpx.AsyncClient(headers=headers) as http:
        made = await http.post(f"{gateway.url}/rest/v1/webhook_deliveries", content=body)
    assert (made.status_code, made.text) == (201, "")
    row = await (await owner.execute("SELECT received::text FROM webhook_deliveries WHERE id = 900")).fetchone()
    assert row == ('{"a": 1.10, "a":   2}',)


async def test_another_schema_is_reached_by_its_profile_only(service: AsyncClient) -> None:
    """An exposed schema needs its profile header; one that is not exposed is refused."""
    plans = await service.schema("billing").table("plans").select("id").order("id").execute()
    assert [row["id"] for row in plans.data] == ["free", "legacy", "team"]
    assert (await refusal(service.schema("auth").table("users").select("id").execute()))[0] == "PGRST106"


async def test_what_does_not_exist_is_named(service: AsyncClient) -> None:
    """An unknown table, an unknown column to read and one to write have the codes that PostgREST gives them."""
    assert await refusal(service.table("nowhere").select("*").execute()) == (
        "PGRST205",
        "Could not find the table 'public.nowhere' in the schema cache",
    )
    assert (await refusal(service.table("orders").select("nothing").execute()))[0] == "42703"
    assert (await refusal(service.table("settings").insert({"nothing": 1}).execute()))[0] == "PGRST204"


async def test_a_new_table_is_known_at_once(service: AsyncClient, owner: AsyncConnection) -> None:
    """DDL tells the gateway by itself, as hosted."""
    await owner.execute("CREATE TABLE public.newcomers (id integer)")
    await until_known(service, "newcomers")


async def test_changing_everything_is_refused(service: AsyncClient) -> None:
    """An UPDATE or DELETE without a filter never reaches a row."""
    assert await refusal(service.table("settings").delete().execute()) == ("21000", "DELETE requires a WHERE clause")
    assert len((await service.table("settings").select("*").execute()).data) == 2


async def test_what_is_not_played_is_refused_not_ignored(gateway: GatewayStandin) -> None:
    """Grammar beyond the stand-in's ends in 400, so that nobody takes a wrong answer for a right one."""
    headers = {"apikey": gateway.service_role_key}
    asked = ["orders?or=(id.eq.1,id.eq.2)", "orders?select=id,customers(company)", "orders?id=fts.x", "rpc/add_todo"]
    asked += ['documents?select=a"b', "documents?a%2Fb=is.null"]  # such a name takes quotes
    async with httpx.AsyncClient(base_url=f"{gateway.url}/rest/v1/", headers=headers) as http:
        for path in asked:
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (400, "PGRST100"), path


# --- who may ---------------------------------------------------------------------------------------------------------


async def test_keys_are_checked(gateway: GatewayStandin) -> None:
    """No key, a wrong key, and a right key with a forged or expired bearer are all 401, each in its own words."""
    forged = gateway.service_role_key[:-3] + "AAA"
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        none = await http.get("/rest/v1/orders")
        wrong = await http.get("/rest/v1/orders", headers={"apikey": forged})
        bearer = {"apikey": gateway.anon_key, "Authorization": f"Bearer {forged}"}
        mixed = await http.get("/rest/v1/orders", headers=bearer)
        auth = await http.post("/auth/v1/token", headers={"apikey": "x"})
    assert [answer.status_code for answer in (none, wrong, mixed, auth)] == [401] * 4
    assert none.json()["message"] == "No API key found in request"
    assert wrong.json()["message"] == auth.json()["message"] == "Invalid API key"
    assert mixed.json()["code"] == "PGRST301"


async def test_row_level_security_holds_for_a_visitor(service: AsyncClient, visitor: AsyncClient) -> None:
    """The anonymous key sees no row where no policy lets it; the service key sees all."""
    assert (await visitor.table("orders").select("id").execute()).data == []
    assert len((await service.table("orders").select("id").execute()).data) == 100


async def test_a_missing_right_is_401_for_a_visitor_and_403_for_a_user(gateway: GatewayStandin) -> None:
    """42501 has one code and two statuses."""
    signed_in = gateway.sign_in_token("00000000-0000-4000-8000-000000000001")
    statuses = []
    async with httpx.AsyncClient(base_url=gateway.url, headers={"apikey": gateway.anon_key}) as http:
        for bearer in (gateway.anon_key, signed_in):
            answer = await http.get("/rest/v1/api_keys", headers={"Authorization": f"Bearer {bearer}"})
            assert answer.json()["code"] == "42501"
            statuses.append(answer.status_code)
    assert statuses == [401, 403]


async def test_a_user_acts_as_himself(gateway: GatewayStandin, owner: AsyncConnection) -> None:
    """The token's claims reach the database, where policies read them."""
    row = await (await owner.execute("SELECT user_id::text, count(*) FROM todos GROUP BY 1 LIMIT 1")).fetchone()
    assert row is not None
    headers = {"apikey": gateway.anon_key, "Authorization": f"Bearer {gateway.sign_in_token(row[0])}"}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers) as http:
        mine = (await http.get("/rest/v1/todos?select=user_id")).json()
        stolen = await http.post(
            "/rest/v1/todos", json={"title": "x", "user_id": "00000000-0000-4000-8000-000000000001"}
        )
    assert mine == [{"user_id": row[0]}] * row[1]
    assert (stolen.status_code, stolen.json()["code"]) == (403, "42501")


# --- sessions, settings and the freeze -------------------------------------------------------------------------------


async def test_sessions_persist_and_come_back(
    gateway: GatewayStandin, service: AsyncClient, owner: AsyncConnection
) -> None:
    """The same sessions serve request after request; once ended, one request pays with 503 and the next is well."""

    async def pids() -> set[int]:
        rows = await owner.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = 'authenticator'"
        )
        return {row[0] for row in await rows.fetchall()}

    before = await pids()
    for _ in range(5):
        await service.table("settings").select("*").execute()
    assert await pids() == before
    await end_sessions(owner)
    headers = {"apikey": gateway.service_role_key}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers) as http:
        # The listener reads the configuration anew when it is back and may be the one who pays.
        statuses = [(await http.get("/rest/v1/settings")).status_code for _ in range(6)]
    assert statuses.count(503) <= 1
    assert statuses[-4:] == [200] * 4
    assert not before & await pids()


async def test_a_slow_statement_is_500(gateway: GatewayStandin, owner: AsyncConnection) -> None:
    """The role's own time limit is applied, and its end is a 500 with 57014."""
    await owner.execute("CREATE VIEW public.slow AS SELECT 1 AS one FROM pg_sleep(20)")
    await owner.execute("ALTER ROLE anon SET statement_timeout = '50ms'")
    await owner.execute("NOTIFY pgrst, 'reload config'")
    try:
        async with httpx.AsyncClient(base_url=gateway.url, headers={"apikey": gateway.anon_key}, timeout=20) as http:

            async def timed_out() -> bool:
                answer = await http.get("/rest/v1/slow")
                return (answer.status_code, answer.json().get("code")) == (500, "57014")

            await until(timed_out)
    finally:
        await owner.execute("ALTER ROLE anon SET statement_timeout = '3s'")


async def test_a_soft_freeze_does_not_stop_rest(
    database: Company, service: AsyncClient, owner: AsyncConnection
) -> None:
    """With the database's default read-only and every session new, REST writes on, and Auth does not."""
    await set_default(owner, database.dbname, "SET default_transaction_read_only = on")
    await end_sessions(owner)

    async def back() -> bool:
        return await write(service) == "written"

    await until(back)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        async with await AsyncConnection.connect(database.dsn) as fresh:
            await fresh.execute("CREATE TEMP TABLE probe ()")


async def test_a_listener_that_may_not_write_hears_nothing_and_a_hook_that_is_gone_fails_every_request(
    database: Company, gateway: GatewayStandin, service: AsyncClient, owner: AsyncConnection
) -> None:
    """Under the database's default it does not come back once it was ended, `/ready` says so, and a way back that drops
    the hook leaves reads failing too; spared the default, it is back in a moment and reads all anew.
    """
    name = sql.Identifier(database.dbname)
    own = sql.SQL("ALTER ROLE authenticator IN DATABASE {} ").format(name)
    await owner.execute(
        "CREATE SCHEMA cutover_probe; GRANT USAGE ON SCHEMA cutover_probe TO PUBLIC; "
        "CREATE FUNCTION cutover_probe.gate() RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
        "IF strpos(current_setting('request.headers', true), 'x-probe') > 0 THEN RAISE 'called'; END IF; END $$"
    )
    await owner.execute(own + sql.SQL("SET pgrst.db_pre_request = {}").format(sql.Literal(_HOOK)))
    await owner.execute("NOTIFY pgrst, 'reload config'")
    key = gateway.service_role_key
    async with httpx.AsyncClient(headers={"apikey": key, "authorization": f"Bearer {key}"}) as http:

        async def hooked() -> bool:
            asked = await http.get(f"{gateway.url}/rest/v1/settings?limit=1", headers={"x-probe": "1"})
            return asked.status_code == 400

        await until(hooked)
        await set_default(owner, database.dbname, "SET default_transaction_read_only = on")
        await end_sessions(owner)

        async def ready() -> int:
            return (await http.get(f"{gateway.url}/rest-admin/v1/ready")).status_code

        async def deaf() -> bool:
            return await ready() == 503

        async def hears() -> bool:
            return await ready() == 200

        await until(deaf)
        await owner.execute(own + sql.SQL("RESET pgrst.db_pre_request"))
        await owner.execute("NOTIFY pgrst, 'reload config'")
        await owner.execute("BEGIN READ WRITE; DROP SCHEMA cutover_probe CASCADE; COMMIT")

        async def fails() -> bool:
            return (await refusal(service.table("settings").select("*").limit(1).execute()))[0] == "3F000"

        await until(fails)
        assert await deaf()
        await owner.execute(own + sql.SQL("SET default_transaction_read_only = off"))
        await until(hears)
    assert (await service.table("settings").select("*").limit(1).execute()).data
    assert await write(service) == "written"


async def test_the_hook_stops_rest_from_the_reload_on_and_not_before(
    database: Company, gateway: GatewayStandin, service: AsyncClient, visitor: AsyncClient, owner: AsyncConnection
) -> None:
    """The whole freeze and its thaw by the project's owner: written, refused with 405 and 25006, written again."""
    name = sql.Identifier(database.dbname)
    assert await write(service) == "written"
    # DDL has the gateway read everything again, the hook's name too. In one transaction it does so once, and a table of
    # that transaction shows when.
    await owner.execute(
        "CREATE SCHEMA cutover_probe; GRANT USAGE ON SCHEMA cutover_probe TO PUBLIC; "
        "CREATE FUNCTION cutover_probe.gate() RETURNS void LANGUAGE plpgsql AS $$ BEGIN"
        " IF NOT current_setting('transaction_read_only')::bool THEN RAISE 'closed' USING ERRCODE = '25006'; END IF;"
        " END $$; "
        "CREATE TABLE public.made_with_the_hook (id integer)"
    )
    await until_known(service, "made_with_the_hook")
    await owner.execute(
        sql.SQL("ALTER ROLE authenticator IN DATABASE {} SET pgrst.db_pre_request = {}").format(
            name, sql.Literal(_HOOK)
        )
    )
    await owner.execute(
        sql.SQL("ALTER ROLE authenticator IN DATABASE {} SET default_transaction_read_only = off").format(name)
    )
    await set_default(owner, database.dbname, "SET default_transaction_read_only = on")
    assert await write(service) == "written"
    await owner.execute("NOTIFY pgrst, 'reload config'")

    async def refused() -> bool:
        return await write(service) == "25006"

    await until(refused)
    await end_sessions(owner)
    await until(refused)
    assert await write(visitor) == "25006"
    assert (await service.table("settings").select("*", count="exact", head=True).execute()).count
    async with httpx.AsyncClient(headers={"apikey": gateway.service_role_key}) as http:
        nobody = await http.patch(f"{gateway.url}/rest/v1/settings?name=eq.nobody", json={"value": "x"})
        assert (nobody.status_code, nobody.json()) == (
            405,
            {"code": "25006", "details": None, "hint": None, "message": "closed"},
        )

    await set_default(owner, database.dbname, "RESET default_transaction_read_only")
    await owner.execute(sql.SQL("ALTER ROLE authenticator IN DATABASE {} RESET pgrst.db_pre_request").format(name))
    await owner.execute("NOTIFY pgrst, 'reload config'")

    async def written() -> bool:
        return await write(service) == "written"

    await until(written)
    await end_sessions(owner)
    await until(written)
    await owner.execute("DROP SCHEMA cutover_probe CASCADE")
    assert await write(service) == "written"


async def test_the_setting_in_the_database_wins(
    database: Company, service: AsyncClient, owner: AsyncConnection
) -> None:
    """A role-wide hook gives way to the one set IN DATABASE, and is back when that is reset."""
    name = sql.Identifier(database.dbname)
    for function, words in (("wide", "role-wide"), ("here", "in the database")):
        await owner.execute(
            sql.SQL("CREATE FUNCTION public.{}() RETURNS void LANGUAGE plpgsql AS {}").format(
                sql.Identifier(function), sql.Literal(f"BEGIN RAISE '{words}' USING ERRCODE = 'PT418'; END")
            )
        )

    async def says(text: str) -> None:
        async def said() -> bool:
            try:
                await service.table("settings").select("*").execute()
            except APIError as error:
                return error.message == text
            return text == "nothing"

        await owner.execute("NOTIFY pgrst, 'reload config'")
        await until(said)

    try:
        await owner.execute("ALTER ROLE authenticator SET pgrst.db_pre_request = 'public.wide'")
        await says("role-wide")
        await owner.execute(
            sql.SQL("ALTER ROLE authenticator IN DATABASE {} SET pgrst.db_pre_request = 'public.here'").format(name)
        )
        await says("in the database")
        await owner.execute(sql.SQL("ALTER ROLE authenticator IN DATABASE {} RESET pgrst.db_pre_request").format(name))
        await says("role-wide")
    finally:
        await owner.execute("ALTER ROLE authenticator RESET pgrst.db_pre_request")
    await says("nothing")


# --- Auth and Storage ------------------------------------------------------------------------------------------------


async def test_a_sign_in_writes_until_auth_is_frozen(
    database: Company, visitor: AsyncClient, gateway: GatewayStandin, owner: AsyncConnection
) -> None:
    """Auth is frozen by the default alone, once its sessions are new, and calls it an unexpected failure."""
    credentials = {"email": CANARY_EMAIL, "password": CANARY_PASSWORD}

    async def sessions_of_auth() -> int:
        counted = await (await owner.execute("SELECT count(*) FROM auth.sessions")).fetchone()
        return int(counted[0]) if counted else -1

    before = await sessions_of_auth()
    answer = await visitor.auth.sign_in_with_password(credentials)
    assert answer.user is not None
    assert answer.user.email == CANARY_EMAIL
    assert await sessions_of_auth() == before + 1
    with pytest.raises(AuthApiError, match="Invalid login credentials"):
        await visitor.auth.sign_in_with_password({"email": "nobody@people.example", "password": "x"})
    with pytest.raises(AuthApiError, match="Invalid login credentials"):
        await visitor.auth.sign_in_with_password({"email": CANARY_EMAIL, "password": "another"})
    await visitor.auth.sign_out({"scope": "local"})
    assert await sessions_of_auth() == before
    await visitor.auth.sign_in_with_password(credentials)

    await set_default(owner, database.dbname, "SET default_transaction_read_only = on")
    await end_sessions(owner)
    headers = {"apikey": gateway.anon_key}
    async with httpx.AsyncClient(headers=headers) as http:
        for _ in range(3):
            frozen = await http.post(f"{gateway.url}/auth/v1/token?grant_type=password", json=credentials)
            assert (frozen.status_code, frozen.json()) == (
                500,
                {"code": 500, "error_code": "unexpected_failure", "msg": "Database error granting user"},
            )
    assert await sessions_of_auth() == before + 1
