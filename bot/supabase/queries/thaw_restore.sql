-- What was set before is set again, exactly, and the gateway notified. Works from a frozen session: READ WRITE by name.
-- The schema's comment says what it was, if the schema and its functions are ours; where it does not, the setting
-- cutover.prior may (the same JSON). Once that is done the comment says so, and a second run leaves alone what somebody
-- has set since. The hook lets everything pass from here on: who has not reloaded goes on calling it. A request with the
-- header x-cutover-reload gets an error that says so.
SET cutover.done = '';
SET cutover.spared = '';
BEGIN READ WRITE;
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL lock_timeout = '5s';
DO $thaw$
DECLARE
  db text := current_database();
  ours oid[] := ARRAY(SELECT oid FROM pg_roles WHERE rolname = current_user UNION SELECT datdba FROM pg_database WHERE datname = db);
  space oid := (SELECT oid FROM pg_namespace n WHERE nspname = 'cutover_freeze' AND nspowner = ANY (ours)
                   AND NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = n.oid AND proowner <> ALL (ours)));
  comment text := coalesce(obj_description(space, 'pg_namespace'), '');
  noted json := CASE WHEN comment LIKE '{"hook"%' THEN comment::json END;
  told json := nullif(current_setting('cutover.prior', true), '')::json;
  prior json := CASE WHEN noted ->> 'known' = 'false' THEN coalesce(told, noted) ELSE coalesce(noted, told) END;
  hooked boolean;
  read_only boolean;
  spared text;
  body text;
  what record;
BEGIN
  SELECT count(*) FILTER (WHERE entry = 'pgrst.db_pre_request=cutover_freeze.gate') > 0,
         count(*) FILTER (WHERE setrole = 0 AND entry ~* '^default_transaction_read_only=(on|t|y|1)') > 0,
         max('authenticator') FILTER (WHERE setrole = to_regrole('authenticator') AND entry = 'default_transaction_read_only=off')
    INTO hooked, read_only, spared
    FROM pg_db_role_setting, unnest(setconfig) AS entry
   WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = db);
  PERFORM set_config('cutover.done', 'thawed', false);
  IF hooked OR noted IS NOT NULL
     -- Of the freeze, somebody has left nothing but the default.
     OR read_only AND comment <> 'cutover: thawed' AND NOT coalesce(told ->> 'default', 'off')::boolean AND told IS NOT NULL THEN
    PERFORM set_config('cutover.spared', spared, false);
    FOR what IN VALUES ('DATABASE', 'default_transaction_read_only', 'default'),
                       ('ROLE authenticator IN DATABASE', 'pgrst.db_pre_request', 'hook'),
                       ('ROLE authenticator IN DATABASE', 'default_transaction_read_only', 'authenticator_default')
    LOOP
      -- What an older kit does not tell of, it has not set.
      CONTINUE WHEN prior IS NOT NULL AND coalesce(prior -> what.column3, noted -> what.column3) IS NULL;
      EXECUTE format('ALTER %s %I ', what.column1, db)
        || coalesce('SET ' || what.column2 || ' = ' || quote_literal(prior ->> what.column3), 'RESET ' || what.column2);
    END LOOP;
    IF space IS NOT NULL AND (noted IS NOT NULL OR to_regprocedure('cutover_freeze.gate()') IS NOT NULL) THEN
      COMMENT ON SCHEMA cutover_freeze IS 'cutover: thawed';
    END IF;
    SELECT prosrc INTO body FROM pg_proc WHERE pronamespace = space AND proname = 'gate' AND prosrc LIKE '%frozen for migration%';
    IF FOUND THEN
      EXECUTE format('CREATE OR REPLACE FUNCTION cutover_freeze.gate() RETURNS void LANGUAGE plpgsql AS %L',
        regexp_replace(body, '^.*?(true\)|END IF);', $pass$
BEGIN -- frozen for migration, and thawed
  IF pg_catalog.strpos(pg_catalog.current_setting('request.headers', true), 'x-cutover-reload') OPERATOR(pg_catalog.>) 0 THEN
    RAISE 'not reloaded' USING ERRCODE = 'CUT00';
  END IF;$pass$));
    END IF;
    IF (prior ->> 'default')::boolean THEN
      RAISE WARNING 'The database was read-only before the freeze, and is read-only again.';
    END IF;
  ELSIF comment <> 'cutover: thawed' THEN
    PERFORM set_config('cutover.done', 'nothing to thaw', false);
  END IF;
END $thaw$;
NOTIFY pgrst, 'reload config';
COMMIT;
