"""The ways in which a command ends that asks a server or a service, with both streams whole: a real PostgreSQL, a
strict Stack Auth and the gateway, in this process.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from bot.artifacts import files
from bot.directory_lock import DataDirectoryLock
from bot.plan import events as e
from bot.record import EventRecord
from bot.rehearsal.company import Company
from bot.rehearsal.postgres import EmbeddedPostgres, Resting
from bot.rehearsal.standins.gateway import GatewayStandin
from bot.rehearsal.standins.stackauth import StackAuthStandin
from bot.supabase.freeze import kit
from tests.plan.histories import night_at
from tests.terminal.conftest import Session, journaled, must_match
from tests.terminal.in_a_thread import in_a_thread
from tests.users.conftest import AT, KEY, PROJECT, Night, user_row

_REF = "abcdefghijklmnopqrst"
_AMOUNTS = {
    r"PostgreSQL [\d.]+": "PostgreSQL VERSION",
    r"20\d\d-\d\d-\d\d( \d\d:\d\d| HH:MM:SS)?": "DATE",
    r"\d+ (s|min)\b|less than 1 s": "TIME",
    r"[\d.,]+ (kB|MB)": "SIZE",
    r"pid \d+": "pid PID",
    r"freeze_\w+_\d+": "DATABASE",
}


def _amounts_masked(text: str) -> str:
    for pattern, word in _AMOUNTS.items():
        text = re.sub(pattern, word, text)
    return text


@pytest.fixture(scope="module")
def server(two_companies: Resting) -> Iterator[EmbeddedPostgres]:
    """Of these tests' own: they freeze and thaw, which is the server's as well."""
    with EmbeddedPostgres(settings={"autovacuum": "off"}, like=two_companies) as running:
        yield running


@pytest.fixture
def source(server: EmbeddedPostgres) -> Iterator[Company]:
    """A small company, dropped afterwards."""
    copy = Company(server=server, dbname="small_company").clone("company_of_exits")
    yield copy
    server.sql("ALTER ROLE authenticator RESET pgrst.db_pre_request")
    copy.drop()


def _freeze(source: Company) -> None:
    """As people do it who paste the kit. It ends by ending its own session."""
    with pytest.raises(psycopg.OperationalError), psycopg.connect(source.dsn, autocommit=True) as session:
        session.execute(kit.freeze_sql())
        session.execute("SELECT 1")
        raise psycopg.OperationalError


def test_practice(session: Session, source: Company) -> None:
    """0 with what the night will take; its progress on stderr, none with --quiet."""
    loud = session.type("", "practice", SUPABASE_DB_URL=source.dsn)
    assert loud.err.startswith("export: ")
    shown = Session(session.cutover, Path.cwd())
    quiet = shown.type("", "practice", "--quiet", SUPABASE_DB_URL=source.dsn)
    assert (loud.code, quiet.code, quiet.err) == (0, 0, "")
    said, times = re.sub(r"(?s)  longest.*?(?=  left out)", "", shown.whole).split("  time  ")
    # How long it took decides where these lines are broken.
    must_match("exits/practice.txt", _amounts_masked(f"{said}  time  {' '.join(times.split())}"))


def test_thaw(session: Session, source: Company) -> None:
    """0 when Supabase writes again, also where nothing was frozen; 3 when it does not, since it was read-only before; 5
    when the public API could not be asked.
    """
    settings = {"SUPABASE_DB_URL": source.dsn}
    session.type("nothing is frozen", "thaw", **settings)
    _freeze(source)
    session.type("frozen: what it would do", "thaw", "--check", **settings)
    api = {"SUPABASE_URL": "http://example.org", "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_of_no_value"}
    session.type("frozen, and the address of the public API is wrong", "thaw", **settings, **api)
    _freeze(source)
    standin = GatewayStandin(
        source.authenticator_dsn, "s" * 40, _REF, auth_dsn=source.auth_dsn, storage_dsn=source.storage_dsn
    )
    with in_a_thread(standin) as gateway:
        api = {"SUPABASE_URL": gateway.url, "SUPABASE_SERVICE_ROLE_KEY": gateway.service_role_key}
        session.type("frozen, with the public API", "thaw", **settings, **api)
    with psycopg.connect(source.admin_dsn, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {source.dbname} SET default_transaction_read_only = on")
        admin.execute("SET default_transaction_read_only = off")
        try:
            _freeze(source)
            session.type("read-only before the freeze", "thaw", **settings)
        finally:
            admin.execute(f"ALTER DATABASE {source.dbname} RESET default_transaction_read_only")
    assert session.codes == {0, 3, 5}
    must_match("exits/thaw.txt", _amounts_masked(session.whole))


def test_abort(session: Session, source: Company, tmp_path: Path) -> None:
    """0 when the run is aborted and Supabase writes again, 3 when it is aborted already."""
    data = journaled(night_at("export waits"), tmp_path / "data")
    settings = {"SUPABASE_DB_URL": source.dsn, "MIGRATION_DATA_DIR": str(data)}
    _freeze(source)
    session.type("frozen", "abort", "--yes", **settings)
    session.type("once more", "abort", "--yes", **settings)
    session.type("what is left to see", "status", **settings)
    assert session.codes == {0, 3}
    must_match("exits/abort.txt", _amounts_masked(session.whole))


@asynccontextmanager
async def _stack_auth() -> AsyncIterator[StackAuthStandin]:
    standin = StackAuthStandin(PROJECT, KEY, retry_after_seconds=0, conflict_seconds=0.01)
    await standin.start()
    try:
        yield standin
    finally:
        await standin.stop()


def test_undo_users(session: Session, tmp_path: Path) -> None:
    """0 when they were shown or removed, with the progress on stderr; 4 beside another Cutover, 5 when Stack Auth
    refuses us.
    """
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with in_a_thread(_stack_auth()) as service:
        night = Night(data, service)
        night.export([user_row(n) for n in range(1, 8)])
        asyncio.run(night.migrate())
        record = EventRecord.open(data)
        record.append([night.run().opened, e.RunAborted(at=AT)])
        record.close()
        settings = {
            "STACK_AUTH_PROJECT_ID": PROJECT,
            "STACK_AUTH_SECRET_KEY": KEY,
            "STACK_AUTH_API_URL": service.url,
            "MIGRATION_DATA_DIR": str(data),
        }
        session.type("they are shown", "undo-users", **settings)
        with DataDirectoryLock.take(data):
            session.type("another Cutover works there", "undo-users", "--yes", **settings)
        session.type("they are removed", "undo-users", "--yes", **settings)
        session.type("nobody is left", "undo-users", "--yes", "--quiet", **settings)
        session.type("with another key", "undo-users", **settings | {"STACK_AUTH_SECRET_KEY": "ssk_of_nobody"})
    assert session.codes == {0, 4, 5}
    assert (data / files.UNDO).exists()
    must_match("exits/undo-users.txt", _amounts_masked(session.whole))
