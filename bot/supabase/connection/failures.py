"""Why a connection did not come about.

libpq gives no SQLSTATE for that, and neither do poolers, so the words decide: libpq's own, the server's, or the code
that Supavisor puts before its own. They are then dropped, since they hold hosts, users, and pieces of a password that
was not encoded. `_CAUSES` is read from the top; where several hosts or addresses were tried, the first cause found in
any of their words counts, so that the telling ones come before "nothing answered".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from bot import obstacles
from bot.errors import CutoverError, ServiceRefused, ServiceUnreachable, UsageError
from bot.obstacles import Obstacle
from bot.project_ref import direct_ref, is_pooler
from bot.supabase.connection.dsn import VERIFY, Dsn

_OWN_SERVER = "for a server of your own"
_SIZES = "end sessions that are not needed or raise the pool size in the dashboard (Database, Settings), and try again"
_SESSION_POOLER = (
    "take the connection string of the session-mode pooler (port 5432) from the dashboard, since it has IPv4, or "
    "switch on the project's IPv4 add-on"
)
_NEW_CERTIFICATE = "download the project's certificate anew from the dashboard (Database, Settings, SSL Configuration)"
UNVERIFIED = "certificate verify failed"
"""libpq's words for a certificate that it does not take, whatever is wrong with it."""


@dataclass(frozen=True)
class _Cause:
    """`happened` and `do` are clauses; `kind` is the class of the error."""

    kind: type[CutoverError]
    happened: str
    do: str
    obstacle: Obstacle

    def error(self, unchanged: str) -> CutoverError:
        return self.kind(self.happened, unchanged=unchanged, do=self.do, obstacle=self.obstacle)


def no_connection(words: str, unchanged: str, dsn: Dsn) -> CutoverError:
    """`words` are the exception's; none of them is in the error that is returned."""
    words = words.lower()
    for pattern, cause in _CAUSES:
        if re.search(pattern, words):
            return (cause if isinstance(cause, _Cause) else cause(dsn)).error(unchanged)
    if (code := re.search(r"\((e[a-z]{4,40})\)", words)) is not None:
        return ServiceRefused(
            f"the pooler refused the connection ({code[1].upper()})",
            unchanged=unchanged,
            do="look the code up in Supavisor's documentation, and at the project in the dashboard",
            obstacle=obstacles.DATABASE_ANSWER,
        )
    return lost(None, unchanged)


def wrong_password(unchanged: str) -> CutoverError:
    return _WRONG_PASSWORD.error(unchanged)


def no_database(unchanged: str) -> CutoverError:
    return _NO_DATABASE.error(unchanged)


def none_left(unchanged: str) -> CutoverError:
    return _NONE_LEFT.error(unchanged)


def lost(code: str | None, unchanged: str) -> CutoverError:
    return ServiceUnreachable(
        f"the source database could not be reached or ended our session{f' ({code})' if code else ''}",
        unchanged=unchanged,
        do="check that the project is up and SUPABASE_DB_URL names it, then try again",
        obstacle=obstacles.DATABASE_AWAY,
    )


def _refused(happened: str, do: str, obstacle: Obstacle) -> _Cause:
    return _Cause(ServiceRefused, happened, do, obstacle)


def _unreachable(happened: str, do: str) -> _Cause:
    return _Cause(ServiceUnreachable, happened, do, obstacles.DATABASE_AWAY)


def _usage(happened: str, do: str) -> _Cause:
    return _Cause(UsageError, happened, do, obstacles.DATABASE_SETTINGS)


_WRONG_PASSWORD = _refused(
    "the database refused user and password",
    "check both in SUPABASE_DB_URL; the dashboard can set a new database password",
    obstacles.DATABASE_SETTINGS,
)
_NO_DATABASE = _usage(
    "the database named in the connection string does not exist",
    "check SUPABASE_DB_URL; a Supabase project's database is called postgres",
)
_NONE_LEFT = _refused(
    "the database has no connection left",
    "end sessions that are not needed, or raise the limit, and try again",
    obstacles.DATABASE_FULL,
)


def _no_name(dsn: Dsn) -> _Cause:
    if direct_ref(dsn.parts) is not None:
        return _unreachable(
            "the direct host name of the source database is not known: the project ref in it is wrong, the project is "
            "paused or deleted, or this machine looks up no IPv6 addresses",
            f"check the project in the dashboard and the host in SUPABASE_DB_URL; if both are right, {_SESSION_POOLER}",
        )
    where = "of Supabase's pooler" if is_pooler(dsn.parts) else "of the source database"
    return _unreachable(
        f"the host name {where} in SUPABASE_DB_URL is not known",
        "copy the connection string from the dashboard again; in a password, write @ as %40 and / as %2F, or a piece "
        "of it is taken for the host",
    )


def _no_route(dsn: Dsn) -> _Cause:
    if direct_ref(dsn.parts) is not None:
        return _unreachable(
            "the source database could not be reached: this machine has no IPv6 route, and the project's direct host "
            "has an IPv6 address alone",
            _SESSION_POOLER,
        )
    return _unreachable(
        "the source database could not be reached: this machine has no route to its address",
        "check this machine's network (VPN, IPv6) and the host in SUPABASE_DB_URL, then try again",
    )


