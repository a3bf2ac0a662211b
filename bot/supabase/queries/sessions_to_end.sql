-- The sessions that a thaw would end, and which of them are a superuser's and stay.
SELECT a.pid, coalesce(a.usename, '?'), coalesce(a.application_name, ''), coalesce(r.rolsuper, false)
  FROM pg_stat_activity a
  LEFT JOIN pg_roles r ON r.oid = a.usesysid
 WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
   AND (NOT starts_with(a.application_name, 'cutover/')
        OR EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'relation' AND l.mode = 'ShareLock'))
 ORDER BY a.backend_start, a.pid
