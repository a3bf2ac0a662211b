-- Columns of the tables given by oid that could hold ids: of uuid, text or json, or arrays of the first two, under any domain.
WITH RECURSIVE typed (relation, number, name, oid) AS (
  SELECT a.attrelid, a.attnum, a.attname::text, a.atttypid
    FROM pg_attribute a
   WHERE a.attrelid = ANY (%(tables)s) AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT typed.relation, typed.number, typed.name, t.typbasetype
    FROM typed JOIN pg_type t ON t.oid = typed.oid WHERE t.typtype = 'd'
), based (relation, number, name, oid, listed) AS (
  SELECT typed.relation, typed.number, typed.name, coalesce(element.oid, t.oid), element.oid IS NOT NULL
    FROM typed
    JOIN pg_type t ON t.oid = typed.oid AND t.typtype <> 'd'
    LEFT JOIN pg_type element ON element.oid = t.typelem AND t.typsubscript = 'array_subscript_handler'::regproc
)
SELECT based.relation::bigint AS "table", based.name, based.listed,
       CASE WHEN t.oid = 'uuid'::regtype THEN 'uuid' WHEN t.typcategory = 'S' THEN 'text' ELSE 'json' END AS kind
  FROM based JOIN pg_type t ON t.oid = based.oid
 WHERE t.oid = 'uuid'::regtype OR t.typcategory = 'S' OR t.oid IN ('json'::regtype, 'jsonb'::regtype) AND NOT based.listed
 ORDER BY based.relation, based.number
