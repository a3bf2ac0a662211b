-- Where the server is: its clock, its log, and the first transaction id not yet given out to a transaction that has ended.
SELECT clock_timestamp(), pg_current_wal_lsn()::text, pg_snapshot_xmax(pg_current_snapshot())::text::bigint
