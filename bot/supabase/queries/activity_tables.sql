-- What must stand still, by schema.table: the counters of inserted, updated and deleted rows, and the number of the file, which a
-- TRUNCATE or a rewrite changes. A partitioned table's are the sums over its partitions. A table that is gone gives no row.
-- psql -v tables='{auth.users}' -f activity_tables.sql
WITH RECURSIVE part (root, oid) AS (
  SELECT c.oid, c.oid
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND n.nspname || '.' || c.relname = ANY (:'tables'::text[])
  UNION
  SELECT part.root, i.inhrelid
    FROM part JOIN pg_class root ON root.oid = part.root AND root.relkind = 'p'
    JOIN pg_inherits i ON i.inhparent = part.oid
)
SELECT n.nspname || '.' || c.relname,
       sum(pg_stat_get_tuples_inserted(part.oid))::bigint,
       sum(pg_stat_get_tuples_updated(part.oid))::bigint,
       sum(pg_stat_get_tuples_deleted(part.oid))::bigint,
       coalesce(sum(pg_relation_filenode(part.oid)::bigint), 0)::bigint
  FROM part JOIN pg_class c ON c.oid = part.root JOIN pg_namespace n ON n.oid = c.relnamespace
 GROUP BY 1
