"""The statements that turn rows into text, count them, and look for what text cannot carry. Pure.

A column whose encoding is text is in a row as its type's output function writes it, and thereby as a JSON string
(or null for SQL NULL). `json` is always such a column, so no row holds a raw newline or any other control byte.

Rows travel in chunks: the rows of a span of blocks joined by the server, in one message, with their number, their
digests, and whether one of them holds a value in doubt. The server writes each row once and takes its digest before it
joins and sends it. A client that takes messages of a megabyte is some three times cheaper than one that takes them row
by row, and the server is no slower than at writing single rows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from psycopg import sql

from bot.supabase.catalog import Column, Table
from bot.supabase.catalog.encoding import Bounds, Doubt, Encoding, Fields, JsonNull
from bot.supabase.database import statement
from bot.supabase.export.rows import expressions
from bot.supabase.export.rows.layout import Part, Spans

_NOTHING = sql.SQL("")
_HEAVY_BYTES = 1 << 20
"""As stored, which is compressed as a rule; the text may be many times as long."""


def one_after_the_other(*selects: sql.Composable) -> sql.Composed:
    """The rows of each of `selects` (from `whole`, or from `count`) in one statement."""
    return sql.SQL(" UNION ALL ").join(sql.SQL("({})").format(select) for select in selects)


def spanned(
    table: Table, part: Part, spans: Spans, as_text: Collection[str], doubts: Collection[Column]
) -> sql.Composed:
    """The chunks of a part of the table that belong to one strand. `as_text` are the columns exported in their text
    form, `doubts` those whose values are looked at on the way.
    """
    rows = _rows(table, part, as_text, doubts, span=True)
    if not part.outside_bytes:
        chunk = _chunk(rows)
    else:
        weight = sql.SQL(" + ").join(
            sql.SQL("coalesce(pg_column_size({}), 0)").format(sql.Identifier("t", c.name)) for c in table.columns
        )
        chunk = statement(
            "rows_weighed",
            weight=weight if table.columns else sql.SQL("0"),
            table=_from(part),
            span=expressions.SPAN,
            light=_chunk(rows, sql.SQL("WHERE weight.bytes <= {}").format(sql.Literal(_HEAVY_BYTES))),
            heavy=statement(
                "rows_single",
                rows=rows,
                digest=expressions.ROW_DIGEST,
                gate=sql.SQL("WHERE weight.bytes > {}").format(sql.Literal(_HEAVY_BYTES)),
            ),
        )
    numbers = {name: sql.Literal(value) for name, value in spans._asdict().items()}
    return statement("rows_spanned", spans=statement("rows_spans", **numbers), chunk=chunk)


def whole(
    table: Table, part: Part, number: int, as_text: Collection[str], doubts: Collection[Column], *, one: bool
) -> sql.Composed:
    """The chunks of all of a part, under one number: a single one (`one`), or one for each row."""
    rows = _rows(table, part, as_text, doubts, span=False)
    chunk = _chunk(rows) if one else statement("rows_single", rows=rows, digest=expressions.ROW_DIGEST, gate=_NOTHING)
    return sql.SQL("SELECT {}::bigint AS chunk, c.* FROM ({}) AS c").format(sql.Literal(number), chunk)


def count(part: Part, place: int, unseen: Sequence[Column], *, blocks: tuple[int, int] | None = None) -> sql.Composed:
    """Gives a row: the place, the count, and for each of `unseen` whether there is a value; of the rows in `blocks`,
    from the first to before the second, or of all.
    """
    filled = sql.SQL(", ").join(sql.SQL("count({}) > 0").format(sql.Identifier("t", c.name)) for c in unseen)
    span = _NOTHING if blocks is None else expressions.SPAN
    counted = statement("rows_count", place=sql.Literal(place), filled=filled, table=_from(part), span=span)
    if blocks is None:
        return counted
    first, following = (sql.Literal(block) for block in blocks)
    return statement("rows_count_span", first=first, next=following, count=counted)


def page_bytes(table: Table, part: Part, as_text: Collection[str], *, samples: int) -> sql.Composed:
    """Gives how long the text of a block's rows is at most, by `samples` of the part's blocks, and for each column
    whether there is a value in these.
    """
    numbers = range(len(table.columns))
    return statement(
        "rows_page_bytes",
        rows=_rows(table, part, as_text, (), span=True, values=table.columns),
        values=sql.Composed([sql.SQL(", count({}) > 0 AS {}").format(_value(n, "texts"), _value(n)) for n in numbers]),
        filled=sql.SQL(", ").join(sql.SQL("coalesce(bool_or({}), false)").format(_value(n, "page")) for n in numbers),
        last=sql.Literal(max(0, part.blocks - 1)),
        stride=sql.Literal(max(1, part.blocks // samples)),
    )


def column_alone(part: Part, name: str, spans: Spans | None) -> sql.Composed:
    """What follows FROM to have this column of a part's rows as `x`: of the rows in these spans, or of all."""
    column = sql.Identifier(name)
    if spans is None:
        return sql.SQL("(SELECT {} FROM {}) AS x").format(column, _from(part))
    numbers = {field: sql.Literal(value) for field, value in spans._asdict().items()}
    return expressions.sampled(statement("rows_spans", **numbers), column, _from(part))


