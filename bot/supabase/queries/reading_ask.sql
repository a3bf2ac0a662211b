-- One message: the rows are the last result but two, the settings after the last row the last but one.
-- psql -c 'BEGIN; SAVEPOINT begun' -v plan='SELECT 1;' -v select='SELECT 2' -v settings='SELECT 3' -f reading_ask.sql
:plan
:select;
:settings;
ROLLBACK TO SAVEPOINT begun
