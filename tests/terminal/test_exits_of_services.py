"""The ways in which a command ends that asks a server or a service, with both streams whole: a real PostgreSQL, a
strict Stack Auth and the gateway, in this process.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
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
from tests import preloaded
from tests.plan.histories import night_at
from tests.terminal.conftest import Session, Told, amounts_masked, journaled, must_match
from tests.terminal.in_a_thread import in_a_thread
from tests.terminal.test_exits import damaged
from tests.users.conftest import AT, KEY, PROJECT, Night, user_row

_REF = "abcdefghijklmnopqrst"


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
    # In a directory of its own: those that have none are named by the second.
    loud = session.type("", "practice", "loud", SUPABASE_DB_URL=source.dsn)
    assert loud.err.startswith("export: ")
    shown = Session(session.cutover, Path.cwd())
    quiet = shown.type("", "practice", "--quiet", SUPABASE_DB_URL=source.dsn)
    assert (loud.code, quiet.code, quiet.err) == (0, 0, "")
    said, times = re.sub(r"(?s)  longest.*?(?=  left out)", "", shown.whole).split("  time  ")
    # How long it took decides where these lines are broken.
    must_match("exits/practice.txt", amounts_masked(f"{said}  time  {' '.join(times.split())}"))


def _gateway(source: Company) -> GatewayStandin:
    return GatewayStandin(
        source.authenticator_dsn, "s" * 40, _REF, auth_dsn=source.auth_dsn, storage_dsn=source.storage_dsn
    )


@contextmanager
def _read_only(source: Company) -> Iterator[None]:
    """The database's default, as the platform sets it."""
    with psycopg.connect(source.admin_dsn, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {source.dbname} SET default_transaction_read_only = on")
        admin.execute("SET default_transaction_read_only = off")
        try:
            yield
        finally:
            admin.execute(f"ALTER DATABASE {source.dbname} RESET default_transaction_read_only")


def test_doctor_freeze(session: Session, source: Company) -> None:
    """0 when the freeze is proven, 3 when it is not."""
    with in_a_thread(_gateway(source)) as gateway:
        settings = {
            "SUPABASE_DB_URL": source.dsn,
            "SUPABASE_URL": gateway.url,
            "SUPABASE_SERVICE_ROLE_KEY": gateway.service_role_key,
            "CUTOVER__FREEZE__QUIET_SECONDS": "1",
        }
        session.type("nothing is frozen", "doctor", "--freeze", **settings)
        _freeze(source)
        session.type("frozen", "doctor", "--freeze", **settings)
    assert session.codes == {0, 3}
    must_match("exits/doctor-freeze.txt", amounts_masked(session.whole))


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
    with in_a_thread(_gateway(source)) as gateway:
        api = {"SUPABASE_URL": gateway.url, "SUPABASE_SERVICE_ROLE_KEY": gateway.service_role_key}
        session.type("frozen, with the public API", "thaw", **settings, **api)
    with _read_only(source):
        _freeze(source)
        session.type("read-only before the freeze: what it would do", "thaw", "--check", **settings)
        session.type("read-only before the freeze", "thaw", **settings)
    assert session.codes == {0, 3, 5}
    must_match("exits/thaw.txt", amounts_masked(session.whole))


def test_abort(session: Session, source: Company, tmp_path: Path) -> None:
    """3 when Supabase does not write after it, 0 when the run is aborted and Supabase writes again, 3 when it is
    aborted already.
    """
    data = journaled(night_at("export waits"), tmp_path / "data")
    settings = {"SUPABASE_DB_URL": source.dsn, "MIGRATION_DATA_DIR": str(data)}
    with _read_only(source):
        _freeze(source)
        session.type("read-only before the freeze", "abort", "--yes", **settings)
    _freeze(source)
    session.type("frozen", "abort", "--yes", **settings)
    session.type("once more", "abort", "--yes", **settings)
    session.type("what is left to see", "status", **settings)
    assert session.codes == {0, 3}
    must_match("exits/abort.txt", amounts_masked(session.whole))


def test_a_rehearsal_that_does_not_go_as_written(session: Session, tmp_path: Path) -> None:
    """3, with where to look: here its bot refuses the journal that it finds."""
    directory = damaged(tmp_path / "data")
    arguments = ("rehearse", "--auto", "--users", "60", "--rows", "1000")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    environment = {**kept, "MIGRATION_DATA_DIR": str(directory), "COLUMNS": "80"}
    told = preloaded.run(*arguments, cwd=tmp_path, env=environment)
    session.note("in the directory of a run whose journal is damaged", arguments, Told(*told))
    assert session.codes == {3}
    must_match("exits/rehearse_otherwise.txt", amounts_masked(session.whole))


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
    must_match("exits/undo-users.txt", amounts_masked(session.whole))
