-- One digest over the columns of every table that is not the system's, a temporary one or the freeze's.
SELECT coalesce(md5(string_agg(format('%s.%s %s %s %s %s', n.nspname, c.relname, a.attname, a.atttypid, a.atttypmod, a.attnotnull), E'\n'
                               ORDER BY n.nspname, c.relname, a.attnum)), '')
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'cutover_freeze')
