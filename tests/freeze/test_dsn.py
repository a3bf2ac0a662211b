"""The connection string: what is wrong with it, where it leads, and which TLS its sessions get."""

import os

import pytest

from bot.errors import UsageError
from bot.plan.findings import Finding
from bot.supabase.connection.dsn import Dsn, check_dsn, server_proven
from bot.supabase.database import Database

_ENCODED = "(in a password, write @ as %40, : as %3A, / as %2F, # as %23)"
_REQUIRED = {"sslmode": "require", "require_auth": "scram-sha-256", "gssencmode": "disable"}


@pytest.mark.parametrize(
    ("dsn", "problem"),
    [
        ("", "is empty"),
        ("postgresql://postgres:[YOUR-PASSWORD]@db.x.supabase.co/postgres",
         "still holds the placeholder [YOUR-PASSWORD] instead of the database password"),
        ("https://x.supabase.co", "does not begin with postgresql://"),
        ("postgresql://postgres:p%zz@host/db", f"is no PostgreSQL connection string {_ENCODED}"),
        ("postgresql:///db", "names no host"),
        ("postgresql://u:p@ss@host/db", f"holds a password that was cut off at one of its characters {_ENCODED}"),
        ("postgresql://u:p@ss/w#rd@host/db", f"holds a password that was cut off at one of its characters {_ENCODED}"),
        ("postgresql://host/db", "names no user"),
        ("postgresql://u:p@localhost/db?service=far",
         "names a service, whose file could lead anywhere; write out what the file says of it"),
        ("postgresql://u:p@host/db", None),
        ("host=host user=u password=p@ss dbname=db", None),
    ],
)  # fmt: skip
def test_a_malformed_dsn_is_told_without_being_shown(dsn: str, problem: str | None) -> None:
    """Each mistake has its clause, and no part of the DSN is in it."""
    assert check_dsn(dsn) == problem
    if problem is not None:
        with pytest.raises(UsageError) as refusal:
            Database(dsn)
        assert refusal.value.happened == f"SUPABASE_DB_URL {problem}"


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
def test_what_the_dsn_says_goes_before(said: str, options: dict[str, str], verdict: str) -> None:
    """Each parameter by itself; `sslrootcert` asks for the whole proof, and a proven server may ask for a password."""
    found = Dsn.of(f"postgresql://u:p@db.x.supabase.co/db?{said}")
    assert found.options == options
    assert _proven(found).verdict == verdict


def test_a_server_that_is_not_proven_is_told_with_where_its_certificate_is() -> None:
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
