-- Columns that a probe may write to in no row: writable to us, neither generated nor an identity, in a table without triggers
-- or rules that would run all the same; those that are NOT NULL, of the first schema that users meet, and of
-- names that the API can be asked for (`_rows` in gateway.py), come first.
-- `quiet`: planning an UPDATE of the table runs no code of anybody.
SELECT t.schema, t.name, t.column_name, t.not_null, t.quiet
  FROM (
    SELECT DISTINCT ON (a.attnotnull, n.nspname, c.relname)
           n.nspname AS schema, c.relname AS name, a.attname AS column_name, a.attnotnull AS not_null,
           c.relkind = 'r' AND NOT c.relhassubclass AND NOT row_security_active(c.oid)
             AND NOT EXISTS (SELECT FROM pg_index i
                              WHERE i.indrelid = c.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL))
             AND NOT EXISTS (SELECT FROM pg_statistic_ext s WHERE s.stxrelid = c.oid AND s.stxexprs IS NOT NULL)
             AND NOT EXISTS (SELECT FROM pg_attribute g WHERE g.attrelid = c.oid AND g.attgenerated <> '') AS quiet
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
     ORDER BY a.attnotnull, n.nspname, c.relname, a.attname !~ '^[\w$]+$', a.attnum
  ) AS t
 ORDER BY t.schema <> 'public', NOT t.not_null, t.name ~ '/|^[.]{1,2}$' OR t.column_name !~ '^[\w$]+$', NOT t.quiet, t.schema, t.name
 LIMIT 8
