-- The sessions that a thaw would end, and which of them are a superuser's and stay.
SELECT a.pid, coalesce(a.usename, '?'), coalesce(a.application_name, ''), coalesce(r.rolsuper, false)
  FROM pg_stat_activity a
  LEFT JOIN pg_roles r ON r.oid = a.usesysid
 WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
   AND CASE WHEN a.usename = session_user AND starts_with(a.application_name, 'cutover/')
            THEN EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'relation' AND l.mode = 'ShareLock')
            -- The gateway's never had the default, where the kit has spared it.
            ELSE NOT (a.usename = 'authenticator' AND EXISTS (
              SELECT FROM pg_db_role_setting s
               WHERE s.setrole = a.usesysid AND s.setdatabase = a.datid AND 'default_transaction_read_only=off' = ANY (s.setconfig)))
       END
 ORDER BY a.backend_start, a.pid
