-- What a sequence holds itself. Anything else that has taken its name meanwhile gives no row, or an error.
SELECT {oid}::bigint AS oid, s.last_value, s.is_called FROM {sequence} AS s WHERE s.tableoid = {oid}
