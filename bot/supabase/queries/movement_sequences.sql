-- The last value of each sequence, by schema.sequence, and the number of its file. NULL for one never used or not readable to us.
SELECT n.nspname || '.' || c.relname,
       CASE WHEN has_sequence_privilege(c.oid, 'USAGE, SELECT') THEN pg_sequence_last_value(c.oid) END,
       coalesce(pg_relation_filenode(c.oid)::bigint, 0)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND n.nspname || '.' || c.relname = ANY (%(sequences)s::text[])
