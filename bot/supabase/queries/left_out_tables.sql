-- Of the names given (schema.table), those that are tables: whether we may read them, and the planner's estimates, a partitioned
-- table's over its partitions. An estimate is NULL where the table was never looked at.
-- psql -v names='{auth.users}' -f left_out_tables.sql
WITH RECURSIVE part (root, oid) AS (
  SELECT c.oid, c.oid
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p')
     AND pg_catalog.format('%s.%s', n.nspname, c.relname) = ANY (:'names'::pg_catalog.text[])
  UNION
  SELECT part.root, i.inhrelid
    FROM part JOIN pg_catalog.pg_class root ON root.oid = part.root AND root.relkind = 'p'
    JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid AND NOT i.inhdetachpending
)
SELECT n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name, c.relkind = 'p' AS partitioned,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
         AND NOT (c.relrowsecurity AND pg_catalog.row_security_active(c.oid)) AS readable,
       pg_catalog.sum(leaf.reltuples) FILTER (WHERE leaf.relkind = 'r' AND leaf.reltuples >= 0)::pg_catalog.int8 AS estimate,
       coalesce(pg_catalog.sum(leaf.relpages), 0)::pg_catalog.int8 AS pages
  FROM part
  JOIN pg_catalog.pg_class c ON c.oid = part.root
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class leaf ON leaf.oid = part.oid
 GROUP BY n.nspname, c.relname, c.relkind, c.oid, n.oid, c.relrowsecurity
