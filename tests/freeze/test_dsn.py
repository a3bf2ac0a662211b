"""The connection string: what is wrong with it, where it leads, and which TLS its sessions get."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.connection_string import CUT_OFF, check_dsn
from bot.errors import UsageError
from bot.plan.findings import Finding
from bot.supabase.connection.dsn import Dsn, server_proven
from bot.supabase.database import Database
from tests.freeze.middlemen import certificate

_REQUIRED = {"sslmode": "require", "require_auth": "scram-sha-256", "gssencmode": "disable"}


_POOLER = "aws-0-eu-west-1.pooler.supabase.com"
_PERCENT = "holds a % without two hex digits behind it; write % as %25, also in a password"
_NO_PAIRS = "is not a list of key=value; put a value that holds a space into single quotes"
_NO_FORM = (
    "is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE (in a password, write @ as %40, : as %3A, "
    "/ as %2F, # as %23, ? as %3F, % as %25)"
)


@pytest.mark.parametrize(
    ("dsn", "problem"),
    [
        ("", "is empty"),
        ("postgresql://u:p@pl4nted\0pl4nted@host/db", "holds a NUL character; copy it again"),
        ("postgresql://postgres:[YOUR-PASSWORD]@db.x.supabase.co/postgres",
         "still holds [YOUR-PASSWORD] in place of the database password"),
        ("postgresql://postgres:pl4nted@db.[YOUR-REF].supabase.co/postgres",
         "still holds a placeholder in place of the project's ref; copy the connection string from the dashboard"),
        ("https://x.supabase.co", "does not begin with postgresql://"),
        ("jdbc:postgresql://host/db", "does not begin with postgresql://"),
        ("host", "does not begin with postgresql://"),
        ("host=host user=u password=pl4nted with spaces", _NO_PAIRS),
        ("host='host", _NO_PAIRS),
        ("postgresql://postgres:p%zz@host/db", _PERCENT),
        ("postgresql://postgres:pl4nted%@host/db", _PERCENT),
        ("postgresql://postgres:pl4nted ted@host/db", "holds a space; write it as %20"),
        ("postgresql://u:p@[::1/db", _NO_FORM),
        ("postgresql:///db", "names no host"),
        ("postgresql://u:p@pl4nted..supabase.co/db", "names a host that cannot be one"),
        (f"postgresql://u:p@{'pl4nted' * 10}/db", "names a host that cannot be one"),
        ("postgresql://u:p@host:0/db", "names a port that is not a number from 1 to 65535"),
        ("postgresql://u:p@host:pl4nted/db", "names a port that is not a number from 1 to 65535"),
        ("postgresql://u:p@ss@host/db", CUT_OFF),
        ("postgresql://u:p@ss/w#rd@host/db", CUT_OFF),
        ("postgresql://u:p/pl4nted@host/db", CUT_OFF),
        ("postgresql://u:p@pl4nted?pl4nted@host/db", CUT_OFF),
        ("postgresql://u:p@pl4nted?pl4nted=x@host/db", CUT_OFF),
        ("postgresql://u:p@12:pl4nted@host/db", CUT_OFF),
        ("postgresql://u:p@pl4nted%s/x@host/db", CUT_OFF),
        ("postgresql://host/db", "names no user"),
        ("postgresql://u:p@localhost/db?service=far",
         "names a service, whose file could lead anywhere; write out what the file says of it"),
        ("postgresql://u:p@host/db?pgbouncer=true",
         "holds pgbouncer=…, which is a parameter of Prisma and not of PostgreSQL; remove it"),
        ("postgresql://u:p@host/db?sslmode=require&schema=public",
         "holds schema=…, which is a parameter of Prisma and not of PostgreSQL; remove it"),
        ("postgresql://u:p@host/db?sslmod=require",
         "holds a parameter that PostgreSQL does not know; did you mean sslmode?"),
        ("postgresql://u:p@host/db?pl4nted=1", "holds a parameter after ? that PostgreSQL does not know; remove it"),
        ("postgresql://u:p@host/db?sslmode",
         "holds the parameter sslmode without a value; write sslmode=VALUE or remove it"),
        ("postgresql://u:p@host/db?sslmode=no-verify",
         "holds a value of sslmode that PostgreSQL does not know; it takes disable, allow, prefer, require, verify-ca, "
         "verify-full"),
        ("postgresql://u:p@host/db?connect_timeout=pl4nted",
         "holds a value of connect_timeout that is not a whole number"),
        ("postgresql://u:p@host/db?sslrootcert=/none/such.crt",
         "names a file in sslrootcert that does not exist; download the certificate from the dashboard (Database, "
         "Settings, SSL Configuration)"),
        ("postgresql://u:p@host/db?sslrootcert=/etc/hostname",
         "names a file in sslrootcert that holds no certificate; it must begin with -----BEGIN CERTIFICATE"),
        (f"postgresql://postgres.abc:p@{_POOLER}:6543/postgres",
         "leads to a pooler in transaction mode, where settings, locks and snapshots do not hold; take the direct "
         "connection or the session-mode pooler (port 5432) from the dashboard"),
        (f"postgresql://postgres:p@{_POOLER}:5432/postgres",
         "leads to Supabase's pooler, where the user is postgres.PROJECT-REF, and names a user without the ref"),
        ("postgresql://postgres.abc:p@db.abc.supabase.co:5432/postgres",
         "leads to the project's direct host, where the user is postgres, and names the pooler's user postgres.REF"),
    ],
)  # fmt: skip
def test_a_malformed_dsn_is_reported_without_being_shown(dsn: str, problem: str) -> None:
    """Each mistake has its clause, and no part of the DSN but a parameter's known name is in it."""
    assert check_dsn(dsn) == problem
    assert "pl4nted" not in problem
    with pytest.raises(UsageError) as refusal:
        Database(dsn)
    assert refusal.value.happened == f"SUPABASE_DB_URL {problem}"


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:p@host/db",
        "postgresql://u:pa?ss@host/db",
        "postgresql://u:[pass]@host/db",
        "postgresql://u:pa[ss@host/db",
        "postgresql://u:p#s:s$%25{x}@host:5432,other:5433/db",
        "postgresql://u:p@host/db?options=-c%20geqo%3Doff",
        "postgresql://u:p@host/db?ssl=true&application_name=a@b",
        "postgresql://u@%2Fvar%2Frun/db",
        "postgres://u:p@[fe80::abcd]/db",
        "host=host user=u password=p@ss dbname=db",
        "host=host user=u password='p /@ ss'",
        f"postgresql://postgres:p@{_POOLER}/postgres?options=reference%3Dabc",
    ],
)
def test_what_psql_takes_is_taken(dsn: str) -> None:
    """Whatever a password holds, in either form."""
    assert check_dsn(dsn) is None


