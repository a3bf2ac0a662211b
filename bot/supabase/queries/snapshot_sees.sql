-- Which transactions the snapshot sees, and of which life of the server.
SELECT pg_current_snapshot()::text || ' of ' || pg_postmaster_start_time()::text
