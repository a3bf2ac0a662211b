-- Every schema but the system's own, by whom it is owned and whether it is a member of an extension.
SELECT n.nspname::pg_catalog.text AS name,
       r.rolname::pg_catalog.text AS owner,
       r.rolsuper AS of_superuser,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.objid = n.oid AND d.deptype = 'e')
         AS of_extension
  FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
