"""The SQL that loads a whole bundle into an empty copy of the source's schema, by psql, as the plain owner of it. Pure.

A dump is loaded before keys and triggers are made; here they are there already, and whoever is no superuser cannot
turn them off for a session. The owner can do as much otherwise: take away the foreign keys, and the CHECKs of tables
and domains that old rows need not keep, for as long as is loaded; rest triggers and rules, and row security where it
binds the owner too. So neither the order of the tables nor a cycle among them matters, no trigger writes a row twice,
and the keys are proven when they are made again, each in one go.

What is put aside is read from the target's own catalog, never from the bundle, and put back to the letter. All of it is
one transaction: an error anywhere leaves the copy as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from bot.artifacts.metadata import Metadata
from bot.artifacts.quoting import do, literal, qualified
from bot.artifacts.restore import LINES, in_one_transaction, load, set_sequences
from bot.errors import UsageError

_ASIDE = """\
CREATE TEMPORARY TABLE cutover_aside (n bigint GENERATED ALWAYS AS IDENTITY, put_back text) ON COMMIT DROP;
"""

_PUT_ASIDE = """
DECLARE
  one record;
BEGIN
  FOR one IN
    WITH RECURSIVE loaded (oid) AS (
      SELECT name::regclass::oid FROM unnest(ARRAY[
        {tables}]) AS name
      UNION
      SELECT i.inhrelid
        FROM loaded JOIN pg_class parent ON parent.oid = loaded.oid AND parent.relkind = 'p'
        JOIN pg_inherits i ON i.inhparent = parent.oid
    )
    SELECT 1 AS n, k.conname AS name,
           format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname) AS put_aside,
           format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
             || coalesce(format('; COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, k.conrelid::regclass,
                                obj_description(k.oid, 'pg_constraint')), '') AS put_back
      FROM loaded JOIN pg_constraint k ON k.conrelid = loaded.oid
     WHERE k.conparentid = 0 AND k.coninhcount = 0
       AND (k.contype = 'f' OR k.contype IN ('c', 'n') AND NOT k.convalidated)
    UNION ALL
    SELECT 2, t.tgname,
           format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', t.tgrelid::regclass, t.tgname),
           format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', t.tgrelid::regclass,
                  CASE t.tgenabled WHEN 'R' THEN 'REPLICA' WHEN 'A' THEN 'ALWAYS' ELSE '' END, t.tgname)
      FROM loaded JOIN pg_trigger t ON t.tgrelid = loaded.oid
     WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
    UNION ALL
    SELECT 3, r.rulename,
           format('ALTER TABLE %s DISABLE RULE %I', r.ev_class::regclass, r.rulename),
           format('ALTER TABLE %s ENABLE %s RULE %I', r.ev_class::regclass,
                  CASE r.ev_enabled WHEN 'R' THEN 'REPLICA' WHEN 'A' THEN 'ALWAYS' ELSE '' END, r.rulename)
      FROM loaded JOIN pg_rewrite r ON r.ev_class = loaded.oid
     WHERE r.ev_enabled <> 'D'
    UNION ALL
    SELECT 4, c.relname,
           format('ALTER TABLE ONLY %s NO FORCE ROW LEVEL SECURITY', c.oid::regclass),
           format('ALTER TABLE ONLY %s FORCE ROW LEVEL SECURITY', c.oid::regclass)
      FROM loaded JOIN pg_class c ON c.oid = loaded.oid
     WHERE c.relforcerowsecurity
    UNION ALL
    SELECT 5, k.conname,
           format('ALTER DOMAIN %s DROP CONSTRAINT %I', k.contypid::regtype, k.conname),
           format('ALTER DOMAIN %s ADD CONSTRAINT %I %s', k.contypid::regtype, k.conname, pg_get_constraintdef(k.oid))
      FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid
     WHERE k.contype = 'c' AND NOT k.convalidated AND pg_has_role(t.typowner, 'USAGE')
     ORDER BY 1, 2
  LOOP
    EXECUTE one.put_aside;
    INSERT INTO cutover_aside (put_back) VALUES (one.put_back);
  END LOOP;
END """

_PUT_BACK = """
DECLARE
  one record;
BEGIN
  SET CONSTRAINTS ALL IMMEDIATE;
  FOR one IN SELECT put_back FROM cutover_aside ORDER BY n LOOP
    EXECUTE one.put_back;
  END LOOP;
END """


def without_schemas(metadata: Metadata, schemas: Sequence[str]) -> Metadata:
    """The bundle as a copy takes it that lacks these schemas, as one without Supabase's own lacks `auth` and `storage`.
    Raises UsageError for a schema of which the bundle has no table.
    """
    for schema in schemas:
        if all(table.schema_name != schema for table in metadata.tables.values()):
            raise UsageError(
                f"The bundle has no table in the schema {schema}",
                unchanged="nothing was printed",
                do=f"name schemas as metadata.json has them, or omit --without {schema}",
            )
    return metadata.model_copy(
        update={
            "tables": {key: one for key, one in metadata.tables.items() if one.schema_name not in schemas},
            "sequences": {key: one for key, one in metadata.sequences.items() if one.schema_name not in schemas},
        }
    )


def restore_all_sql(metadata: Metadata, directory: PurePath) -> str:
    """A script for psql, which reads the files in `directory`. Raises what `restore_sql` raises."""
    place = {key: number for number, key in enumerate(metadata.import_order)}
    tables = [metadata.tables[key] for key in sorted(metadata.tables, key=lambda key: place.get(key, len(place)))]
    names = ",\n        ".join(literal(qualified(table.schema_name, table.table)) for table in tables)
    loads = (f"{load(table, str(directory / table.file))}\nTRUNCATE cutover_lines;" for table in tables)
    return in_one_transaction(
        _ASIDE + do(_PUT_ASIDE.format(tables=names)),
        LINES,
        *loads,
        do(_PUT_BACK),
        set_sequences(metadata.sequences.values()),
    )
