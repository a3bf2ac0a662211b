-- Client sessions of this database that began before a time and are not ours, oldest first.
-- psql -v before='2026-01-01 00:00Z' -f old_sessions.sql
SELECT a.pid, coalesce(a.usename, '?'), coalesce(a.application_name, ''),
       extract(epoch FROM clock_timestamp() - a.backend_start)::bigint AS age_seconds,
       coalesce(r.rolsuper, false) AS is_superuser,
       coalesce(strpos(a.query, 'cutover_freeze.gate') > 0 OR strpos(a.query, 'Now close this session') > 0, false) AS ran_the_freeze
  FROM pg_stat_activity a
  LEFT JOIN pg_roles r ON r.oid = a.usesysid
 WHERE a.datname = current_database()
   AND a.pid <> pg_backend_pid()
   AND coalesce(a.backend_type, 'client backend') = 'client backend'
   AND (a.backend_start < :'before'::timestamptz OR a.backend_start IS NULL)
   AND NOT (starts_with(coalesce(a.application_name, ''), 'cutover/') AND a.usesysid = to_regrole(quote_ident(session_user))::oid)
 ORDER BY a.backend_start NULLS FIRST, a.pid
