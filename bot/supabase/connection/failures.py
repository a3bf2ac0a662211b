"""Why a connection did not come about.

libpq gives no SQLSTATE for that, and neither do poolers, so the words decide: libpq's own, the server's, or the code
that Supavisor puts before its own. They are then dropped, since they hold hosts, users, and pieces of a password that
was not encoded. `_CAUSES` is read from the top; where several hosts or addresses were tried, the first cause found in
any of their words counts, so that the telling ones stand before "nothing answered".
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bot import obstacles
from bot.errors import CutoverError, ServiceRefused, ServiceUnreachable, UsageError
from bot.obstacles import Obstacle
from bot.supabase.connection.dsn import VERIFY

_OWN_SERVER = "for a server of your own"
_SIZES = "end sessions that are not needed or raise the pool size in the dashboard (Database, Settings), and try again"


def no_connection(words: str, unchanged: str) -> CutoverError:
    """`words` are the exception's; none of them is in the error that is returned."""
    words = words.lower()
    for pattern, error in _CAUSES:
        if re.search(pattern, words):
            return error(unchanged)
    if (code := re.search(r"\((e[a-z]{4,40})\)", words)) is not None:
        return ServiceRefused(
            f"the pooler refused the connection ({code[1].upper()})",
            unchanged=unchanged,
            do="look the code up in Supavisor's documentation, and at the project in the dashboard",
            obstacle=obstacles.DATABASE_ANSWER,
        )
    return lost(None, unchanged)


def wrong_password(unchanged: str) -> CutoverError:
    return ServiceRefused(
        "the database refused user and password",
        unchanged=unchanged,
        do="check both in SUPABASE_DB_URL; the dashboard can set a new database password",
        obstacle=obstacles.DATABASE_SETTINGS,
    )


def no_database(unchanged: str) -> CutoverError:
    return UsageError(
        "the database named in the connection string does not exist",
        unchanged=unchanged,
        do="check SUPABASE_DB_URL; a Supabase project's database is called postgres",
        obstacle=obstacles.DATABASE_SETTINGS,
    )


def none_left(unchanged: str) -> CutoverError:
    return ServiceRefused(
        "the database has no connection left",
        unchanged=unchanged,
        do="end sessions that are not needed, or raise the limit, and try again",
        obstacle=obstacles.DATABASE_FULL,
    )


def lost(code: str | None, unchanged: str) -> CutoverError:
    return ServiceUnreachable(
        f"the source database could not be reached or ended our session{f' ({code})' if code else ''}",
        unchanged=unchanged,
        do="check that the project is up and SUPABASE_DB_URL names it, then try again",
        obstacle=obstacles.DATABASE_AWAY,
    )


def _refused(happened: str, do: str, obstacle: Obstacle) -> Callable[[str], CutoverError]:
    return lambda unchanged: ServiceRefused(happened, unchanged=unchanged, do=do, obstacle=obstacle)


def _unreachable(happened: str, do: str) -> Callable[[str], CutoverError]:
    return lambda unchanged: ServiceUnreachable(happened, unchanged=unchanged, do=do, obstacle=obstacles.DATABASE_AWAY)


def _usage(happened: str, do: str) -> Callable[[str], CutoverError]:
    return lambda unchanged: UsageError(happened, unchanged=unchanged, do=do, obstacle=obstacles.DATABASE_SETTINGS)


