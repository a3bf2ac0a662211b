-- What was set before is set again, exactly, and the gateway told. Works from a frozen session: READ WRITE by name.
-- The schema's comment says what it was; where that was lost, the setting cutover.prior may (the same JSON). Once that
-- is done the comment says so, and a second run leaves alone what somebody has set since.
SET cutover.done = '';
BEGIN READ WRITE;
SET LOCAL lock_timeout = '5s';
DO $thaw$
DECLARE
  db text := current_database();
  comment text := coalesce(obj_description(to_regnamespace('cutover_freeze'), 'pg_namespace'), '');
  noted json := CASE WHEN comment LIKE '{"hook"%' THEN comment::json END;
  told json := nullif(current_setting('cutover.prior', true), '')::json;
  prior json := CASE WHEN noted ->> 'known' = 'false' THEN coalesce(told, noted) ELSE coalesce(noted, told) END;
  hooked boolean;
  read_only boolean;
BEGIN
  SELECT count(*) FILTER (WHERE entry = 'pgrst.db_pre_request=cutover_freeze.gate') > 0,
         count(*) FILTER (WHERE setrole = 0 AND entry ~* '^default_transaction_read_only=(on|t|y|1)') > 0
    INTO hooked, read_only
    FROM pg_db_role_setting, unnest(setconfig) AS entry
   WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = db);
  PERFORM set_config('cutover.done', 'thawed', false);
  IF hooked OR noted IS NOT NULL
     -- Of the freeze, somebody has left nothing but the default.
     OR read_only AND comment <> 'cutover: thawed' AND NOT coalesce(told ->> 'default', 'off')::boolean AND told IS NOT NULL THEN
    EXECUTE format('ALTER DATABASE %I ', db)
      || coalesce('SET default_transaction_read_only = ' || quote_literal(prior ->> 'default'), 'RESET default_transaction_read_only');
    EXECUTE format('ALTER ROLE authenticator IN DATABASE %I ', db)
      || coalesce('SET pgrst.db_pre_request = ' || quote_literal(prior ->> 'hook'), 'RESET pgrst.db_pre_request');
    IF noted IS NOT NULL OR to_regprocedure('cutover_freeze.gate()') IS NOT NULL THEN
      COMMENT ON SCHEMA cutover_freeze IS 'cutover: thawed';
    END IF;
    IF (prior ->> 'default')::boolean THEN
      RAISE WARNING 'It was read-only before the freeze too, and is so again.';
    END IF;
  ELSIF comment <> 'cutover: thawed' THEN
    PERFORM set_config('cutover.done', 'nothing to thaw', false);
  END IF;
END $thaw$;
NOTIFY pgrst, 'reload config';
COMMIT;
