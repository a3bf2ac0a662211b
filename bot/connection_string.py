"""What is wrong with a connection string, as far as it can be known without contacting anybody.

libpq itself takes it apart, so that whatever `psql` takes is taken here. It ends the password at the first `@`; a
password that holds one, or a `/`, shifts host, port, database and parameters. So nothing of a connection string is
ever shown, not even its host; a parameter is named only where its name is one that we know.
"""

from __future__ import annotations

import difflib
import re
import ssl
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from bot.home import at_home
from bot.placeholders import is_placeholder_name
from bot.project_ref import direct_ref, dsn_ref, is_pooler

SCHEMES = ("postgresql://", "postgres://")
SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
IN_SYSTEM = "system"
"""In `sslrootcert`: the certificates that this machine trusts."""
TRANSACTION_PORT = "6543"
_ENCODED = "in a password, write @ as %40, : as %3A, / as %2F, # as %23, ? as %3F, % as %25"
CUT_OFF = f"holds a password with an @ or a / that is not percent-encoded ({_ENCODED})"
POOLED = (
    "leads to a pooler in transaction mode, where settings, locks and snapshots do not hold; take the direct "
    "connection or the session-mode pooler (port 5432) from the dashboard"
)
_FOREIGN = {
    "pgbouncer": "Prisma",
    "schema": "Prisma",
    "connection_limit": "Prisma",
    "pool_timeout": "Prisma",
    "socket_timeout": "Prisma",
    "statement_cache_size": "Prisma",
    "sslaccept": "Prisma",
    "sslidentity": "Prisma",
    "single_use_connections": "Prisma",
    "supa": "Vercel",
    "workaround": "Vercel",
    "uselibpqcompat": "node-postgres",
    "currentschema": "JDBC",
    "preparethreshold": "JDBC",
    "rewritebatchedinserts": "JDBC",
    "prepared_statement_cache_size": "SQLAlchemy",
    "prepared_statements": "Rails",
    "pool": "Rails",
    "encoding": "Rails",
    "search_path": "other clients",
    "statement_timeout": "other clients",
    "timezone": "other clients",
    "charset": "other clients",
}
"""Parameters that other clients know and libpq does not, by the client."""
_WHOLE_NUMBERS = ("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count")
_PLACEHOLDERS = {"yourpassword", "yourdbpassword", "yourdatabasepassword"}
_LONGEST_LABEL = 63


def check_dsn(text: str) -> str | None:
    """What is wrong with it, as a clause that shows nothing of it; None when it can be used."""
    if not text.strip():
        return "is empty"
    if "\0" in text:  # for libpq it ends there
        return "holds a NUL character; copy it again"
    is_url = "://" in text
    if (is_url and not text.startswith(SCHEMES)) or (not is_url and "=" not in text):
        return "does not begin with postgresql://"
    try:
        parts = conninfo_to_dict(text)
    except psycopg.Error:
        return _why_malformed(text) if is_url else _NO_PAIRS
    if re.sub(r"[^a-z]", "", str(parts.get("password") or "").lower()) in _PLACEHOLDERS and "[" in text:
        return "still holds [YOUR-PASSWORD] in place of the database password"
    if is_url and _is_cut_off(text, parts):
        return CUT_OFF
    return next(_wrong(parts), None)


def ref_in(text: str) -> str | None:
    """The project ref that it names; None where it names none, or cannot be used."""
    return None if check_dsn(text) is not None else dsn_ref(conninfo_to_dict(text))


_NO_PAIRS = "is not a list of key=value; put a value that holds a space into single quotes"


def _why_malformed(url: str) -> str:
    """Of a URL that libpq does not take."""
    before, found, parameters = _after_the_password(url).partition("?")
    if "@" in before or "@" in parameters or not _has_password(url):
        return CUT_OFF if "@" in url else _NO_FORM
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00", url):
        return "holds a % without two hex digits behind it; write % as %25, also in a password"
    if " " in url:
        return "holds a space; write it as %20"
    return _wrong_name(parameters) if found else _NO_FORM


_NO_FORM = f"is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE ({_ENCODED})"


