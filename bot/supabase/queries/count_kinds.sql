-- Of the tables given as two lists: a row for each that is there, and one more for each that inherits from it over any number of
-- generations, since whoever asks for its rows is shown theirs too. A table that is gone is not in the answer.
-- psql -v schemas='{public}' -v names='{orders}' -f count_kinds.sql
WITH RECURSIVE tree (root, oid) AS (
  SELECT c.oid, c.oid
    FROM ROWS FROM (pg_catalog.unnest(:'schemas'::pg_catalog.text[]), pg_catalog.unnest(:'names'::pg_catalog.text[]))
      AS wanted (schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p')
  UNION
  SELECT tree.root, i.inhrelid
    FROM tree
    JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
    JOIN pg_catalog.pg_class parent ON parent.oid = i.inhparent AND parent.relkind <> 'p'
)
SELECT n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name,
       heir_n.nspname::pg_catalog.text AS heir_schema, heir.relname::pg_catalog.text AS heir_name,
       heir.oid = c.oid AS itself, heir.relkind = 'f' AS elsewhere
  FROM tree
  JOIN pg_catalog.pg_class c ON c.oid = tree.root
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class heir ON heir.oid = tree.oid AND heir.relpersistence <> 't'
  JOIN pg_catalog.pg_namespace heir_n ON heir_n.oid = heir.relnamespace
 ORDER BY 1, 2, 3, 4
