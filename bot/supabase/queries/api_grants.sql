-- Of the tables given as two lists, those that the API's role for the secret key may not read, with the statements that would
-- let it. It enters no schema that the API was never meant to show.
-- psql -v schemas='{public}' -v names='{orders}' -f api_grants.sql
SELECT n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name,
       pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE') AS enters,
       pg_catalog.concat_ws(' ',
         CASE WHEN NOT pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
              THEN pg_catalog.format('GRANT USAGE ON SCHEMA %I TO service_role;', n.nspname) END,
         CASE WHEN NOT pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT')
              THEN pg_catalog.format('GRANT SELECT ON TABLE %I.%I TO service_role;', n.nspname, c.relname) END) AS grants
  FROM ROWS FROM (pg_catalog.unnest(:'schemas'::pg_catalog.text[]), pg_catalog.unnest(:'names'::pg_catalog.text[]))
    AS wanted (schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_roles r ON r.rolname = 'service_role'
 WHERE NOT (pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE') AND pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT'))
 ORDER BY 1, 2
