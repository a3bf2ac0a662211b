-- The relations given by oid, each with the table whose rows it holds, with their sizes in blocks; in the order given. Their
-- sizes are asked once they are locked: rows that the snapshot sees lie below.
-- psql -v tables='{1259}' -v parts='{1259}' -f layout.sql
SELECT held.root::bigint AS "table",
       n.nspname::text AS schema,
       c.relname::text AS name,
       c.relkind = 'r' AS plain,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid) AS readable,
       coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::int AS blocks,
       coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0) AS outside_bytes
  FROM ROWS FROM (unnest(:'tables'::oid[]), unnest(:'parts'::oid[])) WITH ORDINALITY AS held (root, oid, place)
  JOIN pg_class c ON c.oid = held.oid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 ORDER BY held.root, held.place
