"""The password and the rows on their way: what somebody in between learns, and which sentence tells of him."""

from collections.abc import Iterator
from pathlib import Path
from shutil import chown
from urllib.parse import quote

import pytest

from bot.errors import CutoverError, ServiceRefused, ServiceUnreachable
from bot.rehearsal.company import Company
from bot.rehearsal.postgres import EmbeddedPostgres
from bot.supabase.connection.dsn import VERIFY, Dsn
from bot.supabase.connection.failures import no_connection
from bot.supabase.database import Database
from bot.supabase.gateway import Gateway
from tests.freeze.looking import looked
from tests.freeze.middlemen import CLEARTEXT, ELSEWHERE, MD5, OK, certificate, middleman, refusal
from tests.freeze.servers import GivenPostgres, server_of

PASSWORD = "pl4nted-password"
_BETWEEN = (
    "check host and port in SUPABASE_DB_URL: Supabase always offers it, and somebody may be in between; for a server "
    "of your own, add sslmode=disable"
)
_NO_SCRAM = "the server did not ask for the password by SCRAM, so it may not know it, and the connection was ended"


async def _refused(port: int, parameters: str = "") -> CutoverError:
    """What becomes of a session to that port."""
    dsn = f"postgresql://postgres:{PASSWORD}@{ELSEWHERE}:{port}/postgres?{parameters}"
    with pytest.raises(CutoverError) as refusal:
        await Database(dsn).connect("test")
    return refusal.value


