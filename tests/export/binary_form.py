"""Every row of a database by its binary form, with nothing in it that differs between two databases of one schema.

`record_send` writes a type by its oid, and a type that somebody has made has another oid in each database: here it is
written by its name. Each relation is read without those that inherit from it, so that a row is also where it was.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

Session = psycopg.Connection[tuple[Any, ...]]
Rows = dict[tuple[str, str], Counter[Any]]

_TYPES = """
SELECT t.oid, format_type(t.oid, -1), CASE WHEN t.typsubscript = 'array_subscript_handler'::regproc THEN 'array'
       WHEN t.typtype = 'c' OR t.oid = 2249 THEN 'record' WHEN t.typtype = 'd' THEN 'domain' ELSE 'whole' END,
       t.typbasetype
  FROM pg_type t
"""
_TABLES = """
SELECT n.nspname, c.relname, ARRAY(SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND NOT n.nspname = ANY (%s) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""
_RECORD = 2249


@dataclass(frozen=True, kw_only=True)
class _Type:
    name: str
    shape: str
    base: int


def rows_of(session: Session, *, without: list[str]) -> Rows:
    """By schema and table, how often each row is there; `without` these schemas."""
    session.execute("SET search_path = pg_catalog")
    types = {
        oid: _Type(name=name, shape=shape, base=base) for oid, name, shape, base in session.execute(_TYPES).fetchall()
    }
    found: Rows = {}
    for schema, table, columns in session.execute(_TABLES, [without]).fetchall():
        select = sql.SQL("SELECT record_send(ROW({})) FROM ONLY {} AS rows_of_it").format(
            sql.SQL(", ").join(sql.Identifier("rows_of_it", column) for column in columns),
            sql.Identifier(schema, table),
        )
        found[schema, table] = Counter(_named(types, _RECORD, bytes(row)) for [row] in session.execute(select))
    return found


def _named(types: dict[int, _Type], oid: int, value: bytes) -> Any:
    of = types[oid]
    if of.shape == "domain":
        return _named(types, of.base, value)
    if of.shape == "record":
        [count], fields, at = struct.unpack_from("!i", value), [], 4
        for _ in range(count):
            [part] = struct.unpack_from("!I", value, at)
            inside, at = _part(types, part, value, at + 4)
            fields.append((types[part].name, inside))
        return tuple(fields)
    if of.shape == "array":
        dimensions, _, part = struct.unpack_from("!iiI", value)
        at = 12 + 8 * dimensions
        elements = []
        while at < len(value):
            inside, at = _part(types, part, value, at)
            elements.append(inside)
        return types[part].name, value[12 : 12 + 8 * dimensions], tuple(elements)
    return value


def _part(types: dict[int, _Type], oid: int, value: bytes, at: int) -> tuple[Any, int]:
    """What begins there with its length, and where the next one begins."""
    [length] = struct.unpack_from("!i", value, at)
    begin = at + 4
    return (None, begin) if length < 0 else (_named(types, oid, value[begin : begin + length]), begin + length)
