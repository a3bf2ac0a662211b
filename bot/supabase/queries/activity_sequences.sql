-- Every sequence outside the system's own schemas: its name, the number of its file, and whether we may read what it holds.
SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name,
       coalesce(pg_relation_filenode(c.oid)::bigint, 0) AS file,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
