-- The locks and settings of before stay; whatever is done from here on is undone after each statement.
-- psql -c BEGIN -v settings='SELECT 1' -f reading_begin.sql
SAVEPOINT begun; :settings
