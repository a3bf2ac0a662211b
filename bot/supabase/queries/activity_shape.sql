-- By schema, two digests over columns: of every table, and of those that are watched (`schema.table`). Not the system's
-- schemas, temporary ones or the freeze's.
-- psql -v tables='{auth.users}' -f activity_shape.sql
SELECT schema,
       md5(string_agg(line, E'\n' ORDER BY line)),
       coalesce(md5(string_agg(line, E'\n' ORDER BY line) FILTER (WHERE watched)), '')
  FROM (SELECT n.nspname::text AS schema,
               n.nspname || '.' || c.relname = ANY (:'tables'::text[]) AS watched,
               format('%s %s %s %s %s %s', c.relname, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull) COLLATE "C" AS line
          FROM pg_class c
          JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'cutover_freeze')) AS columns
 GROUP BY schema
