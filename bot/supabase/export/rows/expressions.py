"""Expressions inside the statements of the export: no statements by themselves, so no files of `queries/`. Pure.

Each takes the SQL of a value. A check is a boolean or NULL, takes the value apart, and never reads any of it back.
"""

from __future__ import annotations

from psycopg import sql

SPAN = sql.SQL(
    "WHERE t.ctid >= format('(%s,0)', cutover_span.first)::tid AND t.ctid < format('(%s,0)', cutover_span.next)::tid"
)
"""The rows of `t` in the blocks of `cutover_span`, from `first` to before `next`."""

ROW_DIGEST = sql.SQL("substr(decode(md5(texts.row), 'hex'), 1, 8)")
"""What the bytes of a row add to the row digest of its table, as 8 bytes."""

_TEXT = sql.SQL("CASE WHEN {value} IS DISTINCT FROM NULL THEN format('%s', {value}) END")
_JSON_NULL = sql.SQL("CASE WHEN pg_column_size({value}) < 64 THEN {value}::jsonb = 'null' END")
_JSON_ELEMENT = sql.SQL("jsonb_typeof({value}) IN ('null', 'array')")
_BOUNDS = sql.SQL(r"array_dims({value}) !~ '^(\[1:\d+\])+$'")
_ELEMENTS = sql.SQL("EXISTS (SELECT FROM (SELECT unnest({value}) AS value) AS element WHERE {check})")
_UUID_TEXT = sql.SQL(
    "CASE WHEN octet_length({value}::text) = 36 "
    "THEN CASE WHEN {value}::text ~ {pattern} THEN {value}::text::uuid END END"
)
_SAMPLED = sql.SQL(
    # OFFSET 0 keeps the planner from reading the whole table for it.
    "({spans}) AS cutover_span CROSS JOIN LATERAL (SELECT {column} FROM {table} AS t {span} OFFSET 0) AS x"
)


def as_text(value: sql.Composable) -> sql.Composed:
    """By its type's output function, whatever casts somebody has made for the type. A composite of NULLs is a value."""
    return _TEXT.format(value=value)


def is_json_null(value: sql.Composable) -> sql.Composed:
    """A JSON null takes a few bytes and is never moved out of the row, so large documents are not fetched for this."""
    return _JSON_NULL.format(value=value)


def is_json_null_or_array(value: sql.Composable) -> sql.Composed:
    """Of an array's element: a JSON array there would be read back as a further dimension."""
    return _JSON_ELEMENT.format(value=value)


def has_other_bounds(value: sql.Composable) -> sql.Composed:
    """An array that does not count from 1: array_dims is like [1:3][1:2]."""
    return _BOUNDS.format(value=value)


def has_element(value: sql.Composable, check: sql.Composable) -> sql.Composed:
    """An array with an element, called `element.value`, for which the check holds."""
    return _ELEMENTS.format(value=value, check=check)


def as_uuid(value: sql.Composable, pattern: sql.Composable) -> sql.Composed:
    """The id that a text is, else NULL. Its length is known before it is fetched, and a search in text of some hundred
    megabytes would be beyond the server's memory for one.
    """
    return _UUID_TEXT.format(value=value, pattern=pattern)


def sampled(spans: sql.Composable, column: sql.Composable, table: sql.Composable) -> sql.Composed:
    """What follows FROM to have a column as `x`, of the rows in these spans alone."""
    return _SAMPLED.format(spans=spans, column=column, table=table, span=SPAN)
