-- A session keeps the default that it began with for as long as it lives, so each is ended and its pool opens a new one.
-- The two seconds let the gateway read its settings, and those who reconnect too early be ended as well. One by one:
-- a superuser's session cannot be ended by us, and in one statement it would save all the others. The bot's own are
-- spared if they are our role's, but at a thaw for one that still holds off writers by its locks; and at a thaw the
-- gateway's are, which never had the default.
-- psql -c "SET cutover.done = 'frozen'" -f sessions_end.sql
BEGIN;
SET LOCAL search_path = pg_catalog, pg_temp;
DO $sessions$
DECLARE
  done text := coalesce(current_setting('cutover.done', true), '');
  old int;
  told int[] := '{}';
  refused int[] := '{}';
BEGIN
  PERFORM set_config('cutover.not_ended', '[]', false);
  IF done = '' THEN
    RAISE 'The first part failed, so no session was ended.';
  ELSIF done = 'nothing to thaw' THEN
    RETURN;
  END IF;
  PERFORM pg_sleep(2);
  FOR old IN
    SELECT pid FROM pg_stat_activity AS a
     WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
       AND CASE WHEN usename = session_user AND starts_with(application_name, 'cutover/')
                THEN done = 'thawed' AND EXISTS (SELECT FROM pg_locks WHERE pid = a.pid AND mode = 'ShareLock' AND locktype = 'relation')
                ELSE done = 'frozen' OR usename IS DISTINCT FROM current_setting('cutover.spared', true) END
  LOOP
    BEGIN
      PERFORM pg_terminate_backend(old);
      told := told || old;
    EXCEPTION WHEN OTHERS THEN
      refused := refused || old;
    END;
  END LOOP;
  FOR tries IN 1..50 LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ANY (told));
    PERFORM pg_sleep(0.1);
  END LOOP;
  PERFORM set_config('cutover.not_ended', json_agg(json_build_array(pid, usename, application_name, pid = ANY (refused)))::text, false)
     FROM pg_stat_activity WHERE pid = ANY (told || refused) HAVING count(*) > 0;
END $sessions$;
COMMIT;
