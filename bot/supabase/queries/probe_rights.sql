-- Which of these roles may insert into, update and delete from this table, as far as rights go.
SELECT r.rolname::text
  FROM pg_roles r
 WHERE r.rolname = ANY (%(roles)s::text[])
   AND has_table_privilege(r.oid, format('%%I.%%I', %(schema)s::text, %(table)s::text)::regclass, 'INSERT')
   AND has_table_privilege(r.oid, format('%%I.%%I', %(schema)s::text, %(table)s::text)::regclass, 'UPDATE')
   AND has_table_privilege(r.oid, format('%%I.%%I', %(schema)s::text, %(table)s::text)::regclass, 'DELETE')
