"""Pure: the query string of a REST request -> the pieces of an SQL statement, by PostgREST's grammar.

Understood: `select` (columns, `alias:column`, `column::type`, `*`), `order`, `limit`, `offset`, and filters
`column=[not.]operator.value` with eq, neq, gt, gte, lt, lte, like, ilike, is, in. Refused as not understood, never
ignored: embedding, JSON paths, `and`, `or`, other operators.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from psycopg import sql

_COMPARISONS = {
    "eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "LIKE", "ilike": "ILIKE",
}  # fmt: skip
_IS_VALUES = {"null", "not_null", "true", "false", "unknown"}
_NOT_FILTERS = {"select", "order", "limit", "offset", "columns", "on_conflict"}
_BARE_NAME = re.compile(r"[\w $]+(-[\w $]+)*")
"""What may be without quotes (PostgREST's `pIdentifierChar`: letters, digits, `_`, space, `$`)."""
_CAST = re.compile(r"[A-Za-z_][\w ]*(\[\])?")


class NotUnderstood(Exception):
    """The request is not in the grammar; becomes PGRST100."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one query string asks for."""

    columns: sql.Composable = field(default_factory=lambda: sql.SQL("*"))
    where: tuple[sql.Composable, ...] = ()
    order: tuple[sql.Composable, ...] = ()
    limit: int | None = None
    offset: int = 0

    @property
    def where_clause(self) -> sql.Composable:
        """Return ` WHERE …`, or nothing."""
        return sql.SQL(" WHERE ") + sql.SQL(" AND ").join(self.where) if self.where else sql.SQL("")

    @property
    def order_clause(self) -> sql.Composable:
        """Return ` ORDER BY …`, or nothing."""
        return sql.SQL(" ORDER BY ") + sql.SQL(", ").join(self.order) if self.order else sql.SQL("")


def parse(parameters: Iterable[tuple[str, str]]) -> Reading:
    """Return the reading; NotUnderstood names the first part that is not in the grammar."""
    pairs = list(parameters)
    given = dict(pairs)
    return Reading(
        columns=sql.SQL(", ").join([_column(part) for part in split(given.get("select") or "*")]),
        where=tuple(_filter(name, text) for name, text in pairs if name not in _NOT_FILTERS),
        order=tuple(_order(part) for part in split(given.get("order", ""))),
        limit=_number("limit", given["limit"]) if "limit" in given else None,
        offset=_number("offset", given.get("offset", "0")),
    )


def split(text: str) -> list[str]:
    """Split at commas outside double quotes; an empty text has no parts."""
    if not re.fullmatch(r'(?:"(?:\\.|[^"\\])*"|[^"])*', text, re.DOTALL):
        raise NotUnderstood(f"a quote is left open: {text}")
    return [part for part in re.findall(r'(?:"(?:\\.|[^"\\])*"|[^,"])+', text) if part]


def _column(part: str) -> sql.Composable:
    if part == "*":
        return sql.SQL("*")
    if "(" in part and not part.startswith('"'):
        raise NotUnderstood(f"embedding is not played here: {part}")
    name, _, cast = part.partition("::")
    alias, colon, column = name.partition(":")
    chosen: sql.Composable = _name(column if colon else name)
    if cast:
        if not _CAST.fullmatch(cast):
            raise NotUnderstood(f"not a type: {cast}")
        chosen = sql.SQL("CAST({} AS {})").format(chosen, sql.SQL(cast))
    if colon or cast:
        chosen = sql.SQL("{} AS {}").format(chosen, _name(alias if colon else name))
    return chosen


def _name(text: str) -> sql.Identifier:
    bare = text.strip()
    if "->" in bare:
        raise NotUnderstood(f"JSON paths are not played here: {bare}")
    name = _unquoted(bare)
    if name == bare and not _BARE_NAME.fullmatch(bare):
        raise NotUnderstood(f"unexpected {bare} expecting a field name")
    return sql.Identifier(name)


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _filter(name: str, text: str) -> sql.Composable:
    if name in {"and", "or", "not.and", "not.or"}:
        raise NotUnderstood(f"logical trees are not played here: {name}")
    negated = text.startswith("not.")
    operator, dot, value = text.removeprefix("not.").partition(".")
    if not dot:
        raise NotUnderstood(f'unexpected "{text}" expecting operator and value')
    condition: sql.Composable
    if operator in _COMPARISONS:
        pattern = value.replace("*", "%") if operator in {"like", "ilike"} else value
        condition = sql.SQL("{} {} {}").format(_name(name), sql.SQL(_COMPARISONS[operator]), sql.Literal(pattern))
    elif operator == "is" and value.lower() in _IS_VALUES:
        condition = sql.SQL("{} IS {}").format(_name(name), sql.SQL(value.upper().replace("_", " ")))
    elif operator == "in" and value.startswith("(") and value.endswith(")"):
        members = [sql.Literal(_unquoted(part)) for part in split(value[1:-1])]
        among = sql.SQL("{} IN ({})").format(_name(name), sql.SQL(", ").join(members))
        condition = among if members else sql.SQL("false")
    else:
        raise NotUnderstood(f"operator not played here: {operator}")
    return sql.SQL("NOT ({})").format(condition) if negated else condition


def _order(part: str) -> sql.Composable:
    words = {"asc": "ASC", "desc": "DESC", "nullsfirst": "NULLS FIRST", "nullslast": "NULLS LAST"}
    name, *rest = [part] if part.startswith('"') and part.endswith('"') else part.split(".")
    if not set(rest) <= set(words):
        raise NotUnderstood(f"unexpected order: {part}")
    return sql.SQL(" ").join([_name(name), *(sql.SQL(words[word]) for word in rest)])


def _number(name: str, text: str) -> int:
    if not text.isdecimal():
        raise NotUnderstood(f"{name} must be a number: {text}")
    return int(text)
