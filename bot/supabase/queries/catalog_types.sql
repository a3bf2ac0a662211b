-- The types given by oid and all that row_to_json would take them apart into: a domain's base, an array's elements, a
-- composite's fields. Ranges and the rest are rendered whole, as text.
-- psql -v types='{23,3802}' -f catalog_types.sql
WITH RECURSIVE inside (oid) AS (
  SELECT unnest(:'types'::oid[])
  UNION
  SELECT part.oid
    FROM inside
    JOIN pg_type t ON t.oid = inside.oid
    CROSS JOIN LATERAL (
      SELECT t.typbasetype WHERE t.typtype = 'd'
      UNION ALL
      SELECT t.typelem WHERE t.typsubscript = 'array_subscript_handler'::regproc
      UNION ALL
      SELECT a.atttypid FROM pg_attribute a
       WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) part (oid)
)
SELECT t.oid::bigint AS oid,
       -- Anybody may call a type of their own jsonb.
       CASE WHEN t.oid < 16384 OR t.typname IN ('hstore', 'geometry', 'geography') THEN t.typname::text ELSE '' END AS name,
       CASE WHEN t.typtype = 'd' THEN 'domain'
            WHEN t.typsubscript = 'array_subscript_handler'::regproc THEN 'array'
            WHEN t.typtype = 'c' THEN 'composite'
            ELSE 'scalar' END AS shape,
       CASE WHEN t.typtype = 'd' THEN ARRAY[t.typbasetype::bigint]
            WHEN t.typsubscript = 'array_subscript_handler'::regproc THEN ARRAY[t.typelem::bigint]
            ELSE ARRAY(SELECT a.atttypid::bigint FROM pg_attribute a
                        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                        ORDER BY a.attnum) END AS parts,
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS base,
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels,
       ARRAY(SELECT ARRAY[a.attname::text, format_type(a.atttypid, a.atttypmod)] FROM pg_attribute a
              WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
              ORDER BY a.attnum) AS fields,
       -- row_to_json obeys a cast to json that somebody made for a type of their own; reading it back has no such cast. And
       -- a domain over a type that cannot be received in binary is refused when it is read from JSON, though it would be text.
       t.oid >= 16384 AND EXISTS (
         SELECT FROM pg_cast k WHERE k.castsource = t.oid AND k.casttarget = 'json'::regtype AND k.castmethod = 'f'
       ) OR EXISTS (SELECT FROM pg_type base WHERE base.oid = nullif(t.typbasetype, 0) AND base.typreceive = 0) AS not_read_back
  FROM inside
  JOIN pg_type t USING (oid)
