-- Ways to write that the layers do not close: kind, name, and whether it is open for certain.
SELECT 'prepared' AS kind, quote_literal(gid) AS name, true AS open FROM pg_prepared_xacts WHERE database = current_database()
UNION ALL
SELECT 'override',
       format('ALTER ROLE %I%s RESET %s', r.rolname,
              CASE WHEN s.setdatabase = 0 THEN '' ELSE format(' IN DATABASE %I', current_database()) END,
              split_part(entry, '=', 1)),
       r.rolcanlogin
  FROM pg_db_role_setting s
  JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) AS entry
 WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
   AND lower(split_part(entry, '=', 1)) IN ('default_transaction_read_only', 'transaction_read_only')
   AND split_part(entry, '=', 2) !~* '^(on|t|y|1)'
UNION ALL
SELECT 'subscription', quote_ident(subname), subenabled FROM pg_subscription
 WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND subenabled
UNION ALL
SELECT DISTINCT 'worker', backend_type, false FROM pg_stat_activity
 WHERE datname = current_database()
   AND backend_type NOT IN ('client backend', 'autovacuum worker', 'parallel worker', 'walsender')
 ORDER BY 1, 2