_CAUSES: tuple[tuple[str, Callable[[str], CutoverError]], ...] = (
    # Supavisor
    (
        r"\(enotfound\)|tenant or user not found",
        _refused(
            "the pooler does not know this project or user",
            "write the user as postgres.PROJECT-REF and take the pooler's host from the dashboard",
            obstacles.DATABASE_SETTINGS,
        ),
    ),
    (
        r"\(eaddrnotallowed\)|not in tenant allow_list",
        _refused(
            "the project's network restrictions do not let this machine's address in",
            "add the address in the dashboard (Database, Settings, Network Restrictions)",
            obstacles.DATABASE_ADDRESS,
        ),
    ),
    (
        r"\(esslrequired\)|ssl connection is required",
        _usage(
            "the pooler takes encrypted connections alone, and SUPABASE_DB_URL asks for none",
            "remove sslmode from SUPABASE_DB_URL, or write sslmode=require",
        ),
    ),
    (
        r"\(ecircuitbreaker\)|too many authentication (failures|errors)",
        _refused(
            "the pooler lets nobody in for some minutes, since wrong passwords came too often",
            "correct the password in SUPABASE_DB_URL and in whatever else connects with an old one, then wait some "
            "minutes; the direct connection is not held up",
            obstacles.DATABASE_BARRED,
        ),
    ),
    (r"\(emaxconnsession\)|max clients", _refused("the pooler has no session left", _SIZES, obstacles.DATABASE_FULL)),
    (
        r"\(echeckouttimeout\)|unable to check out",
        _refused("the pooler got no connection from the database in time", _SIZES, obstacles.DATABASE_FULL),
    ),
    # TLS, and what a server may ask of us
    (
        r"server does not support ssl|server does not support encryption|unencrypted data after ssl",
        _refused(
            "the server offers no encryption, so the password was not sent",
            "check host and port in SUPABASE_DB_URL: Supabase always offers it, and somebody may be in between; "
            f"{_OWN_SERVER}, add sslmode=disable",
            obstacles.DATABASE_UNPROVEN,
        ),
    ),
    (
        r"server requested a cleartext password",
        _refused(
            "the server asked for the password itself and is not proven to be Supabase's, so it was not sent",
            f"prove it first: {VERIFY}",
            obstacles.DATABASE_UNPROVEN,
        ),
    ),
    (
        r"server requested (a hashed password|\w+ authentication)|authentication method requirement",
        _refused(
            "the server did not ask for the password by SCRAM, so it may not know it, and the connection was ended",
            "check host and port in SUPABASE_DB_URL: Supabase asks by SCRAM, and somebody may be in between; set the "
            f"role's password anew where it is an old MD5 one; {_OWN_SERVER}, add require_auth with its method",
            obstacles.DATABASE_UNPROVEN,
        ),
    ),
    (
        r"certificate for .* does not match host name",
        _refused(
            "the server's certificate is for another host name, so the password was not sent",
            "take the host name from the dashboard; if it is right, somebody is in between",
            obstacles.DATABASE_UNPROVEN,
        ),
    ),
    (
        r"certificate verify failed|self-signed certificate|certificate has expired",
        _refused(
            "the server's certificate is not signed by the one in sslrootcert, so the password was not sent",
            "download the project's certificate anew from the dashboard (Database, Settings, SSL Configuration); "
            "without sslrootcert in SUPABASE_DB_URL, look for ~/.postgresql/root.crt; if it is right, somebody is in "
            "between",
            obstacles.DATABASE_UNPROVEN,
        ),
    ),
    (
        r"root certificate file|could not read certificate file|could not load system root",
        _usage(
            "the file in sslrootcert of SUPABASE_DB_URL cannot be read as a certificate",
            "check its path and that this user may read it; it must begin with -----BEGIN CERTIFICATE",
        ),
    ),
    (
        r"invalid (\w+ value|\w+ method|value for \w+|port number|integer value|connection option)"
        r"|sslmode value .* invalid|weak sslmode",
        _usage(
            "a parameter of SUPABASE_DB_URL has a value that PostgreSQL's own clients do not know",
            "take out what stands after ? in it, or correct it; sslmode may be disable, require or verify-full",
        ),
    ),
    # The server
    (r"password authentication failed|no password supplied|invalid password", wrong_password),
    (r"database .*does not exist", no_database),
    (r"role .*does not exist", wrong_password),
    (
        r"no pg_hba.conf entry|pg_hba.conf rejects",
        _refused(
            "the database does not accept connections from here as this user",
            "allow this address in the project's network restrictions, or ask for SSL with sslmode=require",
            obstacles.DATABASE_ADDRESS,
        ),
    ),
    (r"too many clients|too many connections|remaining connection slots", none_left),
    # The network
    (
        r"resolve host|translate host name|name or service not known|no address associated",
        _unreachable(
            "the host name of the source database is not known",
            "check SUPABASE_DB_URL; a direct connection needs IPv6, the session-mode pooler has IPv4",
        ),
    ),
    (
        r"network is unreachable|no route to host|cannot assign requested address|address family not supported",
        _unreachable(
            "the source database could not be reached: this machine has no route to it",
            "take the connection string of the session-mode pooler (port 5432) from the dashboard: it has IPv4, and a "
            "direct connection needs IPv6",
        ),
    ),
    (
        r"timeout expired|timed out",
        _unreachable(
            "the source database could not be reached: it did not answer in time",
            "check that the project is up, that SUPABASE_DB_URL names it, and that nothing on the way (network "
            "restrictions, a firewall) drops connections; then try again",
        ),
    ),
)
