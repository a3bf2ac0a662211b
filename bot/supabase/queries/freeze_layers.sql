-- Layers 1 and 2, in one transaction: the database's default, and a hook before every request of the REST gateway.
-- The default alone stops nothing there: PostgREST opens its transactions READ WRITE by name. What was set before is
-- written as the comment of the schema, and the way back reads it from there.
SET cutover.done = '';
BEGIN READ WRITE;
SET LOCAL lock_timeout = '5s';
DO $kit$
DECLARE
  gate CONSTANT text := 'cutover_freeze.gate';
  db text := current_database();
  comment text := obj_description(to_regnamespace('cutover_freeze'), 'pg_namespace');
  noted json := CASE WHEN starts_with(comment, '{"hook"') THEN comment::json END;
  noted_holds boolean := noted IS NOT NULL AND noted ->> 'known' IS DISTINCT FROM 'false';
  hook_here text;        -- pgrst.db_pre_request of authenticator in this database, if set
  hook_everywhere text;  -- the same for all databases; the one above wins over it
  default_here text;     -- default_transaction_read_only of this database, if set
  hook text;             -- what of these was there before any freeze
  default_before text;
  known boolean := true;
  call text;
BEGIN
  IF to_regnamespace('cutover_freeze') IS NULL THEN
    CREATE SCHEMA cutover_freeze;
  ELSIF noted IS NULL AND comment IS DISTINCT FROM 'cutover: thawed'
        AND NOT EXISTS (SELECT FROM pg_proc WHERE oid = to_regprocedure('cutover_freeze.gate()')
                           AND strpos(prosrc, 'frozen for migration') > 0) THEN
    RAISE 'There is a schema cutover_freeze that is not of this kit; nothing was frozen; rename it, then run this again.'
      USING ERRCODE = 'duplicate_schema';
  END IF;
  GRANT USAGE ON SCHEMA cutover_freeze TO PUBLIC;
  SELECT max(value) FILTER (WHERE setrole <> 0 AND setdatabase <> 0),
         max(value) FILTER (WHERE setrole <> 0 AND setdatabase = 0),
         max(value) FILTER (WHERE setrole = 0)
    INTO hook_here, hook_everywhere, default_here
    FROM (SELECT setrole, setdatabase, split_part(entry, '=', 1) AS name, substr(entry, strpos(entry, '=') + 1) AS value
            FROM pg_db_role_setting, unnest(setconfig) AS entry
           WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = db))) AS settings
   WHERE setrole = 'authenticator'::regrole AND name = 'pgrst.db_pre_request'
      OR setrole = 0 AND setdatabase <> 0 AND name = 'default_transaction_read_only';
  -- What was before is what is set now, but for what an earlier run of this kit has set: of that, the comment says it.
  -- With our hook in force and no comment, the comment was lost: what was before is not to be seen here any more.
  IF hook_here = gate THEN
    hook := noted ->> 'hook';
    default_before := noted ->> 'default';
    known := noted IS NOT NULL AND noted ->> 'known' IS DISTINCT FROM 'false';
  ELSE
    hook := CASE WHEN noted_holds AND hook_here IS NULL THEN noted ->> 'hook' ELSE hook_here END;
    default_before := CASE WHEN noted_holds AND default_here::boolean THEN noted ->> 'default' ELSE default_here END;
  END IF;
  -- The hook that was there before goes on being called, by the name that PostgREST would call: all up to the first dot
  -- is the schema.
  call := array_to_string(ARRAY(
    SELECT quote_ident(part)
      FROM unnest(regexp_match(nullif(coalesce(hook, hook_everywhere), gate), '^([^.]*)\.?(.*)$')) AS part
     WHERE part <> ''), '.');
  EXECUTE format('CREATE OR REPLACE FUNCTION cutover_freeze.gate() RETURNS void LANGUAGE plpgsql AS %L', format($body$
BEGIN
  IF NOT current_setting('transaction_read_only')::boolean THEN
    RAISE 'frozen for migration' USING ERRCODE = '25006';
  END IF;
  %s
END $body$, 'PERFORM ' || nullif(call, '') || '();'));
  GRANT EXECUTE ON FUNCTION cutover_freeze.gate() TO PUBLIC;
  EXECUTE format('ALTER ROLE authenticator IN DATABASE %I SET pgrst.db_pre_request = %L', db, gate);
  EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', db);
  -- Whoever begins after this second finds the default; the time is for those who look for sessions from before.
  EXECUTE format('COMMENT ON SCHEMA cutover_freeze IS %L', json_build_object(
    'hook', hook, 'default', default_before, 'known', known,
    'at', to_char((clock_timestamp() + interval '1 second') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')));
  PERFORM set_config('cutover.done', 'frozen', false);
END $kit$;
NOTIFY pgrst, 'reload config';
COMMIT;
