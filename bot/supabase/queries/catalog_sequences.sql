-- Sequences of the schemas given, and those owned by a column of the tables given. pg_sequences shows no last value to
-- whoever may not read the sequence, which must not pass for "none handed out": hence `readable`.
SELECT c.oid::bigint AS oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       s.last_value,
       s.increment_by AS increment,
       quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS quoted,
       has_sequence_privilege(c.oid, 'SELECT') AS readable,
       own.schema AS owner_schema, own.name AS owner_name, own.column_name AS owner_column
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_sequences s ON s.schemaname = n.nspname AND s.sequencename = c.relname
  LEFT JOIN LATERAL (
    SELECT t.oid, tn.nspname::text AS schema, t.relname::text AS name, a.attname::text AS column_name
      FROM pg_depend d
      JOIN pg_class t ON t.oid = d.refobjid
      JOIN pg_namespace tn ON tn.oid = t.relnamespace
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
       AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
     LIMIT 1
  ) own ON true
 WHERE c.relkind = 'S'
   AND (n.nspname = ANY (%(schemas)s) OR own.oid = ANY (%(tables)s))
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
