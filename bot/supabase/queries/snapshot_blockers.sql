-- Who holds, or waits for, a lock on a table of this database that keeps everybody else out; a holder first.
SELECT n.nspname || '.' || c.relname AS relation, a.pid, a.usename::text AS role
  FROM pg_locks l
  JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p') AND c.oid >= 16384
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
   AND a.pid <> pg_backend_pid()
 ORDER BY l.granted DESC, a.pid, relation
 LIMIT 1
