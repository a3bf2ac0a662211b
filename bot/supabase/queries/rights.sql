-- What our role may do on the night. The hook's setting is ours to give by a grant on the parameter and ADMIN on authenticator, or
-- through Supabase's supautils, which lends both to the project's owner.
SELECT current_setting('server_version_num')::int / 10000 AS version,
       current_setting('server_version') AS server_version,
       current_user::text AS role,
       r.rolsuper OR pg_has_role(d.datdba, 'USAGE') AS owns_database,
       r.rolsuper OR pg_has_role('pg_signal_backend', 'USAGE') AS may_signal,
       r.rolsuper OR pg_has_role('pg_read_all_stats', 'USAGE') AS sees_sessions,
       to_regrole('authenticator') IS NOT NULL AS has_authenticator,
       r.rolsuper
         OR coalesce(current_setting('supautils.privileged_role_allowed_configs', true), '') ~ 'pgrst\.(\*|db_pre_request)'
         OR (has_parameter_privilege('pgrst.db_pre_request', 'SET')
             AND EXISTS (SELECT FROM pg_auth_members m
                          WHERE m.roleid = to_regrole('authenticator') AND m.member = r.oid AND m.admin_option)) AS may_hook,
       has_database_privilege(d.oid, 'CREATE') AS may_create_schema
  FROM pg_roles r, pg_database d
 WHERE r.rolname = current_user AND d.datname = current_database()