@given(before=st.text(), between=st.text(), after=st.text(), mark=st.sampled_from("@/"))
def test_no_piece_of_a_password_is_ever_in_a_sentence(before: str, between: str, after: str, mark: str) -> None:
    """Also where one of its own characters ends it too early: then that is the sentence."""
    told = check_dsn(
        f"postgresql://postgres:{before}pl4nted{mark}pl4nted{between}pl4nted{after}@127.0.0.1:5432/postgres"
    )
    assert told is not None
    assert "pl4nted" not in told


def test_the_home_is_found_for_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libpq itself does not know `~`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    shown = certificate(tmp_path)
    found = Dsn.of(f"postgresql://u:p@db.x.supabase.co/db?sslrootcert=~/{shown.name}")
    assert found.options["sslrootcert"] == str(shown)
    assert found.sslmode == "verify-full"


def test_a_shorter_wait_is_kept_and_a_longer_is_not() -> None:
    """`connect_timeout` may shorten what a look waits for a server that says nothing."""
    waits = {
        seconds: Dsn.of(f"postgresql://u:p@h/db?connect_timeout={seconds}").connects_within(15)
        for seconds in (0, 2, 60)
    }
    assert waits == {0: 15, 2: 2, 60: 15}


def _proven(dsn: Dsn) -> Finding:
    found = server_proven(dsn)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "places",
    [
        "localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]", "%2Fvar%2Frun%2Fpostgresql", "localhost,127.0.0.1",
        "db.x.supabase.co/db?hostaddr=127.0.0.1",
    ],
)  # fmt: skip
def test_this_machine_alone_is_asked_for_no_tls(places: str) -> None:
    """A socket, localhost, 127/8 and ::1, by name or by the address that goes before the name."""
    found = Dsn.of(f"postgresql://u:p@{places}")
    assert found.is_this_machine
    assert found.options == {}
    assert server_proven(found) is None


