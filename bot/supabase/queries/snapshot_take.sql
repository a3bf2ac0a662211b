-- The first query after the locks: the snapshot is taken here and lent out under this id.
SELECT pg_export_snapshot() AS id,
       statement_timestamp() AS taken_at,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xmax,
       current_setting('server_version') AS server_version,
       quote_ident(current_user) AS role
