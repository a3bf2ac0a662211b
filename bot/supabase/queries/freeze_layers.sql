-- Layers 1 and 2, in one transaction: the database's default, and a hook before every request of the REST gateway.
-- The default alone stops nothing there: PostgREST opens its transactions READ WRITE by name. And since it does, its role
-- is spared the default: its listener connects only where it may write, and would hear no word of a reload otherwise.
-- What was set before is written as the comment of the schema, and the way back reads it from there.
SET cutover.done = '';
BEGIN READ WRITE;
-- Nothing of what others have put into our search path is called, here or below.
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL lock_timeout = '5s';
DO $kit$
DECLARE
  gate CONSTANT text := 'cutover_freeze.gate';
  db text := current_database();
  ours oid[] := ARRAY(SELECT oid FROM pg_roles WHERE rolname = current_user UNION SELECT datdba FROM pg_database WHERE datname = db);
  place record;          -- the schema, if it is there, and whether somebody else owns it or a function in it
  noted json;
  noted_holds boolean;
  own_is_noted boolean;
  hook_here text;        -- pgrst.db_pre_request of authenticator in this database, if set
  hook_everywhere text;  -- the same for all databases; the one above wins over it
  default_here text;     -- default_transaction_read_only of this database, if set
  default_own text;      -- the same of authenticator in this database
  hook text;             -- what of these was there before any freeze
  default_before text;
  own_before text;
  known boolean := true;
  call text;
BEGIN
  SELECT n.nspowner::regrole AS owner, obj_description(n.oid, 'pg_namespace') AS comment,
         n.nspowner <> ALL (ours) OR EXISTS (SELECT FROM pg_proc WHERE pronamespace = n.oid AND proowner <> ALL (ours)) AS strange,
         EXISTS (SELECT FROM pg_proc WHERE pronamespace = n.oid AND proname = 'gate' AND pronargs = 0
                    AND strpos(prosrc, 'frozen for migration') > 0) AS has_gate
    INTO place FROM pg_namespace n WHERE n.nspname = 'cutover_freeze';
  IF NOT FOUND THEN
    CREATE SCHEMA cutover_freeze;
  ELSIF place.strange OR NOT place.has_gate AND coalesce(place.comment, '') <> 'cutover: thawed'
        AND NOT starts_with(coalesce(place.comment, ''), '{"hook"') THEN
    RAISE 'There is a schema cutover_freeze (owner: %) that Cutover did not create. Nothing was frozen. Rename it, then run this again.',
      place.owner USING ERRCODE = 'duplicate_schema';
  END IF;
  noted := CASE WHEN starts_with(place.comment, '{"hook"') THEN place.comment::json END;
  noted_holds := noted IS NOT NULL AND noted ->> 'known' IS DISTINCT FROM 'false';
  own_is_noted := noted -> 'authenticator_default' IS NOT NULL;
  GRANT USAGE ON SCHEMA cutover_freeze TO PUBLIC;
  SELECT max(value) FILTER (WHERE name = 'pgrst.db_pre_request' AND setdatabase <> 0),
         max(value) FILTER (WHERE name = 'pgrst.db_pre_request' AND setdatabase = 0),
         max(value) FILTER (WHERE name = 'default_transaction_read_only' AND setrole = 0),
         max(value) FILTER (WHERE name = 'default_transaction_read_only' AND setrole <> 0)
    INTO hook_here, hook_everywhere, default_here, default_own
    FROM (SELECT setrole, setdatabase, split_part(entry, '=', 1) AS name, substr(entry, strpos(entry, '=') + 1) AS value
            FROM pg_db_role_setting, unnest(setconfig) AS entry
           WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = db))) AS settings
   WHERE setrole = 'authenticator'::regrole AND name = 'pgrst.db_pre_request'
      OR setrole IN (0, 'authenticator'::regrole) AND setdatabase <> 0 AND name = 'default_transaction_read_only';
  -- What was before is what is set now, but for what an earlier run of this kit has set: of that, the comment says it.
  -- With our hook in force and no comment, the comment was lost: what was before is not to be seen here any more. A
  -- comment that says nothing of authenticator's default is an older kit's, which left that alone.
  IF hook_here = gate THEN
    hook := noted ->> 'hook';
    default_before := noted ->> 'default';
    own_before := CASE WHEN noted_holds AND NOT own_is_noted THEN default_own ELSE noted ->> 'authenticator_default' END;
    known := noted_holds;
  ELSE
    hook := CASE WHEN noted_holds AND hook_here IS NULL THEN noted ->> 'hook' ELSE hook_here END;
    default_before := CASE WHEN noted_holds AND default_here::boolean THEN noted ->> 'default' ELSE default_here END;
    own_before := CASE WHEN noted_holds AND own_is_noted AND NOT default_own::boolean THEN noted ->> 'authenticator_default'
                       ELSE default_own END;
  END IF;
  -- The hook that was there before goes on being called, by the name that PostgREST would call: all up to the first dot
  -- is the schema. It is called last, and what is read-only by then stays so.
  call := array_to_string(ARRAY(
    SELECT quote_ident(part)
      FROM unnest(regexp_match(nullif(coalesce(hook, hook_everywhere), gate), '^([^.]*)\.?(.*)$')) AS part
     WHERE part <> ''), '.');
  EXECUTE format('CREATE OR REPLACE FUNCTION cutover_freeze.gate() RETURNS void LANGUAGE plpgsql AS %L', format($body$
BEGIN -- frozen for migration
  PERFORM pg_catalog.set_config('transaction_read_only', 'on', true);
  %s
END $body$, 'PERFORM ' || nullif(call, '') || '();'));
  GRANT EXECUTE ON FUNCTION cutover_freeze.gate() TO PUBLIC;
  EXECUTE format('ALTER ROLE authenticator IN DATABASE %I SET pgrst.db_pre_request = %L', db, gate);
  EXECUTE format('ALTER ROLE authenticator IN DATABASE %I SET default_transaction_read_only = off', db);
  EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', db);
  -- Whoever begins after this second finds the default; the time is for those who look for sessions from before.
  EXECUTE format('COMMENT ON SCHEMA cutover_freeze IS %L', json_build_object(
    'hook', hook, 'default', default_before, 'authenticator_default', own_before, 'known', known,
    'at', to_char((clock_timestamp() + interval '1 second') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')));
  PERFORM set_config('cutover.done', 'frozen', false);
END $kit$;
NOTIFY pgrst, 'reload config';
COMMIT;
