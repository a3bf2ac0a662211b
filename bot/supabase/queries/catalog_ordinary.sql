-- Every ordinary and partitioned table, and the table that a partition belongs to as the server itself follows it up: one
-- that is being detached (DETACH ... CONCURRENTLY was cut off) belongs to none. Temporary tables are their session's alone.
SELECT c.oid::pg_catalog.int8 AS oid,
       n.nspname::pg_catalog.text AS schema,
       c.relname::pg_catalog.text AS name,
       c.relkind::pg_catalog.text AS kind,
       CASE WHEN c.relispartition THEN coalesce(pg_catalog.pg_partition_root(c.oid)::pg_catalog.oid, c.oid) ELSE c.oid
       END::pg_catalog.int8 AS root
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