def _wrong_name(parameters: str) -> str:
    """Of parameters of which one is not libpq's. What is not known may be a piece of a password, and is not named."""
    for parameter in parameters.split("&"):
        name, has_value, _ = unquote(parameter).partition("=")
        if name in _keywords() or name == "ssl":
            if not has_value:
                return f"holds the parameter {name} without a value; write {name}=VALUE or remove it"
            continue
        if (client := _FOREIGN.get(name.lower())) is not None:
            return f"holds {name}=…, which is a parameter of {client} and not of PostgreSQL; remove it"
        if near := difflib.get_close_matches(name, _keywords(), 1, 0.75):
            return f"holds a parameter that PostgreSQL does not know; did you mean {near[0]}?"
    return "holds a parameter after ? that PostgreSQL does not know; remove it"


def _after_the_password(url: str) -> str:
    """What libpq takes for host, port, database and parameters."""
    rest = url.partition("://")[2]
    return rest.partition("@")[2] if _has_password(url) else rest


def _has_password(url: str) -> bool:
    """User and password end at the first `@` unless a `/` comes before."""
    return re.match(r"[^@/]*@", url.partition("://")[2]) is not None


def _is_cut_off(url: str, parts: Mapping[str, Any]) -> bool:
    """An `@` that is left over was meant to be the one before the host."""
    if not _has_password(url) and "@" in url.partition("?")[0]:
        return True
    return any("@" in str(parts.get(name) or "") for name in ("host", "port", "dbname"))


def _wrong(parts: Mapping[str, Any]) -> Iterator[str]:
    """Of what libpq takes apart and refuses only when it connects, or does not refuse and should."""
    if parts.get("service"):
        yield "names a service, whose file could lead anywhere; write out what the file says of it"
    hosts = str(parts.get("host") or "").split(",")
    if not parts.get("host") and not parts.get("hostaddr"):
        yield "names no host"
    if any(is_placeholder_name(str(parts.get(name) or "")) for name in ("host", "user")):
        yield "still holds a placeholder in place of the project's ref; copy the connection string from the dashboard"
    if not all(_is_name(host) for host in hosts):
        yield "names a host that cannot be one"
    ports = str(parts.get("port") or "5432").split(",")
    if not all(not port or (port.isdecimal() and 0 < int(port) < 65536) for port in ports):
        yield "names a port that is not a number from 1 to 65535"
    if not parts.get("user"):
        yield "names no user"
    yield from _wrong_values(parts)
    yield from _wrong_way(parts, ports)


def _wrong_values(parts: Mapping[str, Any]) -> Iterator[str]:
    mode = parts.get("sslmode")
    if mode and mode not in SSLMODES:
        yield f"holds a value of sslmode that PostgreSQL does not know; it takes {', '.join(SSLMODES)}"
    for name in _WHOLE_NUMBERS:
        if parts.get(name) and not re.fullmatch(r"-?\d{1,9}", str(parts[name]).strip()):
            yield f"holds a value of {name} that is not a whole number"
    path = sslrootcert(parts)
    if path is not None and (wrong := _wrong_certificate(path)):
        yield f"names a file in sslrootcert that {wrong}"


def sslrootcert(parts: Mapping[str, Any]) -> Path | None:
    """The file of certificates that it names; `~` is the home."""
    named = str(parts.get("sslrootcert") or "")
    return at_home(Path(named)) if named and named != IN_SYSTEM else None


def _wrong_certificate(path: Path) -> str | None:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(path)
    except FileNotFoundError:
        return "does not exist; download the certificate from the dashboard (Database, Settings, SSL Configuration)"
    except ssl.SSLError:
        return "holds no certificate; it must begin with -----BEGIN CERTIFICATE"
    except OSError:
        return "this user may not read"
    return None


def _wrong_way(parts: Mapping[str, Any], ports: list[str]) -> Iterator[str]:
    """Ways to a Supabase project that cannot lead to a session."""
    if TRANSACTION_PORT in ports:
        yield POOLED
    user, options = str(parts.get("user") or ""), str(parts.get("options") or "")
    if is_pooler(parts) and "." not in user and "reference=" not in options:
        yield "leads to Supabase's pooler, where the user is postgres.PROJECT-REF, and names a user without the ref"
    if (ref := direct_ref(parts)) is not None and user.endswith(f".{ref}"):
        yield "leads to the project's direct host, where the user is postgres, and names the pooler's user postgres.REF"


def _is_name(host: str) -> bool:
    """Whether it can be looked up: no label of it is empty or too long."""
    if not host or host.startswith(("/", "@")):
        return True
    try:
        return all(0 < len(label.encode("idna")) <= _LONGEST_LABEL for label in host.removesuffix(".").split("."))
    except UnicodeError:
        return False


@cache
def _keywords() -> frozenset[str]:
    return frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())
