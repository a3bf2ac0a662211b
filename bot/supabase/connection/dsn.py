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
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from bot.connection_string import check_dsn, sslrootcert
from bot.errors import UsageError
from bot.loopback import is_this_machine
from bot.obstacles import DATABASE_SETTINGS
from bot.plan.findings import Finding, Verdict, passed, warned

_KEPT = {"PGPASSWORD", "PGPASSFILE"}
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
    def sslrootcert(self) -> Path | None:
        """The file of certificates that it names; None for none, or for those that this machine trusts."""
        return sslrootcert(self.parts)

    def connects_within(self, seconds: int) -> int:
        """How many seconds to wait for a connection: `seconds`, or fewer where it says so."""
        asked = int(self.parts.get("connect_timeout") or 0)
        return asked if 0 < asked < seconds else seconds

    @property
    def options(self) -> dict[str, str]:
        """What a session asks for beyond the connection string."""
        file = self.sslrootcert
        named = {} if file is None or not str(self.parts["sslrootcert"]).startswith("~") else {"sslrootcert": str(file)}
        if self.is_this_machine:
            return named
        sslmode = str(self.parts.get("sslmode") or ("verify-full" if self.parts.get("sslrootcert") else "require"))
        proven = sslmode == "verify-full"
        asked = {
            "sslmode": sslmode,
            "require_auth": "scram-sha-256,password" if proven else "scram-sha-256",
            "gssencmode": "disable",  # where Kerberos is set up, it would take the place of TLS
        }
        return named | {name: value for name, value in asked.items() if not self.parts.get(name)}


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
