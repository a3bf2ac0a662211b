-- What was set before is set again, exactly, and the gateway told. Works from a frozen session: READ WRITE by name.
-- The schema's comment says what it was; where it was lost, the setting cutover.prior may (the same JSON).
BEGIN READ WRITE;
DO $thaw$
DECLARE
  db text := current_database();
  noted json := obj_description(to_regnamespace('cutover_freeze'), 'pg_namespace');
  prior json := CASE WHEN (noted ->> 'known')::boolean THEN noted
                     ELSE coalesce(nullif(current_setting('cutover.prior', true), '')::json, noted) END;
  hooked boolean := EXISTS (SELECT FROM pg_db_role_setting, unnest(setconfig) AS entry
                             WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = db)
                               AND entry = 'pgrst.db_pre_request=cutover_freeze.gate');
BEGIN
  IF noted IS NULL AND NOT hooked THEN
    RAISE NOTICE 'Nothing to thaw: this database is not frozen by cutover.';
    RETURN;
  END IF;
  EXECUTE format('ALTER DATABASE %I ', db)
    || coalesce('SET default_transaction_read_only = ' || quote_literal(prior ->> 'default'),
                'RESET default_transaction_read_only');
  EXECUTE format('ALTER ROLE authenticator IN DATABASE %I ', db)
    || coalesce('SET pgrst.db_pre_request = ' || quote_literal(prior ->> 'hook'), 'RESET pgrst.db_pre_request');
  PERFORM set_config('cutover.thawing', 'yes', false);
  IF coalesce(prior ->> 'default', 'off') NOT IN ('off', 'false', 'no', '0') THEN
    RAISE WARNING 'This database was read-only before the freeze too, and is so again.';
  END IF;
END $thaw$;
NOTIFY pgrst, 'reload config';
COMMIT;
