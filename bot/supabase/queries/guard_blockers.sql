-- Who holds a lock to write to one of these tables or their partitions.
-- psql -v oids='{1259}' -f guard_blockers.sql
WITH RECURSIVE part (root, oid) AS (
  SELECT oid, oid FROM unnest(:'oids'::oid[]) AS oid
  UNION
  SELECT part.root, i.inhrelid FROM part JOIN pg_inherits i ON i.inhparent = part.oid
)
SELECT n.nspname || '.' || c.relname, a.pid, coalesce(a.usename, '?')
  FROM pg_locks l
  JOIN part ON part.oid = l.relation
  JOIN pg_class c ON c.oid = part.root
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
   AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'ShareLock')
 ORDER BY 1, 2
 LIMIT 1
