"""The connection string of the source: what it must hold, where it leads, and which TLS its sessions get.

A session asks for what `Dsn.options` says, and for nothing that the environment of this process says. Below, "set"
means set in the connection string itself:

    every host is this machine               nothing: libpq's own defaults
    `sslrootcert` set                        verify-full; SCRAM, or a password, since the server is proven
    neither                                  require; SCRAM alone, which gives the password to no one

Whatever of these is set goes before. `require` encrypts and proves nothing: somebody in between can show a certificate
of his own. He then learns no password, since SCRAM does not tell it, but can relay and own the session. So what is
below verify-full is said, with where the certificate is to be had (`server_proven`).

libpq takes whatever a connection string leaves out from variables `PG…` (another host, no TLS, a service's file, a time
zone that the server refuses), some of which no option can override. `forget_environment` removes them from this
process, all but those that hold a password.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bot.errors import UsageError
from bot.loopback import is_this_machine
from bot.obstacles import DATABASE_SETTINGS
from bot.plan.findings import Finding, Verdict, passed, warned

_KEPT = {"PGPASSWORD", "PGPASSFILE"}
_ENCODED = "in a password, write @ as %40, : as %3A, / as %2F, # as %23"
VERIFY = (
    "download the project's certificate from the dashboard (Database, Settings, SSL Configuration) and add "
    "sslrootcert=/path/to/it to SUPABASE_DB_URL, with & after other parameters and ? before the first; that asks for "
    "verify-full"
)
"""What makes a server proven, as a clause."""


@dataclass(frozen=True, kw_only=True)
class Dsn:
    """A connection string that can be used. `parts` are its parameters by libpq's names, without the password."""

    text: str
    parts: dict[str, Any]

    @classmethod
    def of(cls, text: str) -> Dsn:
        """Contacts nobody. Raises UsageError with what is wrong, which shows nothing of it."""
        problem = check_dsn(text)
        if problem is not None:
            raise UsageError(
                f"SUPABASE_DB_URL {problem}",
                unchanged="nothing was contacted",
                do="copy the connection string of the direct or session-mode connection from Supabase's dashboard",
                obstacle=DATABASE_SETTINGS,
            )
        parts = dict(conninfo_to_dict(text))
        parts.pop("password", None)
        return cls(text=text, parts=parts)

    @property
    def is_this_machine(self) -> bool:
        """Whether every place that it leads to is this machine. An address goes before the name beside it."""
        hosts = str(self.parts.get("host") or "").split(",")
        addresses = str(self.parts.get("hostaddr") or "").split(",")
        places = max(len(hosts), len(addresses))
        hosts += [""] * (places - len(hosts))
        addresses += [""] * (places - len(addresses))
        return all(_leads_here(address or host) for host, address in zip(hosts, addresses, strict=True))

    @property
    def sslmode(self) -> str:
        """As a session of ours asks for it."""
        return str(self.parts.get("sslmode") or self.options.get("sslmode", "prefer"))

    @property
    def options(self) -> dict[str, str]:
        """What a session asks for beyond the connection string."""
        if self.is_this_machine:
            return {}
        sslmode = str(self.parts.get("sslmode") or ("verify-full" if self.parts.get("sslrootcert") else "require"))
        proven = sslmode == "verify-full"
        asked = {
            "sslmode": sslmode,
            "require_auth": "scram-sha-256,password" if proven else "scram-sha-256",
            "gssencmode": "disable",  # where Kerberos is set up, it would take the place of TLS
        }
        return {name: value for name, value in asked.items() if not self.parts.get(name)}


def check_dsn(text: str) -> str | None:
    """What is wrong with a DSN, as a clause that shows nothing of it; None when it can be used. Contacts nobody."""
    if not text.strip():
        return "is empty"
    if "[YOUR-PASSWORD]" in text:
        return "still holds the placeholder [YOUR-PASSWORD] instead of the database password"
    if "://" in text and not text.startswith(("postgresql://", "postgres://")):
        return "does not begin with postgresql://"
    try:
        parts = conninfo_to_dict(text)
    except psycopg.Error:
        return f"is no PostgreSQL connection string ({_ENCODED})"
    if parts.get("service"):
        return "names a service, whose file could lead anywhere; write out what the file says of it"
    if not parts.get("host") and not parts.get("hostaddr"):
        return "names no host"
    if "@" in f"{parts.get('host')}{parts.get('dbname')}":
        return f"holds a password that was cut off at one of its characters ({_ENCODED})"
    if not parts.get("user"):
        return "names no user"
    return None


def forget_environment() -> None:
    """From now on libpq finds in this process's environment nothing but a password."""
    for name in [name for name in os.environ if name.startswith("PG") and name not in _KEPT]:
        del os.environ[name]


def server_proven(dsn: Dsn) -> Finding | None:
    """Whether whoever answers is shown to be the project's server; None where nothing leaves this machine."""
    check = "source-tls"
    if dsn.is_this_machine:
        return None
    match dsn.sslmode:
        case "verify-full":
            return passed(check, "The connection to the database is encrypted, and the server's certificate verified.")
        case "require" | "verify-ca":
            return warned(
                check,
                "The connection to the database is encrypted, but the server is not proven to be Supabase's "
                f"(sslmode={dsn.sslmode}): somebody between here and there could answer in its place.",
                VERIFY,
            )
        case lower:
            return warned(
                check,
                f"SUPABASE_DB_URL asks for no encryption that holds (sslmode={lower}): somebody between here and there "
                "can read every row and answer in the server's place.",
                f"remove sslmode={lower}, then {VERIFY}",
            )


def open_question(dsn: Dsn) -> Finding | None:
    """`server_proven` where it is open; None where all is well."""
    found = server_proven(dsn)
    return found if found is not None and found.verdict is not Verdict.PASS else None


def _leads_here(place: str) -> bool:
    """No place at all is a default that another setting may move, so it is not here."""
    return place.startswith(("/", "@")) or is_this_machine(place)
