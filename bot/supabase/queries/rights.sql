-- What our role may do on the night, as far as rights tell; whether it may set the freeze's layers is tried.
SELECT current_setting('server_version_num')::int / 10000 AS version,
       current_setting('server_version') AS server_version,
       current_user::text AS role,
       r.rolsuper OR pg_has_role(d.datdba, 'USAGE') AS owns_database,
       r.rolsuper OR pg_has_role('pg_signal_backend', 'USAGE') AS may_signal,
       r.rolsuper OR pg_has_role('pg_read_all_stats', 'USAGE') AS sees_sessions,
       to_regrole('authenticator') IS NOT NULL AS has_authenticator,
       has_database_privilege(d.oid, 'CREATE') AS may_create_schema
  FROM pg_roles r, pg_database d
 WHERE r.rolname = current_user AND d.datname = current_database()
