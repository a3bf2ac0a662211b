-- Which of these are tables of an extension or of a superuser; anybody may have made a table or a view of that name.
-- psql -v tables='{cron.job}' -f write_paths_tables.sql
SELECT n.nspname || '.' || c.relname
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_roles r ON r.oid = c.relowner
 WHERE n.nspname || '.' || c.relname = ANY (:'tables'::text[]) AND c.relkind = 'r'
   AND (r.rolsuper OR r.rolname = 'supabase_functions_admin'
        OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
