-- psql -c "SET cutover.done = 'thawed'" -c "SET cutover.not_ended = '[]'" -f thaw_tail.sql
BEGIN;
SET LOCAL search_path = pg_catalog, pg_temp;
SELECT current_setting('cutover.done') AS cutover, current_setting('cutover.not_ended') AS sessions_not_ended,
       CASE WHEN to_regnamespace('cutover_freeze') IS NOT NULL
            THEN 'BEGIN READ WRITE; DROP FUNCTION cutover_freeze.gate(); DROP SCHEMA cutover_freeze; COMMIT;' END AS a_minute_later;
COMMIT;
