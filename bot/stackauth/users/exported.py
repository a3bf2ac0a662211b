"""The users of the bundle, one after the other, each with its identities, factors and passkeys.

Read from the files alone, so that the users created are exactly those exported. A row is decoded here and only to be
looked at: numbers that a double cannot hold exactly stay `Decimal` or whole, so that `translate` knows what is lost;
what is nested so deep that no parser follows is cut there, and the cut is marked. A column that the export holds as
text (a JSON `null` inside jsonb is the reason) is decoded too, so that a value looks the same however it was exported.

Users are streamed; what belongs to them elsewhere in the bundle is first stored by user. Nothing of a file is passed
on before all of it was held against metadata.json, and nothing that has changed since.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from bot.artifacts import tables
from bot.artifacts.depth import without_depths
from bot.artifacts.durable import sha256_of
from bot.artifacts.files import AUTH_USERS, METADATA
from bot.artifacts.metadata import Metadata, Table, read
from bot.artifacts.proven import ProvenFile
from bot.artifacts.scratch import Scratch

DEEPEST = 100
"""Levels of nesting that are migrated; the service fails over metadata of 124."""
_PARSED = 2 * DEEPEST
"""Levels that are left where no parser follows: so many that what is migrated is the same whatever is around it."""
_LONG_NUMBER = 400
"""Digits beyond which no double reaches, and which a parser need not follow."""
RELATED_TABLES = ("identities", "mfa_factors", "webauthn_credentials")
"""Tables of schema auth whose rows belong to a user."""
_NO_ACCOUNTS = {"email", "phone"}
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ExportedUser:
    """A row of auth.users by column, with the rows that belong to it. `cut` says that something was nested too deep,
    and `unread` that a table with such rows was left out of the export, so that there may be more of them.
    """

    row: Row
    identities: tuple[Row, ...] = ()
    factors: tuple[Row, ...] = ()
    passkeys: tuple[Row, ...] = ()
    cut: bool = False
    unread: bool = False

    @property
    def id(self) -> str:
        return str(self.row["id"])


class RelatedRows:
    """The rows that belong to users, stored by user."""

    def __init__(
        self, scratch: Scratch, as_text: Mapping[str, frozenset[str]] | None = None, *, unread: bool = False
    ) -> None:
        """`as_text` are the jsonb columns held as text, by table; `unread`: a table of them was left out."""
        self._unread = unread
        self._scratch = scratch
        self._as_text = as_text or {}
        self._n = 0
        scratch.make("CREATE TABLE related (user_id, of, n, row, PRIMARY KEY (user_id, of, n)) WITHOUT ROWID")

    def add(self, table: str, text: bytes) -> None:
        """Raises ValueError when it is no JSON object. An identity that only repeats the user's own address or number
        is nobody's account anywhere, and is not kept.
        """
        self._n += 1
        row, _ = decoded(text)
        if row.get("provider") in _NO_ACCOUNTS:
            return
        self._scratch.do("INSERT INTO related VALUES (?, ?, ?, ?)", str(row.get("user_id")), table, self._n, text)

    def user_of(self, text: bytes, as_text: frozenset[str] = frozenset()) -> ExportedUser:
        """The user of this row of auth.users. Raises ValueError and KeyError."""
        row, cut = decoded(text, as_text)
        own: dict[str, list[Row]] = {table: [] for table in RELATED_TABLES}
        question = "SELECT of, row FROM related WHERE user_id = ? ORDER BY of, n"
        for table, found in self._scratch.all(question, str(row["id"])):
            own[table].append(decoded(found, self._as_text.get(table, frozenset()))[0])
        identities, factors, passkeys = (tuple(own[table]) for table in RELATED_TABLES)
        return ExportedUser(
            row=row, identities=identities, factors=factors, passkeys=passkeys, cut=cut, unread=self._unread
        )


@dataclass(kw_only=True)
class Bundle:
    """The users may be walked any number of times, in the order of the file. Raises RecordDamaged when a file is not
    what was exported.
    """

    directory: Path
    metadata: Metadata
    export_sha256: str
    """Of metadata.json."""
    scratch: Scratch

    @classmethod
    def open(cls, directory: Path, scratch: Scratch, export_sha256: str = "") -> Bundle:
        """Reads what belongs to users; blocks for as long as that takes. `export_sha256` is what metadata.json has to
        be, "" where no run vouches for it.
        """
        export_sha256 = export_sha256 or sha256_of(directory / METADATA)
        metadata = read(directory / METADATA, sha256=export_sha256)
        bundle = cls(directory=directory, metadata=metadata, export_sha256=export_sha256, scratch=scratch)
        bundle._store_related()
        return bundle

    def _store_related(self) -> None:
        self._users = ProvenFile(self.directory / AUTH_USERS, self.metadata.auth_users.sha256)
        as_text = {table: _text_columns(self._exported(table)) for table in RELATED_TABLES}
        left_out = {left.name for left in self.metadata.left_out if left.kind == "table"}
        unread = not left_out.isdisjoint(f"auth.{table}" for table in RELATED_TABLES)
        self._related = RelatedRows(self.scratch, as_text, unread=unread)
        for table in RELATED_TABLES:
            if (exported := self._exported(table)) is not None:
                path = self.directory / exported.file
                for n, text in enumerate(tables.proven_rows(ProvenFile(path, exported.sha256)), 2):
                    with _damage_named(path, n):
                        self._related.add(table, text)

    @property
    def total(self) -> int:
        return self.metadata.auth_users.row_count

    def users(self) -> Iterator[ExportedUser]:
        as_text = _text_columns(self._exported("users"))
        for n, text in enumerate(tables.proven_rows(self._users), 2):
            with _damage_named(self._users.path, n):
                user = self._related.user_of(text, as_text)
            yield user

    def _exported(self, table: str) -> Table | None:
        """A table of schema auth; None where it was not exported."""
        return next((t for t in self.metadata.tables.values() if (t.schema_name, t.table) == ("auth", table)), None)


@contextmanager
def _damage_named(path: Path, n: int) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError):
        raise tables.damaged(path, n, "it is not a JSON object with an id") from None


def decoded(text: bytes, as_text: frozenset[str] = frozenset()) -> tuple[Row, bool]:
    """The row, and whether something in it was cut. `as_text` are the jsonb columns held as text. Raises ValueError."""
    row, cut = _decoded(text)
    if not isinstance(row, dict):
        raise ValueError("no object")
    for column in as_text & row.keys():
        if isinstance(row[column], str):
            row[column], cut_here = _decoded(row[column].encode(errors="surrogatepass"))
            cut = cut or cut_here
    return row, cut


def _text_columns(table: Table | None) -> frozenset[str]:
    columns = table.columns if table else ()
    return frozenset(c.name for c in columns if c.encoding == "text" and c.type in {"jsonb", "json"})


def _decoded(text: bytes) -> tuple[Any, bool]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:  # also what is nested too deep, a number beyond a double, or half a surrogate pair
        return _exactly(text.decode(errors="surrogatepass"))
    return _exactly(text.decode()) if _holds_a_double(value) else (value, False)


def _holds_a_double(value: Any) -> bool:
    """Most rows hold none, and whole numbers within 64 bits are exact as they are."""
    unseen = [(value,)]
    while unseen:
        for item in unseen.pop():
            kind = type(item)
            if kind is float:
                return True
            if kind is dict:
                unseen.append(item.values())
            elif kind is list:
                unseen.append(item)
    return False


def _exactly(text: str) -> tuple[Any, bool]:
    try:
        return json.loads(text, parse_float=_exact, parse_int=_whole), False
    except RecursionError:
        return json.loads(without_depths(text, _PARSED), parse_float=_exact, parse_int=_whole), True


def _exact(digits: str) -> float | Decimal:
    """A double where it holds the number exactly, as JSON's shortest form goes."""
    number, exact = float(digits), Decimal(digits)
    return number if Decimal(repr(number)) == exact else exact


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < _LONG_NUMBER else Decimal(digits)
