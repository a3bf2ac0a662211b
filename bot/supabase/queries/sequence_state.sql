-- What a sequence holds itself. Anything else that has taken its name meanwhile gives no row, or an error.
-- psql -v oid=0 -v sequence=auth.refresh_tokens_id_seq -f sequence_state.sql
SELECT :oid::bigint AS oid, s.last_value, s.is_called FROM :sequence AS s WHERE s.tableoid = :oid
