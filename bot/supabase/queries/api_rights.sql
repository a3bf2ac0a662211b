-- What a role that the gateway may assume could still write by rights alone: tables and views, and functions that run with
-- their owner's rights. By schema, so that the platform's own can be told apart.
SELECT kind, schema, name, string_agg(role, ', ' ORDER BY role)
  FROM (SELECT r.oid, r.rolname::text AS role
          FROM pg_roles r
         WHERE r.rolname <> 'authenticator'
           AND CASE WHEN current_setting('server_version_num')::int >= 160000 THEN pg_has_role('authenticator', r.oid, 'SET')
                    ELSE pg_has_role('authenticator', r.oid, 'MEMBER') END) AS assumed
 CROSS JOIN LATERAL (
    SELECT 'table' AS kind, n.nspname::text AS schema, format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND has_schema_privilege(assumed.oid, n.oid, 'USAGE')
       AND (has_table_privilege(assumed.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
            OR has_any_column_privilege(assumed.oid, c.oid, 'INSERT, UPDATE'))
    UNION ALL
    SELECT 'function', n.nspname::text, format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE p.prosecdef AND p.provolatile = 'v' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
       AND has_schema_privilege(assumed.oid, n.oid, 'USAGE') AND has_function_privilege(assumed.oid, p.oid, 'EXECUTE')
  ) AS may
 GROUP BY 1, 2, 3
 ORDER BY 1, 2, 3
