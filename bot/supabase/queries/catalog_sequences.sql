-- Of the sequences given by oid, what they are counted by, and the column that owns each.
-- psql -v sequences='{}' -f catalog_sequences.sql
SELECT s.seqrelid::bigint AS oid,
       s.seqincrement AS increment,
       own.refobjid::bigint AS owner,
       a.attname::text AS owner_column
  FROM pg_sequence s
  LEFT JOIN pg_depend own
    ON own.classid = 'pg_class'::regclass AND own.objid = s.seqrelid AND own.objsubid = 0
   AND own.refclassid = 'pg_class'::regclass AND own.refobjsubid > 0 AND own.deptype IN ('a', 'i')
  LEFT JOIN pg_attribute a ON a.attrelid = own.refobjid AND a.attnum = own.refobjsubid
 WHERE s.seqrelid = ANY (:'sequences')
