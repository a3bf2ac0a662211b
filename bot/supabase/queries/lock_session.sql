-- This session as pg_stat_activity shows it: pid and name.
SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('application_name')
