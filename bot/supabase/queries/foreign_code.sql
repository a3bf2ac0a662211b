-- Functions of other roles that reading the tables given by oid could run with our rights, who owns them, and by what they
-- are run: expressions and predicates of indexes, of statistics, of partition keys and of columns computed when they are
-- read, policies that apply to us, CHECKs of domains, operators in all of these, own operator classes, and the functions
-- that read and write a type. A function that one of ours calls is not seen. Owners that already have our rights gain none.
-- psql -v tables='{1259}' -f foreign_code.sql
WITH RECURSIVE tables (oid) AS (
  SELECT unnest(:'tables'::oid[])
  UNION
  SELECT i.inhrelid FROM tables JOIN pg_inherits i ON i.inhparent = tables.oid
), types (oid) AS (
  SELECT a.atttypid FROM tables JOIN pg_attribute a ON a.attrelid = tables.oid AND a.attnum > 0 AND NOT a.attisdropped
  UNION
  SELECT part.oid
    FROM types
    JOIN pg_type t ON t.oid = types.oid
    CROSS JOIN LATERAL (
      SELECT t.typbasetype WHERE t.typtype = 'd'
      UNION ALL
      SELECT t.typelem WHERE t.typelem <> 0
      UNION ALL
      SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid OR r.rngmultitypid = t.oid
      UNION ALL
      SELECT a.atttypid FROM pg_attribute a
       WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) part (oid)
), evaluated (classid, objid, name) AS (
  SELECT 'pg_class'::regclass, i.indexrelid, 'index ' || i.indexrelid::regclass::text
    FROM tables JOIN pg_index i ON i.indrelid = tables.oid
  UNION ALL
  SELECT 'pg_statistic_ext'::regclass, s.oid, 'statistics ' || s.stxnamespace::regnamespace::text || '.' || quote_ident(s.stxname)
    FROM tables JOIN pg_statistic_ext s ON s.stxrelid = tables.oid
  UNION ALL
  SELECT 'pg_class'::regclass, p.partrelid, 'the partition key of ' || p.partrelid::regclass::text
    FROM tables JOIN pg_partitioned_table p ON p.partrelid = tables.oid
  UNION ALL
  SELECT 'pg_attrdef'::regclass, d.oid, 'column ' || a.attrelid::regclass::text || '.' || quote_ident(a.attname)
    FROM tables
    JOIN pg_attribute a ON a.attrelid = tables.oid AND a.attgenerated = 'v'
    JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  UNION ALL
  SELECT 'pg_policy'::regclass, p.oid, 'policy ' || quote_ident(p.polname) || ' of ' || p.polrelid::regclass::text
    FROM tables JOIN pg_policy p ON p.polrelid = tables.oid WHERE row_security_active(p.polrelid)
  UNION ALL
  SELECT 'pg_constraint'::regclass, k.oid, 'domain ' || k.contypid::regtype::text
    FROM types JOIN pg_constraint k ON k.contypid = types.oid
), used (classid, objid, name) AS (
  SELECT d.refclassid, d.refobjid, evaluated.name
    FROM evaluated JOIN pg_depend d ON d.classid = evaluated.classid AND d.objid = evaluated.objid
   WHERE d.refobjid >= 16384
), functions (oid, name) AS (
  SELECT used.objid, used.name FROM used WHERE used.classid = 'pg_proc'::regclass
  UNION ALL
  SELECT o.oprcode, used.name FROM used JOIN pg_operator o ON o.oid = used.objid WHERE used.classid = 'pg_operator'::regclass
  UNION ALL
  SELECT member.oid, used.name
    FROM used
    JOIN pg_opclass c ON used.classid = 'pg_opclass'::regclass AND c.oid = used.objid
    CROSS JOIN LATERAL (
      SELECT m.amproc::oid FROM pg_amproc m WHERE m.amprocfamily = c.opcfamily
      UNION ALL
      SELECT o.oprcode FROM pg_amop m JOIN pg_operator o ON o.oid = m.amopopr WHERE m.amopfamily = c.opcfamily
    ) member (oid)
  UNION ALL
  -- A cast to a domain inside an expression runs its CHECKs.
  SELECT d.refobjid, used.name
    FROM used
    JOIN pg_constraint k ON used.classid = 'pg_type'::regclass AND k.contypid = used.objid
    JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid AND d.refclassid = 'pg_proc'::regclass
  UNION ALL
  SELECT io.oid, 'type ' || t.oid::regtype::text
    FROM types JOIN pg_type t ON t.oid = types.oid AND t.oid >= 16384
    CROSS JOIN LATERAL (VALUES (t.typinput::oid), (t.typoutput::oid)) AS io (oid)
)
SELECT p.oid::regprocedure::text AS function, r.rolname::text AS owner, min(functions.name) AS run_by, count(DISTINCT functions.name) AS places
  FROM functions
  JOIN pg_proc p ON p.oid = functions.oid
  JOIN pg_roles r ON r.oid = p.proowner
 WHERE p.oid >= 16384
   AND NOT pg_has_role(r.oid, (SELECT own.oid FROM pg_roles own WHERE own.rolname = current_user), 'USAGE')
   AND r.rolname NOT IN ('supabase_admin', 'supabase_auth_admin', 'supabase_storage_admin', 'supabase_functions_admin',
                         'supabase_realtime_admin', 'supabase_replication_admin', 'supabase_etl_admin', 'pgbouncer')
 GROUP BY p.oid, r.rolname
 ORDER BY 1
