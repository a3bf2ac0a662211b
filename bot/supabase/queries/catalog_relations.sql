-- Everything outside the system's own schemas that has rows or looks like it, and every sequence; partitions are told apart
-- from tables of their own, among which is one whose detaching was cut off: the server shows its rows through no parent any
-- more. Temporary ones are their session's alone.
-- Sizes are pg_class's estimates: pg_table_size would wait for whoever holds an exclusive lock.
WITH RECURSIVE partitions (root, leaf) AS (
  SELECT c.oid, c.oid FROM pg_class c
   WHERE c.relkind = 'p' AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid AND NOT i.inhdetachpending)
  UNION ALL
  SELECT p.root, i.inhrelid FROM partitions p JOIN pg_inherits i ON i.inhparent = p.leaf AND NOT i.inhdetachpending
), storage (root, oids, rows, pages) AS (
  SELECT p.root, array_agg(c.oid::bigint ORDER BY c.oid) FILTER (WHERE c.relkind IN ('r', 'f')),
         sum(greatest(c.reltuples, 0)) FILTER (WHERE c.relkind = 'r'), sum(c.relpages + coalesce(toast.relpages, 0))
    FROM partitions p JOIN pg_class c ON c.oid = p.leaf LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
   GROUP BY p.root
)
SELECT c.oid::bigint AS oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       format('%I', n.nspname) AS quoted_schema,
       format('%I.%I', n.nspname, c.relname) AS quoted,
       c.relkind::text AS kind,
       root.oid::bigint AS partition_of,
       ARRAY(SELECT i.inhparent::bigint FROM pg_inherits i JOIN pg_class parent ON parent.oid = i.inhparent
              WHERE i.inhrelid = c.oid AND parent.relkind <> 'p' ORDER BY i.inhseqno) AS inherits,
       EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
         AS of_extension,
       has_schema_privilege(n.oid, 'USAGE') AS schema_usable,
       has_table_privilege(c.oid, 'SELECT') AS selectable,
       c.relrowsecurity AND row_security_active(c.oid) AS filtered,
       coalesce(s.oids, CASE c.relkind WHEN 'r' THEN ARRAY[c.oid::bigint] ELSE '{}' END) AS storage,
       coalesce(s.rows, greatest(c.reltuples, 0))::bigint AS rows,
       (coalesce(s.pages, c.relpages + coalesce(toast.relpages, 0)) * current_setting('block_size')::bigint)::bigint AS bytes
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
  LEFT JOIN storage s ON s.root = c.oid
  LEFT JOIN partitions part ON part.leaf = c.oid AND part.root <> c.oid
  LEFT JOIN pg_class root ON root.oid = part.root
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
   AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
