-- psql -c 'BEGIN; SAVEPOINT begun' -v settings='SELECT 1' -f reading_settings.sql
:settings;
ROLLBACK TO SAVEPOINT begun
