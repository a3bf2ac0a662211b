-- The CHECK constraints of the tables given by oid, of their columns and of the whole row.
-- psql -v tables='{1259}' -f catalog_checks.sql
SELECT k.conrelid::bigint AS "table", k.conname::text AS name, pg_get_expr(k.conbin, k.conrelid) AS expression
  FROM pg_constraint k
 WHERE k.conrelid = ANY (:'tables') AND k.contype = 'c'
 ORDER BY k.conrelid, k.conname COLLATE "C"
