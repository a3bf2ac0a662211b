-- The gateway's own settings, kept as settings of its role; the one set IN DATABASE comes last and wins.
SELECT split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)
  FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS setting
 WHERE s.setrole = current_user::regrole AND setting LIKE 'pgrst.%'
   AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
 ORDER BY s.setdatabase <> 0;
