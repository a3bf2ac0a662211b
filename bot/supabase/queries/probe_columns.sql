-- Columns that a probe may write to in no row: writable to us, neither generated nor an identity, in a table without triggers
-- or rules that would run all the same; those that are NOT NULL and of the first schema that users meet come first.
SELECT DISTINCT ON (n.nspname <> 'public', NOT a.attnotnull, n.nspname, c.relname)
       n.nspname, c.relname, a.attname, a.attnotnull
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'cutover_freeze')
   AND a.attgenerated = '' AND a.attidentity = ''
   AND has_schema_privilege(n.oid, 'USAGE')
   AND has_column_privilege(c.oid, a.attnum, 'UPDATE')
   AND NOT c.relhasrules
   AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 1 = 0)
 ORDER BY n.nspname <> 'public', NOT a.attnotnull, n.nspname, c.relname, a.attnum
 LIMIT 8
