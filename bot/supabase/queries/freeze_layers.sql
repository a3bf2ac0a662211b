-- Layers 1 and 2, in one transaction: the database's default, and a hook before every request of the REST gateway.
-- The default alone stops nothing there: PostgREST opens its transactions READ WRITE by name. What was set before is
-- written once, as the comment of the schema, and the way back reads it from there.
BEGIN READ WRITE;
CREATE SCHEMA IF NOT EXISTS cutover_freeze;
GRANT USAGE ON SCHEMA cutover_freeze TO PUBLIC;
DO $kit$
DECLARE
  db text := current_database();
  prior json := obj_description('cutover_freeze'::regnamespace, 'pg_namespace');
  hook_here text;      -- pgrst.db_pre_request of authenticator in this database, if set
  hook_everywhere text;  -- the same for all databases; the one above wins over it
  default_here text;   -- default_transaction_read_only of this database, if set
  hook text;
  call text;
BEGIN
  SELECT max(value) FILTER (WHERE setrole <> 0 AND setdatabase <> 0),
         max(value) FILTER (WHERE setrole <> 0 AND setdatabase = 0),
         max(value) FILTER (WHERE setrole = 0)
    INTO hook_here, hook_everywhere, default_here
    FROM (SELECT setrole, setdatabase, lower(split_part(entry, '=', 1)) AS name, substr(entry, strpos(entry, '=') + 1) AS value
            FROM pg_db_role_setting, unnest(setconfig) AS entry
           WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = db))) AS settings
   WHERE setrole = 'authenticator'::regrole AND name = 'pgrst.db_pre_request'
      OR setrole = 0 AND setdatabase <> 0 AND name = 'default_transaction_read_only';
  IF prior IS NULL THEN
    -- With our hook in force and no comment, the comment was lost: what was before is not to be seen here any more.
    prior := CASE WHEN hook_here = 'cutover_freeze.gate' THEN json_build_object('hook', NULL, 'default', NULL, 'known', false)
                  ELSE json_build_object('hook', hook_here, 'default', default_here, 'known', true) END;
    EXECUTE format('COMMENT ON SCHEMA cutover_freeze IS %L', prior);
  END IF;
  -- The hook that was there before goes on being called, by the name that PostgREST would call: all up to the first dot
  -- is the schema.
  hook := coalesce(prior ->> 'hook', hook_everywhere, '');
  call := CASE WHEN strpos(hook, '.') > 0
               THEN format('PERFORM %I.%I();', split_part(hook, '.', 1), substr(hook, strpos(hook, '.') + 1))
               WHEN hook <> '' THEN format('PERFORM %I();', hook)
               ELSE '' END;
  EXECUTE format('CREATE OR REPLACE FUNCTION cutover_freeze.gate() RETURNS void LANGUAGE plpgsql AS %L', format($body$
BEGIN
  IF NOT current_setting('transaction_read_only')::boolean THEN
    RAISE 'frozen for migration' USING ERRCODE = '25006';
  END IF;
  %s
END $body$, call));
  GRANT EXECUTE ON FUNCTION cutover_freeze.gate() TO PUBLIC;
  EXECUTE format('ALTER ROLE authenticator IN DATABASE %I SET pgrst.db_pre_request = ''cutover_freeze.gate''', db);
  EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', db);
END $kit$;
NOTIFY pgrst, 'reload config';
COMMIT;
