-- Columns of the tables given by oid that could hold ids: of uuid, text or json, or arrays of the first two, under any
-- domain, an array's or its elements'.
-- psql -v tables='{1259}' -f reference_columns.sql
WITH RECURSIVE typed (relation, number, name, oid, listed) AS (
  SELECT a.attrelid, a.attnum, a.attname::text, a.atttypid, false
    FROM pg_attribute a
   WHERE a.attrelid = ANY (:'tables') AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT typed.relation, typed.number, typed.name,
         CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END, typed.listed OR t.typtype <> 'd'
    FROM typed
    JOIN pg_type t ON t.oid = typed.oid
   WHERE t.typtype = 'd' OR NOT typed.listed AND t.typsubscript = 'array_subscript_handler'::regproc
)
SELECT typed.relation::bigint AS "table", typed.name, typed.listed,
       CASE WHEN t.oid = 'uuid'::regtype THEN 'uuid' WHEN t.typcategory = 'S' THEN 'text' ELSE 'json' END AS kind
  FROM typed
  JOIN pg_type t ON t.oid = typed.oid AND t.typtype <> 'd'
 WHERE t.oid = 'uuid'::regtype OR t.typcategory = 'S' OR t.oid IN ('json'::regtype, 'jsonb'::regtype) AND NOT typed.listed
 ORDER BY typed.relation, typed.number
