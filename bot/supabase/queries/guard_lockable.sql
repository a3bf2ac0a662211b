-- Of these tables, those that our role may lock in SHARE mode: reading alone is not enough for it.
-- psql -v oids='{1259}' -f guard_lockable.sql
SELECT c.oid
  FROM pg_class c
 WHERE c.oid = ANY (:'oids'::oid[])
   AND (has_table_privilege(c.oid, 'UPDATE') OR has_table_privilege(c.oid, 'DELETE') OR has_table_privilege(c.oid, 'TRUNCATE'))
