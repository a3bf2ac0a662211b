"""The names of table files. Pure.

`table_files` gives every exported table its file. A table wants `<table>.json` when it is in
schema `public`, else `<schema>_<table>.json`. It gets it unless the name (without `.json`)
  - has other characters than ASCII letters, digits, `_`, `-` and `.`, or begins with `-` or `.`, or ends with `.`;
  - is that of another file of ours (`metadata`, `user-mapping` …), or `auth_users`, which is always auth.users', or
    that of a device on Windows (`con`, `nul` …);
  - makes a file name longer than 200 bytes;
  - is wanted by another table too, differences of case aside, for file systems that fold case. Then the first keeps
    it: auth.users, then tables of `public`, then names wholly in lower case, then by schema and name.
All others get the name they want, its unsafe characters replaced by `_` and cut to 100 characters, then `-` and the
first 8 hex digits of the SHA-256 of schema, NUL, table; 16, 32 or 64 digits if that is taken. The outcome does not
depend on the order of the tables. `file` in metadata.json is the truth for a reader.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from bot.artifacts.files import AUTH_USERS, RESERVED

_AUTH_USERS = ("auth", "users")
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
_SAFE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?")
_LONGEST = 200
_CUT = 100


def table_files(tables: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """(schema, table) -> file name, by the rule above; all tables of an export at once."""
    in_order = sorted(set(tables), key=_precedence)
    named: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for table in in_order:
        stem = _wanted(*table)
        is_held = stem.lower() == Path(AUTH_USERS).stem and table != _AUTH_USERS
        if _is_safe(stem) and stem.lower() not in taken and not is_held:
            named[table] = f"{stem}.json"
            taken.add(stem.lower())
    for table in in_order:
        if table not in named:
            stem = next(stem for stem in _others(*table) if stem.lower() not in taken)
            named[table] = f"{stem}.json"
            taken.add(stem.lower())
    return named


def _precedence(table: tuple[str, str]) -> tuple[bool, bool, bool, tuple[str, str]]:
    stem = _wanted(*table)
    return table != _AUTH_USERS, table[0] != "public", stem != stem.lower(), table


def _wanted(schema: str, table: str) -> str:
    return table if schema == "public" else f"{schema}_{table}"


def _is_safe(stem: str) -> bool:
    if not _SAFE.fullmatch(stem) or len(f"{stem}.json") > _LONGEST:
        return False
    return f"{stem.lower()}.json" not in RESERVED and stem.lower().partition(".")[0] not in _DEVICES


def _others(schema: str, table: str) -> Iterator[str]:
    clean = re.sub(r"[^A-Za-z0-9_]", "_", _wanted(schema, table))[:_CUT]
    digest = hashlib.sha256(f"{schema}\0{table}".encode()).hexdigest()
    for length in (8, 16, 32, 64):
        yield f"{clean}-{digest[:length]}"
