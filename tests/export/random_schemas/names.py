"""Names that a database may have and that programs stumble over. Pure: the same names for the same chance."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

LONGEST = 63
"""In bytes of UTF-8: the server cuts off what is longer."""

WORDS = (
    "plain", "Upper", "ALL CAPS", "select", "table", "user", "null", "default", "order", "primary",
    # The names of our own files, and of files that some systems have no room for.
    "metadata", "Metadata", "user-mapping", "user-attention", "auth_users", "SHA256SUMS", "journal", "users", "archive",
    "report.html", "con", "nul", "lpt1", ".", "..", ".hidden", "-rf", "a/b", "../up", "trailing.", "x.json", "*", "~",
    # What quotes, separates or begins something in SQL, in psql, in a shell, in JSON, in Python.
    'a"b', '"', "a'b", "'", "''", "$$", "$cutover$", "$cutover_$", "$1", "%s", "%(a)s", "{0}", "{values}", ":name",
    ':"x"', "back\\slash", "\\", "\\.", "\\! id", "\\q", "; --", "/*", "*/", "a.b", "a.b.c", ",", "(", "[]", "a[1]",
    "new\nline", "\n", "\r\n", "tab\there", "\x01\x02", "\x7f", " ", "  led", "trailed ", "@x", "#", "<b>", "`x`",
    # The same to the eye, or not to be seen at all.
    "é", "e\u0301", "Ж", "ß", "\u0131", "\u0130", "🦆", "\u202eright", "\u200b", "\ufeff", "\u2028", "名前",
    # The names that our own SQL uses.
    "line", "lines", "row", "own", "x", "r", "j", "n", "digest", "what", "cutover_lines", "json", "text", "record",
    "pg_class", "pg_catalog", "int4", "now", "oid", "public", "count", "md5",
)  # fmt: skip
LIKE_THE_PLATFORMS = ("etl", "topology", "graphql", "tiger", "repack", "net", "cron", "pgmq", "_analytics")
"""Schemas that Supabase or an extension may have elsewhere, and here a customer has."""
_LONG = ("x" * LONGEST, "x" * (LONGEST - 1) + "y", "Ж" * (LONGEST // 2), "🦆" * (LONGEST // 4), '"' * LONGEST)
_OF_THE_SYSTEM = ("tableoid", "cmin", "cmax", "xmin", "xmax", "ctid")


class Names:
    """Gives a name that its space, as a schema for its tables and types, does not have yet."""

    def __init__(self, chance: random.Random, hostile: float) -> None:
        """`hostile` is the share of names that are no plain ones."""
        self._chance = chance
        self._hostile = hostile
        self._taken: dict[str, list[str]] = {}

    def fresh(self, space: str, *, of: Sequence[str] = (), beside: Iterable[str] = (), longest: int = LONGEST) -> str:
        """One of these, if some are given. `beside` are names of other spaces which it must not have either; the space
        of schemas is "".
        """
        taken = self._taken.setdefault(space, [])
        refused = {*taken, *beside, *_OF_THE_SYSTEM}
        wanted = self._chance.choice(of) if of else cut(self._wanted(taken), longest)
        if not space and wanted.startswith("pg_"):  # no schema may
            wanted = wanted.swapcase()
        name, number = wanted, 0
        while name in refused:
            number += 1
            name = cut(wanted, LONGEST - len(str(number))) + str(number)
        taken.append(name)
        return name

    def _wanted(self, taken: list[str]) -> str:
        kind = self._chance.random()
        if kind > self._hostile:
            return self._chance.choice("abcdefghijklmnopqrstuvwz") + self._chance.choice(["", "_id", "s", "_of_it"])
        if kind < self._hostile * 0.15 and taken:
            return cut(self._chance.choice(taken).swapcase(), LONGEST)
        if kind < self._hostile * 0.3:
            return self._chance.choice(_LONG)
        return self._chance.choice(WORDS)


def cut(name: str, most: int) -> str:
    """To so many bytes, between two characters."""
    return name.encode()[:most].decode(errors="ignore")


def quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"
