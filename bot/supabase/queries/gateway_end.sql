-- Ends what the REST gateway has open.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND usename = 'authenticator' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
