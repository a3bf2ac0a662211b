-- Primary and foreign keys of the tables given by oid. The copies that PostgreSQL makes for partitions have a parent.
SELECT k.conrelid::bigint AS "table",
       k.contype::text AS kind,
       k.conname::text AS name,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS c (number, place)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.number ORDER BY c.place) AS columns,
       n.nspname::text AS to_schema,
       r.relname::text AS to_name,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS c (number, place)
               JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.number ORDER BY c.place) AS to_columns,
       CASE k.confdeltype WHEN 'a' THEN 'no action' WHEN 'r' THEN 'restrict' WHEN 'c' THEN 'cascade'
                          WHEN 'n' THEN 'set null' WHEN 'd' THEN 'set default' END AS on_delete,
       k.condeferrable AS deferrable
  FROM pg_constraint k
  LEFT JOIN pg_class r ON r.oid = nullif(k.confrelid, 0)
  LEFT JOIN pg_namespace n ON n.oid = r.relnamespace
 WHERE k.conrelid = ANY (%(tables)s) AND k.contype IN ('p', 'f') AND k.conparentid = 0
 ORDER BY k.conrelid, k.contype DESC, k.conname COLLATE "C"
