"""The SQL that loads one exported file back into an empty table of the same name, by psql. Pure.

The file stays with whoever runs psql and is read line by line: a line is one row. Each is taken apart once, by
`json_to_record`, by the names and types of the columns as they were in the source; a column of encoding text is taken
out as text and then read by its type's input function. No cast does that: whoever owns a type may have made one from
text that does something else, and the target's superuser one for any type. `json_to_record` knows input functions only,
so the text of an array is given to it by itself, that of json to json's own function, and any other as the one element
of an array. At the end count and row digest of the table are those of metadata.json, or all is undone: the restore is
its own proof.

The bundle may come from somebody else, and psql obeys what it reads: names and texts are quoted, quotes are chosen over
all that they enclose, and a type that is none is refused.

It writes what was exported. An import that gives users their new ids does that between the temporary table and the
last one; docs/restore.md shows where.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from bot.artifacts.metadata import Column, Metadata, Sequence, Table
from bot.artifacts.quoting import do, identifier, literal, qualified
from bot.errors import RecordDamaged, UsageError

_UNCHANGED = "nothing was printed"

_NAME = r'(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_]*)'
_TYPE = re.compile(
    rf"{_NAME}(?:\.{_NAME})?(?: {_NAME})*(?:\(-?\w+(?:, ?-?\w+)*\))?(?: {_NAME})*(?:\(\d\))?(?:\[\])*", re.ASCII
)
"""What format_type() makes of a type, as in `interval day to second(3)`, `numeric(3,-2)` or `app."Mood"[]`."""
_JSON = ("json", "jsonb")
"""The server's own: types of somebody else are named with their schema."""

_SETTINGS = """\
\\set ON_ERROR_STOP on
SET client_encoding = 'UTF8';
BEGIN;
SET LOCAL search_path = pg_catalog, pg_temp;
-- As in the session that exported: they decide how text becomes values, and values text.
SET LOCAL standard_conforming_strings = on;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = 'hex';
SET LOCAL xmloption = content;
SET LOCAL statement_timeout = 0;
-- Of servers from 17 on.
SELECT set_config('transaction_timeout', '0', true) WHERE current_setting('transaction_timeout', true) IS NOT NULL;"""

LINES = "CREATE TEMPORARY TABLE cutover_lines (line text) ON COMMIT DROP;"
"""What `load` reads a file into."""

_COPY = """\
-- JSON text holds neither of these two bytes, so no line is taken apart.
\\copy cutover_lines FROM {path} WITH (FORMAT csv, DELIMITER e'\\x02', QUOTE e'\\x01')"""

_INSERT = """\
INSERT INTO {table} {columns}
SELECT {values}
  FROM (SELECT json_in(textout(rtrim(line, ','))) AS line FROM cutover_lines WHERE line NOT IN ('[', ']'))
    AS lines{record};"""

_RECORD = """
 CROSS JOIN LATERAL json_to_record(lines.line) AS row ({declared})"""

_OWN = """
 CROSS JOIN LATERAL json_to_record(json_object(ARRAY[{names}], ARRAY[{values}])) AS own ({declared})"""

_CHECK = """
DECLARE
  n bigint;
  digest text;
  -- A partitioned table has its rows in its partitions; any other is looked at without those that inherit from it.
  what text := (SELECT CASE relkind WHEN 'p' THEN '' ELSE 'ONLY ' END FROM pg_class WHERE oid = {name}::regclass);
BEGIN
  EXECUTE 'SELECT count(*), coalesce(sum((''x'' || substr(md5(convert_to(row_to_json(x.*)::text, ''UTF8'')), 1, 16))'
    || '::bit(64)::bigint), 0)::text FROM (SELECT ' || {texts} || ' FROM ' || what || {name} || ') AS x' INTO n, digest;
  IF (n, digest) IS DISTINCT FROM ({rows}::bigint, {digest}::text) THEN
    RAISE EXCEPTION 'nothing was loaded: % has % rows with digest %, but the export has {rows} rows with digest %',
      {name}, n, digest, {digest};
  END IF;
END """

_SETVAL = """
DECLARE
  one record;
BEGIN
  FOR one IN SELECT * FROM (VALUES
    {wanted}) AS wanted (name, last_value, is_called)
  LOOP
    IF NOT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(one.name) AND relkind = 'S') THEN
      RAISE EXCEPTION 'nothing was loaded: there is no sequence %; create it and load again', one.name;
    END IF;
    PERFORM setval(one.name::regclass, one.last_value, one.is_called);
  END LOOP;
END """


