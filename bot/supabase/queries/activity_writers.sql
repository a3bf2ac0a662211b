-- Transactions that hold ROW EXCLUSIVE or stronger on an exported table, one of its partitions, or an exported sequence, and are
-- not ours. One that is prepared has no pid. Vacuum, of a person or of the server, changes no row: it holds SHARE UPDATE
-- EXCLUSIVE, and more only for the moment in which it gives empty pages back.
-- psql -v relations='{auth.users}' -f activity_writers.sql
WITH RECURSIVE part (root, oid) AS (
  SELECT c.oid, c.oid
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname || '.' || c.relname = ANY (:'relations'::text[])
  UNION
  SELECT part.root, i.inhrelid
    FROM part JOIN pg_class root ON root.oid = part.root AND root.relkind = 'p'
    JOIN pg_inherits i ON i.inhparent = part.oid
)
SELECT DISTINCT n.nspname || '.' || c.relname, l.pid, coalesce(a.usename, '?'), coalesce(a.application_name, '')
  FROM pg_locks l
  JOIN part ON part.oid = l.relation
  JOIN pg_class c ON c.oid = part.root
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.granted
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.mode IN ('RowExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
   AND coalesce(a.backend_type, '') <> 'autovacuum worker'
   AND NOT EXISTS (SELECT FROM pg_stat_progress_vacuum v WHERE v.pid = l.pid)
   AND NOT (starts_with(coalesce(a.application_name, ''), 'cutover/')
            AND a.usesysid IS NOT DISTINCT FROM to_regrole(quote_ident(session_user))::oid)
 ORDER BY 1, 2
