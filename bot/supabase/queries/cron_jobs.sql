-- pg_cron's active jobs; asked only where its table is there.
SELECT 'job', jobid::text FROM cron.job WHERE active ORDER BY jobid
