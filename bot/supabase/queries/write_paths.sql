-- Ways to write that the layers do not close: kind and name, or the statement that closes it.
SELECT 'prepared' AS kind, quote_literal(gid) AS name FROM pg_prepared_xacts WHERE database = current_database()
UNION ALL
SELECT CASE WHEN r.rolcanlogin THEN 'override' ELSE 'group override' END,
       format('ALTER ROLE %I%s RESET %s', r.rolname,
              CASE WHEN s.setdatabase = 0 THEN '' ELSE format(' IN DATABASE %I', current_database()) END,
              split_part(entry, '=', 1))
  FROM pg_db_role_setting s
  JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) AS entry
 WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
   AND lower(split_part(entry, '=', 1)) IN ('default_transaction_read_only', 'transaction_read_only')
   AND split_part(entry, '=', 2) !~* '^(on|t|y|1)'
   -- The kit's own, which its hook makes harmless.
   AND NOT (r.rolname = 'authenticator' AND s.setdatabase <> 0 AND entry = 'default_transaction_read_only=off'
            AND 'pgrst.db_pre_request=cutover_freeze.gate' = ANY (s.setconfig))
UNION ALL
SELECT 'function override', format('ALTER ROUTINE %s RESET %s', p.oid::regprocedure, split_part(entry, '=', 1))
  FROM pg_proc p, unnest(p.proconfig) AS entry
 WHERE lower(split_part(entry, '=', 1)) IN ('default_transaction_read_only', 'transaction_read_only')
   AND split_part(entry, '=', 2) !~* '^(on|t|y|1)'
UNION ALL
SELECT 'subscription', quote_ident(subname) FROM pg_subscription
 WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND subenabled
UNION ALL
SELECT CASE WHEN a.backend_xid IS NOT NULL THEN 'open transaction' ELSE 'long transaction' END,
       format('pid %s, %s', a.pid, coalesce(a.usename, '?'))
  FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
   AND (a.backend_xid IS NOT NULL OR a.xact_start < clock_timestamp() - interval '5 minutes')
   AND NOT (starts_with(coalesce(a.application_name, ''), 'cutover/') AND a.usesysid = to_regrole(quote_ident(session_user))::oid)
UNION ALL
SELECT 'slot', quote_ident(slot_name) FROM pg_replication_slots WHERE database = current_database() AND NOT temporary
UNION ALL
SELECT DISTINCT 'worker', backend_type FROM pg_stat_activity
 WHERE datname = current_database()
   AND backend_type NOT IN ('client backend', 'autovacuum worker', 'parallel worker', 'walsender')
UNION ALL
SELECT 'login role', quote_ident(rolname) FROM pg_roles
 WHERE rolcanlogin AND rolname !~ '^(pg_|supabase_)' AND rolname <> session_user
   AND rolname NOT IN ('postgres', 'authenticator', 'dashboard_user', 'pgbouncer', 'pgsodium_keymaker', 'cli_login_postgres')
UNION ALL
SELECT 'database', datname FROM pg_database
 WHERE datallowconn AND NOT datistemplate AND datname NOT IN (current_database(), 'postgres', '_supabase')
 ORDER BY 1, 2
