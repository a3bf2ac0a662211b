"""The ways in which a database can look frozen and not be, as data: how each is built, and what catches it.

The tests build and run each; docs/freeze.md is made from the same table. A way is one of three:

    before    it is there when somebody says `frozen`
    during    it happens in the quiet window
    later     it happens once the freeze counts as proven, and the watch has to see it
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from psycopg import AsyncConnection

from bot.rehearsal.company import Company

Happens = Literal["before", "during", "later"]
Act = Callable[[Company], Awaitable[None]]
Scene = Callable[[Company], AbstractAsyncContextManager[None]]

OFF = "SET default_transaction_read_only = off"
INSERT = "INSERT INTO public.settings VALUES ('cheat', 'x') ON CONFLICT (name) DO UPDATE SET value = 'y'"


@dataclass(frozen=True, kw_only=True)
class Way:
    """`caught_by` is the check whose finding fails, or that warns where `warns`; for the watch it is "". `scene` is set
    around freeze and proof when it is `early`, else only around the proof.
    """

    name: str
    caught_by: str
    first: Act | None = None
    """What happens before the freeze, when all is as ever."""
    act: Act | None = None
    scene: Scene | None = None
    early: bool = False
    happens: Happens = "before"
    warns: bool = False
    told: str = ""
    """What the finding, or the watch's clause, says among other things."""
    undo: tuple[str, ...] = field(default=())
    """Statements of a superuser that take back what is not the database's own."""


async def as_platform(source: Company, *statements: str) -> None:
    async with await AsyncConnection.connect(source.admin_dsn, autocommit=True) as session:
        await session.execute(OFF)
        for statement in statements:
            await session.execute(statement.encode())


def platform(*statements: str) -> Act:
    """A superuser's statements; `{db}` is the database."""

    async def act(source: Company) -> None:
        await as_platform(source, *(statement.replace("{db}", source.dbname) for statement in statements))

    return act


def new_session(*statements: str, **options: str) -> Act:
    """A session opened now by the project's owner, who overrides the default."""

    async def act(source: Company) -> None:
        async with await AsyncConnection.connect(source.dsn, autocommit=True, **options) as session:
            for statement in statements:
                await session.execute(statement.encode())

    return act


def open_session(*statements: str, dsn: Callable[[Company], str] = lambda source: source.dsn) -> Scene:
    """A session that stays open."""

    @asynccontextmanager
    async def scene(source: Company) -> AsyncIterator[None]:
        session = await AsyncConnection.connect(dsn(source), autocommit=True, application_name="app")
        try:
            for statement in statements:
                await session.execute(statement.encode())
            yield
        finally:
            await session.close()

    return scene


def again_and_again(statement: str, every: float) -> Scene:
    """A client that commits it so often, in one session that overrides the default."""

    @asynccontextmanager
    async def scene(source: Company) -> AsyncIterator[None]:
        async def write() -> None:
            async with await AsyncConnection.connect(source.dsn, autocommit=True) as session:
                await session.execute(OFF)
                while True:
                    await session.execute(statement.encode())
                    await asyncio.sleep(every)

        writing = asyncio.create_task(write())
        yield
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)

    return scene


@asynccontextmanager
async def _a_cron_job(source: Company) -> AsyncIterator[None]:
    """pg_cron cannot be installed here: its table, and a client that does what its worker would do."""
    job = "CREATE SCHEMA cron; CREATE TABLE cron.job (jobid bigint, schedule text, command text, active boolean); "
    job += "INSERT INTO cron.job VALUES (7, '* * * * *', 'roll_up()', true); GRANT USAGE ON SCHEMA cron TO postgres; "
    job += "GRANT SELECT ON cron.job TO postgres"
    await as_platform(source, job)
    async with again_and_again(INSERT, 0.3)(source):
        yield


def dsn_of_auth(source: Company) -> str:
    return source.auth_dsn


_HOOK = "ALTER ROLE authenticator IN DATABASE {db}"
_RELOAD = "NOTIFY pgrst, 'reload config'"
_GATE = "CREATE OR REPLACE FUNCTION cutover_freeze.gate() RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
_LAYERS_ARE_GONE = (
    "ALTER ROLE authenticator IN DATABASE {db} RESET pgrst.db_pre_request",
    "DROP SCHEMA cutover_freeze CASCADE",
    _RELOAD,
)

_REFUSES_ROWS = "CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'closed'; END $$"
_ON_EVERY_TABLE = """DO $$ DECLARE t regclass; BEGIN
  FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND NOT relispartition
  LOOP
    EXECUTE 'CREATE TRIGGER no BEFORE INSERT OR UPDATE OR DELETE ON ' || t
         || ' FOR EACH ROW EXECUTE FUNCTION public.no()';
  END LOOP;
END $$"""
_NO_RIGHTS = (
    "REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public FROM anon, authenticated, service_role, PUBLIC"
)
_WITH_ITS_OWNERS_RIGHTS = (
    "CREATE FUNCTION public.enlist(name text) RETURNS void LANGUAGE sql SECURITY DEFINER AS "
    "$$ INSERT INTO public.settings VALUES (name, 'x') $$"
)

