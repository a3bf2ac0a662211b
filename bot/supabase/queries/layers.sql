-- What of a freeze stands, and what was there before it. One row; the database's clock first.
SELECT clock_timestamp(),
       settings.default_here,
       settings.hook_here,
       settings.hook_everywhere,
       obj_description(to_regnamespace('cutover_freeze'), 'pg_namespace') AS comment,
       to_regnamespace('cutover_freeze') IS NOT NULL AS schema_is_there,
       EXISTS (SELECT FROM pg_proc WHERE oid = to_regprocedure('cutover_freeze.gate()')
                  AND strpos(prosrc, 'frozen for migration') > 0) AS gate_is_there,
       coalesce(has_schema_privilege('public', to_regnamespace('cutover_freeze'), 'USAGE')
                AND has_function_privilege('public', to_regprocedure('cutover_freeze.gate()'), 'EXECUTE'), false) AS gate_is_open
  FROM (SELECT max(value) FILTER (WHERE setrole = 0) AS default_here,
               max(value) FILTER (WHERE setrole <> 0 AND setdatabase <> 0) AS hook_here,
               max(value) FILTER (WHERE setrole <> 0 AND setdatabase = 0) AS hook_everywhere
          FROM (SELECT setrole, setdatabase, split_part(entry, '=', 1) AS name,
                       substr(entry, strpos(entry, '=') + 1) AS value
                  FROM pg_db_role_setting, unnest(setconfig) AS entry
                 WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))) AS entries
         WHERE setrole = to_regrole('authenticator') AND name = 'pgrst.db_pre_request'
            OR setrole = 0 AND setdatabase <> 0 AND name = 'default_transaction_read_only') AS settings
