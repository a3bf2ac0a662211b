-- Which of these roles may insert into, update and delete from this table, as far as rights go.
-- psql -v roles='{anon,service_role}' -v schema=auth -v table=users -f probe_rights.sql
SELECT r.rolname::text
  FROM pg_roles r
 WHERE r.rolname = ANY (:'roles'::text[])
   AND has_table_privilege(r.oid, format('%I.%I', :'schema'::text, :'table'::text)::regclass, 'INSERT')
   AND has_table_privilege(r.oid, format('%I.%I', :'schema'::text, :'table'::text)::regclass, 'UPDATE')
   AND has_table_privilege(r.oid, format('%I.%I', :'schema'::text, :'table'::text)::regclass, 'DELETE')