@pytest.mark.parametrize(
    "places",
    [
        "db.x.supabase.co", "localhost.example.com", "localhost,db.x.supabase.co", "127.0.0.1,10.0.0.1", "128.0.0.1",
        "localhost/db?hostaddr=10.0.0.1", "localhost,localhost/db?hostaddr=127.0.0.1,10.0.0.1", "127.1", "[::2]",
        "localhost/db?host=db.x.supabase.co", "0.0.0.0", "localhost,", "[::ffff:10.0.0.1]",
    ],
)  # fmt: skip
def test_any_other_place_gets_tls_and_scram(places: str) -> None:
    """Also where one host of a list is another machine, or an address or a parameter leads away from a local name."""
    found = Dsn.of(f"postgresql://u:p@{places}")
    assert not found.is_this_machine
    assert found.options == _REQUIRED


@pytest.mark.parametrize(
    ("said", "options", "verdict"),
    [
        ("sslrootcert=/ca.crt",
         {"sslmode": "verify-full", "require_auth": "scram-sha-256,password", "gssencmode": "disable"}, "pass"),
        ("sslmode=verify-full&sslrootcert=system",
         {"require_auth": "scram-sha-256,password", "gssencmode": "disable"}, "pass"),
        ("sslmode=verify-ca&sslrootcert=/ca.crt", {"require_auth": "scram-sha-256", "gssencmode": "disable"}, "warn"),
        ("sslmode=require&sslrootcert=/ca.crt", {"require_auth": "scram-sha-256", "gssencmode": "disable"}, "warn"),
        ("sslmode=disable", {"require_auth": "scram-sha-256", "gssencmode": "disable"}, "warn"),
        ("require_auth=md5", {"sslmode": "require", "gssencmode": "disable"}, "warn"),
        ("sslmode=&require_auth=", _REQUIRED, "warn"),
    ],
)  # fmt: skip
def test_what_the_dsn_says_goes_before(said: str, options: dict[str, str], verdict: str, tmp_path: Path) -> None:
    """Each parameter by itself; `sslrootcert` asks for the whole proof, and a proven server may ask for a password."""
    said = said.replace("/ca.crt", str(certificate(tmp_path)))
    found = Dsn.of(f"postgresql://u:p@db.x.supabase.co/db?{said}")
    assert found.options == options
    assert _proven(found).verdict == verdict


def test_a_server_that_is_not_proven_is_reported_with_where_its_certificate_is() -> None:
    """Encrypted is not proven; and not encrypted is said as that."""
    where = (
        "download the project's certificate from the dashboard (Database, Settings, SSL Configuration) and add "
        "sslrootcert=/path/to/it to SUPABASE_DB_URL, with & after other parameters and ? before the first; that asks "
        "for verify-full"
    )
    encrypted = _proven(Dsn.of("postgresql://u:p@db.x.supabase.co/db"))
    assert (encrypted.check, encrypted.evidence, encrypted.fix) == (
        "source-tls",
        "The connection to the database is encrypted, but the server is not proven to be Supabase's (sslmode=require): "
        "somebody between here and there could answer in its place.",
        where,
    )
    clear = _proven(Dsn.of("postgresql://u:p@db.x.supabase.co/db?sslmode=prefer"))
    assert (clear.evidence, clear.fix) == (
        "SUPABASE_DB_URL asks for no encryption that holds (sslmode=prefer): somebody between here and there can read "
        "every row and answer in the server's place.",
        f"remove sslmode=prefer, then {where}",
    )


def test_the_environment_says_nothing_to_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable but a password's is left for it once there is a database to ask."""
    for name in ("PGSSLMODE", "PGREQUIREAUTH", "PGSERVICE", "PGHOSTADDR", "PGOPTIONS", "PGTZ", "PGSOMETHINGNEW"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PGPASSWORD", "kept")
    Database("postgresql://u@localhost/db")
    assert {name for name in os.environ if name.startswith("PG")} == {"PGPASSWORD"}
