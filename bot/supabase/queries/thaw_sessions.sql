-- Sessions that began under the freeze keep its default, so each is ended and its pool opens a new one. The gateway
-- reads its settings meanwhile, before the function that it may still call is dropped.
BEGIN;
DO $thaw$
DECLARE
  old record;
BEGIN
  IF coalesce(current_setting('cutover.thawing', true), '') <> 'yes' THEN
    RETURN;
  END IF;
  PERFORM pg_sleep(2);
  FOR old IN
    SELECT pid, usename, application_name FROM pg_stat_activity
     WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
       AND NOT starts_with(application_name, 'cutover/')
  LOOP
    BEGIN
      PERFORM pg_terminate_backend(old.pid, 2000);
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'not ended: pid %, role %, %: %', old.pid, old.usename, old.application_name, SQLERRM;
    END;
  END LOOP;
  PERFORM pg_sleep(1);
END $thaw$;
COMMIT;
