-- Last, when nobody calls it any more.
BEGIN READ WRITE;
DROP SCHEMA IF EXISTS cutover_freeze CASCADE;
COMMIT;