WAYS = (
    # -- there when somebody says `frozen`
    Way(
        name="Only the database's default is set, and the kit's other layers are not",
        caught_by="api-refuses-writes",
        act=platform(*_LAYERS_ARE_GONE),
        told="because it opens its transactions READ WRITE",
    ),
    Way(
        name="The platform's own read-only mode (`ALTER SYSTEM`), which looks the same in every new session",
        caught_by="freeze-layers",
        act=platform(
            *_LAYERS_ARE_GONE,
            "ALTER DATABASE {db} RESET default_transaction_read_only",
            "ALTER SYSTEM SET default_transaction_read_only = on",
            "SELECT pg_reload_conf()",
        ),
        undo=("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"),
        told="the database's default is not read-only",
    ),
    Way(
        name="The hook of the REST gateway is missing",
        caught_by="api-refuses-writes",
        act=platform(f"{_HOOK} RESET pgrst.db_pre_request", _RELOAD),
        told="DELETE with the key anon",
    ),
    Way(
        name="Triggers that refuse each row, in the place of the hook: a write that touches no row passes",
        caught_by="api-refuses-writes",
        act=platform(*_LAYERS_ARE_GONE, _REFUSES_ROWS, _ON_EVERY_TABLE),
        told="PATCH with the key service_role",
    ),
    Way(
        name="Rights revoked from the API's roles, and a function that writes with the rights of its owner",
        caught_by="api-refuses-writes",
        act=platform(*_LAYERS_ARE_GONE, _NO_RIGHTS, _WITH_ITS_OWNERS_RIGHTS),
        told="public.enlist(name text) (anon, authenticated, service_role",
    ),
    Way(
        name="A schema `cutover_freeze` of somebody else, whose hook lets writes pass",
        caught_by="freeze-layers",
        act=platform("ALTER FUNCTION cutover_freeze.gate() OWNER TO anon"),
        told="belongs to anon, so Cutover does not trust it",
    ),
    Way(
        name="The hook was set to another function later",
        caught_by="api-hook",
        act=platform(f"{_HOOK} SET pgrst.db_pre_request = 'public.other'"),
    ),
    Way(
        name="The hook's function was replaced by one that refuses nothing",
        caught_by="api-hook",
        act=platform(f"{_GATE} END $$"),
        told="is not the one that the freeze SQL creates",
    ),
    Way(
        name="A custom JWT role: the hook refuses the roles whose keys are known, and lets every other write",
        caught_by="api-hook",
        act=platform(
            f"{_GATE} IF current_user IN ('anon', 'authenticated', 'service_role') AND NOT "
            "current_setting('transaction_read_only')::boolean "
            "THEN RAISE 'frozen' USING ERRCODE = '25006'; END IF; END $$"
        ),
        told="is not the one that the freeze SQL creates",
    ),
    Way(
        name="The hook may not be called by every role (its schema's USAGE was revoked)",
        caught_by="freeze-layers",
        act=platform("REVOKE USAGE ON SCHEMA cutover_freeze FROM PUBLIC"),
        told="not every role can call the hook",
    ),
    Way(
        name="A session of an app from before the freeze",
        caught_by="old-sessions",
        scene=open_session("SELECT 1"),
        early=True,
        told="app",
    ),
    Way(
        name="A session of Auth's pool from before the freeze",
        caught_by="old-sessions",
        scene=open_session("SELECT 1", dsn=dsn_of_auth),
        early=True,
        told=": Auth)",
    ),
    Way(
        name="A transaction from before the freeze that holds its number already, and has yet to write",
        caught_by="old-sessions",
        scene=open_session("BEGIN; SELECT pg_current_xact_id()"),
        early=True,
    ),
    Way(
        name="A role with a setting of its own that overrides the database's",
        caught_by="overrides",
        act=platform("ALTER ROLE supabase_storage_admin SET default_transaction_read_only = off"),
        undo=("ALTER ROLE supabase_storage_admin RESET default_transaction_read_only",),
        told="1 setting of roles that can log in",
    ),
    Way(
        name="The same, set for the role in this database only",
        caught_by="overrides",
        act=platform("ALTER ROLE postgres IN DATABASE {db} SET default_transaction_read_only = off"),
    ),
    Way(
        name="A function with `SET default_transaction_read_only = off`",
        caught_by="write-paths",
        act=platform(
            "CREATE FUNCTION public.roll_up() RETURNS void LANGUAGE sql SET default_transaction_read_only = off AS ''"
        ),
        warns=True,
        told="functions override the default while they run (1)",
    ),
    Way(
        name="A prepared transaction, which anybody may commit",
        caught_by="prepared-transactions",
        act=new_session(f"BEGIN READ WRITE; {INSERT}; PREPARE TRANSACTION 'cheat'"),
        undo=("ROLLBACK PREPARED 'cheat'",),
    ),
    Way(
        name="A subscription that brings in rows from another server",
        caught_by="subscriptions",
        act=platform(
            "CREATE SUBSCRIPTION cheat CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false, "
            "slot_name = 'cheat')",
            "ALTER SUBSCRIPTION cheat ENABLE",
        ),
        undo=(
            "ALTER SUBSCRIPTION cheat DISABLE",
            "ALTER SUBSCRIPTION cheat SET (slot_name = NONE)",
            "DROP SUBSCRIPTION cheat",
        ),
        told="cheat",
    ),
    Way(
        name="A live client with an open `BEGIN READ WRITE` of which nothing is committed yet",
        caught_by="quiet-window",
        scene=open_session("BEGIN READ WRITE", INSERT),
        told="is writing to public.settings",
    ),
    Way(
        name="A cron job that overrides the default (pg_cron's table, and a client in the place of its worker)",
        caught_by="quiet-window",
        scene=_a_cron_job,
        told="in public.settings",
    ),
    Way(
        name="A client that commits one row a second with `SET default_transaction_read_only = off`",
        caught_by="quiet-window",
        scene=again_and_again(INSERT, 1.0),
        told="in public.settings",
    ),
    # -- in the quiet window
    Way(
        name="A connection that overrides by its options (`-c default_transaction_read_only=off`)",
        caught_by="quiet-window",
        act=new_session(INSERT, options="-c default_transaction_read_only=off"),
        happens="during",
        told="in public.settings",
    ),
    Way(
        name="`TRUNCATE`, which no counter of rows shows",
        caught_by="quiet-window",
        act=new_session(OFF, "TRUNCATE public.session_cache"),
        happens="during",
        told="public.session_cache was truncated or rewritten",
    ),
    Way(
        name="A write to an unlogged table",
        caught_by="quiet-window",
        act=new_session(OFF, "DELETE FROM public.session_cache"),
        happens="during",
        told="in public.session_cache",
    ),
    Way(
        name="A sequence that is drawn from",
        caught_by="quiet-window",
        act=new_session(OFF, "SELECT nextval('public.ticket_numbers')"),
        happens="during",
        told="the sequence public.ticket_numbers moved",
    ),
    Way(
        name="A large object (which a read-only transaction itself lets through before PostgreSQL 16)",
        caught_by="quiet-window",
        act=new_session(OFF, "SELECT lo_from_bytea(0, 'cheat')"),
        happens="during",
        told="in pg_catalog.pg_largeobject",
    ),
    Way(
        name="DDL: a column is added",
        caught_by="quiet-window",
        act=new_session(OFF, "ALTER TABLE public.settings ADD COLUMN cheat text"),
        happens="during",
        told="tables or columns were created, changed or dropped",
    ),
    Way(
        name="`COPY` in the role of a replica, which no trigger sees",
        caught_by="quiet-window",
        act=platform(
            "SET session_replication_role = replica", "COPY public.settings FROM PROGRAM 'echo cheat,x' (FORMAT csv)"
        ),
        happens="during",
        told="1 row inserted in public.settings",
    ),
    # -- after the proof
    Way(
        name="A write that overrides, after the freeze was proven",
        caught_by="",
        act=new_session(OFF, INSERT),
        happens="later",
        told="in public.settings",
    ),
    Way(
        name="A transaction that is prepared after the proof, to be committed late",
        caught_by="",
        act=new_session(f"BEGIN READ WRITE; {INSERT}; PREPARE TRANSACTION 'late'"),
        undo=("ROLLBACK PREPARED 'late'",),
        happens="later",
        told="a prepared transaction holds a write lock on public.settings",
    ),
    Way(
        name="The default is lifted",
        caught_by="",
        act=platform("ALTER DATABASE {db} RESET default_transaction_read_only"),
        happens="later",
        told="the database's default is not read-only",
    ),
    Way(
        name="The hook is taken away",
        caught_by="",
        act=platform(f"{_HOOK} RESET pgrst.db_pre_request"),
        happens="later",
        told="has no pre-request hook",
    ),
    Way(
        name="The counters are reset, so that nothing would be seen",
        caught_by="",
        first=new_session(INSERT),
        act=platform("SELECT pg_stat_reset()"),
        happens="later",
        told="were reset, so changes in it would not be seen",
    ),
    Way(
        name="A new table",
        caught_by="",
        act=new_session(OFF, "CREATE TABLE public.cheat AS SELECT 1 AS x"),
        happens="later",
        told="tables or columns were created, changed or dropped",
    ),
)

NOT_CAUGHT = (
    (
        "A write to another database of the same server",
        "`write-paths` names the database as a warning; nobody watches it",
    ),
    ("The bytes of a file in Storage", "they are no rows; what `storage.objects` says of them is watched"),
    ("A write to another system: through a foreign table, a webhook or an app", "this database only reads for it"),
    (
        "A new session that overrides the default and changes what nobody exports",
        "only what is exported, the schema and large objects are looked at",
    ),
    ("A superuser who changes the system's catalogs by hand", "whoever may do that can also hide it"),
    (
        "Anything after `release`, or after a handover with `--once`",
        "nobody watches any more; `cutover doctor --freeze` asks again",
    ),
)
"""What no question finds, and why."""