@pytest.mark.parametrize("variable", ["", "PGSSLMODE=disable", "PGREQUIREAUTH=password", "PGGSSENCMODE=prefer"])
async def test_a_listener_without_tls_learns_no_password(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It learns nothing at all but that we want TLS, whatever the environment holds."""
    name, _, value = variable.partition("=")
    if name:
        monkeypatch.setenv(name, value)
    with middleman(CLEARTEXT) as listening:
        error = await _refused(listening.port)
    assert isinstance(error, ServiceRefused)
    assert str(error) == (
        f"the server offers no encryption, so the password was not sent; nothing was changed; {_BETWEEN}."
    )
    assert len(listening.told) == 8


@pytest.mark.parametrize(
    ("answer", "happened"),
    [
        (CLEARTEXT,
         "the server asked for the password itself and is not proven to be Supabase's, so it was not sent"),
        (MD5, _NO_SCRAM),
        (OK, _NO_SCRAM),
    ],
    ids=["cleartext", "md5", "nothing"],
)  # fmt: skip
@pytest.mark.parametrize("encrypted", [True, False], ids=["encrypted", "clear"])
async def test_nobody_is_given_the_password_or_its_hash(
    answer: bytes, happened: str, encrypted: bool, tmp_path: Path
) -> None:
    """Neither with a certificate that he made himself, nor where the connection string asks for no TLS."""
    shown = certificate(tmp_path) if encrypted else None
    with middleman(answer, shown) as listening:
        error = await _refused(listening.port, "" if encrypted else "sslmode=disable")
    assert isinstance(error, ServiceRefused)
    assert error.happened == happened
    if answer == CLEARTEXT:
        assert error.do == f"prove it first: {VERIFY}"
    assert b"postgres" in listening.told
    assert PASSWORD.encode() not in listening.told
    assert b"md5" not in listening.told


async def test_a_listener_is_not_believed_with_another_certificate(tmp_path: Path) -> None:
    """With `sslrootcert` it learns nothing, whether its certificate is another or for another name."""
    ours, theirs = certificate(tmp_path, "ours"), certificate(tmp_path, "theirs")
    named = certificate(tmp_path, "named", address="192.0.2.1")
    with middleman(CLEARTEXT, theirs) as listening:
        error = await _refused(listening.port, f"sslrootcert={ours}")
        assert error.happened == (
            "the server's certificate is not signed by the one in sslrootcert, so the password was not sent"
        )
    with middleman(CLEARTEXT, named) as other:
        error = await _refused(other.port, f"sslrootcert={named}")
        assert error.happened == "the server's certificate is for another host name, so the password was not sent"
    old = certificate(tmp_path, "old", days=-2)
    with middleman(CLEARTEXT, old) as expired:
        error = await _refused(expired.port, f"sslrootcert={old}")
        assert error.happened == (
            "the server's certificate, or the one in sslrootcert, has expired, so the password was not sent"
        )
    early = certificate(tmp_path, "early", days=3)
    with middleman(CLEARTEXT, early) as ahead:
        error = await _refused(ahead.port, f"sslrootcert={early}")
        assert error.happened == (
            "the server's certificate is not yet valid by this machine's clock, so the password was not sent"
        )
    assert PASSWORD.encode() not in listening.told + other.told


async def test_a_proven_server_may_ask_for_the_password(tmp_path: Path) -> None:
    """As Supavisor does where it has no SCRAM secret; only at verify-full."""
    shown = certificate(tmp_path)
    with middleman(CLEARTEXT, shown) as listening:
        await _refused(listening.port, f"sslrootcert={shown}&sslmode=verify-ca")
        assert PASSWORD.encode() not in listening.told
        told = await _refused(listening.port, f"sslrootcert={shown}")
        assert told.happened == "the database refused user and password"
        assert PASSWORD.encode() in listening.told


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedPostgres, Path]]:
    """A real server that takes TLS, and its certificate. The embedded one is built without it."""
    shown = certificate(tmp_path_factory.mktemp("tls"))
    with server_of("15") as server:
        if isinstance(server, GivenPostgres):
            pytest.skip("the PostgreSQL 15 that CUTOVER_TEST_DSN leads to cannot be given a certificate")
        for part in (shown, shown.with_suffix(".key")):
            kept = server.data_dir / part.name
            kept.write_bytes(part.read_bytes())
            kept.chmod(0o600)
            owner = server.data_dir.stat()
            chown(kept, owner.st_uid, owner.st_gid)
        server.sql(f"ALTER SYSTEM SET ssl_cert_file = '{shown.name}'")
        server.sql(f"ALTER SYSTEM SET ssl_key_file = '{shown.with_suffix('.key').name}'")
        server.sql("ALTER SYSTEM SET ssl = on")
        server.sql("SELECT pg_reload_conf()")
        yield server, shown


@pytest.mark.parametrize("parameters", ["", "sslmode=prefer", "sslrootcert={}"])
async def test_a_session_on_a_server_with_tls_is_encrypted(
    parameters: str, secured: tuple[EmbeddedPostgres, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the defaults and with the whole proof, also where the environment wants none."""
    server, shown = secured
    monkeypatch.setenv("PGSSLMODE", "disable")
    monkeypatch.setenv("PGSERVICE", "none-such")
    monkeypatch.setenv("PGTZ", "Nowhere/AtAll")
    said = parameters.format(shown)
    password = quote(server.password, safe="")
    dsn = f"postgresql://{server.superuser}:{password}@{ELSEWHERE}:{server.port}/postgres?{said}"
    async with Database(dsn).session("test") as session:
        cursor = await session.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert await cursor.fetchall() == [(True,)]


async def test_doctor_says_what_is_not_proven_of_the_source(source: Company, gateway: Gateway) -> None:
    """As a warning, beside all that it finds by that connection; of this machine there is nothing to prove."""
    away = source.dsn.replace("127.0.0.1", ELSEWHERE)
    found = await looked(Database(f"{away}?sslmode=disable"), gateway)
    assert found["source-tls"].verdict == "warn"
    assert found["source-tls"].evidence.startswith("SUPABASE_DB_URL asks for no encryption that holds")
    assert found["same-project"].verdict == "pass"
    assert "source-tls" not in await looked(Database(source.dsn), gateway)


@pytest.mark.parametrize(
    ("words", "happened"),
    [
        ("(ENOTFOUND) tenant/user postgres.abc not found", "the pooler does not know this project or user"),
        ("Tenant or user not found", "the pooler does not know this project or user"),
        ("(EADDRNOTALLOWED) address not in tenant allow_list: {118, 189, 189, 102}",
         "the project's network restrictions do not let this machine's address in"),
        ("(ESSLREQUIRED) SSL connection is required",
         "the pooler takes encrypted connections alone, and SUPABASE_DB_URL asks for none"),
        ("(ECIRCUITBREAKER) too many authentication failures, new connections are temporarily blocked",
         "the pooler lets nobody in for some minutes, since wrong passwords came too often"),
        ("(EMAXCONNSESSION) max clients reached in session mode - max clients are limited to pool_size: 15",
         "the pooler has no session left"),
        ("(ECHECKOUTTIMEOUT) unable to check out connection from the pool after 60000ms in Session mode",
         "the pooler got no connection from the database in time"),
        ("(ESOMETHINGNEW) pl4nted", "the pooler refused the connection (ESOMETHINGNEW)"),
    ],
)  # fmt: skip
async def test_a_poolers_refusal_is_reported_by_its_cause(words: str, happened: str, tmp_path: Path) -> None:
    """Each with what to do about it, and none with its words."""
    with middleman(refusal(words), certificate(tmp_path)) as listening:
        error = await _refused(listening.port)
    assert error.happened == happened
    assert "pl4nted" not in str(error)
    assert error.do


_DIRECT = "db.abcdefghijklmnopqrst.supabase.co"
_POOLER = "aws-0-eu-west-1.pooler.supabase.com"
_REFUSED = 'connection to server at "192.0.2.1", port 5432 failed: Connection refused'
_NO_ROUTE = 'connection to server at "2001:db8::1", port 5432 failed: Network is unreachable'


@pytest.mark.parametrize(
    ("host", "words", "happened"),
    [
        (_DIRECT, _NO_ROUTE,
         "the source database could not be reached: this machine has no IPv6 route, and the project's direct host has "
         "an IPv6 address alone"),
        ("pl4nted", "failed: No route to host",
         "the source database could not be reached: this machine has no route to its address"),
        ("pl4nted", f"{_NO_ROUTE}\n{_REFUSED}",
         "nothing listens at the host and port of SUPABASE_DB_URL (connection refused)"),
        (_DIRECT, "failed to resolve host 'pl4nted': [Errno -5] No address associated with hostname",
         "the direct host name of the source database is not known: the project ref in it is wrong, the project is "
         "paused or deleted, or this machine looks up no IPv6 addresses"),
        (_POOLER, "[Errno -2] Name or service not known",
         "the host name of Supabase's pooler in SUPABASE_DB_URL is not known"),
        ("pl4nted", "[Errno -2] Name or service not known",
         "the host name of the source database in SUPABASE_DB_URL is not known"),
        ("pl4nted", "failed to resolve host 'pl4nted': [Errno -3] Temporary failure in name resolution",
         "this machine can look up no host names at the moment, nor that of the source database"),
        ("pl4nted", "connection timeout expired",
         "the source database could not be reached: it did not answer in time"),
    ],
)  # fmt: skip
def test_a_network_without_a_way_there_is_distinguished(host: str, words: str, happened: str) -> None:
    """By where it was to lead; the host is not shown, since it may be a piece of a password."""
    error = no_connection(words, "nothing was changed", Dsn.of(f"postgresql://postgres.x:p@{host}/postgres"))
    assert isinstance(error, ServiceUnreachable)
    assert error.happened == happened
    assert "pl4nted" not in str(error)
    assert ("IPv4 add-on" in error.do) == (host == _DIRECT)


@pytest.mark.parametrize(
    ("words", "happened"),
    [
        ("FATAL:  the database system is starting up", "the database is starting up and takes no connections yet"),
        ("FATAL:  the database system is shutting down", "the database is shutting down"),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
         "the database has no connection left"),
        ('FATAL:  role "pl4nted" is not permitted to log in', "the role named in SUPABASE_DB_URL may not log in"),
        ('FATAL:  no pg_hba.conf entry for host "192.0.2.1", user "pl4nted", database "postgres", no encryption',
         "the database does not accept connections from here as this user"),
        ("max client connections reached", "the pooler has no session left"),
        ("something new pl4nted", "the source database could not be reached or ended our session"),
    ],
)  # fmt: skip
def test_what_the_server_says_is_reported_by_its_cause(words: str, happened: str) -> None:
    """Without its words, which hold names."""
    error = no_connection(words, "nothing was changed", Dsn.of("postgresql://u:p@192.0.2.1/postgres"))
    assert error.happened == happened
    assert "pl4nted" not in str(error)
