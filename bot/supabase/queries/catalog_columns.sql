-- The columns of the tables given by oid, in their order.
-- psql -v tables='{1259}' -f catalog_columns.sql
SELECT a.attrelid::bigint AS "table",
       a.attname::text AS name,
       format_type(a.atttypid, a.atttypmod) AS type,
       a.atttypid::bigint AS type_oid,
       NOT a.attnotnull AS nullable,
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS "default",
       a.attgenerated <> '' AS generated,
       CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END AS identity
  FROM pg_attribute a
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = ANY (:'tables') AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