def doubts(part: Part, columns: Collection[Column]) -> sql.Composed:
    """Gives one row with a boolean for each of `columns`: is there a value that does not come back from JSON."""
    looks = [sql.SQL("coalesce(bool_or({}), false)").format(_look(column)) for column in columns]
    return statement("rows_doubts", doubts=sql.SQL(", ").join(looks), table=_from(part))


def _look(column: Column) -> sql.Composed:
    assert not isinstance(column.encoding, Encoding)
    return _doubted(sql.Identifier("x", column.name), column.encoding)


def _doubted(value: sql.Composable, doubt: Doubt) -> sql.Composed:
    """A boolean or NULL: it takes the value apart and never reads any of it back."""
    match doubt:
        case JsonNull(listed=listed):
            return expressions.is_json_null_or_array(value) if listed else expressions.is_json_null(value)
        case Bounds(elements=elements):
            bounds = expressions.has_other_bounds(value)
            if elements is None:
                return bounds
            look = _doubted(sql.Identifier("element", "value"), elements)
            return sql.SQL("{} OR {}").format(bounds, expressions.has_element(value, look))
        case Fields(fields=fields):
            looks = [_doubted(sql.SQL("({}).{}").format(value, sql.Identifier(name)), field) for name, field in fields]
            return sql.SQL(" OR ").join(sql.SQL("({})").format(look) for look in looks)


def _value(number: int, *of: str) -> sql.Identifier:
    """The name under which the value of the column of this number is beside the rows' text."""
    return sql.Identifier(*of, f"value_{number}")


def _rows(
    table: Table,
    part: Part,
    as_text: Collection[str],
    doubts: Collection[Column],
    *,
    span: bool,
    values: Sequence[Column] = (),
) -> sql.Composed:
    """`values` are columns that are beside the text as well."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(expressions.as_text(name), name) if column.name in as_text else name
        for column in table.columns
        for name in [sql.Identifier(column.name)]
    )
    looks = [sql.SQL("({})").format(_look(column)) for column in doubts]
    return statement(
        "rows_text",
        doubt=sql.SQL(" OR ").join(looks) if looks else sql.SQL("false"),
        values=sql.Composed(
            [
                sql.SQL(", {} AS {}").format(sql.Identifier("x", column.name), _value(number))
                for number, column in enumerate(values)
            ]
        ),
        columns=columns,
        table=_from(part),
        span=expressions.SPAN if span else _NOTHING,
    )


def _chunk(rows: sql.Composed, gate: sql.Composable = _NOTHING) -> sql.Composed:
    return statement("rows_chunk", rows=rows, digest=expressions.ROW_DIGEST, gate=gate)


def _from(part: Part) -> sql.Composed:
    """A parent's own rows without those of the tables that inherit from it; a partitioned table has none of its own."""
    return sql.SQL("ONLY {}" if part.alone else "{}").format(sql.Identifier(part.schema, part.name))
