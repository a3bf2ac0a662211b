-- Last, when nobody calls it any more. What somebody else has put into the schema stays, and so does the schema then.
BEGIN READ WRITE;
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL lock_timeout = '5s';
DO $thaw$
BEGIN
  IF obj_description(to_regnamespace('cutover_freeze'), 'pg_namespace') = 'cutover: thawed' THEN
    PERFORM pg_sleep(1);
    DROP FUNCTION IF EXISTS cutover_freeze.gate();
    DROP SCHEMA cutover_freeze;
  END IF;
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'The schema cutover_freeze is left, unused: %', SQLERRM;
END $thaw$;
COMMIT;
