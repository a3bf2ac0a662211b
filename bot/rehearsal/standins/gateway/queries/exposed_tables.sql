-- The relations of the exposed schemas, each with its columns.
-- psql -v schemas='{public}' -f exposed_tables.sql
SELECT n.nspname, c.relname,
       coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attname IS NOT NULL), '{}')
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE n.nspname = ANY (:'schemas') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
 GROUP BY 1, 2;