def _not_allowed_in(dsn: Dsn) -> _Cause:
    if dsn.sslmode in {"disable", "allow"}:
        return _usage(
            "the database does not accept this user without encryption from here, and SUPABASE_DB_URL asks for none",
            "remove sslmode from SUPABASE_DB_URL, or write sslmode=require",
        )
    return _refused(
        "the database does not accept connections from here as this user",
        "allow this address in the project's network restrictions (dashboard: Database, Settings)",
        obstacles.DATABASE_ADDRESS,
    )


_CAUSES: tuple[tuple[str, _Cause | Callable[[Dsn], _Cause]], ...] = (
    # Supavisor
    (
        r"\(enotfound\)|tenant or user not found|no tenant identifier",
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
    (
        r"\(emaxconnsession\)|max clients|max client connections",
        _refused("the pooler has no session left", _SIZES, obstacles.DATABASE_FULL),
    ),
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
        r"certificate has expired",
        _refused(
            "the server's certificate, or the one in sslrootcert, has expired, so the password was not sent",
            f"{_NEW_CERTIFICATE}, and check this machine's clock",
            obstacles.DATABASE_UNPROVEN,
        ),
    ),
    (
        r"certificate is not yet valid",
        _refused(
            "the server's certificate is not yet valid by this machine's clock, so the password was not sent",
            "set the clock of this machine",
            obstacles.DATABASE_UNPROVEN,
        ),
    ),
    (
        rf"{UNVERIFIED}|self-signed certificate",
        _refused(
            "the server's certificate is not signed by the one in sslrootcert, so the password was not sent",
            f"{_NEW_CERTIFICATE}; without sslrootcert in SUPABASE_DB_URL, look for ~/.postgresql/root.crt; if it is "
            "right, somebody is in between",
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
        r"invalid (\w+ value|\w+ method|value for \w+|port number|integer value|connection option|\"\w+\" value)"
        r"|sslmode value .* invalid|weak sslmode",
        _usage(
            "a parameter of SUPABASE_DB_URL has a value that PostgreSQL's own clients do not know",
            "take out what follows ? in it, or correct it",
        ),
    ),
    # The server
    (
        r"the database system is (starting up|not yet accepting|not accepting|in recovery)|recovery mode",
        _unreachable("the database is starting up and takes no connections yet", "wait a minute, then try again"),
    ),
    (
        r"the database system is shutting down",
        _unreachable(
            "the database is shutting down",
            "wait until the project is up again in the dashboard, then try again",
        ),
    ),
    (r"password authentication failed|invalid password", _WRONG_PASSWORD),
    (
        r"no password supplied",
        _refused(
            "the database asks for a password, and SUPABASE_DB_URL holds none",
            "add it behind the user: postgresql://USER:PASSWORD@…",
            obstacles.DATABASE_SETTINGS,
        ),
    ),
    (r"database .*does not exist", _NO_DATABASE),
    (
        r"role .*does not exist",
        _refused(
            "the role named in SUPABASE_DB_URL does not exist",
            "write the user postgres; behind the pooler, postgres.PROJECT-REF",
            obstacles.DATABASE_SETTINGS,
        ),
    ),
    (
        r"role .*is not permitted to log in",
        _refused(
            "the role named in SUPABASE_DB_URL may not log in",
            "write the user postgres; behind the pooler, postgres.PROJECT-REF",
            obstacles.DATABASE_SETTINGS,
        ),
    ),
    (r"no pg_hba.conf entry|pg_hba.conf rejects", _not_allowed_in),
    (r"too many clients|too many connections|remaining connection slots", _NONE_LEFT),
    (
        r"not currently accepting connections",
        _refused(
            "the database named in SUPABASE_DB_URL takes no connections",
            "name the project's database, which is called postgres",
            obstacles.DATABASE_SETTINGS,
        ),
    ),
    # Somebody else
    (
        r"invalid response to ssl negotiation|expected authentication request|wrong version number",
        _refused(
            "what answers at the host and port of SUPABASE_DB_URL is not PostgreSQL",
            "correct host and port; Supabase's database and its session-mode pooler listen on port 5432",
            obstacles.DATABASE_SETTINGS,
        ),
    ),
    # The network
    (
        r"temporary failure in name resolution",
        _unreachable(
            "this machine can look up no host names at the moment, nor that of the source database",
            "check this machine's network and its DNS servers, then try again",
        ),
    ),
    (r"resolve host|translate host name|name or service not known|no address associated", _no_name),
    (
        r"connection refused",
        _unreachable(
            "nothing listens at the host and port of SUPABASE_DB_URL (connection refused)",
            "check both, and that the database is up, then try again",
        ),
    ),
    (
        r"network is unreachable|no route to host|cannot assign requested address|address family not supported",
        _no_route,
    ),
    (
        r"timeout expired|timed out",
        _unreachable(
            "the source database could not be reached: it did not answer in time",
            "check that the project is up, that SUPABASE_DB_URL names it, and that nothing on the way (network "
            "restrictions, a firewall) drops connections; then try again",
        ),
    ),
    (
        r"closed the connection unexpectedly|connection reset",
        _unreachable(
            "whatever answers at the host and port of SUPABASE_DB_URL ended the connection without a word",
            "check both: it may not be PostgreSQL, or a proxy whose database is down; then try again",
        ),
    ),
)
