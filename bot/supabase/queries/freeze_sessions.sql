-- Layer 3: sessions that began before keep the old default for as long as they live, so each is ended. The two seconds
-- let the gateway read its setting, and those who reconnect too early be ended as well. One by one: a superuser's
-- session cannot be ended by us, and in one statement it would save all the others.
BEGIN;
DO $kit$
DECLARE
  old record;
BEGIN
  PERFORM pg_sleep(2);
  IF NOT EXISTS (SELECT FROM pg_db_role_setting, unnest(setconfig) AS entry
                  WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
                    AND entry = 'pgrst.db_pre_request=cutover_freeze.gate') THEN
    RAISE EXCEPTION 'nothing is frozen, and no session was ended: the first part did not succeed';
  END IF;
  FOR old IN
    SELECT pid, usename, application_name FROM pg_stat_activity
     WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
       AND NOT starts_with(application_name, 'cutover/')
  LOOP
    BEGIN
      IF NOT pg_terminate_backend(old.pid, 2000) THEN
        RAISE WARNING 'not ended within 2 s: pid %, role %, %', old.pid, old.usename, old.application_name;
      END IF;
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING 'not ended: pid %, role %, %: %', old.pid, old.usename, old.application_name, SQLERRM;
    END;
  END LOOP;
  RAISE NOTICE 'Frozen. Now close this session: it began before the freeze and can still write.';
END $kit$;
COMMIT;
SELECT 'Frozen. Now close this session: it began before the freeze and can still write.' AS cutover;
