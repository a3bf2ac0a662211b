-- What of a freeze is set, and what was there before it. One row; the database's clock first. What the schema says
-- counts only where it and all functions in it are our role's or the database owner's; who owns it otherwise is shown.
SELECT clock_timestamp(),
       settings.default_here,
       settings.hook_here,
       settings.default_own,
       settings.hook_everywhere,
       obj_description(n.oid, 'pg_namespace') AS comment,
       n.oid IS NOT NULL AS schema_is_there,
       CASE WHEN n.nspowner <> ALL (trusted.roles) THEN n.nspowner::regrole::text
            ELSE (SELECT min(proowner::regrole::text) FROM pg_proc WHERE pronamespace = n.oid AND proowner <> ALL (trusted.roles))
       END AS stranger,
       (SELECT prosrc FROM pg_proc JOIN pg_language l ON l.oid = prolang
         WHERE pronamespace = n.oid AND proname = 'gate' AND pronargs = 0 AND l.lanname = 'plpgsql' AND proconfig IS NULL
           AND NOT prosecdef) AS gate,
       coalesce(has_schema_privilege('public', n.oid, 'USAGE')
                AND has_function_privilege('public', to_regprocedure('cutover_freeze.gate()'), 'EXECUTE'), false) AS gate_is_open,
       (SELECT reset_val = 'on' FROM pg_settings WHERE name = 'default_transaction_read_only') AS sessions_read_only
  FROM (SELECT max(value) FILTER (WHERE setrole = 0) AS default_here,
               max(value) FILTER (WHERE setrole <> 0 AND setdatabase <> 0 AND name = 'pgrst.db_pre_request') AS hook_here,
               max(value) FILTER (WHERE setrole <> 0 AND name = 'default_transaction_read_only') AS default_own,
               max(value) FILTER (WHERE setrole <> 0 AND setdatabase = 0) AS hook_everywhere
          FROM (SELECT setrole, setdatabase, split_part(entry, '=', 1) AS name,
                       substr(entry, strpos(entry, '=') + 1) AS value
                  FROM pg_db_role_setting, unnest(setconfig) AS entry
                 WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))) AS entries
         WHERE setrole = to_regrole('authenticator') AND name = 'pgrst.db_pre_request'
            OR setrole IN (0, to_regrole('authenticator')) AND setdatabase <> 0
               AND name = 'default_transaction_read_only') AS settings
 CROSS JOIN (SELECT ARRAY(SELECT oid FROM pg_roles WHERE rolname = current_user
                          UNION SELECT datdba FROM pg_database WHERE datname = current_database()) AS roles) AS trusted
  LEFT JOIN pg_namespace n ON n.nspname = 'cutover_freeze'
