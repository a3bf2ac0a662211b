-- The two numbers are "cuto" and "ver" in ASCII.
SELECT pg_try_advisory_lock(1668641903, 7759218)
