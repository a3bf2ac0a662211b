-- The relations that hold the rows of the tables given by oid, with their sizes in blocks: the table itself, or the leaves of a
-- partition tree in the tree's order. Their sizes are asked once they are locked: rows that the snapshot sees lie below.
SELECT root.oid::bigint AS "table",
       n.nspname::text AS schema,
       c.relname::text AS name,
       c.relkind = 'r' AS plain,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid) AS readable,
       pg_relation_size(c.oid) / current_setting('block_size')::int AS blocks,
       coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0) AS outside_bytes
  FROM unnest(%(tables)s::oid[]) AS root (oid)
  CROSS JOIN LATERAL (
    SELECT root.oid, 0::bigint WHERE NOT EXISTS (SELECT FROM pg_partitioned_table p WHERE p.partrelid = root.oid)
    UNION ALL
    SELECT tree.relid, tree.place FROM pg_partition_tree(root.oid) WITH ORDINALITY AS tree (relid, parent, isleaf, level, place)
     WHERE tree.isleaf AND tree.relid <> root.oid
  ) AS leaf (oid, place)
  JOIN pg_class c ON c.oid = leaf.oid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 ORDER BY root.oid, leaf.place