def find(metadata: Metadata, name: str) -> Table:
    """By its key in metadata.json, or as `schema.table`. Raises UsageError."""
    if name in metadata.tables:
        return metadata.tables[name]
    for table in metadata.tables.values():
        if f"{table.schema_name}.{table.table}" == name:
            return table
    raise UsageError(
        f"The bundle has no table {name}",
        unchanged=_UNCHANGED,
        do="use a key of `tables` in metadata.json, or schema.table",
    )


def restore_sql(metadata: Metadata, table: Table, path: str) -> str:
    """A script for psql, which reads the file at `path`; one transaction. Sets the sequences that the table's columns
    own. Raises UsageError for a path that psql cannot be given, and RecordDamaged for a type that is none.
    """
    own = [sequence for sequence in metadata.sequences.values() if _numbers(sequence, table)]
    return in_one_transaction(LINES, load(table, path), set_sequences(own))


def in_one_transaction(*parts: str) -> str:
    """A script for psql of these parts, with the settings that decide what a text means."""
    return "\n".join([_SETTINGS, *(part for part in parts if part), "COMMIT;"])


def load(table: Table, path: str) -> str:
    """What loads the file at `path` through `LINES`, which is empty, and compares the table with what was exported.
    Raises what `restore_sql` raises.
    """
    if "\n" in path or "\r" in path:
        raise UsageError(
            "The path of the bundle contains a line break, which psql cannot read", unchanged=_UNCHANGED, do="rename it"
        )
    target = qualified(table.schema_name, table.table)
    written = [column for column in table.columns if not column.generated]
    names = ", ".join(identifier(column.name) for column in written)
    declared = ", ".join(
        f"{identifier(column.name)} {'text' if column.encoding == 'text' else _type(column)}" for column in written
    )
    insert = _INSERT.format(
        table=target,
        columns=f"({names}) OVERRIDING SYSTEM VALUE" if written else "",
        values=", ".join(_value(column) for column in written),
        record=(_RECORD.format(declared=declared) if declared else "") + _own(written),
    )
    texts = ", ".join(_text(column) for column in table.columns)
    check = _CHECK.format(
        name=literal(target), texts=literal(texts), rows=table.row_count, digest=literal(table.row_digest)
    )
    return "\n".join([_COPY.format(path=literal(path)), insert, do(check)])


def set_sequences(sequences: Iterable[Sequence]) -> str:
    """What sets each by its own name to what it held; one that is not there is an error."""
    wanted = ",\n    ".join(
        f"({literal(qualified(one.schema_name, one.name))}, '{one.last_value}'::bigint, {str(one.is_called).lower()})"
        for one in sequences
    )
    return do(_SETVAL.format(wanted=wanted)) if wanted else ""


def _numbers(sequence: Sequence, table: Table) -> bool:
    """Whether a column of the table owns it."""
    return sequence.owned_by in {f"{table.schema_name}.{table.table}.{column.name}" for column in table.columns}


def _value(column: Column) -> str:
    """The column as it comes out of its line."""
    name = identifier(column.name)
    if column.encoding == "json":
        return f"row.{name}"
    if column.type in _JSON:
        return f"{column.type}_in(textout(row.{name}))"
    return f"own.{name}" if _is_array(column) else f"(own.{name})[1]"


def _own(columns: Collection[Column]) -> str:
    """What reads the text of columns: an array's by itself, any other's in an array."""
    own = [column for column in columns if column.encoding == "text" and column.type not in _JSON]
    if not own:
        return ""
    texts = {column.name: f"row.{identifier(column.name)}" for column in own}
    return _OWN.format(
        names=", ".join(literal(column.name) for column in own),
        values=", ".join(
            texts[column.name] if _is_array(column) else f"format('%s', ARRAY[{texts[column.name]}])" for column in own
        ),
        declared=", ".join(
            f"{identifier(column.name)} {_type(column)}{'' if _is_array(column) else '[]'}" for column in own
        ),
    )


def _is_array(column: Column) -> bool:
    return column.type.endswith("[]")


def _type(column: Column) -> str:
    if not _TYPE.fullmatch(column.type):
        raise RecordDamaged(
            f"metadata.json is damaged: column {column.name} has a type that is not the name of a type",
            unchanged=_UNCHANGED,
            do="restore it from a copy, or export again",
        )
    return column.type


def _text(column: Column) -> str:
    """The column as it was selected for its text."""
    name = identifier(column.name)
    if column.encoding == "json":
        return name
    return f"CASE WHEN {name} IS DISTINCT FROM NULL THEN format('%s', {name}) END AS {name}"
