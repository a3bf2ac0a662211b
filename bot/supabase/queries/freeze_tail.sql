-- psql -c "SET cutover.done = 'frozen'" -c "SET cutover.not_ended = '[]'" -f freeze_tail.sql
BEGIN;
SET LOCAL search_path = pg_catalog, pg_temp;
SELECT 'Frozen. Now close this session: it began before the freeze and can still write.' AS cutover,
       current_setting('cutover.not_ended') AS sessions_not_ended
 WHERE current_setting('cutover.done') = 'frozen';
COMMIT;
