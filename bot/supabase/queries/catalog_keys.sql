-- Primary and foreign keys of the tables given by oid. A partition, given with its table in two lists, counts as that table at
-- both ends. PostgreSQL's copies of a key for partitions have their original in the same table; a partition that is being
-- detached has it in the table that it belonged to.
-- psql -v tables='{1259}' -v parts='{}' -v roots='{}' -f catalog_keys.sql
WITH part (oid, root) AS (
  SELECT given.oid, given.root
    FROM ROWS FROM (unnest(:'parts'::oid[]), unnest(:'roots'::oid[])) AS given (oid, root)
), key AS (
  SELECT k.*, coalesce(own.root, k.conrelid) AS root, own.oid AS part,
         coalesce(other.root, nullif(k.confrelid, 0)) AS to_root, other.oid AS to_part
    FROM pg_constraint k
    LEFT JOIN part own ON own.oid = k.conrelid
    LEFT JOIN part other ON other.oid = k.confrelid
    LEFT JOIN pg_constraint original ON original.oid = nullif(k.conparentid, 0)
    LEFT JOIN part its ON its.oid = original.conrelid
   WHERE (k.contype = 'f' OR k.contype = 'p' AND own.oid IS NULL)
     AND coalesce(its.root, original.conrelid) IS DISTINCT FROM coalesce(own.root, k.conrelid)
)
SELECT key.root::bigint AS "table",
       key.contype::text AS kind,
       key.conname::text AS name,
       ARRAY(SELECT a.attname::text FROM unnest(key.conkey) WITH ORDINALITY AS c (number, place)
               JOIN pg_attribute a ON a.attrelid = key.conrelid AND a.attnum = c.number ORDER BY c.place) AS columns,
       n.nspname::text AS to_schema,
       r.relname::text AS to_name,
       ARRAY(SELECT a.attname::text FROM unnest(key.confkey) WITH ORDINALITY AS c (number, place)
               JOIN pg_attribute a ON a.attrelid = key.confrelid AND a.attnum = c.number ORDER BY c.place) AS to_columns,
       CASE key.confdeltype WHEN 'a' THEN 'no action' WHEN 'r' THEN 'restrict' WHEN 'c' THEN 'cascade'
                            WHEN 'n' THEN 'set null' WHEN 'd' THEN 'set default' END AS on_delete,
       key.condeferrable AS deferrable,
       (SELECT format('%s.%s', pn.nspname, p.relname) FROM pg_class p JOIN pg_namespace pn ON pn.oid = p.relnamespace
         WHERE p.oid = key.part) AS partition,
       (SELECT format('%s.%s', pn.nspname, p.relname) FROM pg_class p JOIN pg_namespace pn ON pn.oid = p.relnamespace
         WHERE p.oid = key.to_part) AS to_partition
  FROM key
  LEFT JOIN pg_class r ON r.oid = key.to_root
  LEFT JOIN pg_namespace n ON n.oid = r.relnamespace
 WHERE key.root = ANY (:'tables'::oid[])
 ORDER BY key.root, key.contype DESC, key.conname COLLATE "C", key.part NULLS FIRST, key.to_part NULLS FIRST
